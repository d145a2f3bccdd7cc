"""K4 for SMS and e-mail: the worker dies between its claim's commit and the sending, or between the sending and its own note of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.mailer import MailTeller
from bot.texter import SmsTeller
from domain.person import Channel, ChannelKind, ChannelState
from domain.ports import Delivery, Message, Sent, Unit
from jobs.outbox import Lane, Teller
from tests.factories import BUYER, PHONE
from tests.fakes import NullBell
from tests.races.arena import Arena
from usecases.hall import Hall
from usecases.outbox import LEASE
from usecases.tell import tell_person

NEEMA = "neema@example.com"
CHANNELS = {ChannelKind.SMS: PHONE.e164, ChannelKind.EMAIL: NEEMA}
MARK = {ChannelKind.SMS: "(Sent again)", ChannelKind.EMAIL: "You may have had this letter before"}


class Killed(BaseException):
    """The process is gone: nothing after it happens."""


class Provider:
    """SMS and post in one: what arrived, in words. `dies` "before" or "after" it has taken the next message."""

    def __init__(self) -> None:
        self.arrived: list[tuple[str, str]] = []
        self.marks: list[str] = []
        self.dies = ""

    async def send(self, address: str, said: Any, mark: str = "") -> Sent:
        if self.dies == "before":
            raise Killed
        self.arrived.append((address, said.text))
        self.marks.append(mark)
        if self.dies == "after":
            raise Killed
        return Sent(Delivery.SENT, f"ref-{len(self.arrived)}")

    async def edit(self, address: str, ref: str, message: Message) -> Sent:
        raise AssertionError

    async def strip(self, address: str, ref: str) -> None:
        raise AssertionError


@pytest.fixture
def arena(engine_url: str) -> Arena:
    made = Arena(engine_url)
    made.around = replace(made.around, house=replace(made.around.house, mail=True))
    return made


def told_by(arena: Arena, kind: ChannelKind) -> None:
    """One fact that waits for somebody who is reached this way and by no other."""

    def tell(unit: Unit) -> None:
        for channel in unit.people.channels(BUYER):
            unit.people.save_channel(replace(channel, state=ChannelState.BLOCKED))
        unit.people.add_channel(Channel(kind, CHANNELS[kind], BUYER, ChannelState.ACTIVE, unit.now))
        tell_person(unit, BUYER, "payment_failed", "k", result="no")

    arena.unit(tell)


async def worker(arena: Arena, kind: ChannelKind, provider: Provider) -> int:
    """A process of its own, until it has nothing to do or dies."""
    async with arena.opened(4) as store:
        hall = Hall(store, {}, NullBell(), arena.clock, arena.around.house, arena.around.tokens)
        teller: Teller = SmsTeller(hall, provider) if kind is ChannelKind.SMS else MailTeller(hall, provider)
        return await Lane(hall, kind, teller)()


@pytest.mark.parametrize("kind", list(CHANNELS))
@pytest.mark.parametrize("dies", ["before", "after"])
async def test_a_worker_that_dies_around_the_sending_leaves_a_message_that_is_sent(arena: Arena, kind: ChannelKind, dies: str) -> None:
    """K4: sent later; at most a marked duplicate, and nothing before the lease of the dead is over."""
    told_by(arena, kind)
    provider = Provider()
    provider.dies = dies
    with pytest.raises(Killed):
        await worker(arena, kind, provider)
    assert arena.rows("SELECT state FROM outbox") == [("SENDING",)]
    provider.dies = ""
    assert await worker(arena, kind, provider) == 0
    arena.street.later(LEASE + timedelta(seconds=1))
    for _ in range(2):
        await worker(arena, kind, provider)
    assert arena.rows("SELECT state, tries FROM outbox") == [("SENT", 2)]
    assert [address for address, _ in provider.arrived] == [CHANNELS[kind]] * (2 if dies == "after" else 1)
    again = [MARK[kind] in text for _, text in provider.arrived]
    assert again == ([False, True] if dies == "after" else [True]), "nobody knows whether the first one went: what is said again says so"
    assert len(set(provider.marks)) == 1, "a letter that is sent again is the same letter"


@pytest.mark.parametrize("kind", list(CHANNELS))
async def test_two_deaths_in_a_row_lose_nothing(arena: Arena, kind: ChannelKind) -> None:
    """K4, K5."""
    told_by(arena, kind)
    provider = Provider()
    for dies in ("after", "before"):
        provider.dies = dies
        with pytest.raises(Killed):
            await worker(arena, kind, provider)
        arena.street.later(LEASE + timedelta(seconds=1))
    provider.dies = ""
    assert await worker(arena, kind, provider) == 1
    assert [MARK[kind] in text for _, text in provider.arrived] == [False, True]
    assert arena.rows("SELECT state FROM outbox") == [("SENT",)]
