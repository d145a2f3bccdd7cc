"""The cards of the town: which scheme a number belongs to, and what its bank says when it is charged."""

from __future__ import annotations

from dataclasses import dataclass

MADA, VISA, MASTERCARD = "mada", "visa", "master"
SHOWN = {MADA: "mada", VISA: "Visa", MASTERCARD: "Mastercard"}
_MADA_BEGINNINGS = ("420132", "446404", "529741", "588845", "968208", "440795")
GOOD_MADA, GOOD_VISA, GOOD_MASTERCARD = "4201320111111010", "4111111111111111", "5421080101000000"
_SAYS = {
    "4000000000000002": "05",
    "4201320000013020": "51",
    "4000000000000069": "54",
    "4000000000000127": "82",
    "5204730000002514": "61",
    "4201321234412228": "91",
}
OTHERS = (
    (GOOD_MADA, "pays"), (GOOD_VISA, "pays"), (GOOD_MASTERCARD, "pays"), ("4000000000000002", "is declined"),
    ("4201320000013020", "not enough money"), ("4000000000000069", "out of date"), ("5204730000002514", "over its limit"),
    ("4000000000000127", "wrong security code"), ("4201321234412228", "its bank does not answer"),
)  # fmt: skip
"""(number, what comes of paying with it)."""
APPROVED = "00"
MESSAGES = {
    "00": "APPROVED", "05": "DECLINED", "51": "INSUFFICIENT FUNDS", "54": "EXPIRED CARD", "61": "EXCEEDS WITHDRAWAL LIMIT",
    "82": "INCORRECT CVV", "91": "ISSUER NOT AVAILABLE",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Card:
    """A card as somebody typed it. `code` is its bank's answer (ISO 8583)."""

    number: str
    scheme: str
    code: str

    @property
    def masked(self) -> str:
        return f"{self.number[:4]}-{self.number[4:6]}XX-XXXX-{self.number[-4:]}"


def read_card(number: str) -> Card | None:
    """None for what is no card number (16 digits and the check digit of Luhn)."""
    digits = number.replace(" ", "").replace("-", "")
    if not (digits.isascii() and digits.isdigit() and len(digits) == 16 and _luhn(digits)):
        return None
    if digits.startswith(_MADA_BEGINNINGS):
        scheme = MADA
    elif digits[0] == "4":
        scheme = VISA
    elif digits[0] == "5":
        scheme = MASTERCARD
    else:
        return None
    return Card(digits, scheme, _SAYS.get(digits, APPROVED))


def _luhn(digits: str) -> bool:
    doubled = [int(one) * 2 for one in digits[-2::-2]]
    return (sum(int(one) for one in digits[-1::-2]) + sum(one - 9 if one > 9 else one for one in doubled)) % 10 == 0


def cards_for(currency: str) -> list[tuple[str, str, str]]:
    """(number, scheme, what comes of it): those that can be tried in this currency, for mada pays in riyals only."""
    cards = [(number, read_card(number), does) for number, does in OTHERS]
    return [(number, SHOWN[card.scheme], does) for number, card, does in cards if card and (card.scheme != MADA or currency == "SAR")]
