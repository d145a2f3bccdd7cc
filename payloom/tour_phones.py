"""The tour's sale on feature phones: a shop, a link, a purchase, the way to the buyer's hands and the money, with keys and SMS alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from payloom.tour_people import Wire, expect
from payloom.tour_print import Spoken
from payloom.tour_scenes import Tour

CODE = "*384*77#"
Json = dict[str, Any]


@dataclass(slots=True)
class Handset:
    """Somebody with a keypad."""

    wire: Wire
    name: str
    msisdn: str
    screen: str = ""
    open: bool = False

    async def dial(self, code: str = CODE) -> str:
        return await self._shown("dial", code, code=code)

    async def press(self, *answers: str) -> str:
        for answer in answers:
            await self._shown("answer", answer, text=answer)
        return self.screen

    async def choose(self, label: str) -> str:
        """Press the number beside a label, looking on further pages for it."""
        for _ in range(10):
            for line in self.screen.split("\n"):
                number, dot, text = line.partition(". ")
                if dot and label in text:
                    return await self.press(number)
            expect("98." in self.screen, f"{self.name} finds “{label}” on: {self.screen}")
            await self.press("98")
        return self.screen

    async def hang_up(self) -> None:
        if self.open:
            await self.wire.act(f"/phone/{self.msisdn}/hangup")
            self.open = False

    async def _shown(self, act: str, said: str, **fields: str) -> str:
        self.wire.printer.say(Spoken(self.name, "USSD", said))
        answer: Json = await self.wire.act(f"/phone/{self.msisdn}/{act}", **fields)
        self.open, self.screen = bool(answer["open"]), str(answer["screen"])
        self.wire.printer.say(Spoken("USSD", self.name, self.screen))
        return self.screen

    async def text(self, *holds: str) -> str:
        """The newest SMS that says all of this."""

        async def found() -> str:
            messages = (await self.wire.look(f"/phone/{self.msisdn}"))["sms"]
            return next((str(one["text"]) for one in reversed(messages) if all(word in one["text"] for word in holds)), "")

        text: str = await self.wire.eventually(found, f"{self.name} gets an SMS with {', '.join(holds)}", step_s=1)
        self.wire.printer.say(Spoken("SMS", self.name, text))
        return text

    async def pays(self, answer: str = "right") -> None:
        async def rings() -> bool:
            return bool((await self.wire.look(f"/phone/{self.msisdn}"))["prompts"])

        await self.wire.eventually(rings, f"M-Pesa rings {self.name}", step_s=1)
        await self.wire.act(f"/phone/{self.msisdn}/pin", answer=answer)
        await self.wire.settle()


async def half_here_half_there(tour: Tour) -> None:
    """A seller begins on the keypad and finishes on Telegram; a buyer begins on Telegram and confirms on the keypad."""
    njeri, kamau = await tour.newcomer("Njeri", 3021), await tour.newcomer("Kamau", 3022)
    keys, other_keys = Handset(tour.wire, "Njeri", njeri.msisdn), Handset(tour.wire, "Kamau", kamau.msisdn)

    await keys.dial()
    await keys.choose("English")
    await keys.choose("I sell")
    await keys.press("Njeri Honey")
    await keys.choose("Sell something")
    await keys.press("Honey jar")
    await keys.hang_up()
    await njeri.start()
    await njeri.tap("English")
    await njeri.tap("do.i_sell")
    await njeri.say("Njeri")
    await njeri.share_number()
    await njeri.hears("start.ready", "Njeri Honey")
    tour.check(True, "the number that Telegram vouches for is known: the shop opened on the keypad is there in the chat")
    await keys.text("your number is now also used in a Telegram chat")
    tour.check(True, "the phone is told that a chat was joined to it")
    await njeri.say("Honey jar 700")
    await njeri.tap("do.create")
    made = await njeri.hears("/buy/PL-")
    code = made["text"].partition("/buy/")[2][:8]
    await keys.dial()
    await keys.choose("Start over")
    await keys.choose("My links")
    tour.check("Honey jar" in keys.screen, "the link made in the chat is in the list on the keypad")
    await keys.hang_up()
    await kamau.start(code)
    await kamau.tap("do.buy_one")
    await kamau.say("Ngara, flat 4")
    await kamau.tap("M-Pesa")
    await kamau.share_number()
    await kamau.tap("do.pay")
    await kamau.pin("right")
    await kamau.hears("buy.paid", "700")
    number = re.search(r"\d{8}", (await njeri.hears("New order", "Honey jar"))["text"])
    expect(number, "the seller is told of the order in the chat")
    order = number.group() if number else ""
    await keys.dial()
    await keys.choose("Orders")
    await keys.choose(order)
    await keys.choose("Ship")
    await keys.choose("Send without courier")
    await keys.hang_up()
    await kamau.hears("has sent order", order)
    tour.check(True, "sent with the keypad, and the buyer reads it in the chat")
    await other_keys.dial()
    await other_keys.choose("English")
    await other_keys.choose("I buy")
    await other_keys.choose("My purchases")
    await other_keys.choose(order)
    await other_keys.choose("Confirm delivery")
    await other_keys.choose("Yes")
    await other_keys.hang_up()
    await njeri.hears("completed", order)
    tour.check(True, "bought in the chat, confirmed on the keypad: the seller is paid")
    tour.orders["Kamau"] = order


async def sells_on_feature_phones(tour: Tour) -> None:
    """Nobody here has a smartphone, and nobody meets PayLoom anywhere but on the keypad."""
    wangari = Handset(tour.wire, "Wangari", "254733000001")
    otieno = Handset(tour.wire, "Otieno", "254722000009")

    await wangari.dial()
    await wangari.choose("English")
    await wangari.choose("I sell")
    await wangari.press("Wangari Farm")
    await wangari.choose("Sell something")
    await wangari.press("Avocado box", "900")
    await wangari.choose("Create link")
    tour.check("Avocado box" in wangari.screen and wangari.open, "a shop and a link, with the keypad alone")
    await wangari.hang_up()
    link = await wangari.text("/buy/PL-")
    dial = re.search(r"\*384\*77\*\d+#", link)
    expect(dial, "the SMS says what to dial")
    tour.check(dial is not None, "the link comes by SMS, with a number that any phone can dial")

    await otieno.dial(dial.group() if dial else "")
    await otieno.choose("Buy now")
    await otieno.press("Otieno", "Gikomba market, stall 9")
    await otieno.hang_up()
    await otieno.dial()
    await otieno.choose("Continue")
    tour.check("Gikomba" in otieno.screen, "a dropped session goes on where it broke off")
    await otieno.choose("Pay with M-Pesa")
    tour.check(not otieno.open and "PIN" in otieno.screen, "the session ends before the prompt, which could not ring otherwise")
    await otieno.pays()
    paid = await otieno.text("Delivery code")
    code = re.search(r"Delivery code (\d{3}) (\d{3})", paid)
    number = re.search(r"\d{8}", await wangari.text("new order"))
    expect(code and number, "both are told, with the delivery code for the buyer")
    tour.check(True, "both are told by SMS, and the buyer holds the delivery code")

    await wangari.dial()
    await wangari.choose("Orders")
    await wangari.choose(number.group() if number else "")
    await wangari.choose("Accept")
    await wangari.choose("Ship")
    await wangari.choose("Send without courier")
    await wangari.hang_up()
    await otieno.text("has sent order")
    await wangari.dial()
    await wangari.choose("Orders")
    await wangari.choose(number.group() if number else "")
    await wangari.choose("Enter delivery code")
    await wangari.press("".join(code.groups()) if code else "")
    await wangari.hang_up()
    await wangari.text("completed")
    tour.check(True, "the code that the buyer gives at the door releases the money")
    await wangari.dial()
    await wangari.choose("Wallet")
    tour.check("877.50" in wangari.screen, "the wallet has Ksh 877.50: 900 less 2.5 %")
    await wangari.hang_up()
    tour.orders["Otieno"] = number.group() if number else ""
