"""The desk decides disputes and brings refunds to their end, over a sale that was really made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.ids import OrganizationId, PersonId
from domain.life import RefundState
from domain.money import Money
from domain.order import Reason
from domain.payment import Method, Notice, Outcome, Proof, Reply
from domain.phone import Phone
from domain.ports import Unit
from domain.rights import Actor, Party
from tests.cli.ground import House
from tests.cli.test_admin import done_in, shop
from tests.fakes import ABILITY
from tests.web.api.ground import sell
from usecases import checkouts, disputes, links, payments, refunds, settlement
from usecases.checkouts import NewCheckout
from usecases.gateways import save_credentials

BUYER = Actor(Party.BUYER, "telegram", PersonId(9))


def disputed(house: House) -> str:
    """A shop of person 7 sells to person 9, who opens a dispute; returns the order's number."""
    number = OrganizationId(int(shop(house)))

    def work(unit: Unit) -> str:
        save_credentials(unit, Actor(Party.ADMIN, "admin"), "daraja", {"short_code": "600000"}, tested=True)
        owner = Actor(Party.OWNER, "web", PersonId(7), number)
        link = links.create_link(unit, owner, links.NewLink("k", "Sneakers", Money(250_000, "KES"), stock=5))
        order = sell(unit, link.code, "c", buyer=PersonId(9))
        disputes.open_dispute(unit, BUYER, order.number, Reason.NOT_ARRIVED, "where is it")
        return order.number

    return str(done_in(house, work))


@pytest.mark.parametrize(
    "words,state,escrow",
    [(("release",), "COMPLETED", "RELEASED"), (("refund",), "REFUNDED", "REFUNDED"), (("split", "--refund", "1000"), "COMPLETED", "SPLIT")],
)
def test_a_dispute_is_decided_once(house: House, words: tuple[str, ...], state: str, escrow: str) -> None:
    order = disputed(house)
    done = house.admin("resolve", order, *words, "--json")
    assert done.code == 0, done.err
    assert (done.data["state"], done.data["escrow"]) == (state, escrow)
    again = house.admin("resolve", order, "refund" if words == ("release",) else "release")
    assert (again.code, "only a disputed one can be resolved" in again.err) == (1, True)


def test_a_split_of_more_than_there_is_changes_nothing(house: House) -> None:
    order = disputed(house)
    for amount in ("2500", "0", "many"):
        assert house.admin("resolve", order, "split", "--refund", amount).code == 1
    assert done_in(house, lambda unit: str(unit.orders.by_number(order).state)) == "DISPUTED"


def test_a_failed_refund_waits_for_a_person_is_sent_again_and_confirmed(house: House) -> None:
    order = disputed(house)
    house.admin("resolve", order, "refund")

    def fail(unit: Unit) -> int:
        found = unit.orders.by_number(order)
        assert found is not None
        (refund,) = unit.payments.refunds_of(found.attempt_id)
        unit.payments.save_refund(replace(refund, state=RefundState.SENDING, tries=1))
        return refunds.record_refund(unit, refund.id, Reply(Outcome.DECLINED, result="configuration")).id

    number = str(done_in(house, fail))
    (waiting,) = house.admin("refund", "list", "--json").data
    assert (str(waiting["id"]), waiting["state"], waiting["amount"], waiting["result"]) == (
        number,
        "FAILED",
        "2500.00 KES",
        "configuration",
    )
    assert house.admin("refund", "retry", number, "--json").data["state"] == "ASKED"
    assert house.admin("refund", "list", "--json").data == []
    assert house.admin("refund", "retry", number).code == 0
    assert house.admin("refund", "confirm", number, "--json").data["state"] == "DONE"
    done = house.admin("refund", "retry", number)
    assert (done.code, "only a failed or unanswered one" in done.err) == (1, True)
    found = house.ask("audit", "--json").data["findings"]
    assert [one for one in found if one["broken"]] == []


def late_money(house: House, stock: int = 2) -> list[str]:
    """Two buyers of one shop pay after they went away; returns the numbers of what waits for the shop."""
    number = OrganizationId(int(shop(house)))

    def work(unit: Unit) -> list[str]:
        save_credentials(unit, Actor(Party.ADMIN, "admin"), "daraja", {"short_code": "600000"}, tested=True)
        link = links.create_link(
            unit, Actor(Party.OWNER, "web", PersonId(7), number), links.NewLink("k", "Lamp", Money(250_000, "KES"), stock=stock)
        )
        for key in ("c1", "c2"):
            phone = Phone(f"+25471234567{key[1]}")
            attempt = payments.buy(
                unit, NewCheckout(key, link.code, 1, "Amina", "", "", phone, "en", "web"), Method.MPESA, {"daraja": ABILITY}
            )
            payments.begin_attempt(unit, attempt.id)
            checkouts.cancel_checkout(unit, attempt.checkout_id, BUYER)
            paid = Notice("daraja", key, "stk", Outcome.SUCCEEDED, Proof.PROOF, attempt.id, receipt=key, money=attempt.money)
            settlement.apply_notice(unit, paid)
        return [late.number for late in unit.late.waiting(number, 10)]

    return list(done_in(house, work))


def test_late_money_is_decided_at_the_desk_for_a_seller_who_cannot(house: House) -> None:
    """N2"""
    taken, back = late_money(house)
    listed = house.admin("late", "list", "--json").data
    assert [(one["number"], one["amount"]) for one in listed] == [(taken, "2500.00 KES"), (back, "2500.00 KES")]
    assert house.admin("late", "accept", taken, "--json").data == {"late": taken, "order": taken, "state": "PAID"}
    assert house.admin("late", "refund", back, "--json").data == {"late": back, "state": "REFUNDED"}
    assert house.admin("late", "list").out.strip() == "no late money waits"
    for words, why in (
        (("accept", back), "only what waits"),
        (("refund", taken), "only what waits"),
        (("accept", "00000000"), "no late money"),
    ):
        done = house.admin("late", *words)
        assert (done.code, why in done.err) == (1, True), done.err
    found = house.ask("audit", "--json").data["findings"]
    assert [one for one in found if one["broken"]] == []


def test_late_money_for_goods_that_are_gone_is_not_accepted_at_the_desk(house: House) -> None:
    first, second = late_money(house, stock=1)
    assert house.admin("late", "accept", first).code == 0
    done = house.admin("late", "accept", second)
    assert (done.code, "goods are not there any more" in done.err) == (1, True)
    assert [one["number"] for one in house.admin("late", "list", "--json").data] == [second]
