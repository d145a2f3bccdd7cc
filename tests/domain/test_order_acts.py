"""What is offered to whom: every state of an order times every party."""

from __future__ import annotations

from typing import Any

import pytest

from domain.life import EscrowState, OrderState
from domain.order import DAY, MOST_CODE_TRIES, Due, Order, OrderAct, order_acts
from domain.rights import Party
from tests.domain.samples import INSTANT, START, an_order

# state -> what staff, leaders (manager and owner) and the buyer are offered, in this order
OFFERED = {
    OrderState.PAID: ("accept ship delivered enter_code", "accept ship delivered enter_code refund", "confirm problem cancel"),
    OrderState.ACCEPTED: ("ship delivered enter_code", "ship delivered enter_code refund", "confirm problem cancel"),
    OrderState.SHIPPED: ("delivered enter_code", "delivered enter_code", "confirm problem"),
    OrderState.DELIVERED: ("enter_code", "enter_code", "confirm problem"),
    OrderState.DISPUTED: ("", "refund", "withdraw"),
    OrderState.COMPLETED: ("", "", ""),
    OrderState.REFUNDED: ("", "", ""),
    OrderState.VOID: ("", "", ""),
    OrderState.FROZEN: ("", "", ""),
}
COLUMN = {Party.STAFF: 0, Party.MANAGER: 1, Party.OWNER: 1, Party.BUYER: 2}
CASES = [
    pytest.param(state, party, words[COLUMN[party]] if party in COLUMN else "", id=f"{state}-{party}")
    for state, words in OFFERED.items()
    for party in Party
]


def offered(order: Order, party: Party) -> str:
    return " ".join(order_acts(order, party, START + DAY))


@pytest.mark.parametrize("state,party,acts", CASES)
def test_each_party_is_offered_what_the_life_and_its_rights_allow(state: OrderState, party: Party, acts: str) -> None:
    escrow = EscrowState.DISPUTED if state is OrderState.DISPUTED else EscrowState.HELD
    assert offered(an_order(state=state, escrow=escrow), party) == acts


def test_the_table_speaks_of_every_state_and_every_act() -> None:
    assert set(OFFERED) == set(OrderState)
    assert {act for row in OFFERED.values() for cell in row for act in cell.split()} == {act.value for act in OrderAct}


@pytest.mark.parametrize(
    "changes,party,acts",
    [
        # a confirmation that waits for the gateway's proof is not asked for twice; a problem may still be reported
        ({"release_wanted": "buyer:88@telegram"}, Party.BUYER, "problem cancel"),
        # money on the seller's own account: there is no escrow to freeze
        ({"escrow": None}, Party.BUYER, "confirm cancel"),
        ({"escrow": None}, Party.OWNER, "accept ship delivered enter_code refund"),
        # nobody carries a file to a door
        ({"digital": True}, Party.STAFF, "accept ship delivered"),
        # five wrong codes: a button that only refuses is not offered
        ({"code_tries": MOST_CODE_TRIES - 1}, Party.STAFF, "accept ship delivered enter_code"),
        ({"code_tries": MOST_CODE_TRIES}, Party.STAFF, "accept ship delivered"),
    ],
)
def test_what_is_offered_depends_on_the_sale(changes: dict[str, Any], party: Party, acts: str) -> None:
    assert offered(an_order(**changes), party) == acts


def test_a_problem_is_offered_as_long_as_a_dispute_may_be_opened() -> None:
    order = an_order(state=OrderState.DELIVERED, delivered_at=START, due=Due.RELEASE, due_at=START + 7 * DAY)
    assert order_acts(order, Party.BUYER, START + 7 * DAY) == (OrderAct.CONFIRM, OrderAct.PROBLEM)
    assert order_acts(order, Party.BUYER, START + 7 * DAY + INSTANT) == (OrderAct.CONFIRM,)
