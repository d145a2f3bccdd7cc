"""A channel's way out: kept full, in order for each person, and at rest while its provider is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import Stale
from domain.ids import PersonId
from domain.life import OutboxState
from domain.person import ChannelKind, Language
from domain.ports import Delivery, Sent
from domain.records import OutboxMessage
from jobs.outbox import BATCH, Lane, deliver, forget
from tests.factories import BUYER, OWNER, Street
from tests.fakes import Ground, GroundStore, NullBell
from usecases.hall import Hall
from usecases.outbox import record_sent
from usecases.people import arrive
from usecases.tell import tell_person


class Scripted:
    """Says what it is told to; `told` in the order in which it was asked."""

    def __init__(self, answer: Callable[[OutboxMessage], Sent] = lambda _: Sent(Delivery.SENT)) -> None:
        self.answer, self.told, self.at_once, self.most = answer, list[OutboxMessage](), 0, 0

    async def tell(self, message: OutboxMessage) -> Sent:
        self.told.append(message)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        return self.answer(message)


def hall_on(ground: Ground) -> Hall:
    return Hall(GroundStore(ground), {}, NullBell(), ground.clock, ground.house, ground.tokens)


def lane(ground: Ground, teller: Any, closing: Callable[[], bool] = lambda: False) -> Lane:
    return Lane(hall_on(ground), ChannelKind.TELEGRAM, teller, closing)


def crowd(ground: Ground, count: int) -> list[PersonId]:
    people = [ground.unit(arrive, ChannelKind.TELEGRAM, str(900_000 + n), "A", Language.EN).id for n in range(count)]
    for person in people:
        ground.unit(tell_person, person, "order_accepted", "k")
    return people


def states(ground: Ground) -> dict[str, int]:
    return dict(ground.rows("SELECT state, count(*) FROM outbox GROUP BY state"))


async def test_everybody_is_told_so_many_at_a_time(street: Street, ground: Ground) -> None:
    """T2: and money first, though it came last."""
    crowd(ground, 120)
    ground.unit(tell_person, BUYER, "payment_failed", "k")
    teller = Scripted()
    assert await lane(ground, teller)() == 121
    assert states(ground) == {"SENT": 121}
    assert teller.most <= BATCH
    assert teller.told[0].fact == "payment_failed"


async def test_messages_to_one_person_keep_their_order_and_wait_behind_one_another(street: Street, ground: Ground) -> None:
    """T2: a chat that takes no more is not asked again for each message."""
    for number in range(3):
        ground.unit(tell_person, BUYER, "payment_failed", str(number))
    teller = Scripted(lambda _: Sent(Delivery.LATER, retry_after_s=2, error="pace"))
    await lane(ground, teller)()
    assert len(teller.told) == 1
    waits = [at for (at,) in ground.rows("SELECT act_at FROM outbox ORDER BY id")]
    assert [(at - waits[0]) / 1e6 for at in waits] == [0, 1, 2]


async def test_a_provider_at_rest_is_left_alone_and_the_others_go_on(street: Street, ground: Ground) -> None:
    """O1, T2: a wait of 30 s is heard once by each that was under way, not by all that wait."""
    crowd(ground, 200)
    teller = Scripted(lambda _: Sent(Delivery.LATER, retry_after_s=30))
    way = lane(ground, teller)
    assert await way() == BATCH
    assert await way() == 0
    assert states(ground) == {"WAITING": 200}
    assert await Lane(hall_on(ground), ChannelKind.SMS, Scripted())() == 0


async def test_a_channel_that_is_not_set_up_and_a_teller_that_breaks(street: Street, ground: Ground) -> None:
    def breaks(_: OutboxMessage) -> Sent:
        raise ValueError("a bug")

    ground.unit(tell_person, BUYER, "payment_failed", "k")
    await lane(ground, Scripted(breaks))()
    assert ground.rows("SELECT state, error FROM outbox") == [("WAITING", "unknown")]
    ground.unit(tell_person, OWNER, "payment_failed", "k")
    await deliver(hall_on(ground), {})
    assert ("DEAD", "no_channel") in ground.rows("SELECT state, error FROM outbox")


async def test_who_closes_takes_nothing_up(street: Street, ground: Ground) -> None:
    crowd(ground, 3)
    assert await lane(ground, Scripted(), lambda: True)() == 0
    assert states(ground) == {"WAITING": 3}


async def test_a_note_that_cannot_be_written_is_raised_after_the_others_ended(street: Street, ground: Ground) -> None:
    """K4: the message is due again when its lease is over, and is marked then."""
    first, *others = crowd(ground, 5)

    class Fails(GroundStore):
        async def write(self, unit: Any, *args: Any, **kwargs: Any) -> Any:
            if unit is record_sent and ground.unit(lambda unit: unit.outbox.get(args[0]).person_id) == first:
                raise Stale(table="outbox")
            return await super().write(unit, *args, **kwargs)

    hall = replace(hall_on(ground), store=Fails(ground))
    with pytest.raises(Stale):
        await Lane(hall, ChannelKind.TELEGRAM, Scripted())()
    assert ground.rows("SELECT person_id FROM outbox WHERE state = ?", OutboxState.SENDING) == [(first,)]
    assert states(ground)["SENT"] == len(others)


async def test_forgetting_can_be_switched_off(street: Street, ground: Ground) -> None:
    assert await forget(hall_on(ground), 0) == 0
    assert await forget(hall_on(ground), 30) == 0
