"""What a gateway's account is set up with: its fields, what may be typed into them, and gateways that can try it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from domain.errors import BadInput

MOST_CREDENTIAL: Final = 1_000
"""A security credential of Daraja has 344 characters."""


@dataclass(frozen=True, slots=True)
class Field:
    """One credential as it is asked for; what is no secret may be shown. One with `options` is one of them."""

    name: str
    question: str
    secret: bool = True
    needed: bool = True
    options: tuple[str, ...] = ()


@runtime_checkable
class Checks(Protocol):
    """A gateway that can try credentials by one harmless call."""

    async def check(self, credentials: Mapping[str, str]) -> str | None:
        """None when they are accepted; `configuration` when not, `try_later` when nobody answered."""
        ...


def read_credential(field: Field, typed: str) -> str:
    """As it was pasted, without the blanks around it. Raises BadInput(credential): empty, too_long, not_one_line, not_an_option."""
    value = typed.strip()
    if not value:
        raise BadInput("credential", "empty")
    if len(value) > MOST_CREDENTIAL:
        raise BadInput("credential", "too_long", limit=MOST_CREDENTIAL)
    if not value.isascii() or not value.isprintable() or " " in value:
        raise BadInput("credential", "not_one_line")
    if field.options and value.upper() not in field.options:
        raise BadInput("credential", "not_an_option", options=", ".join(field.options))
    return value.upper() if field.options else value
