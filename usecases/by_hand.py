"""Money paid by hand to a paybill or till: may it be paid, whose is it, and counted once, whoever tells of it first and however often.

A receipt is unique over everything that a gateway took, so a prompt's result and the confirmation of the same money are one payment. What names
nothing of ours is kept apart; everything else goes through `usecases/settlement.py` like any other payment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from domain.by_hand import LATELY, Kind, Stray, Told, Verdict, account_of, choose, judge, may_be, read_account
from domain.by_hand import Account as TypedAccount
from domain.errors import DomainError, NotFound, Stale
from domain.ids import AttemptId, CheckoutId, InboxId, OrganizationId, PaymentId
from domain.life import ATTEMPT, PAYMENT, AttemptState, CheckoutState, InboxState, PaymentState
from domain.money import Money
from domain.payment import Attempt, Checkout, Method, Notice, Outcome, Payment, Proof, Reply
from domain.ports import Unit
from domain.records import InboxEvent, RawEvent
from domain.rights import Actor, Party
from usecases import settlement
from usecases.gateways import PLATFORM, credentials_of
from usecases.lookups import ask_proof
from usecases.payments import the_attempt
from usecases.proof import Mismatch, prove
from usecases.settlement import Received, Settled
from usecases.strays import BY_HAND, GATEWAY, TELLER, keep_apart, matched, out_of_suspense
from usecases.tell import alert

INBOX: Final = "daraja_c2b"
"""Its events have a place of their own in the inbox, for they are applied by the rules here."""

CONFIRMED, LISTED = "confirmation", "listed"
AGAIN: Final = timedelta(seconds=5)
GIVEN_UP: Final = timedelta(hours=25)
"""Longer than a prompt is asked about."""

MOST_CHECKOUTS: Final = 500
MOST_PROMPTS: Final = 200
_WAITING: Final = frozenset({CheckoutState.OPEN, CheckoutState.PAYING})


def short_codes(unit: Unit, owner: OrganizationId) -> frozenset[str]:
    """What an owner is paid at. Raises NotFound where nothing is set up."""
    credentials = credentials_of(unit, owner, GATEWAY, owner != PLATFORM)
    return frozenset(filter(None, (credentials.get("short_code", ""), credentials.get("till", ""))))


def _is_till(unit: Unit, owner: OrganizationId) -> bool:
    return credentials_of(unit, owner, GATEWAY, owner != PLATFORM).get("transaction_type") == "BUYGOODS"


def owner_of(unit: Unit, organization_id: OrganizationId) -> OrganizationId:
    """Whose account an organization's buyers pay to: its own where it has one."""
    return organization_id if unit.settings.get(organization_id, GATEWAY) is not None else PLATFORM


def may_pay(unit: Unit, owner: OrganizationId, told: Told) -> tuple[Verdict, str]:
    """Answered at once from what we have: is the account ours and open, the amount right. With it what is to be echoed, where it is clear."""
    paused = unit.marks.get(f"paused:{GATEWAY}") or {}
    if paused.get("paused"):
        return Verdict.OTHER, ""
    try:
        if told.short_code not in short_codes(unit, owner):
            return Verdict.SHORT_CODE, ""
        if not told.account and _is_till(unit, owner):
            return Verdict.ACCEPT, ""  # nobody is asked for an account there: whose it is, the receipt tells
    except NotFound:
        return Verdict.SHORT_CODE, ""
    open_ones = [
        checkout
        for checkout in _named(unit, owner, read_account(told.account))
        if checkout.state in _WAITING and checkout.expires_at > unit.now and owner_of(unit, checkout.organization_id) == owner
    ]
    verdict, checkout = judge(open_ones, told)
    return verdict, account_of(checkout.number) if checkout is not None else ""


def _named(unit: Unit, owner: OrganizationId, account: TypedAccount | None) -> Sequence[Checkout]:
    """The unpaid checkouts that an account names, of those that this owner may be paid for; one checkout by its number is given paid too."""
    found: Sequence[Checkout] = ()
    if account is not None and account.kind is Kind.CHECKOUT:
        checkout = unit.by_hand.checkout_numbered(account.code)
        found = () if checkout is None else (checkout,)
    elif account is not None and (link := unit.links.by_code(account.code)) is not None:
        found = unit.by_hand.checkouts_of_link(link.id, unit.now - LATELY, MOST_CHECKOUTS)
    return [checkout for checkout in found if owner in (PLATFORM, checkout.organization_id) and not checkout.is_group]


def event_key(kind: str, owner: OrganizationId, raw: bytes, told: Told | None) -> str:
    """By whose address it came to, and with its amount: no lie can take the place of the truth in the inbox."""
    if told is None:
        return f"unreadable:{kind}:{owner}:{hashlib.sha256(raw).hexdigest()}"
    return f"{kind}:{owner}:{told.short_code}:{told.receipt}:{told.money.amount_minor}"


def receive_told(unit: Unit, event: RawEvent, event_key: str, owner: OrganizationId, told: Told | None) -> Received:
    """Store what the gateway tells of a payment and apply it, in one unit; None is what could not be understood."""
    if unit.inbox.by_key(INBOX, event_key) is not None:
        return Received.REPEATED
    if told is None:
        state, error = InboxState.PARKED, "unreadable"
        alert(unit, "event_unreadable", event_key, gateway=INBOX, kind=event.kind)
    else:
        state, error = _try(unit, owner, told, event.kind, event_key)
    act_at = unit.now + AGAIN if state is InboxState.STORED else None
    unit.inbox.keep(event.kept(InboxId(unit.new_id()), event_key, unit.now, state, tries=1, act_at=act_at, error=error))
    return {InboxState.STORED: Received.STORED, InboxState.PARKED: Received.PARKED}.get(state, Received.APPLIED)


def apply_again(unit: Unit, event: InboxEvent, told: Told) -> InboxState:
    """The worker's turn with what could not be applied when it came; parked for a person after a day."""
    state, error = _try(unit, OrganizationId(event.headers["owner"]), told, event.kind, event.event_key)
    if state is InboxState.STORED and unit.now - event.received_at > GIVEN_UP:
        state = InboxState.PARKED
        alert(unit, "event_parked", str(event.id), gateway=INBOX, error=error)
    act_at = unit.now + AGAIN * min(event.tries, 24) if state is InboxState.STORED else None
    unit.inbox.save(replace(event, state=state, tries=event.tries + 1, error=error, act_at=act_at))
    return state


def _try(unit: Unit, owner: OrganizationId, told: Told, kind: str, event_key: str) -> tuple[InboxState, str]:
    """Whole or not at all."""
    try:
        with unit.savepoint():
            settled = apply_told(unit, owner, told, Proof.PROOF if kind == LISTED else Proof.HINT)
    except Stale:
        raise
    except Mismatch as refusal:
        alert(unit, str(refusal.facts["reason"]), event_key, **{**refusal.facts, "gateway": GATEWAY})
        return InboxState.PARKED, refusal.code
    except DomainError as refusal:
        return InboxState.STORED, refusal.code
    if settled is None:
        return InboxState.STORED, "prompt_open"
    return (InboxState.IGNORED if settled is Settled.NOTHING else InboxState.APPLIED), ""


def apply_told(unit: Unit, owner: OrganizationId, told: Told, proof: Proof) -> Settled | None:
    """One payment that the gateway tells of. None: a prompt is open that may be what brought it, so its end is waited for."""
    if told.short_code not in short_codes(unit, owner):
        raise Mismatch(reason="wrong_payee", receipt=told.receipt, short_code=told.short_code)
    account = read_account(told.account)
    # Before the receipt is looked for: a prompt that ends in between is then found by its receipt.
    prompts = _prompts(unit, owner, account, told)
    known = unit.payments.attempt_by_receipt(GATEWAY, told.receipt)
    if known is not None:
        return _known(unit, known, proof)
    if unit.by_hand.stray(GATEWAY, told.receipt) is not None:
        return Settled.NOTHING
    if [prompt.state for prompt in prompts] == [AttemptState.SUCCEEDED]:
        return settlement.apply_notice(unit, _notice(prompts[0].id, told.receipt, told.money, proof))
    if prompts:
        return None
    checkout = _meant(unit, owner, account, told)
    if checkout is None:
        keep_apart(unit, owner, told)
        return Settled.SUSPENSE
    return settle_by_hand(unit, checkout, owner, told.receipt, told.money, proof)


def _known(unit: Unit, attempt: Attempt, proof: Proof) -> Settled:
    """Counted already; the gateway's own list proves what only a confirmation had told."""
    if proof is Proof.PROOF and attempt.state is AttemptState.SUCCEEDED and attempt.proved_at is None and not attempt.disproved:
        prove(unit, attempt, Reply(Outcome.SUCCEEDED))
        return Settled.NOTED
    return Settled.NOTHING


def _prompts(unit: Unit, owner: OrganizationId, account: TypedAccount | None, told: Told) -> list[Attempt]:
    """Prompts on phones that may be what brought the money: the gateway confirms them as well, with their link as account."""
    link = unit.links.by_code(account.code) if account is not None and account.kind is Kind.LINK else None
    if link is None:
        return []
    prompts = unit.by_hand.prompts_of_link(link.id, GATEWAY, MOST_PROMPTS)
    return [prompt for prompt in prompts if prompt.direct == (owner != PLATFORM) and may_be(prompt, told)]


def _meant(unit: Unit, owner: OrganizationId, account: TypedAccount | None, told: Told) -> Checkout | None:
    named = _named(unit, owner, account)
    if account is None or account.kind is Kind.CHECKOUT:
        return named[0] if named else None
    validated = read_account(told.validated)
    if validated is not None:
        for checkout in named:
            if checkout.number == validated.code:
                return checkout
    return choose(named, told, unit.now)


def _notice(attempt_id: AttemptId, receipt: str, money: Money, proof: Proof) -> Notice:
    return Notice(GATEWAY, f"{BY_HAND}:{receipt}", BY_HAND, Outcome.SUCCEEDED, proof, attempt_id, receipt=receipt, money=money)


def settle_by_hand(unit: Unit, checkout: Checkout, owner: OrganizationId, receipt: str, money: Money, proof: Proof) -> Settled:
    """An attempt for money that is there already, settled like every other. What was only told is asked of the gateway at once."""
    codes = credentials_of(unit, owner, GATEWAY, owner != PLATFORM)
    made = Attempt(
        id=AttemptId(unit.new_id()),
        payment_id=_payment(unit, checkout, owner != PLATFORM).id,
        checkout_id=checkout.id,
        organization_id=checkout.organization_id,
        gateway=GATEWAY,
        direct=owner != PLATFORM,
        money=checkout.total,
        state=AttemptState.CREATED,
        phone=checkout.phone,
        created_at=unit.now,
        key=f"{BY_HAND}:{GATEWAY}:{receipt}",
        live=False,
        short_code=codes.get("short_code", ""),
        source=BY_HAND,
    )
    ATTEMPT.move(made.state, AttemptState.SENDING, Party.CLOCK)
    attempt = replace(made, state=AttemptState.SENDING)
    unit.payments.add_attempt(attempt)
    unit.trail.add(f"sale:{checkout.id}", Actor(Party.GATEWAY, GATEWAY), "paid_by_hand", receipt=receipt, amount_minor=money.amount_minor)
    settled = settlement.apply_notice(unit, _notice(attempt.id, receipt, money, proof))
    if proof is Proof.HINT:  # what proves it is a question of another kind, so the one for prompts is not asked
        unit.payments.save_attempt(replace(the_attempt(unit, attempt.id), ask_at=None))
        ask_proof(unit, attempt.id, owner, receipt, money)
    return settled


def _payment(unit: Unit, checkout: Checkout, direct: bool) -> Payment:
    """What is owed through this gateway for the checkout: known from a prompt before, or new."""
    for known in unit.payments.of_checkout(checkout.id):
        if known.gateway == GATEWAY:
            return known
    made = Payment(
        PaymentId(unit.new_id()),
        checkout.id,
        checkout.organization_id,
        Method.MPESA,
        GATEWAY,
        checkout.total,
        PaymentState.CREATED,
        unit.now,
        direct,
    )
    PAYMENT.move(made.state, PaymentState.PENDING, Party.BUYER)
    payment = replace(made, state=PaymentState.PENDING)
    unit.payments.add(payment)
    return payment


def match_stray(unit: Unit, stray: Stray, checkout: Checkout, actor: Actor = TELLER) -> Settled:
    """What it is for is known: out of suspense, and settled as a payment for this checkout. For whom the gateway proved right, and the desk."""
    out_of_suspense(unit, stray)
    settled = settle_by_hand(unit, checkout, stray.owner, stray.receipt, stray.money, Proof.PROOF)
    attempt = unit.payments.attempt_by_receipt(GATEWAY, stray.receipt)
    assert attempt is not None
    matched(unit, stray, attempt.id, actor)
    return settled


@dataclass(frozen=True, slots=True)
class HowTo:
    """How a checkout is paid by hand: what is typed in the M-Pesa menu."""

    short_code: str
    till: bool
    account: str
    total: Money


def how_to(unit: Unit, checkout_id: CheckoutId) -> HowTo | None:
    """None where it cannot be: no addresses registered, not in whole shillings, or over."""
    checkout = unit.checkouts.get(checkout_id)
    owner = owner_of(unit, checkout.organization_id)
    mark: dict[str, Any] = unit.marks.get(f"by_hand:{owner}") or {}
    paused = (unit.marks.get(f"paused:{GATEWAY}") or {}).get("paused")
    payable = checkout.total.currency == "KES" and checkout.total.amount_minor % 100 == 0
    if not mark.get("registered") or paused or not payable or checkout.state not in _WAITING or checkout.expires_at <= unit.now:
        return None
    credentials = credentials_of(unit, owner, GATEWAY, owner != PLATFORM)
    till = _is_till(unit, owner)
    code = credentials.get("till", "") if till else credentials.get("short_code", "")
    return HowTo(code, till, account_of(checkout.number), checkout.total)
