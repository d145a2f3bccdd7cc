"""What becomes of money that arrived: an order whose escrow is held, or a suspense item that goes back or waits for somebody's decision."""

from __future__ import annotations

from dataclasses import replace

from domain import booking
from domain.errors import NotForSale
from domain.ids import CheckoutId, OrderId, delivery_code, order_number
from domain.late import LATE, Late, LatePolicy, LateState
from domain.life import CHECKOUT, ESCROW, PAYMENT, CheckoutState, EscrowState, LinkState, OrderState, PaymentState
from domain.link import Link
from domain.money import Money
from domain.order import Order, next_due
from domain.payment import LATE_ACCEPT, Attempt, Checkout, Notice
from domain.ports import Unit
from domain.rights import MEMBERS, Actor, Party
from usecases.events import publish_payment
from usecases.group import hold_share, still_free
from usecases.late import ask_seller, end_late, the_late
from usecases.links import take_from_stock
from usecases.orders import accept_order, hand_over_digital
from usecases.payments import the_attempt
from usecases.refunds import ask_refund, gateway_account
from usecases.tell import alert, tell_order, tell_person

_GOES_BACK = frozenset({"late", "double", "short"})
"""What is plainly ours to give back; the rest waits for a person."""
_WAITS = "late_waits"
"""Late money that the seller decides about."""


def take_in(unit: Unit, attempt: Attempt, notice: Notice, paid: Money) -> bool:
    """Money of an attempt that just succeeded: True when it became an order, False when it went into suspense."""
    checkout = unit.checkouts.get(attempt.checkout_id)
    link = unit.links.get(checkout.link_id)
    why = _misfit(attempt, checkout, notice, paid)
    if why is None and checkout.state in {CheckoutState.EXPIRED, CheckoutState.CANCELLED}:
        why = _too_late(unit, checkout, link)
        checkout = _reserved(checkout, link) if why is None and checkout.group_id is None else replace(checkout, reserved=0)
    if why is not None:
        _suspend(unit, attempt, checkout, link, paid, why)
        return False
    if checkout.group_id is not None:
        _hold_share(unit, attempt, checkout, checkout.group_id, link, paid)
        return True
    _hold(unit, attempt, checkout, link, paid, Actor(Party.GATEWAY, attempt.gateway))
    return True


def accept_late(unit: Unit, actor: Actor, number: str) -> Order:
    """The seller takes late money: the goods if they are still there, and the order, accepted already. Done already is a success that does
    nothing. Raises NotForSale(late_gone), IllegalTransition for what went back, NotFound."""
    late = the_late(unit, actor, number)
    if LATE.move(late.state, LateState.ACCEPTED, actor.party) is None:
        return _its_order(unit, late)
    attempt, checkout = the_attempt(unit, late.attempt_id), unit.checkouts.get(late.checkout_id)
    link = unit.links.get(checkout.link_id)
    if link.state is not LinkState.ACTIVE or not take_from_stock(unit, link, checkout.quantity, Party.GATEWAY):
        raise NotForSale(reason="late_gone")
    unit.books.book(booking.late_accepted(attempt.id, late.organization_id, gateway_account(attempt), late.money))
    end_late(unit, late, LateState.ACCEPTED, actor)
    called = late.number if unit.orders.by_number(late.number) is None else ""
    _hold(unit, attempt, _reserved(checkout, link), link, late.money, actor, called)
    order = _its_order(unit, late)
    if actor.party in MEMBERS and order.state is OrderState.PAID:
        order = accept_order(unit, actor, order.number)
    return order


def _its_order(unit: Unit, late: Late) -> Order:
    order = unit.orders.of_checkout(late.checkout_id)
    assert order is not None, "accepted late money has its order"
    return order


def _reserved(checkout: Checkout, link: Link) -> Checkout:
    """Its goods were just taken a second time."""
    return replace(checkout, reserved=checkout.quantity if link.stock is not None else 0)


def _misfit(attempt: Attempt, checkout: Checkout, notice: Notice, paid: Money) -> str | None:
    """Authentic is not valid: currency, payee, amount and single use are all checked. Why this money does not fit, or None."""
    if paid.currency != attempt.money.currency:
        return "wrong_currency"
    if notice.payee is not None and attempt.short_code and notice.payee != attempt.short_code:
        return "wrong_payee"
    if attempt.direct and checkout.group_id is not None:  # at the seller's own account, where it cannot be held with the others'
        return "wrong_payee"
    if paid.amount_minor < attempt.money.amount_minor:
        return "short"
    if checkout.state is CheckoutState.PAID:
        return "double"
    return None


def _too_late(unit: Unit, checkout: Checkout, link: Link) -> str | None:
    """Late money becomes an order, or waits for the seller, as their policy says, if it is not too old and the goods are still there; for an
    order they are taken. Why it does not become one, or None."""
    if checkout.group_id is not None:  # a share that was let go is paid if nobody else has taken it
        return None if still_free(unit, checkout, checkout.group_id) else "late"
    policy = unit.organizations.get(checkout.organization_id).late_money
    ended = checkout.ended_at or checkout.expires_at
    if unit.late.waiting_for(checkout.id) is not None:
        return "double"
    if policy is LatePolicy.REFUND or unit.now - ended > LATE_ACCEPT or link.state is not LinkState.ACTIVE:
        return "late"
    if policy is LatePolicy.ACCEPT:
        return None if take_from_stock(unit, link, checkout.quantity, Party.GATEWAY) else "late"
    return _WAITS if link.stock is None or link.stock >= checkout.quantity else "late"


def _suspend(unit: Unit, attempt: Attempt, checkout: Checkout, link: Link, paid: Money, why: str) -> None:
    """Money that fits nothing: kept apart, never kept for good. What is ours to give back goes back by itself once it is proved."""
    unit.books.book(booking.unexpected(attempt.id, attempt.organization_id, gateway_account(attempt), paid))
    actor = Actor(Party.GATEWAY, attempt.gateway)
    unit.trail.add(f"sale:{checkout.id}", actor, "money_suspended", attempt=attempt.id, amount_minor=paid.amount_minor, why=why)
    if why in _GOES_BACK:
        ask_refund(unit, attempt, paid, why, f"{why}:{attempt.id}", booking.suspense(attempt.id))
    elif why != _WAITS:
        alert(unit, "money_suspended", str(attempt.id), attempt=attempt.id, why=why, amount_minor=paid.amount_minor, currency=paid.currency)
    if unit.payments.live_attempt(checkout.id) is None:
        _open_again(unit, attempt, checkout)
    if why == _WAITS:
        ask_seller(unit, attempt, checkout, link, paid)
        return
    tell_person(unit, checkout.buyer_id, "payment_failed", f"{attempt.id}:{why}", checkout=checkout.id, result=f"money_{why}",
                method=str(unit.payments.get(attempt.payment_id).method))  # fmt: skip
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


def _hold(unit: Unit, attempt: Attempt, checkout: Checkout, link: Link, paid: Money, actor: Actor, number: str = "") -> None:
    """The order is made, its money held, both sides told: one unit."""
    payment = unit.payments.get(attempt.payment_id)
    PAYMENT.move(payment.state, PaymentState.SUCCEEDED, Party.GATEWAY)
    unit.payments.save(replace(payment, state=PaymentState.SUCCEEDED, settled_at=unit.now))
    order = _new_order(unit, attempt, checkout, link, number)
    CHECKOUT.move(checkout.state, CheckoutState.PAID, Party.GATEWAY)
    unit.checkouts.save(replace(checkout, state=CheckoutState.PAID, order_id=order.id, ended_at=unit.now))
    unit.orders.add(order)
    if attempt.direct:
        unit.books.book(booking.capture_direct(attempt.id, order.organization_id, attempt.gateway, checkout.total))
    else:
        unit.books.book(booking.capture(attempt.id, order.id, order.organization_id, attempt.gateway, checkout.total))
    _return_surplus(unit, attempt, paid - checkout.total)
    unit.trail.add(f"sale:{checkout.id}", actor, "order_paid", order=order.id, number=order.number, attempt=attempt.id,
                   amount_minor=checkout.total.amount_minor, currency=checkout.total.currency)  # fmt: skip
    tell_order(unit, order, "order_paid", actor=actor)
    unit.wake("checkout", id=checkout.id)
    if order.digital and order.proved:
        hand_over_digital(unit, order)


def _return_surplus(unit: Unit, attempt: Attempt, surplus: Money) -> None:
    if surplus.amount_minor:
        unit.books.book(booking.unexpected(attempt.id, attempt.organization_id, gateway_account(attempt), surplus, "surplus"))
        ask_refund(unit, attempt, surplus, "surplus", f"surplus:{attempt.id}", booking.suspense(attempt.id))


def _hold_share(unit: Unit, attempt: Attempt, share: Checkout, group_id: CheckoutId, link: Link, paid: Money) -> None:
    """With the last share the order is made, and all of them are held for it: one unit."""
    group = hold_share(unit, attempt, share, group_id)
    _return_surplus(unit, attempt, paid - share.total)
    if not group.is_full:
        return
    whole = group.whole
    proved = all(the_attempt(unit, one.paid_by).proved_at is not None for one in group.paid if one.paid_by is not None)
    order = replace(_new_order(unit, attempt, whole, link, order_number(unit.chance(62))), proved=proved)
    CHECKOUT.move(whole.state, CheckoutState.PAID, Party.GATEWAY)
    unit.checkouts.save(replace(whole, state=CheckoutState.PAID, order_id=order.id, ended_at=unit.now))
    unit.orders.add(order)
    unit.books.book(booking.shares_gathered(order.id, whole.id, order.organization_id, whole.total))
    unit.trail.add(f"sale:{whole.id}", Actor(Party.GATEWAY, attempt.gateway), "order_paid", order=order.id, number=order.number,
                   shares=whole.shares, amount_minor=whole.total.amount_minor, currency=whole.total.currency)  # fmt: skip
    tell_order(unit, order, "order_paid")
    unit.wake("checkout", id=whole.id)
    if order.digital and order.proved:
        hand_over_digital(unit, order)


def _new_order(unit: Unit, attempt: Attempt, checkout: Checkout, link: Link, number: str) -> Order:
    """One whose number is taken is refused by its unique key, and the unit runs again with another."""
    order = Order(
        id=OrderId(unit.new_id()),
        number=number or order_number(unit.chance(62)),
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
