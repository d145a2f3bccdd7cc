"""Telegram's own invoices: the last look before the payer's bank is asked, and the payment itself, told in an update of the chat."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final

from domain.ids import AttemptId
from domain.life import ATTEMPT, AttemptState, CheckoutState, InboxState, LinkState
from domain.payment import About, Attempt, Notice
from domain.person import ChannelKind
from domain.ports import Unit
from domain.rights import Actor, Party
from domain.tokens import Purpose
from usecases.settlement import apply_stored
from usecases.tell import alert
from usecases.updates import TELEGRAM, end_update, finish_update, waiting_update

ANSWERED_WITHIN: Final = timedelta(seconds=10)
"""Telegram waits no longer for our yes or no; then it takes nothing, and whoever paid may press again."""
ONE_AT_A_TIME: Final = ("pre_checkout", 30, 1)
"""A yes may still become a payment for so long: two phones, or two presses, do not pay the same purchase twice."""


class WhyNot(StrEnum):
    """Why a payment is not let through. Nothing was taken, and nothing is."""

    NOT_OURS = "not_ours"
    NOT_YOURS = "not_yours"
    PAID = "paid"
    OTHER_METHOD = "other_method"
    EXPIRED = "expired"
    GONE = "gone"
    AMOUNT = "amount"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class AboutToPay:
    """Somebody pressed Pay. `address` is their id there; the amount is in the currency's smallest unit, as it was told; `key` is the update's."""

    key: str
    address: str
    payload: str
    currency: str
    amount_minor: int


def may_pay_invoice(unit: Unit, asked: AboutToPay) -> WhyNot | None:
    """None when the money may be taken. The update is done with: there is one answer to it, and it is given at once or not at all."""
    why = _why_not(unit, asked)
    event, _ = waiting_update(unit, TELEGRAM, asked.key)
    finish_update(unit, event)
    return why


def _why_not(unit: Unit, asked: AboutToPay) -> WhyNot | None:
    number = unit.tokens.read(Purpose.ATTEMPT, asked.payload)
    attempt = unit.payments.attempt(AttemptId(number)) if number is not None else None
    if attempt is None or attempt.gateway != TELEGRAM:
        return WhyNot.NOT_OURS
    why = _unfit(unit, attempt, asked)
    name, window_s, most = ONE_AT_A_TIME
    if why is None and unit.limits.count(name, str(attempt.id), window_s, unit.now) > most:
        why = WhyNot.BUSY
    actor = Actor(Party.GATEWAY, TELEGRAM)
    unit.trail.add(f"sale:{attempt.checkout_id}", actor, "invoice_looked_at", attempt=attempt.id, why_not=str(why or ""))
    return why


def _unfit(unit: Unit, attempt: Attempt, asked: AboutToPay) -> WhyNot | None:
    """Everything that the invoice said is looked at again: whose it is, whether it is the one that counts now, and how much."""
    checkout = unit.checkouts.get(attempt.checkout_id)
    payer = unit.people.by_address(ChannelKind.TELEGRAM, asked.address)
    if payer is None or payer.id != checkout.buyer_id:
        return WhyNot.NOT_YOURS
    if checkout.state is CheckoutState.PAID or attempt.state is AttemptState.SUCCEEDED:
        return WhyNot.PAID
    if checkout.state in {CheckoutState.EXPIRED, CheckoutState.CANCELLED} or unit.now >= checkout.expires_at:
        return WhyNot.EXPIRED
    if not attempt.live or attempt.state is not AttemptState.PENDING:
        return WhyNot.OTHER_METHOD
    if unit.links.get(checkout.link_id).state is LinkState.INACTIVE:
        return WhyNot.GONE
    same = (asked.currency, asked.amount_minor) == (attempt.money.currency, attempt.money.amount_minor)
    return None if same else WhyNot.AMOUNT


def take_payment(unit: Unit, event_key: str, notice: Notice | None) -> InboxState | None:
    """Apply the payment that a stored update tells of, once; what cannot be applied yet is taken up again. None for an update that is done.

    `notice` None means that it could not be understood: it is parked, and a person is told, for money has moved.
    """
    event, waits = waiting_update(unit, TELEGRAM, event_key)
    if event is None or not waits:
        return None
    if notice is None:
        end_update(unit, TELEGRAM, event_key, "unreadable", park=True)
        alert(unit, "event_unreadable", f"{TELEGRAM}:{event_key}", gateway=TELEGRAM, kind=event.kind)
        return InboxState.PARKED
    return apply_stored(unit, event, _of_its_own(unit, notice))


def _of_its_own(unit: Unit, notice: Notice) -> Notice:
    """An invoice can be paid more than once, whatever we answered: a second payment is a try of its own, so that it goes back as double."""
    first = unit.payments.attempt(notice.attempt_id) if notice.attempt_id is not None and notice.about is About.PAYMENT else None
    if first is None or first.gateway != TELEGRAM or first.receipt is None or first.receipt == notice.receipt:
        return notice
    key = f"{TELEGRAM}:{notice.receipt}"
    known = next((one for one in unit.payments.attempts(first.checkout_id) if one.key == key), None)
    return replace(notice, attempt_id=(known or _second(unit, first, key)).id)


def _second(unit: Unit, first: Attempt, key: str) -> Attempt:
    made = Attempt(
        id=AttemptId(unit.new_id()),
        payment_id=first.payment_id,
        checkout_id=first.checkout_id,
        organization_id=first.organization_id,
        gateway=first.gateway,
        direct=first.direct,
        money=first.money,
        state=AttemptState.CREATED,
        phone=first.phone,
        created_at=unit.now,
        key=key,
        live=False,
        source=first.source,
    )
    ATTEMPT.move(made.state, AttemptState.SENDING, Party.CLOCK)
    second = replace(made, state=AttemptState.SENDING)
    unit.payments.add_attempt(second)
    unit.trail.add(f"sale:{first.checkout_id}", Actor(Party.GATEWAY, TELEGRAM), "invoice_paid_again", attempt=second.id, first=first.id)
    return second
