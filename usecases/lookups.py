"""Questions to the gateway about one receipt, whose answer comes later to an address of their own: asked again until there is one.

A claim and a proof are the same question; what the answer does is for `usecases/claims.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from domain.by_hand import LOOKUP, HandGateway, Lookup, LookupId, LookupState, look_again
from domain.errors import NotFound
from domain.ids import AttemptId, CheckoutId, OrganizationId
from domain.money import Money
from domain.payment import Outcome, Reply
from domain.ports import Store, Unit
from domain.rights import Party
from domain.tokens import Purpose
from usecases.gateways import PLATFORM, credentials_of
from usecases.tell import alert, tell_person

LOOKUPS: Final = "lookups"
_GATEWAY: Final = "daraja"
RESULT_WITHIN: Final = timedelta(seconds=60)
SENDING_TAKES: Final = timedelta(seconds=90)
UNDER_WAY: Final = frozenset({LookupState.ASKED, LookupState.SENDING, LookupState.PENDING})


def ask_proof(unit: Unit, attempt_id: AttemptId, owner: OrganizationId, receipt: str, money: Money) -> None:
    """Ask for proof of money that a confirmation told of."""
    _ask(unit, owner, receipt, f"proof:{attempt_id}", attempt_id=attempt_id, expects_minor=money.amount_minor)


def ask_claim(unit: Unit, checkout_id: CheckoutId, owner: OrganizationId, receipt: str, source: str) -> Lookup:
    """Ask about a receipt that somebody shows for a checkout: once, unless the last time it came to nothing."""
    cause = f"claim:{checkout_id}:{receipt}"
    known = unit.by_hand.lookup_by_cause(cause)
    if known is None:
        return _ask(unit, owner, receipt, cause, checkout_id=checkout_id, source=source)
    if known.state is not LookupState.FAILED:
        return known
    LOOKUP.move(known.state, LookupState.ASKED, Party.BUYER)
    unit.wake(LOOKUPS)
    return unit.by_hand.save_lookup(
        replace(known, state=LookupState.ASKED, ref=None, result=None, tries=0, act_at=unit.now, done_at=None, source=source)
    )


def _ask(
    unit: Unit,
    owner: OrganizationId,
    receipt: str,
    cause: str,
    *,
    attempt_id: AttemptId | None = None,
    checkout_id: CheckoutId | None = None,
    expects_minor: int | None = None,
    source: str = "",
) -> Lookup:
    lookup = Lookup(
        LookupId(unit.new_id()), _GATEWAY, owner, receipt, cause, LookupState.ASKED, unit.now, attempt_id, checkout_id, source, expects_minor,
        act_at=unit.now,
    )  # fmt: skip
    unit.by_hand.add_lookup(lookup)
    unit.wake(LOOKUPS)
    return lookup


@dataclass(frozen=True, slots=True)
class LookupCall:
    """Everything the gateway needs, read and marked in one unit before the call."""

    lookup: Lookup
    credentials: Mapping[str, str]
    token: str


def due_lookups(unit: Unit, limit: int) -> Sequence[LookupId]:
    return unit.by_hand.lookups_due(unit.now, limit)


def begin_lookup(unit: Unit, lookup_id: LookupId) -> LookupCall | None:
    """Mark a due question as being asked; None when there is nothing to ask (any more)."""
    lookup = unit.by_hand.lookup(lookup_id)
    if lookup is None or lookup.state not in UNDER_WAY or lookup.act_at is None or lookup.act_at > unit.now:
        return None
    if look_again(lookup, unit.now) is None:
        fail_lookup(unit, lookup, "no_answer")
        return None
    attempt = unit.payments.attempt(lookup.attempt_id) if lookup.attempt_id is not None else None
    if attempt is not None and (attempt.proved_at is not None or attempt.disproved):
        finish_lookup(unit, lookup, "known")
        return None
    try:
        credentials = credentials_of(unit, lookup.owner, lookup.gateway, lookup.owner != PLATFORM)
    except NotFound:
        fail_lookup(unit, lookup, "configuration")
        return None
    if lookup.state is not LookupState.ASKED:  # no answer came in its time
        LOOKUP.move(lookup.state, LookupState.ASKED, Party.CLOCK)
        lookup = replace(lookup, state=LookupState.ASKED)
    LOOKUP.move(lookup.state, LookupState.SENDING, Party.CLOCK)
    sending = replace(lookup, state=LookupState.SENDING, ref=None, tries=lookup.tries + 1, act_at=unit.now + SENDING_TAKES)
    return LookupCall(unit.by_hand.save_lookup(sending), credentials, unit.tokens.make(Purpose.LOOKUP, lookup.id))


def record_asked(unit: Unit, lookup_id: LookupId, reply: Reply) -> None:
    """What the gateway said to the question at once: that it heard it, or not. Its answer may have been faster."""
    lookup = unit.by_hand.lookup(lookup_id)
    if lookup is None or lookup.state is not LookupState.SENDING:
        return
    if reply.outcome is Outcome.PENDING:
        LOOKUP.move(lookup.state, LookupState.PENDING, Party.GATEWAY)
        unit.by_hand.save_lookup(replace(lookup, state=LookupState.PENDING, ref=reply.ref, act_at=unit.now + RESULT_WITHIN))
    elif reply.outcome is Outcome.DECLINED:
        fail_lookup(unit, lookup, reply.result or "configuration")
    else:
        ask_once_more(unit, lookup)


def ask_once_more(unit: Unit, lookup: Lookup) -> None:
    """There is no clear answer yet."""
    LOOKUP.move(lookup.state, LookupState.ASKED, Party.CLOCK)
    unit.by_hand.save_lookup(replace(lookup, state=LookupState.ASKED, act_at=look_again(lookup, unit.now) or unit.now))


def finish_lookup(unit: Unit, lookup: Lookup, result: str) -> None:
    LOOKUP.move(lookup.state, LookupState.DONE, Party.GATEWAY)
    unit.by_hand.save_lookup(replace(lookup, state=LookupState.DONE, result=result, act_at=None, done_at=unit.now))
    _look(unit, lookup)


def fail_lookup(unit: Unit, lookup: Lookup, result: str) -> None:
    """It came to nothing. Whoever claimed hears it; money that stays without proof is for a person."""
    LOOKUP.move(lookup.state, LookupState.FAILED, Party.CLOCK)
    unit.by_hand.save_lookup(replace(lookup, state=LookupState.FAILED, result=result, act_at=None, done_at=unit.now))
    if lookup.checkout_id is None:
        alert(unit, "payment_without_proof", str(lookup.id), attempt=lookup.attempt_id, receipt=lookup.receipt, why=result)
    else:
        checkout = unit.checkouts.get(lookup.checkout_id)
        once = f"claim:{lookup.id}:{lookup.version}"
        tell_person(unit, checkout.buyer_id, "payment_failed", once, checkout=checkout.id, result=f"claim_{result}")
    _look(unit, lookup)


def _look(unit: Unit, lookup: Lookup) -> None:
    if lookup.checkout_id is not None:
        unit.wake("checkout", id=lookup.checkout_id)


async def send_lookup(store: Store, gateway: HandGateway, lookup_id: LookupId) -> None:
    """Unit, call, unit."""
    call = await store.write(begin_lookup, lookup_id)
    if call is None:
        return
    reply = await gateway.look_up(call.lookup.receipt, call.credentials, call.token)
    await store.write(record_asked, lookup_id, reply)
