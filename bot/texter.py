"""How facts are said by SMS: in one segment where that can be, with the delivery code where a buyer needs it, and an address to look at."""

from __future__ import annotations

from bot.cards import spoken_code
from bot.teller import Telling, fact_text, plain_text, read_telling
from domain.ids import dial_link
from domain.money import Money
from domain.order import OrderAct
from domain.ports import Delivery, House, Message, Messenger, Sent
from domain.records import OutboxMessage
from domain.rights import MEMBERS
from templates.words import Words, words
from usecases.hall import Hall
from usecases.views import OrderView


class SmsTeller:
    def __init__(self, hall: Hall, messenger: Messenger) -> None:
        self._hall = hall
        self._messenger = messenger

    async def tell(self, message: OutboxMessage) -> Sent:
        """Say it once. The worker writes down what became of it."""
        telling = await self._hall.store.read(read_telling, message)
        if telling.address is None:
            return Sent(Delivery.GONE)
        text = self._words(telling, message)
        if not text:
            return Sent(Delivery.SENT)
        if message.error == "unknown":  # an earlier sending may have arrived: nobody shall take it for a second sale
            text = words(telling.person.language).html("sms.again") + " " + text
        return await self._messenger.send(telling.address, Message(text))

    def _words(self, telling: Telling, message: OutboxMessage) -> str:
        t, house = words(telling.person.language), self._hall.house
        if message.fact == "link_made":
            return _link(t, message, house)
        if message.fact == "text_answer":
            return t("sms.answer", ussd=house.ussd_code)
        if telling.view is None:
            return plain_text(t, message)
        if message.payload.get("actor") == telling.person.id:
            return ""
        return _order(t, telling.view, message, house)


def _link(t: Words, message: OutboxMessage, house: House) -> str:
    facts = message.payload
    price = Money(facts["amount_minor"], facts["currency"])
    url = f"{house.base_url}/buy/{facts['code']}"
    return t.html("sms.link_made", name=facts["name"], price=price, url=url, dial=dial_link(house.ussd_code, facts["code"]))


def _order(t: Words, view: OrderView, message: OutboxMessage, house: House) -> str:
    order, side = view.order, "seller" if view.party in MEMBERS else "buyer"
    key = f"sms.fact.{side}.{message.fact}"
    if order.escrow is None and t.has(f"{key}_direct"):
        key += "_direct"
    if not t.has(key):
        return fact_text(t, view, message)
    code = spoken_code(view) if OrderAct.CONFIRM in view.acts else "-"
    url = f"{house.base_url}/track/{view.track_token}"
    return t.html(key, number=order.number, total=order.total, shop=view.shop, item=order.item, code=code, url=url, ussd=house.ussd_code)
