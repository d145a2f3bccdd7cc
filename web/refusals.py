"""Refusals as sentences: the most specific one the catalog has. Values come from the facts, amounts as money."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from domain.errors import DomainError, LimitReached, NotFound
from domain.money import Money
from templates.methods import payment_key
from templates.words import Words


def sentence(t: Words, refusal: DomainError) -> str:
    """Plain text; a template escapes it."""
    facts = {name: value for name, value in refusal.facts.items() if isinstance(value, str | int | datetime | Money)}
    field, reason = facts.get("field", ""), facts.get("reason", "") or facts.get("limit", "")
    code = refusal.code
    for key in (
        f"errors.{code}.{field}.{reason}",
        f"errors.{code}.{reason}",
        f"errors.{code}.{field}.any",
        f"errors.{code}.any",
        f"errors.{code}",
    ):
        said = _say(t, key, facts)
        if said is not None:
            return said
    return t("errors.any")


def _say(t: Words, key: str, facts: dict[str, Any]) -> str | None:
    if not t.has(key):
        return None
    try:
        return t(key, **facts)
    except (KeyError, IndexError):
        return None


def payment_sentence(t: Words, result: str | None, method: str | None = None) -> str:
    """What became of a try to pay."""
    return t(payment_key(t, result, method))


def http_status(refusal: DomainError) -> int:
    if isinstance(refusal, NotFound):
        return 404
    return 429 if isinstance(refusal, LimitReached) else 409
