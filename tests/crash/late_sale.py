"""The scripted sale of money that arrives late: of two payments told after their time, the seller takes one and gives the other back."""

from __future__ import annotations

from typing import Final

from tests.crash.people import Purchase, T
from tests.crash.sale import PRICE_MINOR, REVERSAL_TAKES_S, SHOP_OPENS, Sale, Step, people
from tests.crash.street import Street
from tests.crash.verdict import books, counted, ends, ordered, promises
from town.core import Fault

HOUR_S: Final = 3_600


class LateSale(Sale):
    """The names of the steps are the other sale's where the same is done, for the pairs that no run kills together."""

    def steps(self) -> tuple[Step, ...]:
        return (
            *super().steps()[:SHOP_OPENS],
            ("buy", self.buy),
            ("pin", self.late_pin),
            ("accept", self.takes_it),
            ("buy again", self.buy_again),
            ("pin again", self.late_pin_again),
            ("cancel", self.gives_it_back),
            ("refund", self.really),
            ("back", self.back),
        )

    async def late_pin(self) -> None:
        await self._pays_late(self.bought)

    async def late_pin_again(self) -> None:
        await self._pays_late(self.regretted)

    async def _pays_late(self, purchase: Purchase | None) -> None:
        """Daraja tells of it an hour later, and until then does not know when it is asked."""
        assert purchase is not None
        street, name = self.street, purchase.buyer.name
        for fault in (Fault("daraja", "late_callback", 1, {"seconds": HOUR_S}), Fault("daraja", "query_4999", 10_000, {})):
            street.core.faults.plant(fault)
        street.town.phones.answer(purchase.buyer.msisdn, "right")
        await street.pass_time(HOUR_S + 60)
        street.core.faults.clear()
        label = T("chat.do.late_accept")
        await street.until(lambda: self.amina.sees(label, name), f"Amina is asked what to do with the money of {name}")

    def _late(self, name: str, state: str) -> bool | None:
        sql = f"SELECT l.state FROM late_money l JOIN checkouts c ON c.id = l.checkout_id WHERE c.name = '{name}'"
        return True if self.street.one(sql) == state else None

    async def takes_it(self) -> None:
        async def taken() -> dict[str, str] | None:
            self.numbers["Brian"] = self.street.one("SELECT number FROM orders WHERE buyer_name = 'Brian'") or ""
            return {} if self._late("Brian", "ACCEPTED") and self.numbers["Brian"] else None

        await self._press(self.amina, T("chat.do.late_accept"), taken, "Brian")

    async def gives_it_back(self) -> None:
        await self._press(self.amina, T("chat.do.late_refund"), lambda: self.amina.sees(T("chat.do.yes_refund")), "Chipo")

    async def really(self) -> None:
        async def refunded() -> dict[str, str] | None:
            return {} if self._late("Chipo", "REFUNDED") else None

        self.street.core.faults.plant(Fault("daraja", "reversal_late_result", 1, {"seconds": REVERSAL_TAKES_S}))
        await self._press(self.amina, T("chat.do.yes_refund"), refunded)


async def late_faults(sale: LateSale) -> list[str]:
    """Everything that is wrong at the end of it."""
    return [
        *await promises(sale.street),
        *_rows(sale),
        *books(sale, PRICE_MINOR, {"Chipo": PRICE_MINOR}, held_minor=PRICE_MINOR),
        *ends(sale.street),
    ]


def _rows(sale: LateSale) -> list[str]:
    """One order of the money that was taken, none of the other, however often somebody pressed."""
    street = sale.street
    wrong = ordered(street, ("Brian", "ACCEPTED", "HELD", True))
    late = sorted(street.rows("SELECT c.name, l.state FROM late_money l JOIN checkouts c ON c.id = l.checkout_id"))
    wrong += [] if late == [("Brian", "ACCEPTED"), ("Chipo", "REFUNDED")] else [f"late money is {late}"]
    return wrong + counted(street, ("links", 1), ("checkouts", 2), ("refunds", 1))


def late_sale(street: Street) -> LateSale:
    return LateSale(street, *people(street))
