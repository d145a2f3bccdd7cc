"""Payments: an attempt is written, sent, and settled by whatever the gateway says, however often and in whatever order it says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domain.errors import BadInput, CannotPay, LimitReached, NotForSale, NotFound
from domain.ids import AttemptId, CheckoutId, PaymentId
from domain.life import ATTEMPT, CHECKOUT, PAYMENT, AttemptState, CheckoutState, PaymentState
from domain.payment import ASK_PAGE_AFTER, SEND_WITHIN, Ability, Ask, Attempt, Checkout, Method, Outcome, Payment, Reply, next_ask
from domain.phone import Phone
from domain.ports import Gateways, Store, Unit
from domain.rights import CLOCK, Actor, Party
from domain.tokens import Purpose
from usecases.checkouts import NewCheckout, start_checkout
from usecases.events import publish_payment
from usecases.gateways import credentials_of, route
from usecases.people import is_on_telegram
from usecases.tell import alert, tell_person, text_person

FIRST_ASK = timedelta(seconds=15)
UNATTRIBUTED = timedelta(minutes=5)
"""An attempt whose sending was cut off has no reference to ask by; when no callback came for so long, nobody is going to pay it."""

STK_LIMITS = (("stk_number_10m", 600, 3), ("stk_number_day", 86_400, 10))
STK_ADDRESS = ("stk_address_hour", 3_600, 10)
STK_LINK = ("stk_link_hour", 3_600, 30)
STK_TOTAL = ("stk_total_minute", 60, 6_000)
ASKED_BACK = ("asked_back", 600, 10)
"""How often whoever comes back from a hosted page makes us ask the gateway at once."""

GATEWAY_FAULTS = frozenset({"configuration", "try_later", "not_sent"})
"""Results that are the gateway's fault: the next try takes another one where there is one."""

_SMALL = frozenset({"ussd", "sms"})


@dataclass(frozen=True, slots=True)
class NewAttempt:
    """`key` makes it repeatable; `address` is the network address it came from, for the limits, empty for trusted channels."""

    key: str
    checkout_id: CheckoutId
    method: Method
    phone: Phone | None
    source: str
    address: str = ""


def open_attempt(unit: Unit, new: NewAttempt, abilities: Mapping[str, Ability]) -> Attempt:
    """Write down a try before anything is sent. While one is live, asking again returns that one; so does the same key.

    A page that the payer left for another method is given up: what is paid there all the same wins, or goes back as double.
    """
    checkout = unit.checkouts.get(new.checkout_id)
    tried = unit.payments.attempts(checkout.id)
    for known in tried:
        if known.key == new.key:
            return known
    live = next((known for known in tried if known.live), None)
    if live is not None:
        if not _leaves_page(unit, live, new.method):
            return live
        end_attempt(unit, live, AttemptState.CANCELLED, "other_method", CLOCK, tell=False)
        checkout = unit.checkouts.get(checkout.id)
    if checkout.state is CheckoutState.PAID:
        raise NotForSale(reason="paid")
    if checkout.is_group:  # it is paid by its shares alone
        raise NotForSale(reason="shared")
    if checkout.state not in {CheckoutState.OPEN, CheckoutState.PAYING} or unit.now >= checkout.expires_at:
        raise NotForSale(reason="expired")
    phone = new.phone or checkout.phone
    if new.method is Method.MPESA and (phone is None or not phone.is_kenyan_mobile):
        raise BadInput("phone", "not_mpesa")
    if new.method is Method.TELEGRAM and not is_on_telegram(unit, checkout.buyer_id):
        raise CannotPay(method=str(new.method), reason="only_in_chat")
    failed = {attempt.gateway for attempt in tried if attempt.result in GATEWAY_FAULTS}
    carrier = route(unit, checkout.organization_id, new.method, checkout.total, abilities, failed)
    gateway, direct = carrier.gateway, carrier.direct
    if direct and checkout.group_id is not None:  # what is not held by us could not go back
        raise CannotPay(method=str(new.method), reason="not_shared")
    _check_limits(unit, checkout, phone if new.method is Method.MPESA else None, new.address)
    payment = _payment(unit, checkout, new.method, gateway, direct)
    attempt = Attempt(
        id=AttemptId(unit.new_id()),
        payment_id=payment.id,
        checkout_id=checkout.id,
        organization_id=checkout.organization_id,
        gateway=gateway,
        direct=direct,
        money=checkout.total,
        state=AttemptState.CREATED,
        phone=phone,
        created_at=unit.now,
        key=new.key,
        short_code=credentials_of(unit, checkout.organization_id, gateway, direct).get("short_code", ""),
        source=new.source,
    )
    unit.payments.add_attempt(attempt)
    CHECKOUT.move(checkout.state, CheckoutState.PAYING, Party.BUYER)
    unit.checkouts.save(replace(checkout, state=CheckoutState.PAYING, phone=phone))
    actor = Actor(Party.BUYER, new.source, checkout.buyer_id)
    unit.trail.add(f"sale:{checkout.id}", actor, "attempt_opened", attempt=attempt.id, gateway=gateway, direct=direct)
    unit.wake("attempts")
    return attempt


def _leaves_page(unit: Unit, live: Attempt, method: Method) -> bool:
    return live.url is not None and unit.payments.get(live.payment_id).method is not method


def _payment(unit: Unit, checkout: Checkout, method: Method, gateway: str, direct: bool) -> Payment:
    for known in unit.payments.of_checkout(checkout.id):
        if known.gateway == gateway:
            PAYMENT.move(known.state, PaymentState.PENDING, Party.BUYER)
            return unit.payments.save(replace(known, state=PaymentState.PENDING, direct=direct, method=method))
    payment = Payment(
        PaymentId(unit.new_id()),
        checkout.id,
        checkout.organization_id,
        method,
        gateway,
        checkout.total,
        PaymentState.PENDING,
        unit.now,
        direct,
    )
    unit.payments.add(payment)
    return payment


def _check_limits(unit: Unit, checkout: Checkout, phone: Phone | None, address: str) -> None:
    """A prompt may not become a nuisance: caps per number, network address, link and in all; and numbers that never want one."""
    now = unit.now
    checks = [(STK_LINK, str(checkout.link_id)), (STK_TOTAL, "all")]
    if phone is not None:
        blocked = unit.marks.get(f"never_prompt:{phone.e164}")
        if blocked is not None and blocked.get("never"):
            raise CannotPay(method="mpesa", reason="never_prompt")
        checks += [(limit, phone.e164) for limit in STK_LIMITS]
    if address:
        checks.append((STK_ADDRESS, address))
    for (name, window_s, most), subject in checks:
        if unit.limits.count(name, subject, window_s, now) > most:
            raise LimitReached(limit=name, retry_at=_window_end(now, window_s))


def _window_end(now: datetime, window_s: int) -> datetime:
    return now + timedelta(seconds=window_s - int(now.timestamp()) % window_s)


def never_prompt(unit: Unit, actor: Actor, phone: Phone, never: bool) -> None:
    """Whoever is pestered with prompts can have their number left alone: by themselves, or by an admin."""
    if actor.party is not Party.ADMIN and (actor.person_id is None or unit.people.get(actor.person_id).phone != phone):
        raise NotFound(what="phone")
    unit.marks.put(f"never_prompt:{phone.e164}", {"never": never})
    unit.trail.add("limits", actor, "never_prompt", never=never, phone=phone.masked)


def begin_attempt(unit: Unit, attempt_id: AttemptId) -> Ask | None:
    """Mark a fresh attempt as being sent and return what to send; None when somebody else did, it is too old, or its checkout is over."""
    attempt = the_attempt(unit, attempt_id)
    if attempt.state is not AttemptState.CREATED:
        return None
    checkout = unit.checkouts.get(attempt.checkout_id)
    if unit.now - attempt.created_at > SEND_WITHIN or checkout.state is not CheckoutState.PAYING:
        end_attempt(unit, attempt, AttemptState.FAILED, "not_sent", CLOCK)
        return None
    ATTEMPT.move(attempt.state, AttemptState.SENDING, Party.CLOCK)
    sending = unit.payments.save_attempt(replace(attempt, state=AttemptState.SENDING))
    link = unit.links.get(checkout.link_id)
    return Ask(
        attempt_id=sending.id,
        money=sending.money,
        phone=sending.phone,
        reference=link.code,
        description=link.name,
        credentials=credentials_of(unit, sending.organization_id, sending.gateway, sending.direct),
        callback_token=unit.tokens.make(Purpose.ATTEMPT, sending.id),
        method=unit.payments.get(sending.payment_id).method,
        key=sending.key,
        back_url=f"{unit.house.base_url.rstrip('/')}/pay/{unit.tokens.make(Purpose.PAY, checkout.id)}/back",
        language=checkout.language,
        expires_at=checkout.expires_at,
    )


def record_reply(unit: Unit, attempt_id: AttemptId, reply: Reply) -> Attempt:
    """What the gateway answered to the sending. A callback may have been faster: then only what is missing is added."""
    attempt = the_attempt(unit, attempt_id)
    if attempt.state is not AttemptState.SENDING:
        if attempt.ref is None and reply.ref is not None:
            attempt = unit.payments.save_attempt(replace(attempt, ref=reply.ref))
        return attempt
    if reply.outcome in {Outcome.DECLINED, Outcome.NOT_SENT}:
        return end_attempt(unit, attempt, AttemptState.FAILED, reply.result or "not_sent", Actor(Party.GATEWAY, attempt.gateway))
    ATTEMPT.move(attempt.state, AttemptState.PENDING, Party.GATEWAY)
    first = FIRST_ASK if reply.url is None else ASK_PAGE_AFTER[0]
    pending = unit.payments.save_attempt(
        replace(attempt, state=AttemptState.PENDING, ref=reply.ref, url=reply.url, ask_at=unit.now + first)
    )
    if reply.url is not None:
        _send_page(unit, pending)
    unit.wake("checkout", id=attempt.checkout_id)
    return pending


def _send_page(unit: Unit, attempt: Attempt) -> None:
    """Who paid by USSD or SMS has no page of ours before them: the address of it follows as a text."""
    checkout = unit.checkouts.get(attempt.checkout_id)
    if attempt.source in _SMALL and checkout.buyer_id is not None:
        name = unit.links.get(checkout.link_id).name
        total = {"amount_minor": checkout.total.amount_minor, "currency": checkout.total.currency}
        text_person(unit, checkout.buyer_id, "pay_page", str(attempt.id), checkout=checkout.id, name=name, **total)


def ask_soon(unit: Unit, checkout_id: CheckoutId) -> AttemptId | None:
    """The payer came back from a hosted page: the gateway is asked now, a bounded number of times. None when there is nothing to ask."""
    live = unit.payments.live_attempt(checkout_id)
    if live is None or live.state is not AttemptState.PENDING or live.url is None:
        return None
    name, window_s, most = ASKED_BACK
    if unit.limits.count(name, str(live.id), window_s, unit.now) > most:
        return None
    unit.payments.save_attempt(replace(live, ask_at=unit.now + FIRST_ASK))  # by whoever brought them back; by the jobs if that fails
    return live.id


def recover_attempt(unit: Unit, attempt_id: AttemptId) -> bool:
    """After a crash: an attempt cut off while it was being sent may have rung the phone, so it is waited for, never sent again.

    True when it is still fresh and was never sent, so that it may be sent now.
    """
    attempt = the_attempt(unit, attempt_id)
    if attempt.state is AttemptState.CREATED:
        return True
    if attempt.state is AttemptState.SENDING:
        record_reply(unit, attempt_id, Reply(Outcome.UNKNOWN))
    return False


def ask_later(unit: Unit, attempt: Attempt) -> Attempt:
    asked = replace(attempt, asked=attempt.asked + 1)
    at = next_ask(asked, unit.now)
    if at is None:
        alert(
            unit,
            "attempt_without_answer",
            str(attempt.id),
            attempt=attempt.id,
            ref=attempt.ref or "",
            amount_minor=attempt.money.amount_minor,
        )
        if attempt.state is AttemptState.PENDING:
            return end_attempt(unit, replace(asked, ask_at=None), AttemptState.EXPIRED, "no_answer", CLOCK)
    return unit.payments.save_attempt(replace(asked, ask_at=at))


def the_attempt(unit: Unit, attempt_id: AttemptId) -> Attempt:
    attempt = unit.payments.attempt(attempt_id)
    if attempt is None:
        raise NotFound(what="attempt")
    return attempt


_PAYMENT_ENDS = {
    AttemptState.FAILED: PaymentState.FAILED,
    AttemptState.CANCELLED: PaymentState.CANCELLED,
    AttemptState.EXPIRED: PaymentState.EXPIRED,
}


def end_attempt(unit: Unit, attempt: Attempt, state: AttemptState, result: str, actor: Actor, *, tell: bool = True) -> Attempt:
    """The try is over without money. The checkout is open again, and the buyer hears why, unless it is paid or they went away."""
    ATTEMPT.move(attempt.state, state, actor.party)
    ended = unit.payments.save_attempt(replace(attempt, state=state, result=result, live=False, ask_at=None))
    payment = unit.payments.get(attempt.payment_id)
    if payment.state is PaymentState.PENDING:
        PAYMENT.move(payment.state, _PAYMENT_ENDS[state], actor.party)
        unit.payments.save(replace(payment, state=_PAYMENT_ENDS[state]))
    checkout = unit.checkouts.get(attempt.checkout_id)
    if checkout.state is CheckoutState.PAYING:
        CHECKOUT.move(checkout.state, CheckoutState.OPEN, actor.party)
        unit.checkouts.save(replace(checkout, state=CheckoutState.OPEN))
    unit.trail.add(f"sale:{checkout.id}", actor, f"attempt_{str(state).lower()}", attempt=attempt.id, result=result)
    if tell and checkout.state not in {CheckoutState.PAID, CheckoutState.CANCELLED}:
        tell_person(unit, checkout.buyer_id, "payment_failed", str(attempt.id), checkout=checkout.id, result=result,
                    method=str(payment.method))  # fmt: skip
        publish_payment(unit, checkout, ended, "payment_failed", result)
    unit.wake("checkout", id=checkout.id)
    return ended


async def send_attempt(store: Store, gateways: Gateways, attempt_id: AttemptId) -> None:
    """Unit, call, unit: nothing is sent that was not first written, and nothing is sent twice."""
    ask = await store.write(begin_attempt, attempt_id)
    if ask is None:
        return
    attempt = await store.read(the_attempt, attempt_id)
    reply = await gateways[attempt.gateway].start(ask)
    await store.write(record_reply, attempt_id, reply)


def buy(unit: Unit, new: NewCheckout, method: Method, abilities: Mapping[str, Ability], address: str = "") -> Attempt:
    """A checkout and its first attempt in one unit: what the buy page and the chat do when everything was said."""
    checkout = start_checkout(unit, new)
    live = unit.payments.attempts(checkout.id)
    if live:
        return live[-1]
    return open_attempt(unit, NewAttempt(f"{new.key}:1", checkout.id, method, new.phone, new.source, address), abilities)
