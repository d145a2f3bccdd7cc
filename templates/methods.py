"""How a way of paying is called inside a sentence, and what is said of a payment by it that came to nothing. The only place that knows."""

from __future__ import annotations

from domain.payment import Method
from templates.words import Words


def method_name(t: Words, method: str | None) -> str:
    """`M-Pesa`, `Visa`, `PayPal`. Messages that were written before they said how it was paid are about M-Pesa."""
    key = f"web.method.{method or Method.MPESA}"
    return t(f"{key}_said" if t.has(f"{key}_said") else key)


def payment_key(t: Words, result: str | None, method: str | None) -> str:
    """The key of the sentence. On a gateway's own page nobody's phone was asked for a PIN, so most things are said otherwise there; and so they
    are where it is not known how it was to be paid."""
    rooms = ("errors.payment",) if method == Method.MPESA else ("errors.payment_page", "errors.payment")
    return next((f"{room}.{result}" for room in rooms if t.has(f"{room}.{result}")), f"{rooms[0]}.unknown")
