"""Stripe, imitated over HTTP: `Stripe` is the whole of it, `Account` one account with its key, webhook endpoints and books."""

from town.stripe.books import Account
from town.stripe.server import Stripe

__all__ = ["Account", "Stripe"]
