"""What a bank took back, in words: on the card of the order, in the wallet and its history, for each side and in each language."""

from __future__ import annotations

import pytest

from bot.teller import fact_text
from domain.life import EscrowState
from domain.money import Money
from domain.order import Order
from domain.payment import About, Notice, Outcome, Proof
from domain.person import Language
from domain.ports import Unit
from domain.records import OutboxMessage
from domain.rights import Party
from templates.words import words
from tests.bot.desk import Desk
from tests.bot.handset import Handset
from tests.bot.smsphone import phone_of
from tests.factories import BUYER, MANAGER, buyer
from usecases.orders import confirm_delivery
from usecases.settlement import apply_notice
from usecases.views import order_by_id

PART = Money(100_000, "KES")
NUMBER = "+254711000001"


def bank(desk: Desk, order: Order, outcome: Outcome, money: Money | None = None, case: str = "dp") -> None:
    key = f"{case}:{outcome}"
    desk.street.do(
        apply_notice,
        Notice("daraja", key, "event", outcome, Proof.PROOF, order.attempt_id, money=money, about=About.CHARGEBACK, refund_ref=case),
    )


def told(desk: Desk, order: Order, fact: str, who: int, language: Language = Language.EN) -> str:
    """The last line of this kind that was written for somebody."""

    def look(unit: Unit) -> str:
        number = desk.street.ground.rows(
            "SELECT id FROM outbox WHERE fact = ? AND person_id = ? AND order_id = ? ORDER BY id DESC LIMIT 1", fact, who, order.id
        )[0][0]
        message: OutboxMessage = unit.outbox.get(number)
        return fact_text(words(language), order_by_id(unit, order.id, Party.BUYER if who == BUYER else Party.MANAGER), message)

    return str(desk.street.do(look))


@pytest.mark.parametrize("language", Language)
def test_each_side_reads_what_became_of_the_money(desk: Desk, language: Language) -> None:
    """C18: both told; what is true of a frozen order is not said of one that was paid out."""
    frozen, after, part = desk.street.paid(), desk.street.delivered(), desk.street.paid()
    desk.street.do(confirm_delivery, buyer, after.number)
    for order, money in ((frozen, None), (after, None), (part, PART)):
        bank(desk, order, Outcome.PENDING, money, f"dp_{order.number}")
    for order in (after, part):
        bank(desk, order, Outcome.SUCCEEDED, PART if order is part else None, f"dp_{order.number}")
    said = {
        (fact, who, name): told(desk, order, fact, who, language)
        for fact in ("chargeback_opened", "chargeback_lost")
        for who in (MANAGER, BUYER)
        for name, order in (("frozen", frozen), ("after", after), ("part", part))
        if not (order is frozen and fact == "chargeback_lost")
    }
    assert all(said.values())
    for who in (MANAGER, BUYER):
        assert (
            len({said["chargeback_opened", who, name].replace(order.number, "") for name, order in (("frozen", frozen), ("after", after))})
            == 2
        )
        assert (
            len({said["chargeback_lost", who, name].replace(order.number, "") for name, order in (("part", part), ("after", after))}) == 2
        )
    assert desk.street.order(part.id).escrow is EscrowState.HELD


def test_the_seller_reads_how_much_of_a_sale_paid_a_debt_and_the_buyer_does_not(desk: Desk) -> None:
    first, second = desk.street.delivered(), desk.street.delivered()
    desk.street.do(confirm_delivery, buyer, first.number)
    bank(desk, first, Outcome.PENDING)
    desk.street.do(confirm_delivery, buyer, second.number)
    assert "62.50" in told(desk, second, "order_completed", MANAGER)
    assert "2,375" in told(desk, second, "order_completed", MANAGER)
    assert "owed" in told(desk, second, "order_completed", MANAGER)
    assert "owed" not in told(desk, second, "order_completed", BUYER)


@pytest.mark.parametrize("language", Language)
def test_the_wallet_says_what_is_owed_and_its_history_why(desk: Desk, language: Language) -> None:
    first, second = desk.street.delivered(), desk.street.delivered()
    desk.street.do(confirm_delivery, buyer, first.number)
    bank(desk, first, Outcome.PENDING)
    desk.put(MANAGER, "wallet", "balance", {}, language)
    desk.say(MANAGER, "/wallet")
    assert words(language)("chat.wallet.owed_note") in desk.text(MANAGER)
    desk.street.do(confirm_delivery, buyer, second.number)
    bank(desk, first, Outcome.DECLINED)
    desk.say(MANAGER, "/wallet")
    assert words(language)("chat.wallet.owed_note") not in desk.text(MANAGER)
    desk.tap(MANAGER, "history")
    assert desk.text(MANAGER).count(first.number) >= 3
    assert second.number in desk.text(MANAGER)


def test_the_wallet_of_a_feature_phone_says_it_too(desk: Desk) -> None:
    first = desk.street.delivered()
    desk.street.do(confirm_delivery, buyer, first.number)
    bank(desk, first, Outcome.PENDING)
    phone_of(desk.street, MANAGER, NUMBER)
    desk.put(MANAGER, "home", "menu", {})
    desk.say(MANAGER, "/wallet")
    phone = Handset(desk.street, NUMBER)
    phone.dial()
    phone.choose("Wallet")
    assert "owe" in phone.screen.lower()
