"""Every dialog of the house, by its name."""

from __future__ import annotations

from collections.abc import Mapping

from bot.dialog import Dialog
from bot.dialogs import (
    buy,
    carry,
    check,
    claim,
    email,
    gateway,
    group,
    home,
    late,
    links,
    order,
    orders,
    practice,
    purchases,
    sell,
    settings,
    start,
    wallet,
)

DIALOGS: Mapping[str, Dialog] = {
    "home": home.DIALOG,
    "start": start.DIALOG,
    "sell": sell.DIALOG,
    "links": links.DIALOG,
    "orders": orders.DIALOG,
    "order": order.DIALOG,
    "late": late.DIALOG,
    "buy": buy.DIALOG,
    "group": group.DIALOG,
    "check": check.DIALOG,
    "claim": claim.DIALOG,
    "carry": carry.DIALOG,
    "practice": practice.DIALOG,
    "purchases": purchases.DIALOG,
    "wallet": wallet.DIALOG,
    "email": email.DIALOG,
    "gateway": gateway.DIALOG,
    "settings": settings.DIALOG,
}
