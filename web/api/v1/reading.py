"""Reading a request strictly: who sent it, its bearer, its key, its query and its body. Nothing here asks anybody."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any, Final

from aiohttp import web
from pydantic import ValidationError

from web.api.v1.problems import Invalid, Unacceptable
from web.api.v1.schemas import Request
from web.bodies import BROKEN
from web.door import DOOR
from web.middlewares import REQUEST_ID

MOST_BYTES: Final = 64 * 1024
_BEARER: Final = re.compile(r"(?i:bearer) +([!-~]{1,200})", re.ASCII)
_KEY: Final = re.compile(r"[!-~]{1,255}", re.ASCII)
_WHOLE: Final = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_REASONS: Final = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "int_type": "not_a_whole_number",
    "int_parsing": "not_a_whole_number",
    "int_from_float": "not_a_whole_number",
    "bool_type": "not_true_or_false",
    "string_type": "not_text",
    "string_too_long": "too_long",
    "string_too_short": "too_short",
    "string_pattern_mismatch": "malformed",
    "greater_than_equal": "too_small",
    "less_than_equal": "too_large",
    "enum": "unknown_value",
    "literal_error": "unknown_value",
    "timezone_aware": "no_time_zone",
}


def request_id_of(request: web.Request) -> str:
    """The id that the edge has given it, which stands in the log."""
    return str(request.get(REQUEST_ID, ""))


def address_of(request: web.Request) -> str:
    """The caller's network address, as the door that knows our proxies finds it."""
    return request.app[DOOR].address_of(request)


def bearer_of(request: web.Request) -> str:
    sent = request.headers.getall("Authorization", [])
    found = _BEARER.fullmatch(sent[0]) if len(sent) == 1 else None
    if found is None:
        raise Unacceptable("not_recognized")
    return found[1]


def idempotency_key_of(request: web.Request, *, shortest: int) -> str:
    """Strangers share one room of keys, so theirs have to be too long to meet by chance."""
    sent = request.headers.getall("Idempotency-Key", [])
    if len(sent) != 1 or not _KEY.fullmatch(sent[0]) or len(sent[0]) < shortest:
        raise Unacceptable("idempotency_key")
    return sent[0]


def query_of(request: web.Request, model: type[Request] | None) -> Any:
    """Each name once, none that is not meant; whole numbers plainly written."""
    given: dict[str, Any] = {}
    for name, text in request.query.items():
        if name in given or model is None:
            raise Invalid([(_shortened(name), "repeated" if name in given else "unknown_field")])
        is_whole = name in model.model_fields and model.model_fields[name].annotation is int and _WHOLE.fullmatch(text)
        given[name] = int(text) if is_whole else text
    return None if model is None else _validated(model, given)


async def body_of(request: web.Request, model: type[Request] | None, *, optional: bool) -> tuple[Any, str]:
    """The body as its model, and in one canonical spelling."""
    if model is None:
        return None, ""
    raw = await raw_body(request)
    if not raw and optional:
        return _validated(model, {}), "{}"
    if request.content_type != "application/json" or (request.charset or "utf-8").lower() not in {"utf-8", "utf8"}:
        raise Unacceptable("not_json")
    given = _loaded(raw)
    return _validated(model, given), json.dumps(given, sort_keys=True, separators=(",", ":"))


async def raw_body(request: web.Request) -> bytes:
    """At most 64 KB, also of what was sent compressed, and only while somebody would wait for it."""
    if (request.content_length or 0) > MOST_BYTES:
        raise Unacceptable("too_large")
    found = bytearray()
    try:
        async with asyncio.timeout(request.app[DOOR].body_s):
            async for chunk in request.content.iter_chunked(MOST_BYTES):
                found += chunk
                if len(found) > MOST_BYTES:
                    raise Unacceptable("too_large")
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except BROKEN:
        raise Unacceptable("unreadable") from None
    return bytes(found)


def _loaded(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=_each_once, parse_constant=_no_constant)
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise Unacceptable("unreadable") from None
    if not isinstance(found, dict):
        raise Unacceptable("unreadable")
    return found


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _validated(model: type[Request], given: dict[str, Any]) -> Any:
    try:
        return model.model_validate_json(json.dumps(given))
    except ValidationError as error:
        found = [
            (_shortened(".".join(map(str, one["loc"])) or "body"), _reason(one))
            for one in error.errors(include_url=False, include_input=False)
        ]
        raise Invalid(found[:20]) from None


def _reason(error: Any) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    return _REASONS.get(error["type"], "malformed")


def _shortened(name: str) -> str:
    """A name that somebody made up, for an answer: short and printable."""
    return "".join(char if char.isprintable() else "?" for char in name[:60])
