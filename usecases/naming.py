"""Which order somebody means who names it by its last digits, and which ones wait for their delivery code."""

from __future__ import annotations

from collections.abc import Sequence

from domain.ids import ORDER_NUMBER_DIGITS, PersonId
from domain.order import ENDED, Order, OrderAct, order_acts
from domain.ports import Unit
from domain.rights import MEMBERS, Party

LOOKED_THROUGH = 100
"""The open orders of a shop, its latest ones, and a buyer's latest ones, each up to so many."""


def named_orders(unit: Unit, person_id: PersonId, digits: str, *, sold: bool, bought: bool) -> Sequence[Order]:
    """Orders of theirs that end in these digits. Where an open one does, those that are over are not meant."""
    if len(digits) == ORDER_NUMBER_DIGITS:
        whole = unit.orders.by_number(digits)
        found = [whole] if whole is not None else []
    else:
        found = [order for order in _of_theirs(unit, person_id) if order.number.endswith(digits)]
    theirs = [order for order in found if (sold and _sells(unit, person_id, order)) or (bought and order.buyer_id == person_id)]
    return [order for order in theirs if order.state not in ENDED] or theirs


def orders_to_confirm(unit: Unit, person_id: PersonId) -> Sequence[tuple[Order, Party]]:
    """Those that a delivery code can complete now, with the side on which the person stands: the seller who has it from the buyer, or the buyer."""
    found = []
    for order in _of_theirs(unit, person_id):
        party = unit.organizations.party_of(person_id, order.organization_id) or Party.BUYER
        act = OrderAct.ENTER_CODE if party in MEMBERS else OrderAct.CONFIRM
        if act in order_acts(order, party, unit.now) and not order.digital:
            found.append((order, party))
    return found


def _sells(unit: Unit, person_id: PersonId, order: Order) -> bool:
    return unit.organizations.party_of(person_id, order.organization_id) is not None


def _of_theirs(unit: Unit, person_id: PersonId) -> Sequence[Order]:
    found = {order.id: order for order in unit.orders.of_buyer(person_id, LOOKED_THROUGH)}
    for shop in unit.organizations.of_person(person_id):
        for order in (*unit.orders.to_work_on(shop.id, LOOKED_THROUGH), *unit.orders.of_organization(shop.id, None, LOOKED_THROUGH)):
            found[order.id] = order
    return list(found.values())
