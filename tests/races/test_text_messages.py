"""The same word about a text message, told many times at once."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlencode

from domain.person import Channel, ChannelKind, ChannelState
from domain.ports import Delivery, Sent, Unit
from domain.records import RawEvent
from tests.factories import BUYER, PHONE
from tests.races.arena import Arena
from usecases import texting
from usecases.outbox import claim_messages
from usecases.people import channel_gone
from usecases.phones import arrive_by_number
from usecases.tell import tell_person
from usecases.texting import Texted

AT_ONCE = 20


def told(kind: str, **fields: str) -> RawEvent:
    return RawEvent(texting.GATEWAY, kind, urlencode(fields).encode(), "10.0.0.1")


def hear(unit: Unit, event_key: str) -> None:
    inbound = texting.take_text(unit, event_key)
    if inbound is not None and inbound.phone is not None:
        texting.post_answer(unit, arrive_by_number(unit, inbound.phone).id, inbound, "Hello")


async def test_one_message_that_comes_twenty_times_at_once_is_heard_once(arena: Arena) -> None:
    """C1."""
    event = told(texting.INBOUND, id="1", **{"from": "+254733000222"}, text="HELLO")
    inbound = texting.read_inbound(texting.fields_of(event.raw))
    async with arena.opened() as store:
        answers = await arena.race(store, *[partial(texting.receive_inbound, event=event, inbound=inbound)] * AT_ONCE)
        assert sorted(map(str, answers)) == [str(Texted.FRESH)] + [str(Texted.REPEATED)] * (AT_ONCE - 1)
        await arena.race(store, *[partial(hear, event_key=inbound.event_key)] * AT_ONCE)
    assert (arena.count("inbox"), arena.count("outbox"), arena.count("channels", "kind = 'sms'")) == (1, 1, 1)


async def test_reports_that_come_at_once_close_the_channel_once(arena: Arena) -> None:
    """C1, C3."""

    def by_phone(unit: Unit) -> None:
        channel_gone(unit, BUYER, ChannelKind.TELEGRAM)
        unit.people.add_channel(Channel(ChannelKind.SMS, PHONE.e164, BUYER, ChannelState.ACTIVE, unit.now))
        tell_person(unit, BUYER, "payment_failed", "k", result="no")

    arena.unit(by_phone)
    (message,) = arena.unit(claim_messages, 10, ChannelKind.SMS)
    arena.unit(texting.record_text, message.id, Sent(Delivery.SENT, "ATPid_1"))
    event = told(texting.REPORT, id="ATPid_1", status="Failed", failureReason="UserInBlackList")
    interim = told(texting.REPORT, id="ATPid_1", status="Sent")
    contenders = [
        partial(texting.receive_report, event=one, report=texting.read_report(texting.fields_of(one.raw)))
        for one in (event, interim) * AT_ONCE
    ]
    async with arena.opened() as store:
        answers = await arena.race(store, *contenders)
    assert {str(one) for one in answers} <= {str(Texted.APPLIED), str(Texted.IGNORED), str(Texted.REPEATED)}
    assert arena.count("inbox") == 2
    assert arena.rows("SELECT state FROM channels WHERE kind = 'sms'") == [("BLOCKED",)]
    assert arena.rows("SELECT error FROM outbox") == [("undelivered:UserInBlackList",)]
