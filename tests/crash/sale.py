"""The scripted sale: a shop opens, a link is made by one message, one buyer buys and confirms, another buys and gets the money back.

Each step ends when its effect can be seen from outside; a house that dies meanwhile is started again and the step goes on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from tests.crash.desk import look_into_the_portal
from tests.crash.people import Chatter, Purchase, T
from tests.crash.street import Street
from town.core import Fault

PRICE_MINOR: Final = 250_000
SHOP: Final = "Mama Amina Shoes"
REVERSAL_TAKES_S: Final = 60
Step = tuple[str, Callable[[], Awaitable[None]]]
SHOP_OPENS: Final = 8
"""The first steps, with which the sales of other scripts begin too."""


@dataclass(slots=True)
class Sale:
    street: Street
    amina: Chatter
    brian: Chatter
    chipo: Chatter
    code: str = ""
    bought: Purchase | None = None
    regretted: Purchase | None = None
    numbers: dict[str, str] = field(default_factory=dict)
    opening_minor: int = 0

    def steps(self) -> tuple[Step, ...]:
        return (
            ("open", self.open),
            ("start", self.start),
            ("language", self.language),
            ("role", self.role),
            ("shop", self.shop),
            ("number", self.number),
            ("quick sell", self.quick_sell),
            ("create", self.create),
            ("buy", self.buy),
            ("pin", self.pin),
            ("proof", self.proof),
            ("follow", self.follow),
            ("accept", self.accept),
            ("ship", self.ship),
            ("sent", self.sent),
            ("deliver", self.deliver),
            ("confirm", self.confirm),
            ("release", self.release),
            ("buy again", self.buy_again),
            ("pin again", self.pin_again),
            ("proof again", self.proof_again),
            ("follow again", self.follow_again),
            ("cancel", self.cancel),
            ("refund", self.refund),
            ("back", self.back),
        )

    # -- the shop

    async def open(self) -> None:
        for person in (self.amina, self.brian, self.chipo):
            person.arrive()
        self.opening_minor = self.brian.balance_minor()

        async def listening() -> bool | None:
            return True if self.street.listening else None

        await self.street.until(listening, "the bot listens")

    async def start(self) -> None:
        await self.amina.start()
        await self.street.until(lambda: self.amina.sees("English"), "the bot asks for the language", self.amina.start)

    async def language(self) -> None:
        await self._press(self.amina, "English", lambda: self.amina.sees(T("chat.do.i_sell")))

    async def role(self) -> None:
        mine = T("chat.do.use_name", name=self.amina.name)
        await self._press(self.amina, T("chat.do.i_sell"), lambda: self.amina.sees(mine))

    async def shop(self) -> None:
        await self._say(self.amina, SHOP, lambda: self.amina.sees(T("chat.do.share_phone")))

    async def number(self) -> None:
        await self.amina.share_number()
        await self.street.until(lambda: self.amina.sees(T("chat.do.sell")), "the shop is open", self.amina.share_number)

    async def quick_sell(self) -> None:
        await self._say(self.amina, "Red sneakers 2500", lambda: self.amina.sees(T("chat.do.create")))

    async def create(self) -> None:
        message = await self._press(self.amina, T("chat.do.create"), lambda: self.amina.reads("/buy/PL-"))
        self.code = message["text"].partition("/buy/")[2][:8]

    async def _say(self, who: Chatter, text: str, seen: Callable[[], Awaitable[dict[str, object] | None]]) -> None:
        async def say() -> None:
            await who.say(text)

        await say()
        await self.street.until(seen, f"the bot answers “{text}”", say)

    async def _press(self, who: Chatter, label: str, seen: Callable[[], Awaitable[dict[str, str] | None]], on: str = "") -> dict[str, str]:
        async def press() -> None:
            await who.tap(label, on)

        await press()
        return await self.street.until(seen, f"“{label}” has its effect", press)

    # -- a purchase

    async def buy(self) -> None:
        self.bought = await self._buys(self.brian)

    async def buy_again(self) -> None:
        self.regretted = await self._buys(self.chipo)

    async def _buys(self, buyer: Chatter) -> Purchase:
        purchase = Purchase(self.street, self.code, buyer)

        async def rung() -> bool | None:
            if not purchase.path:
                await purchase.send_form()
            else:
                await purchase.look()
            return True if purchase.path and buyer.prompts() else None  # a browser that lost its answer sends the form again

        await self.street.until(rung, f"the phone of {buyer.name} rings")
        return purchase

    async def pin(self) -> None:
        assert self.bought is not None
        await self._pays(self.bought, "Brian")

    async def pin_again(self) -> None:
        assert self.regretted is not None
        await self._pays(self.regretted, "Chipo")

    async def _pays(self, purchase: Purchase, name: str) -> None:
        """Types the PIN once; whatever happens to the callback, the page becomes the order's and the seller is told."""
        self.street.town.phones.answer(purchase.buyer.msisdn, "right")

        async def paid() -> str | None:
            path = await purchase.look()
            new = self.street.rows(f"SELECT number FROM orders WHERE buyer_name = '{name}'")
            return str(new[0][0]) if path.startswith("/track/") and new else None

        number = self.numbers[name] = await self.street.until(paid, f"{name} sees that the payment arrived")
        await self.street.until(lambda: self.amina.reads("New order", number), f"Amina is told that {name} paid")

    async def proof(self) -> None:
        await self._proved("Brian")

    async def proof_again(self) -> None:
        await self._proved("Chipo")

    async def _proved(self, name: str) -> None:
        async def proved() -> bool | None:
            return True if self.street.one(f"SELECT proved FROM orders WHERE number = '{self.numbers[name]}'") else None

        await self.street.until(proved, "Daraja was asked, and agrees")

    async def follow(self) -> None:
        await self._follows(self.bought, self.brian)

    async def follow_again(self) -> None:
        await self._follows(self.regretted, self.chipo)

    async def _follows(self, purchase: Purchase | None, buyer: Chatter) -> None:
        assert purchase is not None
        await purchase.look()
        number = self.numbers[buyer.name]

        async def open_link() -> None:
            await purchase.look()
            if purchase.follow_url:
                await buyer.follow(purchase.follow_url)

        await open_link()
        await self.street.until(lambda: buyer.reads(number), f"{buyer.name} sees the order in the chat", open_link)

    # -- the order

    def _state(self, name: str, *states: str) -> Callable[[], Awaitable[dict[str, str] | None]]:
        async def is_so() -> dict[str, str] | None:
            state = self.street.one(f"SELECT state FROM orders WHERE number = '{self.numbers[name]}'")
            return {"state": state} if state in states else None

        return is_so

    async def accept(self) -> None:
        await self._press(self.amina, T("chat.act.accept"), self._state("Brian", "ACCEPTED"), self.numbers["Brian"])

    async def ship(self) -> None:
        await self._press(self.amina, T("chat.act.ship"), lambda: self.amina.sees(T("chat.do.no_courier")), self.numbers["Brian"])

    async def sent(self) -> None:
        await self._press(self.amina, T("chat.do.no_courier"), self._state("Brian", "SHIPPED"))

    async def deliver(self) -> None:
        await self._press(self.amina, T("chat.act.delivered"), self._state("Brian", "DELIVERED"), self.numbers["Brian"])

    async def confirm(self) -> None:
        number, label = self.numbers["Brian"], T("chat.act.confirm")
        await self.street.until(lambda: self.brian.sees(label, number), "Brian is asked to confirm")
        await self._press(self.brian, label, lambda: self.brian.sees(T("chat.do.yes_confirm")), number)

    async def release(self) -> None:
        await self._press(self.brian, T("chat.do.yes_confirm"), self._state("Brian", "COMPLETED"))

    async def cancel(self) -> None:
        await self._press(self.amina, T("chat.act.refund"), lambda: self.amina.sees(T("chat.do.yes_refund")), self.numbers["Chipo"])

    async def refund(self) -> None:
        """Amina gives the money back. Daraja takes its time to say how that went, or the next step would be over with this one."""
        self.street.core.faults.plant(Fault("daraja", "reversal_late_result", 1, {"seconds": REVERSAL_TAKES_S}))
        await self._press(self.amina, T("chat.do.yes_refund"), self._state("Chipo", "REFUNDED"))

    async def back(self) -> None:
        """It is over when Daraja has said so, or when a person at the desk was asked and looked at the portal."""

        async def done() -> bool | None:
            if self.street.one("SELECT state FROM refunds") == "DONE":
                return True
            await look_into_the_portal(self.street)
            return None

        await self.street.until(done, "the refund is on its way")


def people(street: Street) -> tuple[Chatter, Chatter, Chatter]:
    """The seller, and two who buy."""
    return (
        Chatter(street, 1001, "Amina", "254711000001"),
        Chatter(street, 2002, "Brian", "254722000002"),
        Chatter(street, 2003, "Chipo", "254722000003"),
    )


def sale(street: Street) -> Sale:
    return Sale(street, *people(street))
