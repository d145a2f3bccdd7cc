"""How facts are said on Telegram: the order's one card edited in place, and a short message that points at it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from bot.cards import download_choice, order_choices, order_text
from bot.dialog import Choice, rows_of
from bot.dialogs import late
from bot.engine import Engine, Said
from bot.mouths.telegram import TelegramMouth
from domain.errors import NotFound
from domain.facts import FACTS
from domain.money import Money
from domain.person import ChannelKind, ChannelState, Person
from domain.ports import Button, Delivery, Message, Messenger, Sent, Unit
from domain.records import Card, OutboxMessage
from domain.rights import MEMBERS
from templates.group import GROUP_FACTS, group_line
from templates.late import LATE_FACTS, late_line, late_values
from templates.methods import method_name, payment_key
from templates.words import Words, words
from usecases.hall import Hall
from usecases.late import LateView, late_actor, late_view
from usecases.views import OrderView, told_order


@dataclass(frozen=True, slots=True)
class Telling:
    """Everything that is needed to say a fact, read in one unit. `address` None: there is no way to reach them here any more."""

    person: Person
    address: str | None
    view: OrderView | None
    card: Card | None
    waits_for: int | None
    version: int
    group: int | None = None
    """The group whose card is the last thing before them."""


def read_telling(unit: Unit, message: OutboxMessage) -> Telling:
    person = unit.people.get(message.person_id)
    open_channels = [c for c in unit.people.channels(person.id) if c.kind is message.channel and c.state is ChannelState.ACTIVE]
    view = told_order(unit, message)
    card = None if message.order_id is None else unit.outbox.card(message.order_id, person.id, message.channel)
    place = unit.conversations.get(person.id, message.channel)
    waiting = place is not None and place.dialog == "buy" and place.step == "waiting"
    return Telling(
        person, open_channels[0].address if open_channels else None, view, card,
        place.data.get("checkout") if place is not None and waiting else None, place.version if place is not None else 0,
        place.data.get("group") if place is not None and (place.dialog, place.step) == ("group", "card") else None,
    )  # fmt: skip


class TelegramTeller:
    def __init__(self, hall: Hall, engine: Engine, mouth: TelegramMouth, messenger: Messenger) -> None:
        self._hall = hall
        self._engine = engine
        self._mouth = mouth
        self._messenger = messenger

    async def tell(self, message: OutboxMessage) -> Sent:
        """Say it once. The worker writes down what became of it."""
        telling = await self._hall.store.read(read_telling, message)
        if telling.address is None:
            return Sent(Delivery.GONE)
        if message.fact == "screen":
            return await self._screen(telling, message)
        if telling.view is not None and FACTS[message.fact].card:
            if telling.view.order.checkout_id == telling.waits_for:
                await self._refresh(telling)
            return await self._order(telling, telling.view, message)
        if message.payload.get("checkout") is not None and message.payload["checkout"] == telling.waits_for:
            return await self._refresh(telling)
        if message.fact in GROUP_FACTS and message.payload["group"] == telling.group:
            await self._refresh(telling)
        if message.fact == "late_money":
            return await self._late(telling, telling.address, message)
        t = words(telling.person.language)
        return await self._messenger.send(telling.address, Message(_again(plain_text(t, message), message)))

    async def _late(self, telling: Telling, address: str, message: OutboxMessage) -> Sent:
        """The question to a seller, with what may be answered; one that was decided meanwhile says so. Nothing for who left the shop."""
        view = await self._hall.store.read(_read_late, message)
        if view is None:
            return Sent(Delivery.SENT)
        t = words(telling.person.language)
        choices = [Choice(t(f"chat.do.{key}"), f"o:{view.late.number}:{key}") for state, key in late.CHOICES if state in view.choices]
        buttons = tuple(tuple(Button(choice.text, data=choice.key) for choice in row) for row in rows_of(*choices))
        return await self._messenger.send(address, Message(_again(late.late_text(t, view), message), buttons))

    async def _screen(self, telling: Telling, message: OutboxMessage) -> Sent:
        """A screen that was never delivered, if the conversation still stands there."""
        if telling.version != message.payload.get("version") or telling.address is None:
            return Sent(Delivery.SENT)
        said = await self._hall.store.read(self._engine.again, telling.person, ChannelKind.TELEGRAM)
        return await self._mouth.speak(telling.address, said) or Sent(Delivery.SENT)

    async def _refresh(self, telling: Telling) -> Sent:
        """The message that waits for the prompt shows what became of it, in place."""
        said: Said = await self._hall.store.read(self._engine.again, telling.person, ChannelKind.TELEGRAM)
        return await self._mouth.speak(telling.address or "", said) or Sent(Delivery.SENT)

    async def _order(self, telling: Telling, view: OrderView, message: OutboxMessage) -> Sent:
        t, address = words(telling.person.language), telling.address or ""
        text, buttons = order_text(t, view), _rows(t, view, self._hall.house.base_url)
        line = fact_text(t, view, message)
        face = hashlib.sha256(f"{text}|{buttons}".encode()).hexdigest()[:16]
        if telling.card is not None:
            if telling.card.face != face:
                edited = await self._messenger.edit(address, telling.card.message_ref, Message(text, buttons))
                if edited.delivery in {Delivery.LATER, Delivery.GONE, Delivery.UNKNOWN}:
                    return edited
                if edited.delivery is Delivery.REFUSED:
                    return await self._new_card(telling, message, Message(f"{line}\n\n{text}" if line else text, buttons), face)
                await self._hall.store.write(_put_card, telling.card, face)
            if not line or message.payload.get("actor") == telling.person.id:
                return Sent(Delivery.SENT)
            return await self._messenger.send(address, Message(_again(line, message), reply_to=telling.card.message_ref))
        return await self._new_card(telling, message, Message(_again(f"{line}\n\n{text}" if line else text, message), buttons), face)

    async def _new_card(self, telling: Telling, message: OutboxMessage, card: Message, face: str) -> Sent:
        sent = await self._messenger.send(telling.address or "", card)
        if sent.delivery is Delivery.SENT and sent.ref is not None and message.order_id is not None:
            await self._hall.store.write(_put_card, Card(message.order_id, telling.person.id, message.channel, sent.ref, ""), face)
        return sent


def _read_late(unit: Unit, message: OutboxMessage) -> LateView | None:
    number = message.payload["number"]
    try:
        return late_view(unit, late_actor(unit, message.person_id, number, message.channel), number)
    except NotFound:
        return None


def _again(text: str, message: OutboxMessage) -> str:
    """A message whose earlier sending may have arrived is marked, so that nobody takes it for a second sale."""
    return f"🔁 {text}" if message.error == "unknown" else text


def _put_card(unit: Unit, card: Card, face: str) -> None:
    unit.outbox.put_card(Card(card.order_id, card.person_id, card.channel, card.message_ref, face, card.version))


def _rows(t: Words, view: OrderView, base_url: str) -> tuple[tuple[Button, ...], ...]:
    choices = order_choices(t, view)
    if view.party not in MEMBERS:
        choices.append(Choice(t("chat.do.open_page"), url=f"{base_url}/track/{view.track_token}"))
    download = download_choice(t, view, base_url)
    choices = [*choices, download] if download is not None else choices
    return tuple(tuple(Button(choice.text, data=choice.key, url=choice.url) for choice in row) for row in rows_of(*choices))


def fact_text(t: Words, view: OrderView, message: OutboxMessage) -> str:
    """The one line about what happened, for this side; empty when the card says it all."""
    side = "seller" if view.party in MEMBERS else "buyer"
    key = f"chat.fact.{side}.{message.fact}"
    if view.order.escrow is None and t.has(f"{key}_direct"):
        key += "_direct"
    elif message.payload.get("how") and t.has(f"{key}_{message.payload['how']}"):
        key += f"_{message.payload['how']}"
    if not t.has(key):
        return ""
    order, minor = view.order, message.payload
    total = Money(minor["amount_minor"], order.total.currency) if "amount_minor" in minor else order.total
    owed = Money(int(minor.get("owed_minor", 0)) if side == "seller" else 0, order.total.currency)
    net = Money(total.amount_minor - int(minor.get("fee_minor", 0)) - owed.amount_minor, order.total.currency)
    when = view.dispute_ends or order.due_at or order.paid_at
    text = t.html(key, number=order.number, total=total, net=net, shop=view.shop, item=order.item, when=when,
                  method=method_name(t, view.method))  # fmt: skip
    taken = bool(owed.amount_minor) and message.fact != "chargeback_opened"
    return f"{text} {t.html('chat.fact.owed_taken', owed=owed)}" if taken else text


def plain_text(t: Words, message: OutboxMessage) -> str:
    """Facts that are not about an order."""
    payload = dict(message.payload)
    if message.fact == "payment_failed":
        return t.html("chat.fact.payment_failed", why=t(payment_key(t, payload.get("result"), payload.get("method"))))
    if message.fact == "money_returned":
        return t.html(
            "chat.fact.money_returned", total=Money(payload["amount_minor"], payload["currency"]), receipt=payload.get("receipt", ""),
            method=method_name(t, payload.get("method")),
        )  # fmt: skip
    if message.fact in GROUP_FACTS:
        return group_line(t, message.fact, payload)
    if message.fact in LATE_FACTS:
        return t.html(late_line(t, message.fact, payload), **late_values(payload))
    if message.fact == "account_changed":
        return t.html("chat.fact.account_changed", **{**payload, "gateway": t(f"chat.gateway.name.{payload['gateway']}")})
    if message.fact == "webhook_off":
        return t.html("chat.fact.webhook_off", host=payload["host"], why=t(f"chat.webhook_off.{payload['why']}"))
    what = str(payload.pop("what", message.fact))
    return t.html("chat.fact.alert", what=what, facts=", ".join(f"{name} {value}" for name, value in sorted(payload.items())))
