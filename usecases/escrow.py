"""What becomes of money that arrived: an order whose escrow is held, or a suspense item that goes back or waits for a person."""

from __future__ import annotations

from dataclasses import replace

from domain import booking
from domain.ids import OrderId, delivery_code, order_number
from domain.life import CHECKOUT, ESCROW, PAYMENT, CheckoutState, EscrowState, LinkState, OrderState, PaymentState
from domain.link import Link
from domain.money import Money
from domain.order import Order, next_due
from domain.payment import LATE_ACCEPT, Attempt, Checkout, Notice
from domain.ports import Unit
from domain.rights import Actor, Party
from usecases.events import publish_payment
from usecases.links import take_from_stock
from usecases.orders import hand_over_digital
from usecases.refunds import ask_refund, gateway_account
from usecases.tell import alert, tell_order, tell_person

_GOES_BACK = frozenset({"late", "double", "short"})
"""What is plainly ours to give back; the rest waits for a person."""


def take_in(unit: Unit, attempt: Attempt, notice: Notice, paid: Money) -> bool:
    """Money of an attempt that just succeeded: True when it became an order, False when it went into suspense."""
    checkout = unit.checkouts.get(attempt.checkout_id)
    link = unit.links.get(checkout.link_id)
    why = _misfit(attempt, checkout, notice, paid)
    if why is None and checkout.state in {CheckoutState.EXPIRED, CheckoutState.CANCELLED}:
        why = _too_late(unit, checkout, link)
        checkout = replace(checkout, reserved=checkout.quantity if why is None and link.stock is not None else 0)
    if why is not None:
        _suspend(unit, attempt, checkout, paid, why)
        return False
    _hold(unit, attempt, checkout, link, paid)
    return True


def _misfit(attempt: Attempt, checkout: Checkout, notice: Notice, paid: Money) -> str | None:
    """Authentic is not valid: currency, payee, amount and single use are all checked. Why this money does not fit, or None."""
    if paid.currency != attempt.money.currency:
        return "wrong_currency"
    if notice.payee is not None and attempt.short_code and notice.payee != attempt.short_code:
        return "wrong_payee"
    if paid.amount_minor < attempt.money.amount_minor:
        return "short"
    if checkout.state is CheckoutState.PAID:
        return "double"
    return None


def _too_late(unit: Unit, checkout: Checkout, link: Link) -> str | None:
    """Late money becomes an order if the seller's policy says so, it is not too old and the goods are still there; then they are taken."""
    shop = unit.organizations.get(checkout.organization_id)
    ended = checkout.ended_at or checkout.expires_at
    if shop.late_money != "accept" or unit.now - ended > LATE_ACCEPT or link.state is not LinkState.ACTIVE:
        return "late"
    return None if take_from_stock(unit, link, checkout.quantity, Party.GATEWAY) else "late"


def _suspend(unit: Unit, attempt: Attempt, checkout: Checkout, paid: Money, why: str) -> None:
    """Money that fits nothing: kept apart, never kept for good. What is ours to give back goes back by itself once it is proved."""
    unit.books.book(booking.unexpected(attempt.id, attempt.organization_id, gateway_account(attempt), paid))
    actor = Actor(Party.GATEWAY, attempt.gateway)
    unit.trail.add(f"sale:{checkout.id}", actor, "money_suspended", attempt=attempt.id, amount_minor=paid.amount_minor, why=why)
    if why in _GOES_BACK:
        ask_refund(unit, attempt, paid, why, f"{why}:{attempt.id}", booking.suspense(attempt.id))
    else:
        alert(unit, "money_suspended", str(attempt.id), attempt=attempt.id, why=why, amount_minor=paid.amount_minor, currency=paid.currency)
    if unit.payments.live_attempt(checkout.id) is None:
        _open_again(unit, attempt, checkout)
    tell_person(unit, checkout.buyer_id, "payment_failed", f"{attempt.id}:{why}", checkout=checkout.id, result=f"money_{why}")
    publish_payment(unit, checkout, attempt, "payment_failed", f"money_{why}")
    unit.wake("checkout", id=checkout.id)


def _open_again(unit: Unit, attempt: Attempt, checkout: Checkout) -> None:
    """This try did not pay for the checkout, and no other one is under way."""
    payment = unit.payments.get(attempt.payment_id)
    if payment.state is PaymentState.PENDING:
        PAYMENT.move(payment.state, PaymentState.FAILED, Party.GATEWAY)
        unit.payments.save(replace(payment, state=PaymentState.FAILED))
    if checkout.state is CheckoutState.PAYING:
        CHECKOUT.move(checkout.state, CheckoutState.OPEN, Party.GATEWAY)
        unit.checkouts.save(replace(checkout, state=CheckoutState.OPEN))


def _hold(unit: Unit, attempt: Attempt, checkout: Checkout, link: Link, paid: Money) -> None:
    """The order is made, its money held, both sides told: one unit."""
    payment = unit.payments.get(attempt.payment_id)
    PAYMENT.move(payment.state, PaymentState.SUCCEEDED, Party.GATEWAY)
    unit.payments.save(replace(payment, state=PaymentState.SUCCEEDED, settled_at=unit.now))
    order = _new_order(unit, attempt, checkout, link)
    CHECKOUT.move(checkout.state, CheckoutState.PAID, Party.GATEWAY)
    unit.checkouts.save(replace(checkout, state=CheckoutState.PAID, order_id=order.id, ended_at=unit.now))
    unit.orders.add(order)
    if attempt.direct:
        unit.books.book(booking.capture_direct(attempt.id, order.organization_id, attempt.gateway, checkout.total))
    else:
        unit.books.book(booking.capture(attempt.id, order.id, order.organization_id, attempt.gateway, checkout.total))
    surplus = paid - checkout.total
    if surplus.amount_minor:
        unit.books.book(booking.unexpected(attempt.id, order.organization_id, gateway_account(attempt), surplus, "surplus"))
        ask_refund(unit, attempt, surplus, "surplus", f"surplus:{attempt.id}", booking.suspense(attempt.id))
    actor = Actor(Party.GATEWAY, attempt.gateway)
    unit.trail.add(f"sale:{checkout.id}", actor, "order_paid", order=order.id, number=order.number, attempt=attempt.id,
                   amount_minor=checkout.total.amount_minor, currency=checkout.total.currency)  # fmt: skip
    tell_order(unit, order, "order_paid")
    unit.wake("checkout", id=checkout.id)
    if order.digital and order.proved:
        hand_over_digital(unit, order)


def _new_order(unit: Unit, attempt: Attempt, checkout: Checkout, link: Link) -> Order:
    order = Order(
        id=OrderId(unit.new_id()),
        number=order_number(unit.chance(62)),  # one that is taken is refused by its unique key, and the unit runs again with another
        checkout_id=checkout.id,
        attempt_id=attempt.id,
        organization_id=checkout.organization_id,
        link_id=link.id,
        buyer_id=checkout.buyer_id,
        phone=checkout.phone,
        buyer_name=checkout.name,
        address=checkout.address,
        note=checkout.note,
        language=checkout.language,
        item=link.name,
        quantity=checkout.quantity,
        total=checkout.total,
        state=OrderState.PAID,
        escrow=None if attempt.direct else EscrowState.HELD,
        digital=link.digital_file is not None,
        delivery_code=delivery_code(unit.chance(32)),
        paid_at=unit.now,
        proved=attempt.proved_at is not None,
    )
    if not attempt.direct:
        ESCROW.move(EscrowState.PENDING, EscrowState.HELD, Party.GATEWAY)
    timer = next_due(order)
    return order if timer is None else replace(order, due=timer[0], due_at=timer[1])
