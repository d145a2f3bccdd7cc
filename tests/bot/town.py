"""A town with the product in it, for tests that talk to the Telegram mouth over HTTP as people and as Telegram would."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from domain.person import ChannelKind, Conversation, Person
from domain.ports import Unit
from payloom.streets import Streets, town_settings
from payloom.tour_people import Chatter, Wire
from payloom.tour_print import Printer

WEBHOOK_SECRET = "a-webhook-secret-of-the-tests"


@dataclass
class Here:
    """The town, and somebody new whenever one is needed. A shop of Amina's sells one thing."""

    streets: Streets
    wire: Wire
    link: str = ""
    people: int = 0
    amina: Chatter = field(init=False)

    async def somebody(self, name: str = "Brian", language: str = "en") -> Chatter:
        self.people += 1
        person = Chatter(self.wire, 9000 + self.people, name, f"2547220{self.people:05}")
        await person.arrive(language)
        return person

    async def read(self, work: Callable[..., Any], *args: Any) -> Any:
        return await self.streets.house.hall.store.read(work, *args)

    async def person(self, who: Chatter) -> Person:
        person: Person | None = await self.read(lambda unit: unit.people.by_address(ChannelKind.TELEGRAM, str(who.number)))
        assert person is not None
        return person

    async def place(self, who: Chatter) -> Conversation:
        person = await self.person(who)
        place: Conversation | None = await self.read(lambda unit: unit.conversations.get(person.id, ChannelKind.TELEGRAM))
        assert place is not None
        return place

    async def channel_state(self, who: Chatter) -> str:
        person = await self.person(who)
        return str((await self.read(lambda unit: unit.people.channels(person.id)))[0].state)

    async def outbox(self, who: Chatter) -> dict[str, str]:
        """The latest state of each fact that was to be told to them."""
        person = await self.person(who)
        return await self.read(_outbox_of, person.id)  # type: ignore[no-any-return]

    async def ways(self, who: Chatter, fact: str) -> dict[str, str]:
        """Which ways a fact took to them, and what became of it on each."""
        person = await self.person(who)
        return await self.read(_ways_of, person.id, fact)  # type: ignore[no-any-return]

    async def fault(self, fault: str, times: int = 1, **detail: Any) -> None:
        await self.wire.act("/faults", provider="telegram", fault=fault, times=times, detail=detail)

    async def tap_data(self, who: Chatter, message_id: int, data: str) -> dict[str, Any]:
        """Press with data that the message may never have had."""
        outcome: dict[str, Any] = await self.wire.act(f"/telegram/{who.number}/tap", message_id=message_id, data=data)
        await self.wire.settle()
        return outcome

    async def newest(self, who: Chatter) -> dict[str, Any]:
        return [one for one in await who.messages() if one["from"] == "bot"][-1]

    async def sold(self, buyer: Chatter) -> str:
        """The number of an order that this buyer just paid for in the chat."""
        await buyer.start(self.link)
        await buyer.tap("do.buy_one")
        await buyer.say("Kilimani")
        await buyer.share_number()
        await buyer.tap("do.pay")
        await buyer.pin("right")
        await buyer.hears("buy.paid")
        person = await self.person(buyer)
        await self.wire.pass_time(2)
        return str((await self.read(lambda unit: unit.orders.of_buyer(person.id, 1)))[0].number)

    async def state(self, number: str) -> str:
        order = await self.read(lambda unit: unit.orders.by_number(number))
        return str(order.state)

    async def opens_shop(self) -> None:
        self.amina = await self.somebody("Amina")
        await self.amina.start()
        await self.amina.tap("English")
        await self.amina.tap("do.i_sell")
        await self.amina.say("Mama Amina Shoes")
        await self.amina.share_number()
        await self.amina.say("Red sneakers 2500")
        await self.amina.tap("do.create")
        text = (await self.newest(self.amina))["text"]
        self.link = next(word.rpartition("/")[2] for word in text.split() if "/buy/PL-" in word)


def _outbox_of(unit: Unit, person_id: int) -> dict[str, str]:
    return {str(fact): str(state) for fact, _, state in _told(unit, person_id)}


def _told(unit: Unit, person_id: int) -> list[tuple[str, str, str]]:
    text = f"SELECT fact, channel, state FROM outbox WHERE person_id = {person_id:d} ORDER BY id"
    return list(unit.session.plain(text).fetchall())  # type: ignore[attr-defined]


def _ways_of(unit: Unit, person_id: int, fact: str) -> dict[str, str]:
    return {str(kind): str(state) for told, kind, state in _told(unit, person_id) if told == fact}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def living_town(folder: Path, **settings: Any) -> AsyncIterator[Here]:
    port = free_port()
    streets = Streets(town_settings(folder, port, **settings), seed=7)
    await streets.open()
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            here = Here(streets, Wire(session, f"http://127.0.0.1:{port}", Printer(quiet=True)))
            await here.opens_shop()
            yield here
    finally:
        await streets.close()
