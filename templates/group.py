"""What is said of a group that pays together: which lines of the catalog, and what fills them. The same for chats, texts and letters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from domain.money import Money
from templates.words import Words

GROUP_FACTS: Final = frozenset({"share_paid", "group_full", "group_ended"})


def group_line(t: Words, fact: str, about: Mapping[str, Any], as_data: Callable[[str], str] = str) -> str:
    """As an outbox message keeps it; names pass through `as_data`."""
    key = f"chat.fact.{fact}"
    if fact == "share_paid":
        key += ".mine" if about["mine"] else ".theirs"
    elif fact == "group_ended":
        key += f".{about['why']}"
    currency = about["currency"]
    values: dict[str, Any] = {
        "item": as_data(about["item"]),
        "name": as_data(about.get("name", "")),
        "total": Money(about.get("amount_minor", 0), currency),
        "paid": Money(about["paid_minor"], currency),
        "whole": Money(about["total_minor"], currency),
    }
    said = t.html(key, **values)
    mine = fact == "group_ended" and about["amount_minor"]
    return f"{said} {t.html('chat.fact.group_back', **values)}" if mine else said
