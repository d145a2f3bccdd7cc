"""Tasks of the desk: money that named nothing of ours, and payments that did not fit."""

from __future__ import annotations

from typing import Any, Final

from domain.by_hand import Stray, StrayId, StrayState
from domain.ids import AttemptId
from domain.payment import Refund
from payloom.admin_desk import when
from payloom.admin_task import Room, Said
from usecases import suspense
from usecases.admin import DESK
from usecases.settlement import Settled

_SETTLED: Final = {
    Settled.PAID: "it paid for {checkout}, and both sides are told",
    Settled.SUSPENSE: "{checkout} was paid already, over, or costs another sum: it goes back by itself, or waits in `payloom admin suspense list`",
}


def _stray(stray: Stray) -> dict[str, Any]:
    return {
        "id": stray.id,
        "state": str(stray.state),
        "gateway": stray.gateway,
        "receipt": stray.receipt,
        "amount": f"{stray.money.major} {stray.money.currency}",
        "account": stray.account,
        "payer": f"...{stray.payer_ends}" if stray.payer_ends else "",
        "since": when(stray.created_at),
        "asked": when(stray.asked_at),
        "result": stray.result or "",
    }


async def stray_list(room: Room) -> Said:
    data = [_stray(one) for one in await room.read(lambda unit, _: suspense.strays(unit))]
    return _table(data, "no money waits for its owner")


async def stray_return(room: Room, *, number: int, by_hand: str) -> Said:
    if by_hand:
        stray = await room.write(lambda unit, _: suspense.returned_by_hand(unit, DESK, StrayId(number), by_hand))
    else:
        stray = await suspense.return_stray(room.house.hall.store, room.house.hall.gateways, DESK, StrayId(number))
    amount = f"{stray.money.major} {stray.money.currency}"
    if stray.state is StrayState.WAITING:
        told = f"the gateway did not send {amount} back ({stray.result}): it still waits; give it back by other means and use --by-hand"
        return Said((told,), data=_stray(stray), code=1)
    if stray.state is StrayState.RETURNED:
        return Said((f"{amount} of {stray.receipt} went back to whoever paid it",), data=_stray(stray))
    told = f"{amount} of {stray.receipt} is asked back; the gateway says later whether it went: `payloom admin stray list` shows it"
    return Said((told,), data=_stray(stray))


async def stray_keep(room: Room, *, number: int) -> Said:
    stray = await room.write(lambda unit, _: suspense.not_returned(unit, DESK, StrayId(number)))
    return Said((f"{stray.receipt} waits for its owner again",), data=_stray(stray))


async def stray_match(room: Room, *, number: int, checkout: str) -> Said:
    stray, settled = await room.write(lambda unit, _: suspense.match(unit, DESK, StrayId(number), checkout))
    told = _SETTLED.get(settled, "it was matched before").format(checkout=checkout)
    return Said((f"{stray.receipt}: {told}",), data=_stray(stray) | {"settled": str(settled)})


async def suspense_list(room: Room) -> Said:
    found = await room.read(lambda unit, _: suspense.suspended(unit))
    data = [
        {
            "id": one.attempt.id,
            "gateway": one.attempt.gateway,
            "receipt": one.attempt.receipt or "",
            "amount": f"{one.money.major} {one.money.currency}",
            "since": when(one.attempt.settled_at),
            "denied": "by the gateway" if one.denied else "",
            "do": "write-off" if one.denied else "return",
        }
        for one in found
    ]
    return _table(data, "no payment waits for a person")


def _refund(refund: Refund) -> dict[str, Any]:
    return {"id": refund.id, "state": str(refund.state), "amount": f"{refund.money.major} {refund.money.currency}"}


async def suspense_return(room: Room, *, number: int, by_hand: str) -> Said:
    made = await room.write(lambda unit, _: suspense.give_back(unit, DESK, AttemptId(number), by_hand))
    said = "went back" if by_hand else "is on its way back: `payloom admin refund list` shows what fails"
    return Said(tuple(f"{_refund(one)['amount']} {said}" for one in made), data=[_refund(one) for one in made])


async def suspense_write_off(room: Room, *, number: int) -> Said:
    gone = await room.write(lambda unit, _: suspense.write_off(unit, DESK, AttemptId(number)))
    shown = [f"{money.major} {money.currency}" for money in gone]
    return Said(tuple(f"{one} left the books: it never came" for one in shown), data=shown)


def _table(data: list[dict[str, Any]], nothing: str) -> Said:
    if not data:
        return Said((nothing,), data=data)
    return Said((), tuple(data[0]), [tuple(str(value) for value in one.values()) for one in data], data)
