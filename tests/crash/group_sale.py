"""The scripted sale to a group: two friends pay a share each, the last share makes the order, and the seller gives both their money back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.crash.desk import look_into_the_portal
from tests.crash.people import Chatter, Purchase
from tests.crash.sale import PRICE_MINOR, SHOP_OPENS, Sale, Step, people
from tests.crash.street import Street
from tests.crash.verdict import books, counted, ends, ordered, promises

SHARE_MINOR: Final = PRICE_MINOR // 2
BEGINNER: Final = "Wanjiru"


@dataclass(slots=True)
class Share(Purchase):
    """A friend's browser on the page of the group."""

    tries: int = 0

    async def send_form(self) -> None:
        """The same form again has the same key; one that is filled in anew has another."""
        form = {
            "key": f"{self.buyer.number:016x}{self.tries:016x}",
            "name": self.buyer.name,
            "phone": f"0{self.buyer.msisdn[3:]}",
            "shares": "1",
        }
        shown = await self._page("POST", self.code, form)
        if shown is not None and shown[0].startswith(("/pay/", "/group/", "/track/")):
            self.path = shown[0]


@dataclass(slots=True)
class GroupSale(Sale):
    """The names of the steps are the other sale's where the same is done, for the pairs that no run kills together."""

    group: str = ""

    def steps(self) -> tuple[Step, ...]:
        return (
            *Sale.steps(self)[:SHOP_OPENS],
            ("split", self.split),
            ("buy", self.buy),
            ("pin", self.pin),
            ("buy again", self.buy_again),
            ("pin again", self.pin_again),
            ("cancel", self.cancel),
            ("refund", self.refund),
            ("back", self.back),
        )

    async def split(self) -> None:
        form = {"key": "0" * 32, "name": BEGINNER, "phone": "0799111222", "shares": "2", "quantity": "1", "address": "Kilimani", "note": ""}
        browser, of_link = Purchase(self.street, self.code, self.brian), f"/buy/{self.code}/split"

        async def stands() -> str | None:
            shown = await browser._page("POST", of_link, form)
            return shown[0] if shown is not None and shown[0].startswith("/group/") else None

        self.group = await self.street.until(stands, "the group stands")

    async def _buys(self, buyer: Chatter) -> Purchase:
        share = Share(self.street, self.group, buyer)

        async def rung() -> bool | None:
            if not share.path:
                await share.send_form()
            elif (await share.look()).startswith("/group/"):  # the time was over: the share is free again
                share.path, share.tries = "", share.tries + 1
            return True if share.path.startswith("/pay/") and buyer.prompts() else None

        await self.street.until(rung, f"the phone of {buyer.name} rings")
        return share

    async def _pays(self, purchase: Purchase, name: str) -> None:
        self.street.town.phones.answer(purchase.buyer.msisdn, "right")
        last = name == "Chipo"

        async def paid() -> str | None:
            state = self.street.one(f"SELECT state FROM checkouts WHERE name = '{name}' AND group_id IS NOT NULL AND state = 'PAID'")
            number = self.street.one("SELECT number FROM orders") if last else "none yet"
            return str(number) if state and number else None

        number = await self.street.until(paid, f"the share of {name} is paid")
        if last:
            self.numbers["Chipo"] = number
            await self.street.until(lambda: self.amina.reads("New order", number), "Amina is told of the order")

    async def back(self) -> None:
        async def done() -> bool | None:
            if [state for (state,) in self.street.rows("SELECT state FROM refunds")] == ["DONE"] * 2:
                return True
            await look_into_the_portal(self.street)
            return None

        await self.street.until(done, "both refunds are on their way")


async def group_faults(sale: GroupSale) -> list[str]:
    """Everything that is wrong at the end of it."""
    street = sale.street
    wrong = [*await promises(street), *books(sale, SHARE_MINOR, {"Brian": SHARE_MINOR, "Chipo": SHARE_MINOR}), *ends(street)]
    wrong += ordered(street, (BEGINNER, "REFUNDED", "REFUNDED", True))
    return wrong + counted(street, ("links", 1), ("checkouts WHERE state = 'PAID'", 3), ("refunds", 2))


def group_sale(street: Street) -> GroupSale:
    return GroupSale(street, *people(street))
