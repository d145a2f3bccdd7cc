"""Safaricom Daraja (M-PESA Kenya), imitated over HTTP: `Daraja` is the whole of it, `App` one app of its portal."""

from town.daraja.apps import App
from town.daraja.server import Daraja

__all__ = ["App", "Daraja"]
