"""What was texted is heard once, answered to the number that wrote, and not for ever."""

from __future__ import annotations

import pytest

from domain.life import InboxState
from domain.person import Channel, ChannelKind, ChannelState
from domain.phone import Phone
from domain.ports import Unit
from tests.factories import BUYER, HOUR, PHONE, Street
from tests.fakes import Ground
from tests.usecases.test_texting import event, says
from usecases import texting
from usecases.outbox import claim_messages
from usecases.phones import arrive_by_number
from usecases.texting import Inbound


@pytest.fixture(autouse=True)
def with_a_number(street: Street, ground: Ground) -> None:
    """The buyer is on Telegram, and has a phone."""
    ground.unit(lambda unit: unit.people.add_channel(Channel(ChannelKind.SMS, PHONE.e164, BUYER, ChannelState.ACTIVE, unit.now)))


def heard(ground: Ground, number: str, phone: Phone = PHONE) -> Inbound | None:
    """A mouth that answers whatever it is given."""

    def turn(unit: Unit) -> Inbound | None:
        inbound = texting.take_text(unit, f"inbound:{number}")
        if inbound is not None:
            texting.post_answer(unit, arrive_by_number(unit, phone).id, inbound, "Hello")
        return inbound

    return ground.unit(turn)


def test_what_is_said_is_answered_once_and_by_sms(ground: Ground) -> None:
    """Whatever else reaches them, and to the number that wrote."""
    says(ground, "HELLO")
    assert heard(ground, "1") is not None
    assert heard(ground, "1") is None
    (answer,) = ground.unit(claim_messages, 10, ChannelKind.SMS)
    assert (answer.fact, answer.person_id, answer.channel) == ("screen", BUYER, ChannelKind.SMS)
    assert answer.payload == {"text": "Hello", "to": PHONE.e164}
    assert (event(ground, "inbound:1").state, event(ground, "inbound:1").act_at) == (InboxState.APPLIED, None)
    with ground.unchanged():
        assert heard(ground, "none") is None


def test_after_a_stop_nothing_is_done_that_could_not_be_answered(ground: Ground) -> None:
    says(ground, "STOP", "1")
    says(ground, "SELL Red sneakers 2500", "2")
    assert (heard(ground, "1"), heard(ground, "2")) == (None, None)
    assert event(ground, "inbound:2").state is InboxState.IGNORED
    says(ground, "START", "3")
    assert heard(ground, "3") is not None


def test_a_stranger_is_heard(ground: Ground) -> None:
    other = Phone("+254733000222")
    says(ground, "HELLO", sender=other.e164)
    assert heard(ground, "1", other) is not None


def test_a_machine_that_answers_us_is_answered_for_an_hour_and_no_more(ground: Ground, street: Street) -> None:
    """T18: a cost ceiling, of which the last answer tells."""
    lasts = []
    for n in range(texting.MOST_ANSWERS + 3):
        says(ground, "This is an automatic reply", str(n))
        heard(ground, str(n))
        lasts.append(ground.unit(texting.is_last_answer, PHONE))
    assert ground.told().count(f"screen>{BUYER}") == texting.MOST_ANSWERS
    assert lasts.index(True) == texting.MOST_ANSWERS - 1
    assert event(ground, f"inbound:{texting.MOST_ANSWERS}").state is InboxState.IGNORED
    street.later(HOUR)
    assert not ground.unit(texting.is_last_answer, PHONE)
    says(ground, "HELLO", "again")
    assert heard(ground, "again") is not None
