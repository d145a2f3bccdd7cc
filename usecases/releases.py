"""What is held for an order, its release to the wallet, and what a seller owes us, which is taken out of the wallet before anything else."""

from __future__ import annotations

from domain import booking
from domain.errors import Stale
from domain.ids import OrganizationId
from domain.life import ChargebackState, RefundState
from domain.money import Money, fee_of
from domain.order import Order
from domain.ports import Unit


def held_of(unit: Unit, order: Order) -> Money:
    """What the escrow of an order holds now: its total, less what a bank took or a gateway gave back behind our back."""
    currency = order.total.currency
    return Money(-unit.books.balance(booking.escrow_account(order.id).name).get(currency, 0), currency)


def still_held(unit: Unit, order: Order) -> Money:
    """As `held_of`, for whoever is about to pay it out. Raises Stale where nothing is left: somebody has settled the order since it was read."""
    held = held_of(unit, order)
    if not held.amount_minor:
        raise Stale(order=order.id)
    return held


def left_of(unit: Unit, order: Order) -> Money:
    """What can still go back of an order that was paid straight to the seller: its total, less what went back already."""
    refunds = [refund for refund in unit.payments.refunds_of(order.attempt_id) if refund.order_id == order.id]
    cases = [case.money for case in unit.chargebacks.of_attempt(order.attempt_id) if case.state is not ChargebackState.WON]
    back = [refund.money for refund in refunds if refund.state is not RefundState.FAILED] + cases
    return Money(max(0, order.total.amount_minor - sum(money.amount_minor for money in back)), order.total.currency)


def release_held(unit: Unit, order: Order, money: Money) -> tuple[Money, Money]:
    """`money` leaves the escrow for the wallet, minus the fee; what the seller owes is taken at once. Returns the fee and what was taken."""
    fee = fee_of(money, unit.organizations.get(order.organization_id).fee_bps)
    unit.books.book(booking.release(order.id, order.organization_id, money, fee))
    nothing = Money(0, money.currency)
    return fee, settle_debt(unit, order.organization_id, money.currency, f"order:{order.id}") if fee != money else nothing


def settle_debt(unit: Unit, organization_id: OrganizationId, currency: str, cause: str) -> Money:
    """Out of the wallet what is owed, as far as it goes; back into it what was taken for a debt that the bank has given up since.

    So that nobody owes while there is something to pay out. Called after each entry that moved the wallet or the debt of an organization, by a
    unit that holds its wallet (`Books.hold`, or a credit to it). Returns what was taken.
    """
    owed = unit.books.balance(booking.receivable(organization_id).name).get(currency, 0)
    if owed < 0:
        unit.books.book(booking.owed_returned(cause, organization_id, Money(-owed, currency)))
    taken = min(owed, -unit.books.balance(booking.wallet(organization_id).name).get(currency, 0)) if owed > 0 else 0
    if taken > 0:
        unit.books.book(booking.owed_taken(cause, organization_id, Money(taken, currency)))
    return Money(taken, currency)
