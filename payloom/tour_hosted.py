"""A buyer at the hosted pages of the town's Stripe, PayPal, PayTabs and Moyasar: types a card, answers the bank, or goes away."""

from __future__ import annotations

from payloom.tour_people import Browser, Page, expect

VISA, MASTERCARD, MADA, DECLINED = "4111111111111111", "5421080101000000", "4201320111111010", "4000000000000002"
STRIPE_VISA, STRIPE_MASTERCARD, STRIPE_ASKS = "4242424242424242", "5555555555554444", "4000002500003155"


async def to_hosted_page(browser: Browser, page: Page) -> Page:
    """From our page that waits to the gateway's."""

    async def ready() -> str:
        nonlocal page
        link = next((link for link in page.links if "/town/" in link), "")
        if not link:
            page = await browser.open(page.url)
        return link

    url: str = await browser.wire.eventually(ready, f"{browser.who} is led to the page on which they pay")
    return await browser.open(url)


async def at_stripe(browser: Browser, page: Page, card: str = STRIPE_VISA, *, confirms: bool = True) -> Page:
    """The bank asks only the holders of some cards."""
    page = await browser.submit(page, f"{page.path}/pay", card=card)
    if card != STRIPE_ASKS:
        return page
    return await browser.submit(page, f"{page.path}/{'confirm' if confirms else 'refuse'}")


async def at_paypal(browser: Browser, page: Page, funding: str = "balance", button: str = "pay") -> Page:
    page = await browser.press(page, "login")
    return await browser.press(page, button, funding=funding)


async def at_paytabs(browser: Browser, page: Page, card: str = VISA, *, confirms: bool = True) -> Page:
    return await _asked_by_the_bank(browser, await browser.press(page, "card", number=card), confirms=confirms)


async def at_moyasar(browser: Browser, page: Page, card: str = MADA, *, confirms: bool = True) -> Page:
    return await _asked_by_the_bank(browser, await browser.press(page, "creditcard", number=card), confirms=confirms)


async def _asked_by_the_bank(browser: Browser, page: Page, *, confirms: bool) -> Page:
    expect(any(("answer", "ok") in form.buttons for form in page.forms), f"the bank asks {browser.who} whether it is them")
    return await browser.press(page, "ok" if confirms else "fail")


async def by_stc_pay(browser: Browser, page: Page, code: str = "123456") -> Page:
    """At Moyasar: the number of the phone, then the code of the SMS."""
    page = await browser.press(page, "stcpay")
    return await browser.submit(page, page.path, otp_value=code)
