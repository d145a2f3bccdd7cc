"""Moyasar (Saudi Arabia), imitated over HTTP: `Moyasar` is the whole of it, `Account` one merchant's keys."""

from town.moyasar.books import Account
from town.moyasar.server import Moyasar

__all__ = ["Account", "Moyasar"]
