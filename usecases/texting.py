"""Text messages: what became of those we sent, and who does not want any.

Africa's Talking posts a form for each ("Delivery reports", "SMS notifications" of its documentation) and signs nothing: a report counts only
for a message that we sent, and a sender's number proves nothing, so nothing here moves money (docs/decisions/0013-what-an-sms-may-do.md).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl

from domain.errors import BadInput
from domain.ids import InboxId, OutboxId, PersonId
from domain.life import InboxState, OutboxState
from domain.payment import Unreadable
from domain.person import ChannelKind, ChannelState
from domain.phone import Phone, read_phone
from domain.ports import Delivery, Sent, Unit
from domain.records import OutboxMessage, RawEvent
from usecases.outbox import record_sent
from usecases.people import channel_gone
from usecases.phones import arrive_by_number
from usecases.tell import alert, tell_another_way, text_person

GATEWAY: Final = "sms"
REPORT, INBOUND = "delivery", "inbound"
HANDLED_IN: Final = timedelta(seconds=60)
"""An incoming message that nobody has answered after this was cut off by a crash: the worker takes it up."""
MOST_FIELDS: Final = 64
HOUR_S: Final = 3_600
DAY_S: Final = 24 * HOUR_S
MOST_ANSWERS: Final = 30
"""A number's answers in an hour, the last of which says so."""
NO_MONEY: Final = "insufficient_balance"
UNKNOWN_ID: Final = "unknown_id"
FINAL: Final = ("Success", "Failed", "Rejected", "AbsentSubscriber", "Expired")
"""After these a message's fate does not change; Sent, Submitted, Buffered and words unknown to us come before."""
GONE: Final = frozenset({"userinblacklist", "userdoesnotexist", "notnetworksubscriber"})
"""Reasons for a failure after which nothing more arrives at that number."""
_ID: Final = re.compile(r"[!-~]{1,100}")
_WORD: Final = re.compile(r"[A-Za-z_]{1,40}")


class KeyTwice(Unreadable):
    """A form that says one thing twice: which of them is meant, we do not guess."""


class Texted(StrEnum):
    """What became of an event. `FRESH` is to be heard by a conversation."""

    FRESH = "fresh"
    STOPPED = "stopped"
    APPLIED = "applied"
    IGNORED = "ignored"
    STRANGE = UNKNOWN_ID
    REPEATED = "repeated"
    PARKED = "parked"


class Wish(StrEnum):
    NONE = ""
    STOP = "stop"
    START = "start"


_WISHES: Final = {
    "stop": Wish.STOP, "acha": Wish.STOP, "ايقاف": Wish.STOP, "start": Wish.START, "anza": Wish.START, "ابدا": Wish.START,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a message, by the id that the provider gave it."""

    ref: str
    status: str
    reason: str = ""

    @property
    def event_key(self) -> str:
        return f"{REPORT}:{self.ref}:{self.status}"


@dataclass(frozen=True, slots=True)
class Inbound:
    """What somebody wrote. `phone` None: the sender is a name or a short code, which nobody can answer."""

    id: str
    phone: Phone | None
    to: str
    text: str
    link_id: str = ""

    @property
    def event_key(self) -> str:
        return f"{INBOUND}:{self.id}"

    @property
    def wish(self) -> Wish:
        """Whether the whole message is one of the words for no more messages, or for messages again; hamza and harakat are often left out."""
        bare = unicodedata.normalize("NFKD", self.text.casefold())
        return _WISHES.get("".join(char for char in bare if char.isalpha()), Wish.NONE)


def fields_of(raw: bytes) -> dict[str, str]:
    """The fields of a form. Raises KeyTwice, Unreadable."""
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Unreadable("no form") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise KeyTwice("a field twice")
    return fields


def read_report(fields: Mapping[str, str]) -> Report:
    """Raises Unreadable."""
    ref, status = fields.get("id", ""), fields.get("status", "")
    if _ID.fullmatch(ref) is None or _WORD.fullmatch(status) is None:
        raise Unreadable("no delivery report")
    reason = fields.get("failureReason", "")
    return Report(ref, status, reason if _WORD.fullmatch(reason) else "")


def read_inbound(fields: Mapping[str, str]) -> Inbound:
    """Raises Unreadable."""
    number, sender = fields.get("id", ""), fields.get("from", "")
    if _ID.fullmatch(number) is None or not sender:
        raise Unreadable("no message")
    try:
        phone = read_phone(sender)
    except BadInput:
        phone = None
    return Inbound(number, phone, fields.get("to", ""), fields.get("text", "").replace("\0", ""), fields.get("linkId", ""))


def park(unit: Unit, event: RawEvent, event_key: str) -> Texted:
    """What cannot be understood is kept, with an alert."""
    if unit.inbox.by_key(GATEWAY, event_key) is not None:
        return Texted.REPEATED
    alert(unit, "event_unreadable", event_key, gateway=GATEWAY, kind=event.kind)
    _keep(unit, event, event_key, InboxState.PARKED, "unreadable")
    return Texted.PARKED


def receive_report(unit: Unit, event: RawEvent, report: Report) -> Texted:
    """Written down and applied in one unit. One for a message unknown to us is kept: it may be faster than our own note of the id."""
    if unit.inbox.by_key(GATEWAY, report.event_key) is not None:
        return Texted.REPEATED
    message = unit.outbox.by_ref(ChannelKind.SMS, report.ref)
    if message is None:
        _keep(unit, event, report.event_key, InboxState.IGNORED, UNKNOWN_ID)
        return Texted.STRANGE
    applied = _apply(unit, message, report)
    _keep(unit, event, report.event_key, InboxState.APPLIED if applied else InboxState.IGNORED)
    return Texted.APPLIED if applied else Texted.IGNORED


def receive_inbound(unit: Unit, event: RawEvent, inbound: Inbound) -> Texted:
    """Written down once. STOP and START take effect at once; everything else, and a START, waits to be heard."""
    if unit.inbox.by_key(GATEWAY, inbound.event_key) is not None:
        return Texted.REPEATED
    if inbound.phone is None:
        _keep(unit, event, inbound.event_key, InboxState.IGNORED, "nobody")
        return Texted.IGNORED
    if inbound.wish is Wish.STOP:
        _want(unit, inbound.phone, ChannelState.BLOCKED)
        _keep(unit, event, inbound.event_key, InboxState.APPLIED)
        return Texted.STOPPED
    if inbound.wish is Wish.START:
        _want(unit, inbound.phone, ChannelState.ACTIVE)
    _keep(unit, event, inbound.event_key, InboxState.STORED)
    return Texted.FRESH


def take_text(unit: Unit, event_key: str) -> Inbound | None:
    """A message that waits to be heard; it counts as heard when this unit is committed. None when there is nothing to answer, or nobody.

    So many answers an hour for a number: each costs money, and two machines could answer one another for ever. What cannot be answered is not
    done either, and neither is what comes after a STOP.
    """
    event = unit.inbox.by_key(GATEWAY, event_key)
    if event is None or event.state is not InboxState.STORED:
        return None
    inbound = read_inbound(fields_of(event.raw))
    assert inbound.phone is not None, "one without is not stored to be heard"
    heard = not _wants_silence(unit, inbound.phone) and unit.limits.count(*_answers(inbound.phone), unit.now) <= MOST_ANSWERS
    unit.inbox.save(replace(event, state=InboxState.APPLIED if heard else InboxState.IGNORED, act_at=None))
    return inbound if heard else None


def is_last_answer(unit: Unit, phone: Phone) -> bool:
    """After this one the number is not answered any more in this hour."""
    return unit.limits.seen(*_answers(phone), unit.now) >= MOST_ANSWERS


def post_answer(unit: Unit, person_id: PersonId, inbound: Inbound, text: str) -> None:
    """What is said to a message: once, in the same unit as what it did, and to the number that it came from."""
    assert inbound.phone is not None
    text_person(unit, person_id, "screen", inbound.event_key, text=text, to=inbound.phone.e164)


def _answers(phone: Phone) -> tuple[str, str, int]:
    return "sms_answer", phone.e164, HOUR_S


def _wants_silence(unit: Unit, phone: Phone) -> bool:
    known = unit.people.by_address(ChannelKind.SMS, phone.e164)
    channels = unit.people.channels(known.id) if known is not None else ()
    return any(one.kind is ChannelKind.SMS and one.address == phone.e164 and one.state is ChannelState.BLOCKED for one in channels)


def record_text(unit: Unit, outbox_id: OutboxId, sent: Sent) -> OutboxState:
    """`record_sent` for a text message: its id is kept, so that reports find it; those that came before are applied now."""
    state = record_sent(unit, outbox_id, sent)
    if sent.delivery is Delivery.SENT and sent.ref is not None:
        message = unit.outbox.get(outbox_id)
        if message.ref == sent.ref:
            _catch_up(unit, message, sent.ref)
    if sent.error == NO_MONEY:
        _no_money(unit)
    return state


def _catch_up(unit: Unit, message: OutboxMessage, ref: str) -> None:
    for status in FINAL:
        event = unit.inbox.by_key(GATEWAY, Report(ref, status).event_key)
        if event is not None and event.error == UNKNOWN_ID:
            _apply(unit, message, read_report(fields_of(event.raw)))
            unit.inbox.save(replace(event, state=InboxState.APPLIED, error=""))
            return


def _apply(unit: Unit, message: OutboxMessage, report: Report) -> bool:
    """Whether it said something new about the message as it was last sent. What is final stays."""
    if message.report in FINAL or message.report == report.status:
        return False
    failed = report.status in FINAL and report.status != "Success"
    error = f"undelivered:{report.reason or report.status}" if failed else message.error
    unit.outbox.save(replace(message, report=report.status, error=error))
    if failed and report.reason.lower() in GONE:
        channel_gone(unit, message.person_id, ChannelKind.SMS)
        tell_another_way(unit, message)
    if failed and report.reason == "InsufficientCredit":
        _no_money(unit)
    return True


def _no_money(unit: Unit) -> None:
    """The account for text messages is empty: said once a day."""
    if unit.limits.count("sms_alert", NO_MONEY, DAY_S, unit.now) == 1:
        alert(unit, f"sms_{NO_MONEY}", f"{unit.now:%Y-%m-%d}")


def _want(unit: Unit, phone: Phone, state: ChannelState) -> None:
    """Whoever says STOP before we know them is remembered, and not written to when we do."""
    known = unit.people.by_address(ChannelKind.SMS, phone.e164)
    person = known or arrive_by_number(unit, phone)
    for channel in unit.people.channels(person.id):
        if channel.kind is ChannelKind.SMS and channel.address == phone.e164 and channel.state is not state:
            unit.people.save_channel(replace(channel, state=state))


def _keep(unit: Unit, event: RawEvent, event_key: str, state: InboxState, error: str = "") -> None:
    act_at = unit.now + HANDLED_IN if state is InboxState.STORED else None
    unit.inbox.keep(event.kept(InboxId(unit.new_id()), event_key, unit.now, state, act_at=act_at, error=error))
