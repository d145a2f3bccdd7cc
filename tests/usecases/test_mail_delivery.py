"""Letters on their way: where each goes, what became of it, and those that come back (safety.md, O1 to O3)."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from domain.ids import OutboxId
from domain.life import OutboxState
from domain.person import Channel, ChannelKind, ChannelState, Language
from domain.ports import Delivery, Sent, Unit
from domain.records import OutboxMessage, RawEvent
from domain.tokens import Purpose
from domain.wants import Wants
from tests.factories import BUYER, HOUR, OTHER_OWNER, OTHER_SHOP, OWNER, Street
from tests.fakes import Ground
from usecases.mail import CODE_LETTER, ask_in_chat, confirm_in_chat
from usecases.mail_delivery import Returned, begin_letter, is_due, receive_bounce, record_letter
from usecases.outbox import claim_messages
from usecases.tell import tell_order, tell_person

NEEMA = "neema@example.com"


@dataclass(frozen=True)
class Report:
    message_id: str
    permanent: bool = True
    status: str = "5.1.1"


@pytest.fixture(autouse=True)
def with_mail(ground: Ground) -> None:
    ground.house = replace(ground.house, mail=True)
    ground.around = replace(ground.around, house=ground.house)


def only_mail(unit: Unit, person: int = BUYER, address: str = NEEMA) -> None:
    """Reached by letters, and by nothing else."""
    for channel in unit.people.channels(person):  # type: ignore[arg-type]
        unit.people.save_channel(replace(channel, state=ChannelState.BLOCKED))
    unit.people.add_channel(Channel(ChannelKind.EMAIL, address, person, ChannelState.ACTIVE, unit.now))  # type: ignore[arg-type]


def claimed(street: Street) -> list[OutboxMessage]:
    return list(street.do(claim_messages, 50, ChannelKind.EMAIL))


def letter(street: Street, **more: Any) -> OutboxMessage:
    """One that a worker has in hand."""
    street.do(only_mail)
    street.do(tell_order, street.paid(), "warn_release", once="x", seller=False, **more)
    return next(one for one in claimed(street) if one.fact == "warn_release")


def kept(street: Street, message: OutboxMessage) -> OutboxMessage:
    return street.do(lambda unit: unit.outbox.get(message.id))  # type: ignore[no-any-return]


def event() -> RawEvent:
    return RawEvent("mail", "bounce", b"raw", "10.0.0.1")


def mark_of(ground: Ground, message: OutboxMessage) -> str:
    return f"{ground.tokens.make(Purpose.LETTER, message.id)}@pay.example"


def states(ground: Ground, fact: str = "warn_release") -> list[tuple[str, str]]:
    return ground.rows("SELECT channel, state FROM outbox WHERE fact = ? ORDER BY id", fact)


def test_a_letter_knows_where_it_goes_before_it_goes(street: Street, ground: Ground) -> None:
    message = letter(street)
    going = street.do(begin_letter, message)
    assert (going.address, going.side, going.language) == (NEEMA, "buyer", Language.EN)
    assert going.view.order.id == message.order_id and ground.tokens.read(Purpose.LETTER, going.mark) == message.id
    assert kept(street, message).payload["mail_to"] == NEEMA
    with ground.unchanged():
        assert street.do(begin_letter, message) == going, "the same on every try"


def test_a_letter_to_nowhere(street: Street, ground: Ground) -> None:
    message = letter(street)
    street.do(lambda unit: unit.people.save_channel(replace(unit.people.channels(BUYER)[-1], state=ChannelState.BLOCKED)))
    assert street.do(begin_letter, message) is None


def test_a_seller_reads_as_one(street: Street, ground: Ground) -> None:
    street.do(only_mail, OWNER, "owner@example.com")
    order = street.paid()
    message = next(one for one in claimed(street) if one.person_id == OWNER)
    assert street.do(begin_letter, message).side == "seller"
    gone = replace(message, person_id=OTHER_OWNER, payload={**message.payload})
    street.do(only_mail, OTHER_OWNER, "else@example.com")
    assert street.do(begin_letter, gone).view.party.value == "staff", "who left the shop meanwhile reads as the least of it"
    assert order.organization_id != OTHER_SHOP


def test_a_letter_about_a_payment_leads_to_its_page(street: Street, ground: Ground) -> None:
    street.do(only_mail)
    street.do(tell_person, BUYER, "payment_failed", "k", checkout=77, result="wrong_pin")
    (message,) = claimed(street)
    going = street.do(begin_letter, message)
    assert ground.tokens.read(Purpose.PAY, going.pay) == 77 and going.view is None and going.side == "buyer"


def test_a_code_goes_to_the_address_that_is_claimed_in_time(street: Street, ground: Ground) -> None:
    street.do(ask_in_chat, BUYER, NEEMA)
    (message,) = claimed(street)
    going = street.do(begin_letter, message)
    assert (going.address, going.stop) == (NEEMA, "") and going.code.isdigit()
    street.do(confirm_in_chat, BUYER, going.code)
    assert is_due(message, going.person, ground.clock.now())
    assert not is_due(message, going.person, ground.clock.now() + HOUR)


def test_no_news_for_who_wants_none_since(street: Street, ground: Ground) -> None:
    message = letter(street)
    person = street.do(lambda unit: unit.people.get(BUYER))
    silent = replace(person, wants=Wants(news=False))
    assert is_due(message, silent, ground.clock.now())
    assert not is_due(replace(message, urgency=6), silent, ground.clock.now())


@pytest.mark.parametrize(
    "sent, state, others",
    [
        (Sent(Delivery.SENT, "<1@x>"), "SENT", []),
        (Sent(Delivery.LATER, error="421"), "WAITING", []),
        (Sent(Delivery.UNKNOWN), "WAITING", []),
        (Sent(Delivery.GONE), "SKIPPED", [("sms", "WAITING")]),
        (Sent(Delivery.REFUSED, error="554"), "DEAD", [("sms", "WAITING")]),
    ],
)
def test_what_became_of_a_letter(street: Street, ground: Ground, sent: Sent, state: str, others: list[tuple[str, str]]) -> None:
    message = letter(street)
    sms = Channel(ChannelKind.SMS, "+254700000009", BUYER, ChannelState.ACTIVE, ground.clock.now())
    street.do(lambda unit: unit.people.add_channel(sms))
    street.do(begin_letter, message)
    assert str(street.do(record_letter, message.id, sent)) == state
    assert states(ground) == [("email", state), *others]
    if state != "WAITING":
        with ground.unchanged():
            street.do(record_letter, message.id, Sent(Delivery.REFUSED))
    payloads = [json.loads(row[0]) for row in ground.rows("SELECT payload FROM outbox WHERE channel = 'sms'")]
    assert state != "DEAD" or all("mail_to" not in payload for payload in payloads)


@pytest.mark.parametrize("delivery", [Delivery.GONE, Delivery.REFUSED])
def test_a_code_that_cannot_be_delivered_is_nobody_else_s_trouble(street: Street, ground: Ground, delivery: Delivery) -> None:
    """A typing mistake wakes no admin, and takes nothing from the address that works."""
    street.do(only_mail, BUYER, "works@example.com")
    street.do(ask_in_chat, BUYER, NEEMA)
    (message,) = claimed(street)
    assert street.do(record_letter, message.id, Sent(delivery)) is OutboxState.SKIPPED
    assert street.do(record_letter, message.id, Sent(delivery)) is OutboxState.SKIPPED
    assert states(ground, CODE_LETTER) == [("email", "SKIPPED")] and states(ground, "alert") == []
    assert ground.rows("SELECT state FROM channels WHERE address = 'works@example.com'") == [("ACTIVE",)]


def test_a_server_that_does_not_let_us_in_is_told_once_a_day(street: Street, ground: Ground) -> None:
    message = letter(street)
    for _ in range(2):
        assert street.do(record_letter, message.id, Sent(Delivery.LATER, retry_after_s=900, error="bad_credentials")) is OutboxState.WAITING
        street.do(lambda unit: unit.outbox.save(replace(unit.outbox.get(message.id), state=OutboxState.SENDING)))
    assert len(states(ground, "alert")) == 1


def test_a_hard_bounce_blocks_and_is_told_another_way_once(street: Street, ground: Ground) -> None:
    message = letter(street)
    sms = Channel(ChannelKind.SMS, "+254700000009", BUYER, ChannelState.ACTIVE, ground.clock.now())
    street.do(lambda unit: unit.people.add_channel(sms))
    street.do(begin_letter, message)
    street.do(record_letter, message.id, Sent(Delivery.SENT, "<1@x>"))
    report = Report(mark_of(ground, message))
    assert street.do(receive_bounce, event(), report) is Returned.BLOCKED
    assert ground.rows("SELECT state FROM channels WHERE kind = 'email'") == [("BLOCKED",)]
    assert states(ground) == [("email", "SENT"), ("sms", "WAITING")]
    assert kept(street, message).error == "undelivered:5.1.1"
    with ground.unchanged():
        assert street.do(receive_bounce, event(), report) is Returned.REPEATED


def test_a_soft_bounce_is_noted(street: Street, ground: Ground) -> None:
    message = letter(street)
    street.do(begin_letter, message)
    assert street.do(receive_bounce, event(), Report(mark_of(ground, message), permanent=False, status="")) is Returned.NOTED
    assert kept(street, message).payload["mail_report"] == "delayed"
    assert ground.rows("SELECT state FROM channels WHERE kind = 'email'") == [("ACTIVE",)]


def test_a_code_that_comes_back_blocks_nothing(street: Street, ground: Ground) -> None:
    street.do(only_mail, BUYER, "works@example.com")
    street.do(ask_in_chat, BUYER, NEEMA)
    (message,) = claimed(street)
    assert street.do(receive_bounce, event(), Report(mark_of(ground, message))) is Returned.NOTED
    assert ground.rows("SELECT state FROM channels WHERE address = 'works@example.com'") == [("ACTIVE",)]


def test_what_is_about_no_letter_of_ours_is_not_kept(street: Street, ground: Ground) -> None:
    """Forged ids, tokens of another purpose, letters that were thrown away since."""
    message = letter(street)
    for forged in ("", "x@pay.example", ground.tokens.make(Purpose.MAIL, message.id), ground.tokens.make(Purpose.LETTER, OutboxId(5))):
        with ground.unchanged():
            assert street.do(receive_bounce, event(), Report(forged)) is Returned.STRANGE
