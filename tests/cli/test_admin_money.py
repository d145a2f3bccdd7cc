"""The desk decides disputes and brings refunds to their end, over a sale that was really made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.ids import OrganizationId, PersonId
from domain.life import RefundState
from domain.money import Money
from domain.order import Reason
from domain.payment import Outcome, Reply
from domain.ports import Unit
from domain.rights import Actor, Party
from tests.cli.ground import House
from tests.cli.test_admin import done_in, shop
from tests.web.api.ground import sell
from usecases import disputes, links, refunds
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
