"""The table of test cards in the README names every card that means something in the town, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from town import cards
from town.paytabs.pages import REVIEWED
from town.stripe.cards import CARDS

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
ROW = re.compile(r"^\| ((?:`[\d ]{12,}`,? ?)+)\| ([^|]+)\| ([^|]+)\|$", re.MULTILINE)
SAID = {
    "05": "declines", "51": "enough money", "54": "expired", "61": "limit", "82": "security code", "91": "not there", "00": "pays",
    "card_declined": "declines", "insufficient_funds": "enough money", "expired_card": "expired", "incorrect_cvc": "security code",
    "processing_error": "cannot say",
}  # fmt: skip


def table() -> dict[str, tuple[str, str]]:
    """By number: at whom, and what its bank does."""
    return {
        number.replace(" ", ""): (where.strip(), what)
        for numbers, where, what in ROW.findall(README)
        for number in re.findall(r"`([\d ]+)`", numbers)
    }


def is_at(where: str, gateway: str) -> bool:
    return gateway in where or where == "everywhere"


def test_stripes_cards_do_what_the_table_says() -> None:
    told = {number: what for number, (where, what) in table().items() if is_at(where, "Stripe")}
    assert told.keys() == CARDS.keys()
    for number, what in told.items():
        card = CARDS[number]
        said = SAID[card.decline if card.decline in SAID else card.refused] if card.refused else "debit" if card.delayed else "pays"
        assert said in what, f"{number}: {what}"
        assert (card.asks, card.disputed) == ("3-D Secure" in what, "chargeback" in what), number


def test_the_cards_of_moyasar_and_paytabs_do_what_the_table_says() -> None:
    told = {number: what for number, (where, what) in table().items() if is_at(where, "PayTabs")}
    known = {*cards._SAYS, cards.GOOD_MADA, cards.GOOD_VISA, cards.GOOD_MASTERCARD, REVIEWED}
    assert told.keys() == known
    for number, what in told.items():
        card = cards.read_card(number)
        assert card is not None, number
        assert ("held" if number == REVIEWED else SAID[card.code]) in what, f"{number}: {what}"
        assert ("mada" in what) == (card.scheme == cards.MADA and card.code == "00"), number


def test_the_table_is_about_the_gateways_of_the_town() -> None:
    assert {where for where, _ in table().values()} == {
        "Stripe",
        "everywhere",
        "Stripe; PayTabs",
        "Moyasar, PayTabs",
        "Moyasar, PayTabs, Telegram",
    }
