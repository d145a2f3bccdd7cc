"""PayPal, imitated over HTTP: `PayPal` is the whole of it, `App` one REST app of its dashboard."""

from town.paypal.apps import App
from town.paypal.server import PayPal

__all__ = ["App", "PayPal"]
