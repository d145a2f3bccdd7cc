"""Stripe's way of writing parameters (`line_items[0][quantity]=1`), and the checks that refuse what it does not know."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

Schema = Mapping[str, Any]
"""Name -> kind: `text`, `integer`, `flag`, `url`, `map` (metadata), `texts` (a list), `span` (a number or gt/gte/lt/lte), another Schema,
or a list with one Schema. A name that ends in `!` is required."""
MOST_TEXT = 5000
_SPAN: Schema = dict.fromkeys(("gt", "gte", "lt", "lte"), "integer")


class Refusal(Exception):
    """Stripe's error reply. `stored` says that the request was begun, so that its key keeps this answer."""

    def __init__(
        self, status: int, message: str, *, kind: str = "invalid_request_error", code: str = "", param: str = "", stored: bool = False,
        headers: Mapping[str, str] | None = None, **more: Any,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status = status
        self.stored = stored
        self.headers = dict(headers or {})
        told = {"code": code, "message": message, "param": param, "type": kind, **more}
        self.body = {"error": {name: value for name, value in told.items() if value}}


def unfolded(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Nested mappings and lists out of bracketed names. Raises Refusal for names that contradict each other."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        match = re.fullmatch(r"([^\[\]]+)((?:\[[^\[\]]*\])*)", name)
        if match is None:
            raise Refusal(400, f"Invalid request: {name}", param=name)
        path = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
        here = found
        for step in path[:-1]:
            here = here.setdefault(step or str(len(here)), {})
            if not isinstance(here, dict):
                raise Refusal(400, f"Invalid object: {name}", param=name)
        here[path[-1] or str(len(here))] = value
    return found


def checked(given: Mapping[str, Any], schema: Schema, within: str = "") -> dict[str, Any]:
    """The parameters with their types. Raises Refusal for the first that is unknown, missing, or of another type."""
    kinds = {name.rstrip("!"): kind for name, kind in schema.items()}
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name not in kinds:
            raise Refusal(400, f"Received unknown parameter: {_full(within, name)}", code="parameter_unknown", param=_full(within, name))
        found[name] = _typed(value, kinds[name], _full(within, name))
    for name in schema:
        if name.endswith("!") and name.rstrip("!") not in found:
            param = _full(within, name.rstrip("!"))
            raise Refusal(400, f"Missing required param: {param}.", code="parameter_missing", param=param)
    return found


def _full(within: str, name: str) -> str:
    return f"{within}[{name}]" if within else name


def _typed(value: Any, kind: Any, param: str) -> Any:
    if kind == "span" and isinstance(value, dict):
        kind = _SPAN
    if isinstance(kind, Mapping):
        if not isinstance(value, dict):
            raise Refusal(400, "Invalid object", param=param)
        return checked(value, kind, param)
    if isinstance(kind, list) or kind == "texts":
        if not isinstance(value, dict) or not all(index.isdigit() for index in value):
            raise Refusal(400, "Invalid array", param=param)
        one = "text" if kind == "texts" else kind[0]
        return [_typed(value[index], one, f"{param}[{index}]") for index in sorted(value, key=int)]
    if kind == "map":
        return _metadata(value, param)
    if not isinstance(value, str):
        raise Refusal(400, f"Invalid string: {value}", param=param)
    return _scalar(value, kind, param)


def _scalar(value: str, kind: Any, param: str) -> Any:
    if kind in ("integer", "span"):
        if not re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII):
            raise Refusal(400, f"Invalid integer: {value}", code="parameter_invalid_integer", param=param)
        return int(value)
    if kind == "flag":
        if value not in ("true", "false"):
            raise Refusal(400, f"Invalid boolean: {value}", param=param)
        return value == "true"
    if len(value) > MOST_TEXT:
        raise Refusal(400, "Invalid string: it is too long", code="parameter_invalid_string_too_long", param=param)
    if not value:
        raise Refusal(400, f"You passed an empty string for '{param}'.", code="parameter_invalid_empty", param=param)
    if kind == "url" and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
        raise Refusal(400, "Not a valid URL", code="url_invalid", param=param)
    return value


def _metadata(value: Any, param: str) -> dict[str, str]:
    if value == "":
        return {}
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise Refusal(400, "Invalid hash", param=param)
    if len(value) > 50:
        raise Refusal(400, "Metadata can have up to 50 keys", param=param)
    for name, text in value.items():
        if len(name) > 40:
            raise Refusal(400, "Metadata keys can be up to 40 characters", param=f"{param}[{name}]")
        if len(text) > 500:
            raise Refusal(400, "Metadata values can be up to 500 characters", param=f"{param}[{name}]")
    return dict(value)
