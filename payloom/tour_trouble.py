"""The scenes in which something goes wrong: callbacks lost and late, buyers who forget, goods that are broken, sellers who do not send."""

from __future__ import annotations

from domain.money import Money
from domain.rights import Actor, Party
from payloom.tour_people import Browser, Chatter, expect
from payloom.tour_scenes import (
    DAY_S,
    Tour,
    amina_sends,
    chat_checkout,
    completed,
    escrow_of,
    made_link,
    new_order,
    paid_page,
    web_checkout,
)
from usecases.disputes import resolve_dispute

FIRST_BALANCE_MINOR = 100_000_00
HALF_HOUR_S = 31 * 60.0
HOUR_S = 3_600.0


async def callback_never_comes(tour: Tour) -> None:
    dalila = await tour.newcomer("Dalila", 2004)
    with tour.printer.hushed("Dalila buys Red sneakers in the chat"):
        await chat_checkout(tour, dalila, "Red sneakers", "Umoja, Innercore")
    await tour.wire.fault("no_callback")
    tour.printer.note("⚠ Daraja will not call back")
    await dalila.pin("right")
    await tour.wire.pass_time(16, "16 seconds of silence: M-Pesa is asked")
    number = await new_order(tour, "Dalila")
    await dalila.hears("buy.paid", "2,500")
    tour.check(await proved(tour, number), "the order was made from M-Pesa's own answer, so it is proved already")
    await quickly_done(tour, dalila, number)


async def proved(tour: Tour, number: str) -> bool:
    order = await tour.streets.house.hall.store.read(lambda unit: unit.orders.by_number(number))
    return order is not None and order.proved


async def quickly_done(tour: Tour, buyer: Chatter, number: str) -> None:
    """Handed over in the street: delivered and confirmed in two taps."""
    await tour.amina.tap("act.delivered", on=number)
    await buyer.tap("act.confirm", on=number)
    await buyer.tap("do.yes_confirm")
    await completed(tour, buyer, number)


async def too_late(tour: Tour, buyer: Chatter, link: str) -> None:
    """They pay, but Daraja is silent until the checkout's time is over."""
    with tour.printer.hushed(f"{buyer.name} buys {link} in the chat"):
        await chat_checkout(tour, buyer, link, "Rongai, Maasai Lodge Road")
    await tour.wire.fault("late_callback", seconds=HOUR_S)
    await tour.wire.fault("query_4999", 500)
    tour.printer.note("⚠ Daraja will call back an hour late, and says “still processing” until then")
    await buyer.pin("right")
    await tour.wire.pass_time(HALF_HOUR_S, "31 minutes pass: the checkout's time is over")
    await buyer.tap("do.look_again")
    expect(await buyer.read("buy.expired"), f"{buyer.name} is told that the time to pay is over")


async def callback_comes_late(tour: Tour) -> None:
    edna, faith = await tour.newcomer("Edna", 2005), await tour.newcomer("Faith", 2006)
    await too_late(tour, edna, "Red sneakers")
    await tour.wire.pass_time(HALF_HOUR_S, "the callback arrives")
    await tour.wire.no_faults()
    await edna.hears("late.buyer_waits")
    await tour.amina.hears("late.waits", "Edna")
    tour.check(True, "the goods are still there: Amina is asked whether she takes the late money, and Edna is told that it is safe")
    await tour.amina.tap("do.late_accept")
    number = await new_order(tour, "Edna")
    tour.check(await escrow_of(tour, number) == "HELD", "Amina takes it: late money became an order, nothing is lost")
    await quickly_done(tour, edna, number)
    await tour.amina.say("Desk lamp 900")
    await tour.amina.tap("do.add_details")
    await tour.amina.tap("do.skip")
    await tour.amina.tap("do.skip")
    await tour.amina.tap("1", on="sell.stock")
    await tour.amina.tap("do.create")
    await made_link(tour, "Desk lamp")
    gideon = await tour.newcomer("Gideon", 2007)
    await too_late(tour, faith, "Desk lamp")
    await tour.wire.pass_time(0)
    browser = Browser(tour.wire, "Gideon")
    path = await web_checkout(tour, gideon, "Desk lamp", browser, address="CBD, Moi Avenue")
    await gideon.pin("right")
    number = await new_order(tour, "Gideon")
    page = await paid_page(tour, browser, path)
    await tour.wire.pass_time(HALF_HOUR_S, "Faith's callback arrives, but the last lamp is Gideon's")
    await faith.hears("errors.payment.money_late")
    await tour.wire.no_faults()
    await faith.hears("fact.money_returned", step_s=31)
    tour.check(await faith.balance_minor() == FIRST_BALANCE_MINOR, "Faith has every shilling back")
    tour.check(await escrow_of(tour, number) == "HELD", "Gideon's order stands")
    await tour.amina.tap("act.delivered", on=number)
    page = await browser.open(page.path)
    page = await browser.open(next(link for link in page.links if link.endswith("/confirm")))
    page = await browser.submit(page, "/confirm")
    expect(page.status == 200, "Gideon confirms on the page")
    await tour.amina.hears("fact.seller.order_completed", number, step_s=1)
    tour.check(await escrow_of(tour, number) == "RELEASED", "a buyer without Telegram confirms on the tracking page")


async def bought(tour: Tour, name: str, number: int, link: str = "Red sneakers") -> tuple[Chatter, str]:
    """Somebody new buys in the chat and pays at once."""
    buyer = await tour.newcomer(name, number)
    with tour.printer.hushed(f"{name} buys {link} in the chat and pays"):
        await chat_checkout(tour, buyer, link)
        await buyer.pin("right")
        order = await new_order(tour, name)
        await buyer.hears("buy.paid", order)
    return buyer, order


async def released_by_the_clock(tour: Tour) -> None:
    hawa, number = await bought(tour, "Hawa", 2008)
    await tour.wire.pass_time(2, "M-Pesa confirms the payment")
    with tour.printer.hushed("Amina accepts, ships and marks it delivered"):
        await amina_sends(tour, number)
    await tour.wire.pass_time(5 * DAY_S + 60, "5 days after delivery")
    await hawa.hears("fact.buyer.warn_release", number)
    tour.check(await escrow_of(tour, number) == "HELD", "the first warning, and the money stays")
    warned = sum("⏰" in one["text"] for one in await hawa.messages())
    await tour.wire.pass_time(DAY_S, "6 days after delivery")
    await hawa.catch_up()
    again = sum("⏰" in one["text"] for one in await hawa.messages())
    tour.check((warned, again) == (1, 2), "a second warning, a day before the release")
    await tour.wire.pass_time(DAY_S + 60, "7 days after delivery")
    await completed(tour, hawa, number)


async def reports_a_problem(tour: Tour, buyer: Chatter, number: str, words: str) -> None:
    await buyer.tap("act.problem", on=number)
    await buyer.tap("reason.not_as_described")
    await buyer.say(words)
    await buyer.photo("wrong colour")
    await buyer.tap("do.open_problem")
    await tour.amina.hears("fact.seller.dispute_opened", number)
    expect(await escrow_of(tour, number) == "DISPUTED", f"the money of order {number} is frozen")


async def disputes(tour: Tour) -> None:
    imani, first = await bought(tour, "Imani", 2009)
    await tour.wire.pass_time(2)
    with tour.printer.hushed("Amina accepts, ships and marks it delivered"):
        await amina_sends(tour, first)
    await reports_a_problem(tour, imani, first, "I ordered red, these are brown.")
    await tour.wire.pass_time(8 * DAY_S, "8 days pass: a disputed order is not released by the clock")
    tour.check(await escrow_of(tour, first) == "DISPUTED", "a disputed order stays frozen past the 7 days")
    await tour.amina.tap("act.refund", on=first)
    await tour.amina.tap("do.yes_refund")
    await imani.hears("fact.buyer.refund_done", step_s=31)
    tour.check(await imani.balance_minor() == FIRST_BALANCE_MINOR, "the seller gave back the money, whole")
    juma, second = await bought(tour, "Juma", 2010)
    await tour.wire.pass_time(2)
    with tour.printer.hushed("Amina accepts, ships and marks it delivered"):
        await amina_sends(tour, second)
    await reports_a_problem(tour, juma, second, "One sole is loose, but I will keep them.")
    arbiter = Actor(Party.ADMIN, "tour")
    back = Money(100_000, "KES")
    tour.printer.note("⚖ the arbiter decides: Ksh 1,000 back to Juma, the rest to Amina")
    await tour.streets.house.hall.store.write(resolve_dispute, arbiter, second, "split", back)
    await juma.hears("fact.buyer.dispute_decided")
    await juma.hears("fact.buyer.refund_done", step_s=31)
    tour.check(await juma.balance_minor() == FIRST_BALANCE_MINOR - 150_000, "Juma has his thousand back")
    tour.check(await escrow_of(tour, second) == "SPLIT", "the rest went to Amina, minus the fee of her part only")


async def never_shipped(tour: Tour) -> None:
    kendi, number = await bought(tour, "Kendi", 2011, "Leather sandals")
    await tour.wire.pass_time(2)
    await tour.wire.pass_time(2 * DAY_S + 60, "2 days: nothing was sent")
    await tour.amina.hears("fact.seller.remind_ship", number)
    await tour.wire.pass_time(5 * DAY_S, "7 days")
    await kendi.hears("fact.buyer.offer_cancel")
    await tour.wire.pass_time(7 * DAY_S, "14 days")
    await kendi.hears("fact.buyer.order_refunded")
    await kendi.hears("fact.buyer.refund_done", step_s=31)
    tour.check(await kendi.balance_minor() == FIRST_BALANCE_MINOR, "what was never sent is given back, not released")
    tour.check(await escrow_of(tour, number) == "REFUNDED", "and the order ended as refunded")


RECIPES = b"%PDF-1.4 Fifty recipes from the coast"


async def digital_goods(tour: Tour) -> None:
    await tour.amina.say("Coast recipes 350")
    await tour.amina.file("recipes.pdf", RECIPES)
    await tour.amina.tap("do.create")
    await made_link(tour, "Coast recipes")
    lulu = await tour.newcomer("Lulu", 2012)
    browser = Browser(tour.wire, "Lulu")
    path = await web_checkout(tour, lulu, "Coast recipes", browser)
    await lulu.pin("right")
    page = await paid_page(tour, browser, path)
    number = await new_order(tour, "Lulu")
    await tour.amina.hears("fact.seller.order_completed", number, step_s=1)
    page = await browser.open(page.path)
    link = next((link for link in page.links if link.startswith("/download/")), "")
    expect(link, "the page of the order offers the download")
    async with tour.wire.session.get(tour.wire.base + link) as response:
        body = await response.read()
    tour.check(body == RECIPES, "digital goods complete by themselves: Lulu downloads what she paid for")
