"""How facts are said by SMS: in one segment where that can be, with the delivery code where a buyer needs it, and an address to look at."""

from __future__ import annotations

from html import escape

from bot.cards import spoken_code
from bot.mouths.pages import without_signs
from bot.teller import Telling, fact_text, plain_text, read_telling
from domain.ids import dial_link
from domain.money import Money
from domain.order import OrderAct
from domain.person import ChannelKind, ChannelState
from domain.ports import Delivery, House, Message, Messenger, Sent, Unit
from domain.records import OutboxMessage
from domain.rights import MEMBERS
from domain.tokens import Purpose
from templates.late import late_values
from templates.words import Words, words
from usecases.carry import FACT as CARRY
from usecases.carry import carried_code
from usecases.hall import Hall
from usecases.phones import JOINED
from usecases.views import OrderView


class SmsTeller:
    def __init__(self, hall: Hall, messenger: Messenger) -> None:
        self._hall = hall
        self._messenger = messenger

    async def tell(self, message: OutboxMessage) -> Sent:
        """Say it once. The worker writes down what became of it."""
        telling = await self._hall.store.read(read_telling, message)
        address = telling.address
        if message.fact == "screen":
            address = await self._hall.store.read(_where_from, message)
        if address is None:
            return Sent(Delivery.GONE)
        text = await self._carry(telling, message) if message.fact == CARRY else self._words(telling, message)
        if not text:
            return Sent(Delivery.SENT)
        if message.error == "unknown":  # an earlier sending may have arrived: nobody shall take it for a second sale
            text = words(telling.person.language).html("sms.again") + " " + text
        arabic = words(telling.person.language).direction == "rtl"
        said = without_signs(text) if arabic else text
        return await self._messenger.send(address, Message(said, own_letters=arabic or message.fact == "screen"))

    def _pay_page(self, t: Words, message: OutboxMessage) -> str:
        """Where a payer without buttons goes on: our own page, which leads to the gateway's."""
        facts = message.payload
        url = f"{self._hall.house.base_url}/pay/{self._hall.tokens.make(Purpose.PAY, facts['checkout'])}"
        return t.html("chat.pay_page.sms", name=facts["name"], total=Money(facts["amount_minor"], facts["currency"]), url=url)

    async def _carry(self, telling: Telling, message: OutboxMessage) -> str:
        """The way on after a broken session; the code is sealed until now."""
        facts, house = message.payload, self._hall.house
        code = await self._hall.store.read(carried_code, telling.person.id, facts["sealed"])
        t, url = words(telling.person.language), f"{house.base_url}/c/{code}"
        return t.html(f"sms.carry.{facts['dialog']}", name=facts["name"], ussd=house.ussd_code, url=url)

    def _words(self, telling: Telling, message: OutboxMessage) -> str:
        t, house = words(telling.person.language), self._hall.house
        if message.fact == "link_made":
            return _link(t, message, house)
        if message.fact == "pay_page":
            return self._pay_page(t, message)
        if message.fact == JOINED:
            return t.html("sms.carry.joined", name=message.payload["name"])
        if message.fact == "screen":
            return escape(message.payload.get("text", ""), quote=False)
        if message.fact == "late_money":
            return t.html("sms.late.ask", **late_values(message.payload))
        if telling.view is None:
            waits = telling.waits_for is not None and message.payload.get("checkout") == telling.waits_for
            return f"{plain_text(t, message)} {t.html('sms.go_on')}" if waits else plain_text(t, message)
        if message.payload.get("actor") == telling.person.id:
            return ""
        return _order(t, telling.view, message, house)


def _where_from(unit: Unit, message: OutboxMessage) -> str | None:
    """The number that wrote, if it is still theirs and wants messages: an answer goes nowhere else."""
    theirs = (one for one in unit.people.channels(message.person_id) if one.kind is ChannelKind.SMS and one.state is ChannelState.ACTIVE)
    return next((one.address for one in theirs if one.address == message.payload.get("to")), None)


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
    if t.direction == "rtl":  # without the marks of direction, which no operator carries, its halves would change places
        code = code.replace(" ", "")
    check = view.check_number.replace("-", "") if t.direction == "rtl" else view.check_number
    url, ussd = f"{house.base_url}/track/{view.track_token}", house.ussd_code
    return t.html(key, number=order.number, total=order.total, shop=view.shop, item=order.item, code=code, url=url, ussd=ussd, check=check)
