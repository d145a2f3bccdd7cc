"""What our books say that a gateway moved: the postings of one account, as lines that its own records can be laid beside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from domain import booking
from domain.by_hand import StrayId
from domain.ids import AttemptId, ChargebackId, OrganizationId, RefundId
from domain.ledger import LedgerAccount
from domain.life import RefundState
from domain.money import Money
from domain.payment import About, Attempt, Record
from domain.ports import Unit
from domain.reconcile import Line, Moved, Window
from usecases.gateways import PLATFORM

_INSTANT: Final = timedelta(milliseconds=1)


def account_of(gateway: str, owner: OrganizationId) -> LedgerAccount:
    return booking.clearing(gateway) if owner == PLATFORM else booking.direct_clearing(owner, gateway)


def lines_of(unit: Unit, gateway: str, owner: OrganizationId, window: Window, theirs: Sequence[Record]) -> list[Line]:
    """What was booked in the window, and what `theirs` names that was booked at any other time."""
    account = account_of(gateway, owner).name
    lines = _merged(_line(unit, moved) for moved in unit.reconciled.moved(account, window.since, window.until))
    known, named = {line.key for line in lines}, {(line.about, ref) for line in lines for ref in line.refs}
    for record in theirs:
        if (record.about, record.ref) in named or (record.about is About.PAYMENT and (record.about, record.receipt) in named):
            continue
        for line in _elsewhen(unit, gateway, owner, record):
            if line.key not in known:
                known.add(line.key)
                lines.append(line)
    return lines


def tried_of(unit: Unit, gateway: str, owner: OrganizationId, window: Window) -> list[Line]:
    """Attempts that were made in the window and ended without money, as far as we know."""
    found = []
    for attempt_id in unit.reconciled.tried(gateway, window.since, window.until):
        attempt = unit.payments.attempt(attempt_id)
        if attempt is not None and attempt.ref is not None and _owner(attempt) == owner:
            found.append(Line(About.PAYMENT, f"attempt:{attempt.id}", frozenset({attempt.ref}), attempt.money, attempt.created_at,
                              attempt_id=attempt.id))  # fmt: skip
    return found


def _owner(attempt: Attempt) -> OrganizationId:
    return attempt.organization_id if attempt.direct else PLATFORM


def _merged(lines: Iterable[Line | None]) -> list[Line]:
    """What was booked of one thing in several steps is one line; what was undone is none."""
    sums: dict[tuple[About, str, str], Line] = {}
    for line in lines:
        if line is None:
            continue
        place = (line.about, line.receipt if line.about is About.PAYMENT and line.receipt else line.key, line.money.currency)
        before = sums.get(place)
        if before is None:
            sums[place] = line
        else:
            newer = line if line.attempt_id is not None else before
            sums[place] = replace(newer, money=before.money + line.money, at=before.at, refs=before.refs | line.refs)
    return [line for line in sums.values() if line.money.amount_minor]


def _line(unit: Unit, moved: Moved) -> Line | None:
    """None for what is about nothing that a gateway would list."""
    what, _, rest = moved.cause.partition(":")
    number = rest.partition(":")[0]
    read = _READ.get(what)
    return read(unit, int(number), moved) if read is not None and number.isdigit() else None


def _of_attempt(unit: Unit, number: int, moved: Moved) -> Line | None:
    attempt = unit.payments.attempt(AttemptId(number))
    refs = frozenset() if attempt is None else frozenset(filter(None, (attempt.ref, attempt.receipt)))
    receipt = None if attempt is None else attempt.receipt
    attempt_id = None if attempt is None else attempt.id
    return Line(About.PAYMENT, f"attempt:{number}", refs, moved.money, moved.at, receipt, attempt_id)


def _of_stray(unit: Unit, number: int, moved: Moved) -> Line | None:
    stray = unit.by_hand.stray_by_id(StrayId(number))
    receipt = None if stray is None else stray.receipt
    if moved.kind == "stray_returned":
        ref = None if stray is None else stray.ref
        return Line(About.REFUND, f"stray:{number}", frozenset(filter(None, (ref,))), -moved.money, moved.at, receipt, so_far=-moved.money)
    return Line(About.PAYMENT, f"stray:{number}", frozenset(filter(None, (receipt,))), moved.money, moved.at, receipt)


def _of_refund(unit: Unit, number: int, moved: Moved) -> Line | None:
    refund = unit.payments.refund(RefundId(number))
    attempt = None if refund is None else unit.payments.attempt(refund.attempt_id)
    if refund is None or attempt is None:
        return Line(About.REFUND, f"refund:{number}", frozenset(), -moved.money, moved.at)
    refs = frozenset(filter(None, (refund.ref,)))
    return Line(
        About.REFUND, f"refund:{number}", refs, -moved.money, moved.at, attempt.receipt, attempt.id, _gone_back(unit, attempt, moved.money)
    )


def _gone_back(unit: Unit, attempt: Attempt, like: Money) -> Money:
    done = [one for one in unit.payments.refunds_of(attempt.id) if one.state is RefundState.DONE and one.money.currency == like.currency]
    kept = [one for one in done if not unit.books.booked("refund_returned", f"refund:{one.id}")]
    return Money(sum(one.money.amount_minor for one in kept), like.currency)


def _of_chargeback(unit: Unit, number: int, moved: Moved) -> Line | None:
    case = unit.chargebacks.get(ChargebackId(number))
    attempt = unit.payments.attempt(case.attempt_id)
    receipt = None if attempt is None else attempt.receipt
    return Line(About.CHARGEBACK, f"chargeback:{number}", frozenset({case.ref}), -moved.money, moved.at, receipt, case.attempt_id)


_READ: Final[Mapping[str, Callable[[Unit, int, Moved], Line | None]]] = {
    "attempt": _of_attempt,
    "stray": _of_stray,
    "refund": _of_refund,
    "chargeback": _of_chargeback,
}


def _elsewhen(unit: Unit, gateway: str, owner: OrganizationId, record: Record) -> list[Line]:
    """What a record of theirs names, whenever it was booked."""
    attempt = unit.payments.attempt_by_receipt(gateway, record.receipt) if record.receipt is not None else None
    attempt = attempt or unit.payments.attempt_by_ref(gateway, record.ref)
    if attempt is None or _owner(attempt) != owner:
        return []
    at = [attempt.settled_at] if record.about is About.PAYMENT else []
    if record.about is About.REFUND:
        at = [refund.done_at for refund in unit.payments.refunds_of(attempt.id)]
    if record.about is About.CHARGEBACK:
        at = [case.opened_at for case in unit.chargebacks.of_attempt(attempt.id)]
    account = account_of(gateway, owner).name
    moves = [moved for one in at if one is not None for moved in unit.reconciled.moved(account, one, one + _INSTANT)]
    lines = _merged(_line(unit, moved) for moved in moves)
    return [line for line in lines if line.attempt_id == attempt.id and line.about is record.about]
