"""`payloom reconcile`, and the desk's tasks about what it found."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from domain.ids import OrganizationId
from domain.money import Money
from domain.reconcile import Difference, DifferenceId, Kind, Tool
from gateways.seals import CannotOpen
from jobs.reconcile import books_of
from payloom.admin_desk import when
from payloom.admin_task import Room, Said
from usecases.admin import DESK
from usecases.gateways import PLATFORM
from usecases.reconcile import ASKED, Result, ask_about, asked_days, reconcile, settle_difference

MOST: Final = 200
SETTLES: Final[Mapping[Tool, str]] = {
    Tool.ASK: "payloom admin reconcile ask {id}",
    Tool.PAY_BACK: "pay it back in the gateway's portal, then reconcile settle {id} --note",
    Tool.RESEND: "send the event again from the gateway's portal (see inbox list), or reconcile settle {id} --note",
    Tool.COMPARE: "compare with the gateway's portal, then reconcile settle {id} --note",
    Tool.NOTE: "reconcile settle {id} --note",
}
PLAIN: Final[Mapping[Kind, str]] = {
    Kind.MISSING_HERE: "missing here",
    Kind.MISSING_THERE: "missing there",
    Kind.AMOUNT: "amount",
    Kind.CURRENCY: "currency",
    Kind.DUPLICATE: "duplicate",
    Kind.LATE: "late",
}
_COLUMNS: Final = ("id", "account", "class", "what", "receipt", "theirs", "ours", "at", "settle with")


async def run(room: Room, *, gateway: str, since: str, until: str) -> Said:
    """Each day of each account; 0 when all that could be read agrees and all could be read."""
    hall = room.house.hall
    first, last = (date.fromisoformat(day) if day else None for day in (since, until))
    days = await room.read(lambda unit, _: asked_days(unit, tuple(hall.gateways), gateway, first, last))
    if not days:
        return Said(("no gateway is set up here: `payloom admin gateway set` does it",), data=[], code=1)
    names = await _names(room)
    found, closed = [], []
    for day in days:
        try:
            result = await reconcile(books_of(hall), day, asked=True)
        except CannotOpen:
            closed.append(_account(day.account.gateway, day.account.owner, names))
            continue
        found += [] if result is None else [result]
    lines = [_read(result, names) for result in found]
    lines += [f"{name}: its secrets cannot be opened with these PAYLOOM_ENCRYPTION_KEYS" for name in dict.fromkeys(closed)]
    data = [_reading(result, names) for result in found]
    differences = [one for result in found for one in result.differences]
    rows = [_row(one, names) for one in differences]
    fine = not differences and not closed and all(result.reading.why == "" for result in found)
    if fine:
        lines.append("everything agrees")
    return Said(lines, _COLUMNS if rows else (), rows, data, 0 if fine else 1)


def _read(result: Result, names: Mapping[OrganizationId, str]) -> str:
    one, who = result.reading, f"{_account(result.reading.gateway, result.reading.owner, names)}, {result.reading.day}"
    if one.why:
        return f"{who}: could not be read ({one.why}); it is tried again after {when(one.act_at)}"
    counts = f"{who}: {one.theirs} there, {one.ours} here"
    if one.how == ASKED:
        counts = f"{who}: no list there; {one.ours} here, asked about one by one ({one.theirs} answers): what is only there cannot be seen"
    if one.unasked:
        counts += f"; {one.unasked} could not be asked about"
    if one.fees:
        counts += f"; fees there {', '.join(_plain(Money(minor, currency)) for currency, minor in sorted(one.fees.items()))}"
    count = len(result.differences)
    return f"{counts}; {'no difference' if not count else f'{count} open'}"


def _reading(result: Result, names: Mapping[OrganizationId, str]) -> dict[str, Any]:
    one = result.reading
    return {
        "gateway": one.gateway, "owner": one.owner, "day": one.day, "read": one.why == "", "why": one.why, "how": one.how,
        "theirs": one.theirs, "ours": one.ours, "unasked": one.unasked, "fees": one.fees,
        "differences": [_difference(difference, names) for difference in result.differences],
    }  # fmt: skip


def _account(gateway: str, owner: OrganizationId, names: Mapping[OrganizationId, str]) -> str:
    return f"{gateway} of {'the platform' if owner == PLATFORM else names.get(owner, str(owner))}"


async def _names(room: Room) -> dict[OrganizationId, str]:
    return await room.read(lambda _, desk: {shop.id: shop.name for shop in desk.organizations()})


def _plain(money: Money | None) -> str:
    return "" if money is None else f"{money.major} {money.currency}"


def _difference(one: Difference, names: Mapping[OrganizationId, str]) -> dict[str, Any]:
    return {
        "id": one.id, "account": _account(one.gateway, one.owner, names), "class": str(one.kind), "about": str(one.about), "key": one.key,
        "receipt": one.receipt or "", "theirs": _plain(one.theirs), "ours": _plain(one.ours), "at": when(one.at), "state": str(one.state),
        "tool": str(one.tool), "settle_with": SETTLES[one.tool].format(id=one.id),
    }  # fmt: skip


def _row(one: Difference, names: Mapping[OrganizationId, str]) -> tuple[str, ...]:
    shown = _difference(one, names)
    return (str(one.id), shown["account"], PLAIN[one.kind], shown["about"], one.receipt or one.key, shown["theirs"], shown["ours"],
            shown["at"], shown["settle_with"])  # fmt: skip


async def differences(room: Room) -> Said:
    names = await _names(room)
    found = await room.read(lambda unit, _: unit.reconciled.open_ones(MOST))
    data = [_difference(one, names) for one in found]
    if not found:
        return Said(("nothing differs that is not settled",), data=data)
    return Said((), _COLUMNS, [_row(one, names) for one in found], data)


async def settle(room: Room, *, number: int, note: str) -> Said:
    names = await _names(room)
    one = await room.write(lambda unit, _: settle_difference(unit, DESK, DifferenceId(number), note))
    return Said((f"difference {one.id} is settled: {one.note}",), data=_difference(one, names) | {"note": one.note})


async def ask(room: Room, *, number: int) -> Said:
    """What the gateway says of our attempt is booked as ever."""
    names = await _names(room)
    books = books_of(room.house.hall)
    one, attempt = await ask_about(books, DESK, DifferenceId(number))
    left = "it is gone" if one.ended_at is not None else "it is still there: compare with the gateway's portal, then settle it with a note"
    line = f"the gateway was asked: our attempt is {attempt.state}; of difference {one.id}, {left}"
    return Said((line,), data=_difference(one, names) | {"attempt": str(attempt.state)}, code=0 if one.ended_at is not None else 1)
