"""Receipt claims: somebody shows the receipt of money they paid by hand. Nothing of it is believed before the gateway was asked.

A receipt that paid for something else, one that the gateway does not know, and one of somebody else's prompt are all told in the same words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from domain.by_hand import NEWLY_MADE, PAID_BEFORE, Looked, Lookup, LookupId, LookupState, Stray, StrayState, ends_alike, read_pasted
from domain.errors import CannotPay, LimitReached, NotForSale, NotFound
from domain.ids import CheckoutId, InboxId, PersonId
from domain.life import AttemptState, CheckoutState, InboxState
from domain.money import Money
from domain.payment import Attempt, Checkout, Notice, Outcome, Proof, Reply
from domain.ports import Unit
from domain.records import RawEvent
from domain.rights import Actor, Party
from usecases import settlement
from usecases.by_hand import INBOX, match_stray, owner_of, settle_by_hand, short_codes
from usecases.codes import window_end
from usecases.lookups import UNDER_WAY, ask_claim, ask_once_more, fail_lookup, finish_lookup
from usecases.payments import the_attempt
from usecases.proof import Mismatch, prove
from usecases.settlement import Received
from usecases.strays import GATEWAY
from usecases.tell import alert

CLAIM_CHECKOUT: Final = ("claim_checkout_hour", 3_600, 6)
CLAIM_PERSON: Final = ("claim_person_hour", 3_600, 12)
CLAIM_ADDRESS: Final = ("claim_address_hour", 3_600, 20)
CLAIM_TOTAL: Final = ("claim_total_minute", 60, 600)
"""(name, window in seconds, most): each is a question to the gateway."""

NOT_FOUND: Final = "not_found"


@dataclass(frozen=True, slots=True)
class Claim:
    """`typed` as it came; `address` is the network address it came from, empty for trusted channels, where `person_id` is known."""

    checkout_id: CheckoutId
    typed: str
    source: str
    person_id: PersonId | None = None
    address: str = ""


def claim(unit: Unit, new: Claim) -> Lookup:
    """Ask the gateway about the receipt in what was typed. Raises BadInput(receipt), NotForSale(paid), CannotPay, LimitReached."""
    pasted = read_pasted(new.typed)
    checkout = unit.checkouts.get(new.checkout_id)
    if checkout.state is CheckoutState.PAID:
        raise NotForSale(reason="paid")
    owner = owner_of(unit, checkout.organization_id)
    if unit.settings.get(owner, GATEWAY) is None:
        raise CannotPay(method="mpesa", reason="not_configured")
    _count(unit, new)
    unit.trail.add(f"sale:{checkout.id}", Actor(Party.BUYER, new.source, new.person_id), "receipt_claimed", receipt=pasted.receipt)
    unit.wake("checkout", id=checkout.id)
    return ask_claim(unit, checkout.id, owner, pasted.receipt, new.source)


def _count(unit: Unit, new: Claim) -> None:
    checks = [(CLAIM_CHECKOUT, str(new.checkout_id)), (CLAIM_TOTAL, "all")]
    if new.person_id is not None:
        checks.append((CLAIM_PERSON, str(new.person_id)))
    if new.address:
        checks.append((CLAIM_ADDRESS, new.address))
    for (name, window_s, most), subject in checks:
        if unit.limits.count(name, subject, window_s, unit.now) > most:
            raise LimitReached(limit=name, retry_at=window_end(unit.now, window_s))


@dataclass(frozen=True, slots=True)
class ClaimView:
    """How the last claim for a checkout stands. `asking`: the gateway has not answered; else `result` says why it came to nothing, or None."""

    receipt: str
    asking: bool
    result: str | None


def last_claim(unit: Unit, checkout_id: CheckoutId) -> ClaimView | None:
    claims = unit.by_hand.claims_of(checkout_id)
    if not claims:
        return None
    newest = max(claims, key=lambda one: one.done_at or unit.now)
    return ClaimView(newest.receipt, newest.state in UNDER_WAY, newest.result if newest.state is LookupState.FAILED else None)


def receive_looked(unit: Unit, event: RawEvent, event_key: str, lookup_id: LookupId, looked: Looked | None) -> Received:
    """Store the gateway's answer about a receipt and apply it, in one unit."""
    if unit.inbox.by_key(INBOX, event_key) is not None:
        return Received.REPEATED
    state, error = InboxState.PARKED, "unreadable"
    if looked is None:
        alert(unit, "event_unreadable", event_key, gateway=INBOX, kind=event.kind)
    else:
        lookup = unit.by_hand.lookup(lookup_id)
        heard = lookup is not None and lookup.state in UNDER_WAY and lookup.ref in {None, looked.ref}
        state, error = InboxState.APPLIED if heard else InboxState.IGNORED, ""
        if heard and lookup is not None:
            _apply(unit, lookup, looked)
    unit.inbox.keep(event.kept(InboxId(unit.new_id()), event_key, unit.now, state, tries=1, error=error))
    return Received.PARKED if state is InboxState.PARKED else Received.APPLIED


def _apply(unit: Unit, lookup: Lookup, looked: Looked) -> None:
    if looked.found is None or (looked.found and not looked.completed):
        ask_once_more(unit, lookup)
    elif lookup.attempt_id is not None:
        _prove(unit, lookup, looked, the_attempt(unit, lookup.attempt_id))
    else:
        _decide(unit, lookup, looked, unit.checkouts.get(CheckoutId(lookup.checkout_id or 0)))


def _prove(unit: Unit, lookup: Lookup, looked: Looked, attempt: Attempt) -> None:
    """Receipt, amount and payee are what was told, or it is denied. One that is not found is asked about again while it is very new."""
    if not looked.found and unit.now - (attempt.settled_at or unit.now) < NEWLY_MADE:
        ask_once_more(unit, lookup)
        return
    told = Money(lookup.expects_minor or 0, attempt.money.currency)
    agrees = looked.found and looked.receipt == lookup.receipt and looked.money == told and _is_ours(unit, lookup, looked)
    reply = Reply(Outcome.SUCCEEDED) if agrees else Reply(Outcome.DECLINED, result="contradicted" if looked.found else NOT_FOUND)
    prove(unit, attempt, reply)
    finish_lookup(unit, lookup, "proved" if agrees else "disproved")


def _is_ours(unit: Unit, lookup: Lookup, looked: Looked) -> bool:
    try:
        return looked.payee in short_codes(unit, lookup.owner)
    except NotFound:
        return False


def _decide(unit: Unit, lookup: Lookup, looked: Looked, checkout: Checkout) -> None:
    try:
        with unit.savepoint():
            counted = _count_for(unit, lookup, looked, checkout)
    except Mismatch as refusal:
        alert(unit, "claim_contradicts", str(lookup.id), **refusal.facts)
        counted = False
    if counted:
        finish_lookup(unit, lookup, "counted")
    else:
        fail_lookup(unit, lookup, NOT_FOUND)


def _count_for(unit: Unit, lookup: Lookup, looked: Looked, checkout: Checkout) -> bool:
    """Whether the money is this checkout's now, or was before."""
    money = looked.money
    if not looked.found or money is None or looked.receipt != lookup.receipt or not _is_ours(unit, lookup, looked):
        return False
    known = unit.payments.attempt_by_receipt(GATEWAY, lookup.receipt)
    if known is not None:
        return known.checkout_id == checkout.id
    if looked.prompted:
        return _bring(unit, checkout, looked, money)
    if looked.paid_at is not None and looked.paid_at < checkout.created_at - PAID_BEFORE:
        return False
    stray = unit.by_hand.stray(GATEWAY, lookup.receipt)
    if stray is None:
        settle_by_hand(unit, checkout, lookup.owner, lookup.receipt, money, Proof.PROOF)
        return True
    if not _fits(stray, lookup, money):
        return False
    match_stray(unit, stray, checkout)
    return True


def _fits(stray: Stray, lookup: Lookup, money: Money) -> bool:
    return stray.state is StrayState.WAITING and stray.owner == lookup.owner and stray.money == money


def _bring(unit: Unit, checkout: Checkout, looked: Looked, money: Money) -> bool:
    """Money that a prompt brought belongs to the prompt that rang on the payer's phone, whoever shows its receipt."""
    rang = [
        attempt
        for attempt in unit.payments.attempts(checkout.id)
        if attempt.receipt is None
        and attempt.gateway == GATEWAY
        and attempt.state is not AttemptState.CREATED
        and attempt.phone is not None
        and ends_alike(attempt.phone.msisdn, looked.payer)
    ]
    if not rang:
        return False
    notice = Notice(GATEWAY, looked.event_key, "lookup", Outcome.SUCCEEDED, Proof.PROOF, rang[-1].id, receipt=looked.receipt, money=money)
    settlement.apply_notice(unit, notice)
    return True
