"""Letters on their way: to which address each goes, what became of it, and those that come back.

A delivery report is a letter itself, and anybody can write one. It counts only for a letter of ours, and only we can make a Message-ID: a
keyed mark over the number of its outbox row (docs/decisions/0004-derived-tokens.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

from domain.errors import NotFound
from domain.facts import Urgency
from domain.ids import CheckoutId, InboxId, OutboxId
from domain.life import InboxState, OutboxState
from domain.person import Language, Person
from domain.ports import Delivery, Sent, Unit
from domain.records import OutboxMessage, RawEvent
from domain.rights import Party
from domain.tokens import Purpose
from domain.wants import is_wanted
from usecases.mail import CODE_LETTER, address_of, block_address, code_context, stop_token
from usecases.outbox import record_sent
from usecases.tell import alert, tell_another_way
from usecases.views import OrderView, told_order

GATEWAY: Final = "mail"
BOUNCE: Final = "bounce"
DAY_S: Final = 86_400
NO_LOGIN: Final = frozenset({"bad_credentials", "no_login"})
_NOTES: Final = frozenset({"mail_to", "mail_report"})


class Returned(StrEnum):
    """What became of a report."""

    BLOCKED = "blocked"
    NOTED = "noted"
    REPEATED = "repeated"
    STRANGE = "unknown_id"


class Bounce(Protocol):
    """A delivery report as it was read. `message_id` stands between `<` and `>`; permanent: nothing arrives there any more."""

    @property
    def message_id(self) -> str: ...
    @property
    def permanent(self) -> bool: ...
    @property
    def status(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Everything a letter is made of. `mark` is the unguessable part of its Message-ID, `stop` opens the page about letters to this address."""

    person: Person
    address: str
    language: Language
    mark: str
    stop: str
    view: OrderView | None = None
    pay: str = ""
    code: str = ""

    @property
    def side(self) -> str:
        return "buyer" if self.view is None or self.view.party is Party.BUYER else "seller"


def begin_letter(unit: Unit, message: OutboxMessage) -> Outgoing | None:
    """What to write, and a note of where it goes, made before it goes: a report may be faster than our own books. None: nowhere to write to."""
    person = unit.people.get(message.person_id)
    code, language, address = "", person.language, address_of(unit, person.id)
    if message.fact == CODE_LETTER:
        address, language = str(message.payload["address"]), Language(message.payload["language"])
        code = unit.seals.open(message.payload["sealed"], code_context(address))
    if address is None:
        return None
    kept = unit.outbox.get(message.id)
    if kept.payload.get("mail_to") != address:
        unit.outbox.save(replace(kept, payload={**kept.payload, "mail_to": address}))
    checkout = message.payload.get("checkout")
    stop = stop_token(unit, address) if message.fact != CODE_LETTER else ""
    return Outgoing(
        person, address, language, unit.tokens.make(Purpose.LETTER, message.id), stop, told_order(unit, message),
        unit.tokens.make(Purpose.PAY, CheckoutId(checkout)) if checkout is not None else "", code,
    )  # fmt: skip


def is_due(message: OutboxMessage, person: Person, now: datetime) -> bool:
    """Not a code that opens nothing any more, and no news for somebody who wants none since it was written."""
    until = message.payload.get("until")
    return (until is None or now < datetime.fromisoformat(until)) and is_wanted(person.wants, Urgency(message.urgency))


def record_letter(unit: Unit, outbox_id: OutboxId, sent: Sent) -> OutboxState:
    """`record_sent` for a letter. A code that cannot be delivered is nobody's trouble but of who asked; all else is told another way."""
    message = unit.outbox.get(outbox_id)
    lost = sent.delivery in {Delivery.GONE, Delivery.REFUSED}
    if lost and message.fact == CODE_LETTER and message.state is OutboxState.SENDING:
        unit.outbox.save(replace(message, state=OutboxState.SKIPPED, error=sent.error or str(sent.delivery)))
        return OutboxState.SKIPPED
    state = record_sent(unit, outbox_id, sent)
    if state is OutboxState.DEAD and message.state is OutboxState.SENDING:
        tell_another_way(unit, _plain(message))
    if sent.error in NO_LOGIN and unit.limits.count("mail_alert", sent.error, DAY_S, unit.now) == 1:
        alert(unit, f"mail_{sent.error}", f"{unit.now:%Y-%m-%d}")
    return state


def receive_bounce(unit: Unit, event: RawEvent, bounce: Bounce) -> Returned:
    """A report that came to our address: written down and applied in one unit, once. One about no letter of ours is not kept."""
    number = unit.tokens.read(Purpose.LETTER, bounce.message_id.partition("@")[0])
    if number is None:
        return Returned.STRANGE
    try:
        message = unit.outbox.get(OutboxId(number))
    except NotFound:  # told so long ago that it was thrown away
        return Returned.STRANGE
    event_key = f"{BOUNCE}:{number}:{'permanent' if bounce.permanent else 'passing'}:{bounce.status}"
    if unit.inbox.by_key(GATEWAY, event_key) is not None:
        return Returned.REPEATED
    unit.inbox.keep(event.kept(InboxId(unit.new_id()), event_key, unit.now, InboxState.APPLIED))
    kind = "undelivered" if bounce.permanent else "delayed"
    noted = unit.outbox.save(
        replace(message, payload={**message.payload, "mail_report": bounce.status or kind}, error=f"{kind}:{bounce.status}")
    )
    if not bounce.permanent or message.fact == CODE_LETTER:
        return Returned.NOTED
    block_address(unit, str(message.payload.get("mail_to", "")))
    tell_another_way(unit, _plain(noted))
    return Returned.BLOCKED


def _plain(message: OutboxMessage) -> OutboxMessage:
    """What it says, without what became of it."""
    payload: dict[str, Any] = {name: value for name, value in message.payload.items() if name not in _NOTES}
    return replace(message, payload=payload)
