"""The cards that a person of the town can pay with, by number, as Stripe's test cards behave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Card:
    """`refused` is the code of a card error, `decline` its decline code. `asks` for 3-D Secure; `disputed` has the bank called at once.
    `delayed` is no card but a bank debit: complete first, paid (or not) later."""

    number: str
    says: str
    brand: str = "visa"
    refused: str = ""
    decline: str = ""
    asks: bool = False
    disputed: bool = False
    delayed: bool = False

    def details(self, wallet: str | None) -> dict[str, Any]:
        """`payment_method_details.card` of its charge."""
        return {
            "brand": self.brand, "country": "KE", "exp_month": 8, "exp_year": 2032, "fingerprint": f"town{self.number[-4:]}",
            "funding": "credit", "last4": self.number[-4:], "network": self.brand,
            "three_d_secure": {"result": "authenticated", "version": "2.2.0"} if self.asks else None,
            "wallet": {"type": wallet, wallet: {}} if wallet else None,
        }  # fmt: skip


CARDS = {
    card.number: card
    for card in (
        Card("4242424242424242", "Visa, pays"),
        Card("5555555555554444", "Mastercard, pays", brand="mastercard"),
        Card("4000002500003155", "Visa, asks for 3-D Secure", asks=True),
        Card("4000000000000002", "Visa, is declined", refused="card_declined", decline="generic_decline"),
        Card("4000000000009995", "Visa, not enough money", refused="card_declined", decline="insufficient_funds"),
        Card("4000000000000069", "Visa, out of date", refused="expired_card", decline="expired_card"),
        Card("4000000000000127", "Visa, wrong security code", refused="incorrect_cvc", decline="incorrect_cvc"),
        Card("4000000000000119", "Visa, the bank cannot say now", refused="processing_error", decline="processing_error"),
        Card("4000000000000259", "Visa, pays and is disputed", disputed=True),
        Card("000123456789", "Bank debit, paid later", brand="bank", delayed=True),
    )
}
SPARE = Card("", "A card nobody knows", refused="incorrect_number", decline="incorrect_number")


def card_of(number: str) -> Card:
    return CARDS.get(number.replace(" ", ""), SPARE)
