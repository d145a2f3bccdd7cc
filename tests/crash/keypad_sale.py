"""The scripted sale with keypads alone: a shop is opened, a link made, bought, paid, sent, and confirmed by the code at the door.

Whoever presses looks at the screen and does what it asks for: a lost line, a turn that is posted again and a screen that was never seen all
lead to the same end, or the script does not get there.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from domain.ids import link_dial
from tests.crash.keypad import Keypad, Rule
from tests.crash.street import Street
from tests.crash.verdict import counted, ends, ordered, promises

PRICE_MINOR: Final = 250_000
AGAIN: Final = "(Sent again)"
MENU: Final = "Sell something"
GO_ON: Final = ("You were in the middle", "Continue")
OPENING: Final = (("Karibu", "English"), ("What brings you", "I sell"), ("Name of your shop", "=Mama Amina Shoes"))
SELLING: Final = (
    GO_ON, ("What do you sell", "=Red sneakers"), ("How much is", "=2500"), ("Is this right", "Create link"), (MENU, MENU),
)  # fmt: skip
BUYING: Final = (
    GO_ON, ("Your name?", "=Otieno"), ("Where to deliver", "=Kilimani gate 12"), ("To pay:", "Pay with M-Pesa"), ("Sold by", "Buy now"),
)  # fmt: skip
Json = dict[str, Any]
Step = tuple[str, Callable[[], Awaitable[None]]]


@dataclass(slots=True)
class KeypadSale:
    street: Street
    amina: Keypad
    otieno: Keypad
    code: str = ""
    number: str = ""
    delivery_code: str = ""

    def steps(self) -> tuple[Step, ...]:
        """`buy` and `pin` are named as in the other sale: they are told apart there."""
        return (
            ("language", self.language), ("role", self.role), ("shop", self.shop), ("product", self.product), ("price", self.price),
            ("create", self.create), ("look", self.look), ("address", self.address), ("buy", self.buy), ("pin", self.pin),
            ("proof", self.proof), ("accept", self.accept), ("ship", self.ship), ("sent", self.sent), ("release", self.release),
            ("wallet", self.wallet),
        )  # fmt: skip

    # -- the shop

    async def language(self) -> None:
        await self.amina.walk((), "Karibu")

    async def role(self) -> None:
        await self.amina.walk(OPENING, "What brings you")

    async def shop(self) -> None:
        await self.amina.walk(OPENING, MENU)

    async def product(self) -> None:
        await self.amina.walk(SELLING, "How much is")

    async def price(self) -> None:
        await self.amina.walk(SELLING, "Is this right")

    async def create(self) -> None:
        """Where the answer was lost after it was kept, the menu is seen next; the link comes by SMS all the same."""
        await self.amina.walk((GO_ON, SELLING[3]), "Ready: ", MENU)
        made = await self.street.until(lambda: self._text(self.amina, "/buy/PL-"), "Amina has the link by SMS")
        self.code = made.partition("/buy/")[2][:8]

    # -- the purchase

    async def look(self) -> None:
        await self.otieno.walk(BUYING, "Sold by", digits=link_dial(self.code))

    async def address(self) -> None:
        await self.otieno.walk(BUYING, "To pay:", digits=link_dial(self.code))

    async def buy(self) -> None:
        """The session is over before the phone can ring; whoever dials again sees what is true, and asks anew only where that is offered."""

        async def look_again() -> None:
            await self.otieno.walk((("", "Try again"), *BUYING), "M-Pesa will ask", "M-Pesa asks for your PIN")

        async def dial_again() -> None:
            self.otieno.hang_up()
            await look_again()

        await look_again()

        async def rings() -> bool | None:
            return True if self.otieno.prompts() else None

        await self.street.until(rings, "the phone of Otieno rings", dial_again)

    async def pin(self) -> None:
        self.street.town.phones.answer(self.otieno.msisdn, "right")
        told = await self.street.until(lambda: self._text(self.otieno, "Delivery code"), "Otieno is told the code")
        code, number = re.search(r"code (\d{3}) (\d{3})", told), re.search(r"order (\d{8})", told)
        assert code is not None and number is not None, told
        self.delivery_code, self.number = "".join(code.groups()), number.group(1)
        await self.street.until(lambda: self._text(self.amina, "new order", self.number), "Amina is told of the order")

    async def proof(self) -> None:
        async def proved() -> bool | None:
            return True if self.street.one("SELECT proved FROM orders") else None

        await self.street.until(proved, "Daraja was asked, and agrees")

    # -- the way

    def _card(self, act: str) -> tuple[Rule, ...]:
        return (GO_ON, ("", act), ("Orders:", self.number), (MENU, "Orders"))

    async def accept(self) -> None:
        await self.amina.walk(self._card("Accept"), f"Order {self.number}: to send")

    async def ship(self) -> None:
        await self.amina.walk(self._card("Ship"), "Name of the courier")

    async def sent(self) -> None:
        courier = ("Name of the courier", "Send without courier")
        await self.amina.walk((courier, *self._card("Ship")), f"Order {self.number}: on its way")
        await self.street.until(lambda: self._text(self.otieno, "has sent order", self.number), "Otieno is told that it was sent")

    async def release(self) -> None:
        """Where the answer was lost after it was kept, no order waits any more."""
        code = ("6-digit code", f"={self.delivery_code}")
        await self.amina.walk((code, *self._card("Enter delivery code")), f"Order {self.number}: completed", "No orders wait")
        await self.street.until(lambda: self._text(self.amina, "completed", self.number), "Amina is told that it is over")

    async def wallet(self) -> None:
        await self.amina.walk(((MENU, "Wallet"),), "2,437.50")

    async def _text(self, who: Keypad, *holds: str) -> str | None:
        return who.text(*holds)


def keypad_sale(street: Street) -> KeypadSale:
    """In every other town people dial again; in the others the operator posts the turn again."""
    redials = street.seed % 2 == 0
    return KeypadSale(street, Keypad(street, "Amina", "254711000001", redials), Keypad(street, "Otieno", "254722000009", redials))


async def keypad_faults(sale: KeypadSale) -> list[str]:
    """Everything that is wrong at the end of it."""
    return [*await promises(sale.street), *_rows(sale), *_books(sale), *_told(sale), *ends(sale.street)]


def _rows(sale: KeypadSale) -> list[str]:
    """T12: one of each, however often somebody dialled."""
    street = sale.street
    return ordered(street, ("Otieno", "COMPLETED", "RELEASED", True)) + counted(
        street,
        ("links", 1),
        ("organizations", 1),
        ("channels WHERE kind = 'sms'", 2),
        ("checkouts", 1),
        ("attempts WHERE state = 'SUCCEEDED'", 1),
    )


def _books(sale: KeypadSale) -> list[str]:
    """T12, K3: the phone rang once, Daraja charged once, and both sides' books agree."""
    street, wrong = sale.street, []
    books = street.town.daraja.books()
    charged = [(entry["kind"], entry["amount"] * 100, entry["msisdn"]) for entry in books]
    if charged != [("stk", PRICE_MINOR, sale.otieno.msisdn)]:
        wrong.append(f"Daraja's books are {charged}")
    rung = len(street.journal("daraja.prompt"))
    wrong += [] if rung == 1 else [f"the phone rang {rung} times"]
    ours = street.one("SELECT coalesce(sum(amount_minor), 0) FROM postings WHERE account = 'clearing:daraja'")
    wrong += [] if int(ours) == PRICE_MINOR else [f"our books say that Daraja holds {ours}"]
    left = street.one("SELECT coalesce(sum(amount_minor), 0) FROM postings WHERE account LIKE 'escrow:%'")
    wrong += [f"{left} left in escrow"] if int(left) else []
    return wrong


def _told(sale: KeypadSale) -> list[str]:
    """K4: each by SMS, at most once, plus such as say of themselves that they may be repetitions."""
    wrong = []
    for who, words in (
        (sale.amina, "/buy/PL-"), (sale.amina, "new order"), (sale.otieno, "paid Ksh"), (sale.otieno, "has sent order"), (sale.amina, "completed"),
    ):  # fmt: skip
        said = [text for text in who.texts() if words in text]
        plain = [text for text in said if AGAIN not in text]
        if not said or len(plain) > 1 or len(said) > 2 + sale.street.deaths_in_a_row:
            wrong.append(f"{who.name} was told “{words}” {len(said)} times, {len(plain)} of them unmarked")
    return wrong
