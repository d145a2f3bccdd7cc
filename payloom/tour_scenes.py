"""The first scenes of the tour: a shop opens, links are made, somebody buys on the web and somebody in the chat."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from payloom.streets import Streets
from payloom.tour_people import Browser, Chatter, Page, Wire, expect, phrase
from payloom.tour_print import Printer

SHOP = "Mama Amina Shoes"
NUMBER = re.compile(r"\b\d{8}\b")
DAY_S = 86_400.0


@dataclass(slots=True)
class Tour:
    """Everybody in town, and what was made so far: links by name, order numbers by who bought."""

    streets: Streets
    wire: Wire
    printer: Printer
    amina: Chatter
    people: dict[str, Chatter] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    orders: dict[str, str] = field(default_factory=dict)
    checks: list[str] = field(default_factory=list)

    def check(self, true: object, what: str) -> None:
        """Something that must be true: noted, printed, and the end of the tour where it is not."""
        expect(true, what)
        self.checks.append(what)
        self.printer.good(what)

    async def newcomer(self, name: str, number: int) -> Chatter:
        person = Chatter(self.wire, number, name, f"2547220{number:05}")
        self.people[name] = person
        await person.arrive()
        return person


Scene = Callable[[Tour], Awaitable[None]]


async def open_shop(tour: Tour) -> None:
    amina = tour.amina
    await amina.arrive()
    await amina.start()
    await amina.tap("English")
    await amina.tap("do.i_sell")
    await amina.say(SHOP)
    await amina.share_number()
    await amina.say("/sell")
    await amina.say("Leather sandals")
    await amina.say("1,800")
    await amina.say("Brown, sizes 36 to 42. Made in Kariokor.")
    await amina.photo("sandals")
    await amina.tap("do.done")
    await amina.say("5")
    await amina.tap("do.create")
    await made_link(tour, "Leather sandals")
    page = await Browser(tour.wire, "anybody").open(f"/buy/{tour.links['Leather sandals']}")
    tour.check(page.status == 200 and "Leather sandals" in page.text and "1,800" in page.text, "the link opens a page with name and price")
    tour.check("/p/" in page.html or "<img" in page.html, "the page shows the photo")


async def made_link(tour: Tour, name: str) -> str:
    """The code in the newest message that hands a link over."""
    message = await tour.amina.hears(f"{name} ·")
    found = re.search(r"/buy/(PL-\w{5})", message["text"])
    expect(found, f"Amina is given the link of {name}")
    tour.links[name] = found.group(1) if found else ""
    copied = next(button["copy"] for row in message["buttons"] for button in row if button["copy"])
    tour.check(copied.endswith(tour.links[name]), f"the link of {name} can be copied with one tap")
    return tour.links[name]


async def quick_sell(tour: Tour) -> None:
    await tour.amina.say("Red sneakers 2500")
    await tour.amina.tap("do.create")
    await made_link(tour, "Red sneakers")


async def web_checkout(tour: Tour, buyer: Chatter, link: str, browser: Browser, **typed: str) -> str:
    """From the product page to the page that waits; its path. The phone rings."""
    page = await browser.open(f"/buy/{tour.links[link]}")
    page = await browser.submit(page, "/buy/", phone=f"0{buyer.msisdn[3:]}", name=buyer.name, **typed)
    expect(page.path.startswith("/pay/"), f"{buyer.name} waits on the pay page, not at {page.path}")
    await buyer.rung()
    return page.path


async def buys_on_the_web(tour: Tour) -> None:
    brian = await tour.newcomer("Brian", 2002)
    browser = Browser(tour.wire, "Brian")
    path = await web_checkout(tour, brian, "Red sneakers", browser, address="Kilimani, Wood Avenue, gate 12")
    page = await browser.open(path)
    tour.check(
        "PIN" in page.text and "<noscript>" in page.html, "the pay page tells Brian to look at his phone, and works without JavaScript"
    )
    await brian.pin("right")
    page = await paid_page(tour, browser, path)
    tour.check("2,500" in page.text and page.path.startswith("/track/"), "once he paid, Brian sees his order on the tracking page")
    number = await new_order(tour, "Brian")
    follow = next(link for link in page.links if link.startswith("https://t.me/"))
    await brian.open(follow)
    tour.check(await brian.read(number), "following on Telegram shows Brian the same order")
    await amina_sends(tour, number)
    await brian.hears("fact.buyer.order_delivered", number)
    await brian.tap("act.confirm", on=number)
    await brian.tap("do.yes_confirm")
    await completed(tour, brian, number)
    tour.check(await tour.amina.read("2,437.50"), "Amina is told what reached her wallet: 2,500 minus 2.5%")


async def paid_page(tour: Tour, browser: Browser, path: str) -> Page:
    """Look again until the pay page has become the order's page."""

    async def tracked() -> Page | None:
        async with tour.wire.session.get(tour.wire.base + path) as response:
            there = response.url.path.startswith("/track/")
        return await browser.open(path) if there else None

    page: Page = await tour.wire.eventually(tracked, f"{browser.who} sees that the payment arrived")
    return page


async def new_order(tour: Tour, buyer: str) -> str:
    """Wait until Amina is told; the order's number."""

    async def told() -> str | None:
        for message in await tour.amina.messages():
            if message["from"] == "bot" and phrase("fact.seller.order_paid") in message["text"]:
                found = NUMBER.search(message["text"])
                if found and found.group() not in tour.orders.values():
                    return found.group()
        return None

    number: str = await tour.wire.eventually(told, f"Amina is told that {buyer} paid")
    tour.orders[buyer] = number
    await tour.amina.catch_up()
    tour.check(number, f"Amina is told of the new order {number}")
    return number


async def amina_sends(tour: Tour, number: str, courier: str = "", phone: str = "") -> None:
    """Accept, ship and mark delivered, by the buttons of the order's card."""
    await tour.amina.tap("act.accept", on=number)
    await tour.amina.tap("act.ship", on=number)
    if courier:
        await tour.amina.say(courier)
        await tour.amina.say(phone)
    else:
        await tour.amina.tap("do.no_courier")
    await tour.amina.tap("act.delivered", on=number)


async def completed(tour: Tour, buyer: Chatter, number: str) -> None:
    await tour.amina.hears("fact.seller.order_completed", number, step_s=1)
    await buyer.hears("fact.buyer.order_completed", number)
    tour.check(await escrow_of(tour, number) == "RELEASED", f"the money of order {number} is released, and both were told")


async def escrow_of(tour: Tour, number: str) -> str:
    """The escrow's state as the seller's own wallet and the audit will see it."""
    order = await tour.streets.house.hall.store.read(lambda unit: unit.orders.by_number(number))
    return str(order.escrow) if order is not None else ""


async def chat_checkout(tour: Tour, buyer: Chatter, link: str, place: str = "Kasarani, Seasons Road") -> None:
    """A purchase in the chat from a deep link to the prompt on the phone."""
    await buyer.start(tour.links[link])
    await buyer.tap("do.buy_one")
    await buyer.say(place)
    await buyer.tap("M-Pesa")
    await buyer.share_number()
    await buyer.tap("do.pay")
    await buyer.rung()


async def buys_in_the_chat(tour: Tour) -> None:
    chipo = await tour.newcomer("Chipo", 2003)
    await chat_checkout(tour, chipo, "Leather sandals")
    await chipo.pin("cancel")
    await chipo.hears("errors.payment.cancelled_by_payer")
    tour.check(await chipo.balance_minor() == 10_000_000, "a cancelled prompt takes nothing")
    await chipo.tap("do.try_again")
    await chipo.pin("right")
    number = await new_order(tour, "Chipo")
    await chipo.hears("buy.paid", "1,800")
    await amina_sends(tour, number, "Rider Otieno", "0733 111 222")
    message = await chipo.hears("card.code", "Rider Otieno")
    tour.check(
        "Rider Otieno" in message["text"] and "0733 111 222" in message["text"], "Chipo sees who brings her order and how to call them"
    )
    code = "".join(re.findall(r"<code>(\d{3} \d{3})</code>", message["html"]))
    expect(code, "Chipo holds a delivery code")
    wrong = f"{(int(code.replace(' ', '')) + 1) % 10**6:06}"
    await tour.amina.tap("act.enter_code", on=number)
    await tour.amina.say(wrong)
    tour.check(await escrow_of(tour, number) == "HELD", "a wrong delivery code releases nothing")
    await tour.amina.say(code)
    await completed(tour, chipo, number)
