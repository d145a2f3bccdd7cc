"""Every dialog of the house, by its name."""

from __future__ import annotations

from collections.abc import Mapping

from bot.dialog import Dialog
from bot.dialogs import buy, home, links, order, orders, purchases, sell, start, wallet

DIALOGS: Mapping[str, Dialog] = {
    "home": home.DIALOG,
    "start": start.DIALOG,
    "sell": sell.DIALOG,
    "links": links.DIALOG,
    "orders": orders.DIALOG,
    "order": order.DIALOG,
    "buy": buy.DIALOG,
    "purchases": purchases.DIALOG,
    "wallet": wallet.DIALOG,
}
