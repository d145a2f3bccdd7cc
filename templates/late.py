"""What is said of late money outside its card: which line of the catalog, and what fills it. The same for chats, texts and letters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from domain.money import Money
from templates.words import Words

LATE_FACTS: Final = frozenset({"late_money", "late_waits", "late_over"})


def late_line(t: Words, fact: str, about: Mapping[str, Any]) -> str:
    """The key of the line: how it ended is told by who ended it, where there is a line for that."""
    if fact != "late_over":
        return f"chat.fact.{fact}"
    by = f"chat.fact.late_over.{about['by']}"
    return by if t.has(by) and about["state"] != "VOID" else f"chat.fact.late_over.{about['state'].lower()}"


def late_values(about: Mapping[str, Any]) -> dict[str, Any]:
    """As an outbox message keeps them."""
    values: dict[str, Any] = {name: about[name] for name in ("number", "item", "name", "shop") if name in about}
    values["total"] = Money(about["amount_minor"], about["currency"])
    if "when" in about:
        values["when"] = datetime.fromisoformat(about["when"])
    return values
