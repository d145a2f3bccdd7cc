"""Addresses for letters: given in a chat or on an order's page, proved by a code, taken away again; and what their readers want.

An address is nobody's until whoever claims it has read what was sent there, so nobody can be signed up by a stranger; and then it belongs to
one person. What is sent before that is one short letter without a word of anybody's, within limits (docs/decisions/0014-letters.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final

from domain.codes import Code
from domain.email import hidden, read_address
from domain.errors import BadInput, LimitReached, NotFound
from domain.facts import FACTS
from domain.ids import OrderId, OutboxId, PersonId
from domain.life import OrderState, OutboxState
from domain.order import Order
from domain.person import Channel, ChannelKind, ChannelState, Language, Person, Role
from domain.ports import Unit
from domain.records import OutboxMessage
from domain.rights import Actor, Party
from domain.tokens import Purpose
from usecases.codes import make_code, use_code, window_end
from usecases.orders import save_order, subject
from usecases.phones import NAMELESS
from usecases.tell import OUTBOX, tell_order

FLOW: Final = "email"
CODE_LETTER: Final = "mail_code"
CODE_LIVES: Final = timedelta(minutes=10)
DAY_S: Final = 86_400
ADDRESS_HOUR: Final = ("mail_address_hour", 3_600, 3)
ADDRESS_DAY: Final = ("mail_address_day", DAY_S, 6)
SOURCE_HOUR: Final = ("mail_source_hour", 3_600, 20)
"""Letters with a code: (name, window in seconds, most). What one mailbox can be bothered with, and what one network can make us send."""
MOST_ORDERS: Final = 200
_NEWS_NOW: Final = {
    OrderState.PAID: "order_paid", OrderState.ACCEPTED: "order_accepted", OrderState.SHIPPED: "order_shipped",
    OrderState.DELIVERED: "order_delivered",
}  # fmt: skip


class Wish(StrEnum):
    """What whoever reads a letter may want of those to come."""

    NEWS = "no_news"
    ALL = "none"
    AGAIN = "again"


@dataclass(frozen=True, slots=True)
class OrderMail:
    """Letters about one order: where they go, where a code was sent, whether the order's page may ask for an address. Addresses half hidden."""

    address: str = ""
    waits: str = ""
    may_ask: bool = False


@dataclass(frozen=True, slots=True)
class MailWishes:
    """How letters to one address stand."""

    address: str
    news: bool
    stopped: bool
    language: Language


# --- giving an address ------------------------------------------------------------------------------------------------


def ask_in_chat(unit: Unit, person_id: PersonId, typed: str) -> str:
    """A code goes to the address, which is returned as it will be kept. Raises BadInput(email), LimitReached."""
    address = read_address(typed)
    if address == address_of(unit, person_id):
        raise BadInput("email", "yours_already")
    _send_code(unit, address, f"person:{person_id}", person_id, unit.people.get(person_id).language)
    return address


def ask_on_page(unit: Unit, order_id: OrderId, typed: str, language: Language, source: str) -> None:
    """The same for the buyer of one order without any chat. `source` is the network address that asks."""
    order = _guest_order(unit, order_id)
    address = read_address(typed)
    _count(unit, SOURCE_HOUR, source)
    known = unit.people.by_address(ChannelKind.EMAIL, address)
    if known is None:
        known = Person(PersonId(unit.new_id()), order.buyer_name or NAMELESS, language, Role.BUYER, None, unit.now)
        unit.people.add(known)
        unit.people.add_channel(Channel(ChannelKind.EMAIL, address, known.id, ChannelState.BLOCKED, unit.now))
    _send_code(unit, address, f"order:{order_id}", known.id, language)


def confirm_in_chat(unit: Unit, person_id: PersonId, typed: str) -> str:
    """The address is theirs from now on. Raises BadCode."""
    address = str(use_code(unit, FLOW, f"person:{person_id}", typed).data["address"])
    _give(unit, address, person_id)
    return address


def confirm_on_page(unit: Unit, order_id: OrderId, typed: str) -> None:
    """The order belongs to whoever reads that mailbox, and its letters begin with how it stands. Raises BadCode, NotFound."""
    code = use_code(unit, FLOW, f"order:{order_id}", typed)
    order, address = _guest_order(unit, order_id), str(code.data["address"])
    reader = unit.people.by_address(ChannelKind.EMAIL, address)
    assert reader is not None, "made when the code was asked for, and channels are never deleted"
    _give(unit, address, reader.id)
    bound = _hand_over(unit, order, reader.id)
    tell_order(unit, bound, _NEWS_NOW[bound.state], once="mail", seller=False)


def take_away(unit: Unit, person_id: PersonId) -> None:
    """No letters to this person any more. Once or often."""
    _block_all(unit, person_id, but="")


def address_of(unit: Unit, person_id: PersonId) -> str | None:
    """Where their letters go."""
    channels = (channel for channel in unit.people.channels(person_id) if channel.kind is ChannelKind.EMAIL)
    return next((channel.address for channel in channels if channel.state is ChannelState.ACTIVE), None)


def waiting_code(unit: Unit, whose: PersonId | OrderId, *, order: bool) -> Code | None:
    """The code that was mailed and is not used yet; one that is used up or too old is told by `use_code`."""
    code = unit.codes.of(FLOW, f"order:{whose}" if order else f"person:{whose}")
    return code if code is not None and code.used_at is None and unit.now < code.expires_at else None


def order_mail(unit: Unit, order_id: OrderId) -> OrderMail:
    """What the order's page says about letters."""
    order = unit.orders.get(order_id)
    if order.buyer_id is not None:
        address = address_of(unit, order.buyer_id)
        return OrderMail(address=hidden(address) if address else "")
    if not unit.house.mail or order.state not in _NEWS_NOW:
        return OrderMail()
    code = waiting_code(unit, order_id, order=True)
    return OrderMail(waits=hidden(str(code.data["address"])) if code else "", may_ask=True)


def _guest_order(unit: Unit, order_id: OrderId) -> Order:
    """Raises NotFound for an order that has its buyer, or nothing to tell any more."""
    order = unit.orders.get(order_id)
    if order.buyer_id is not None or order.state not in _NEWS_NOW or not unit.house.mail:
        raise NotFound(what="order")
    return order


def _send_code(unit: Unit, address: str, whose: str, person_id: PersonId, language: Language) -> None:
    if is_stopped(unit, address):
        raise BadInput("email", "stopped")
    _count(unit, ADDRESS_HOUR, address)
    _count(unit, ADDRESS_DAY, address)
    code = make_code(unit, FLOW, whose, person_id, {"address": address}, lives=CODE_LIVES)
    sealed = unit.seals.seal(code, code_context(address))
    until = (unit.now + CODE_LIVES).isoformat()
    payload = {"address": address, "sealed": sealed, "language": str(language), "until": until}
    number = OutboxId(unit.new_id())
    letter = OutboxMessage(
        number, CODE_LETTER, f"{CODE_LETTER}:{number}", person_id, ChannelKind.EMAIL, int(FACTS[CODE_LETTER].urgency), payload,
        OutboxState.WAITING, unit.now, unit.now,
    )  # fmt: skip
    unit.outbox.add([letter])
    unit.wake(OUTBOX)


def code_context(address: str) -> str:
    """What the code in a waiting letter is sealed for."""
    return f"{CODE_LETTER}:{address}"


def _count(unit: Unit, limit: tuple[str, int, int], whose: str) -> None:
    name, window_s, most = limit
    if unit.limits.count(name, whose, window_s, unit.now) > most:
        raise LimitReached(limit=name, retry_at=window_end(unit.now, window_s))


def _give(unit: Unit, address: str, person_id: PersonId) -> None:
    """Their one address for letters. Somebody who was known by nothing but this address is the same person: their orders come along."""
    _block_all(unit, person_id, but=address)
    known = unit.people.by_address(ChannelKind.EMAIL, address)
    if known is None:
        unit.people.add_channel(Channel(ChannelKind.EMAIL, address, person_id, ChannelState.ACTIVE, unit.now))
        return
    theirs = unit.people.channels(known.id)
    channel = next(one for one in theirs if one.kind is ChannelKind.EMAIL and one.address == address)
    if (channel.person_id, channel.state) != (person_id, ChannelState.ACTIVE):
        unit.people.save_channel(replace(channel, person_id=person_id, state=ChannelState.ACTIVE))
    if known.id != person_id and len(theirs) == 1:
        for order in unit.orders.of_buyer(known.id, MOST_ORDERS):
            _hand_over(unit, order, person_id)


def _hand_over(unit: Unit, order: Order, person_id: PersonId) -> Order:
    unit.trail.add(subject(order), Actor(Party.BUYER, "email", person_id), "followed")
    return save_order(unit, replace(order, buyer_id=person_id))


def _block_all(unit: Unit, person_id: PersonId, *, but: str) -> None:
    for channel in unit.people.channels(person_id):
        if channel.kind is ChannelKind.EMAIL and channel.address != but and channel.state is ChannelState.ACTIVE:
            unit.people.save_channel(replace(channel, state=ChannelState.BLOCKED))


# --- what the reader of a letter wants --------------------------------------------------------------------------------


def mail_wishes(unit: Unit, token: str) -> MailWishes:
    """Raises NotFound for a token of no letter."""
    address, reader = _reader_of(unit, token)
    return MailWishes(hidden(address), reader.wants.news, address_of(unit, reader.id) != address, reader.language)


def wish_letters(unit: Unit, token: str, wish: Wish) -> None:
    """Whoever holds a letter decides about the letters to its address, at once and as often as they like. Raises NotFound."""
    address, reader = _reader_of(unit, token)
    kept = unit.marks.get(_mark(address)) or {}
    if bool(kept.get("stopped")) is not (wish is Wish.ALL) and wish is not Wish.NEWS:
        unit.marks.put(_mark(address), {**kept, "stopped": wish is Wish.ALL})
    if wish is Wish.ALL:
        block_address(unit, address)
        return
    if wish is Wish.AGAIN:
        _give(unit, address, reader.id)
    wants = replace(reader.wants, news=wish is Wish.AGAIN)
    if wants != reader.wants:
        unit.people.save(replace(reader, wants=wants))


def stop_token(unit: Unit, address: str) -> str:
    """Opens the page about letters to this address. The same in every letter, for as long as letters are kept."""
    kept = unit.marks.get(_mark(address))
    if kept is None:
        kept = {"id": unit.new_id()}
        unit.marks.put(_mark(address), kept)
        unit.marks.put(f"mail_number:{kept['id']}", {"address": address})
    return unit.tokens.make(Purpose.MAIL, kept["id"])


def is_stopped(unit: Unit, address: str) -> bool:
    """Its reader wants no letter of ours, not even one with a code."""
    return bool((unit.marks.get(_mark(address)) or {}).get("stopped"))


def block_address(unit: Unit, address: str) -> None:
    """Nothing goes there any more, whoever reads it now."""
    reader = unit.people.by_address(ChannelKind.EMAIL, address)
    for channel in unit.people.channels(reader.id) if reader is not None else ():
        if channel.kind is ChannelKind.EMAIL and channel.address == address and channel.state is ChannelState.ACTIVE:
            unit.people.save_channel(replace(channel, state=ChannelState.BLOCKED))


def _reader_of(unit: Unit, token: str) -> tuple[str, Person]:
    """The address that letters with this token were sent to, and who reads there now."""
    number = unit.tokens.read(Purpose.MAIL, token)
    kept = unit.marks.get(f"mail_number:{number}")
    reader = unit.people.by_address(ChannelKind.EMAIL, str(kept["address"])) if kept is not None else None
    if kept is None or reader is None:
        raise NotFound(what="letter")
    return str(kept["address"]), reader


def _mark(address: str) -> str:
    return f"mail:{address}"
