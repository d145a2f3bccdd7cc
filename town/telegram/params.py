"""The parameters of one Bot API call, however they came: query string, form, JSON or multipart.

Numbers and structures may arrive as strings (a form field holds JSON text), so every reading converts. A method can only
read parameters it declared: the declarations are what the contract test compares with Telegram's specification.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from town.telegram.errors import bad

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came in a multipart body."""

    name: str
    mime: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Method:
    """One Bot API method of the town: `run(telegram, params)` gives the result or an awaitable of it."""

    name: str
    reads: frozenset[str]
    run: Callable[..., Any]


METHODS: dict[str, Method] = {}
"""Every method the town knows, by its name in lower case (Telegram ignores case)."""


Run = TypeVar("Run", bound=Callable[..., Any])


def method(name: str, reads: str = "") -> Callable[[Run], Run]:
    """Register a function as Bot API method `name`, reading the parameters named in `reads`."""

    def register(run: Run) -> Run:
        METHODS[name.lower()] = Method(name, frozenset(reads.split()), run)
        return run

    return register


def parsed(text: str) -> Any:
    """The JSON value of a text; ValueError when it is none, or holds half of a surrogate pair, which is no text at all."""
    value = json.loads(text)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()
    return value


class Params:
    """Values of one call, read by declared names only."""

    __slots__ = ("_declared", "_files", "_values")

    def __init__(self, declared: frozenset[str], values: Mapping[str, Any], files: Mapping[str, Upload]) -> None:
        self._declared = declared
        self._values = values
        self._files = files

    def raw(self, name: str) -> Any:
        """The value as it came, None when absent."""
        if name not in self._declared:
            raise LookupError(f"parameter {name} is read but not declared")
        return self._values.get(name)

    def has(self, name: str) -> bool:
        return self.raw(name) is not None or name in self._files

    def text(self, name: str) -> str | None:
        value = self.raw(name)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool | int | float):
            return json.dumps(value)
        raise bad(f'field "{name}" must be of type String')

    def words(self, name: str) -> str:
        """A string; the empty one when absent."""
        return self.text(name) or ""

    def integer(self, name: str) -> int | None:
        value = self.raw(name)
        if value is None or value == "":
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        try:
            return int(str(value))
        except ValueError:
            raise bad(f'field "{name}" must be of type Number') from None

    def number(self, name: str) -> float | None:
        value = self.raw(name)
        try:
            return None if value is None or value == "" else float(value)
        except (TypeError, ValueError):
            raise bad(f'field "{name}" must be of type Number') from None

    def flag(self, name: str) -> bool:
        value = self.raw(name)
        return value is True or (isinstance(value, str) and value.lower() in {"true", "1", "yes", "t", "y"}) or value == 1

    def structure(self, name: str) -> Any:
        """A JSON value; text is parsed."""
        value = self.raw(name)
        if not isinstance(value, str):
            return value
        if value == "":
            return None
        try:
            return parsed(value)
        except ValueError:
            raise bad(f"can't parse {name} JSON object") from None

    def table(self, name: str) -> Json | None:
        value = self.structure(name)
        if value is None or isinstance(value, dict):
            return value
        raise bad(f"object expected as {name.replace('_', ' ')}")

    def rows(self, name: str) -> list[Any] | None:
        value = self.structure(name)
        if value is None or isinstance(value, list):
            return value
        raise bad(f"array expected as {name.replace('_', ' ')}")

    def upload(self, name: str) -> Upload | None:
        """A file sent as field `name`, or through `attach://other` in that field."""
        if name in self._files:
            return self._files[name]
        value = self.raw(name)
        if isinstance(value, str) and value.startswith("attach://"):
            return self.attached(value)
        return None

    def attached(self, reference: str) -> Upload:
        """The file an `attach://name` points to."""
        found = self._files.get(reference.removeprefix("attach://"))
        if found is None:
            raise bad("can't find attached file in the request")
        return found
