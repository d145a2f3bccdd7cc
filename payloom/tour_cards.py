"""The scenes in which people pay otherwise than by a prompt: by card, with PayPal, by mada, inside Telegram, from the M-Pesa menu; and a bank."""

from __future__ import annotations

import re

from domain.money import Money
from domain.rights import Actor, Party
from payloom.tour_hosted import DECLINED, MADA, STRIPE_ASKS, VISA, at_moyasar, at_paypal, at_paytabs, at_stripe, to_hosted_page
from payloom.tour_people import Browser, Chatter, Page, expect
from payloom.tour_scenes import DAY_S, Tour, escrow_of, made_link, new_order, paid_page
from payloom.tour_trouble import quickly_done, reports_a_problem
from usecases.disputes import resolve_dispute

ACCOUNT = re.compile(r"\bTEMP\w{8}\b")


async def sells(tour: Tour, words: str) -> str:
    """One message, one tap: a link; its name."""
    name = words.partition(":")[0]
    with tour.printer.hushed(f"Amina sells {words}"):
        await tour.amina.say(words.replace(":", ""))
        await tour.amina.tap("do.create")
        await made_link(tour, name)
    return name


async def web_hosted(tour: Tour, who: str, link: str, method: str) -> tuple[Browser, str, Page]:
    """From the product page to the gateway's own; with the path of the page that waits for it."""
    browser = Browser(tour.wire, who)
    page = await browser.open(f"/buy/{tour.links[link]}")
    page = await browser.submit(page, "/buy/", name=who, address="Westlands, Muthithi Road 3", method=method)
    return browser, page.path, await to_hosted_page(browser, page)


async def button_to(person: Chatter, holds: str) -> str:
    """The address of the newest button that leads to such a place; empty where there is none."""
    buttons = [button for message in await person.messages() for row in message["buttons"] for button in row]
    return next((str(button["url"]) for button in reversed(buttons) if holds in (button["url"] or "")), "")


async def receipt_of(tour: Tour, number: str) -> str:
    """What the gateway calls the payment of an order."""
    hall = tour.streets.house.hall
    order = await hall.store.read(lambda unit: unit.orders.by_number(number))
    attempt = await hall.store.read(lambda unit: unit.payments.attempt(order.attempt_id)) if order is not None else None
    return str(attempt.receipt) if attempt is not None else ""


async def confirms_on_the_page(tour: Tour, browser: Browser, page: Page, number: str) -> None:
    await tour.amina.tap("act.delivered", on=number)
    page = await browser.open(page.path)
    page = await browser.open(next(link for link in page.links if link.endswith("/confirm")))
    await browser.submit(page, "/confirm")
    await tour.amina.hears("fact.seller.order_completed", number, step_s=1)
    tour.check(await escrow_of(tour, number) == "RELEASED", f"{browser.who} confirms on the page, and order {number} is released")


async def pays_by_card(tour: Tour) -> None:
    browser, ours, page = await web_hosted(tour, "Nia", "Red sneakers", "visa")
    tour.check(page.path.startswith("/town/stripe/"), "a card is typed on Stripe's page, never on ours")
    page = await at_stripe(browser, page, DECLINED)
    tour.check(page.path.startswith("/town/stripe/"), "a card that her bank declines takes nothing; the page waits for another one")
    await at_stripe(browser, page, STRIPE_ASKS)
    page = await paid_page(tour, browser, ours)
    tour.check("2,500" in page.text, "her bank asked whether it is her (3-D Secure), and she is led back to her order")
    await confirms_on_the_page(tour, browser, page, await new_order(tour, "Nia"))


async def bank_takes_it_back(tour: Tour) -> None:
    number = tour.orders["Nia"]
    await tour.wire.pass_time(20 * DAY_S, "20 days pass: the order is long over, the money is in Amina's wallet")
    case = await tour.wire.act("/stripe/dispute", charge=await receipt_of(tour, number), reason="fraudulent")
    await tour.amina.hears("fact.seller.chargeback_opened_after", number)
    tour.check(await escrow_of(tour, number) == "RELEASED", "Nia's bank took 2,500 back; it comes out of Amina's wallet, and she is told")
    await tour.wire.act("/stripe/dispute/close", dispute=case["id"], won="no")
    await tour.amina.hears("fact.seller.chargeback_lost", number)
    tour.check(True, "the bank decided for Nia, and Amina is told that it is gone for good")


async def pays_with_paypal(tour: Tour) -> None:
    link = await sells(tour, "Kikoy: 30 USD")
    browser, _, page = await web_hosted(tour, "Omar", link, "paypal")
    await at_paypal(browser, page, button="close")
    tour.printer.note("Omar has paid, and closes the window without coming back")
    number = await new_order(tour, "Omar")
    tour.check(True, "PayPal's own word is enough: Amina is told of 30 dollars although nobody came back")
    await tour.amina.tap("act.refund", on=number)
    await tour.amina.tap("do.yes_refund")
    await given_back(tour, number)
    books = (await tour.wire.look("/paypal/books"))[-1]
    tour.check((books["kind"], books["units"]) == ("refund", -3000), "Amina cannot send it: PayPal has given all of it back")


async def given_back(tour: Tour, number: str) -> None:
    """Wait until the gateway has done what was asked for."""

    async def done() -> bool:
        order = await tour.streets.house.hall.store.read(lambda unit: unit.orders.by_number(number))
        expect(order is not None, f"order {number} is there")
        refunds = await tour.streets.house.hall.store.read(lambda unit: unit.payments.refunds_of(order.attempt_id) if order else [])
        return bool(refunds) and all(str(refund.state) == "DONE" for refund in refunds)

    await tour.wire.eventually(done, f"the money of order {number} is given back", step_s=31)


async def pays_in_dirhams(tour: Tour) -> None:
    link = await sells(tour, "Silver ring: 120 AED")
    browser, ours, page = await web_hosted(tour, "Pendo", link, "visa")
    tour.check(page.path.startswith("/town/paytabs/"), "dirhams go to the gateway that settles them at home: PayTabs")
    page = await at_paytabs(browser, page, confirms=False)
    tour.check(
        page.path == ours and "Not paid" in page.text, "Pendo tells her bank that it is not her: nothing is taken, and the page says so"
    )
    page = await to_hosted_page(browser, await browser.submit(page, "/retry"))
    await at_paytabs(browser, page)
    page = await paid_page(tour, browser, ours)
    await confirms_on_the_page(tour, browser, page, await new_order(tour, "Pendo"))


async def pays_by_mada(tour: Tour) -> None:
    link = await sells(tour, "Oud: 150 SAR")
    salma = await tour.newcomer("Salma", 2013)
    await salma.start(tour.links[link])
    await salma.tap("do.buy_one")
    await salma.say("Riyadh, Olaya Street 7")
    await salma.tap("mada")
    await salma.tap("do.pay")

    async def page() -> str:
        return await button_to(salma, "/town/moyasar/")

    browser = Browser(tour.wire, "Salma")
    await at_moyasar(browser, await browser.open(await tour.wire.eventually(page, "Salma is shown the way to Moyasar")), MADA)
    number = await new_order(tour, "Salma")
    await salma.hears("buy.paid", "150")
    tour.check(True, "picked in the chat, paid with a mada card on Moyasar's page")
    await tour.amina.tap("act.delivered", on=number)
    await reports_a_problem(tour, salma, number, "Half of it is spilled.")
    tour.printer.note("⚖ the arbiter decides: 50 riyals back to Salma, the rest to Amina")
    await tour.streets.house.hall.store.write(resolve_dispute, Actor(Party.ADMIN, "tour"), number, "split", Money(5_000, "SAR"))
    await salma.hears("fact.buyer.dispute_decided")
    await salma.hears("fact.buyer.refund_done", step_s=31)
    books = (await tour.wire.look("/moyasar/books"))[-1]
    tour.check((books["kind"], books["amount"]) == ("refund", 5_000), "a part of a card payment went back to the card")


async def pays_inside_telegram(tour: Tour) -> None:
    wanja = await tour.newcomer("Wanja", 2015)
    await wanja.start(tour.links["Red sneakers"])
    await wanja.tap("do.buy_one")
    await wanja.say("Lavington, James Gichuru Road")
    await wanja.tap("inside Telegram")
    await wanja.tap("do.pay")

    async def invoice() -> str:
        return (await button_to(wanja, "t.me/$")).rpartition("$")[2]

    slug: str = await tour.wire.eventually(invoice, "Wanja has the invoice before her")
    outcome = await tour.wire.act(f"/telegram/{wanja.number}/pay", slug=slug, card=DECLINED)
    expect(outcome["state"] == "declined", f"the card is declined: {outcome}")
    await tour.wire.pass_time(31, "Telegram declines a card, and tells us nothing of it; half a minute later another one may be tried")
    outcome = await tour.wire.act(f"/telegram/{wanja.number}/pay", slug=slug, card=VISA)
    expect(outcome["state"] == "paid", f"the other card pays: {outcome}")
    order = await new_order(tour, "Wanja")
    tour.check(True, "a card is typed in Telegram itself, and Telegram's word makes the order")
    await quickly_done(tour, wanja, order)


async def pays_by_hand(tour: Tour) -> None:
    await tour.streets.take_by_hand()
    tatu = await tour.newcomer("Tatu", 2014)
    browser = Browser(tour.wire, "Tatu")
    page = await browser.open(f"/buy/{tour.links['Red sneakers']}")
    page = await browser.submit(page, "/buy/", phone=f"0{tatu.msisdn[3:]}", name="Tatu", address="Thika Road 9")
    ours = page.path
    await tatu.pin("cancel")
    page = await browser.open(ours)
    code, found = tour.streets.settings.mpesa_short_code, ACCOUNT.search(page.text)
    expect(found and code in page.text, "the page says what to type in the M-Pesa menu")
    account = found.group() if found else ""
    tour.printer.note(f"📱 Tatu: Lipa na M-Pesa, Pay Bill {code}, account {account}, 2500, PIN")
    await tour.wire.act(f"/phone/{tatu.msisdn}/pay", short_code=code, account=account, amount=2500)
    page = await paid_page(tour, browser, ours)
    number = await new_order(tour, "Tatu")
    tour.check("2,500" in page.text, "paid from the menu of the phone: the page goes on by itself")
    await tatu.open(next(link for link in page.links if link.startswith("https://t.me/")))
    await tour.wire.pass_time(10, "M-Pesa is asked about the receipt")
    await quickly_done(tour, tatu, number)
