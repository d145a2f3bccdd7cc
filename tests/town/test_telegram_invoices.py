"""Promises of the town's invoices: checked as Telegram checks them, paid on a sheet, the bot asked before the bank, and told of it once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.town.telegram_sides import Sides, running_town
from town.telegram.service import PROVIDER_TOKEN

Json = dict[str, Any]
ASKED: Json = {
    "title": "Sneakers", "description": "Red, size 42", "payload": "p" * 128, "provider_token": PROVIDER_TOKEN, "currency": "KES",
    "prices": [{"label": "Sneakers", "amount": 240_000}, {"label": "Delivery", "amount": 10_000}],
}  # fmt: skip
DECLINED, POOR = "4000000000000002", "4000 0000 0000 0069"
BRIAN, ASHA = 1, 2


@pytest_asyncio.fixture
async def t() -> AsyncIterator[Sides]:
    async with running_town() as sides:
        await sides.act(BRIAN, "start")
        yield sides


async def slug(t: Sides, **changes: Any) -> str:
    link: str = await t.ok("createInvoiceLink", **{**ASKED, **changes})
    assert link.startswith("https://t.me/$")
    return link.removeprefix("https://t.me/$")


async def updates(t: Sides, kind: str, **asked: Any) -> list[Json]:
    """Those of a kind that wait, as soon as there is one."""
    async with asyncio.timeout(5):
        while True:
            found = [one[kind] for one in await t.ok("getUpdates", **asked) if kind in one]
            if found:
                return found
            await asyncio.sleep(0.01)


async def paying(t: Sides, user: int = BRIAN, answer: Json | None = None, **invoice: Any) -> Json:
    """Press Pay on the sheet while the bot answers."""
    task = asyncio.ensure_future(t.act(user, "pay", **invoice))
    (query,) = await updates(t, "pre_checkout_query")
    await t.ok("answerPreCheckoutQuery", pre_checkout_query_id=query["id"], **(answer or {"ok": True}))
    paid: Json = await task
    return {**paid, "query": query}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"title": ""}, 'parameter "title" is required'),
        ({"description": None}, 'parameter "description" is required'),
        ({"payload": ""}, 'parameter "payload" is required'),
        ({"currency": " "}, 'parameter "currency" is required'),
        ({"provider_token": ""}, "provider_token is empty"),
        ({"provider_token": "1:LIVE:x"}, "PAYMENT_PROVIDER_INVALID"),
        ({"title": "x" * 33}, "TITLE_INVALID"),
        ({"description": "x" * 256}, "DESCRIPTION_INVALID"),
        ({"payload": "é" * 65}, "INVOICE_PAYLOAD_INVALID"),
        ({"currency": "KSH"}, "CURRENCY_INVALID"),
        ({"prices": []}, "there must be at least one price"),
        ({"prices": "x"}, "can't parse prices JSON object"),
        ({"prices": {}}, "array expected as prices"),
        ({"prices": [1]}, "can't parse labeled price: LabeledPrice must be an Object"),
        ({"prices": [{"label": "", "amount": 1}]}, 'can\'t parse labeled price: Field "label" must be a non-empty String'),
        ({"prices": [{"label": "x", "amount": "1"}]}, 'can\'t parse labeled price: Field "amount" must be of type Number'),
        ({"prices": [{"label": "x", "amount": 10_300}]}, "CURRENCY_TOTAL_AMOUNT_INVALID"),
        ({"prices": [{"label": "x", "amount": 100_000_000}]}, "CURRENCY_TOTAL_AMOUNT_INVALID"),
    ],
)
async def test_an_invoice_is_checked_as_telegram_checks_it(t: Sides, wrong: Json, said: str) -> None:
    assert await t.refused("createInvoiceLink", **{**ASKED, **wrong}) == f"400 Bad Request: {said}"
    assert await t.refused("sendInvoice", chat_id=BRIAN, **{**ASKED, **wrong}) == f"400 Bad Request: {said}"
    assert t.town.telegram.invoices == {}


async def test_an_invoice_needs_a_chat_and_its_first_button_pays(t: Sides) -> None:
    assert await t.refused("sendInvoice", chat_id=99, **ASKED) == "400 Bad Request: chat not found"
    keys = {"inline_keyboard": [[{"text": "No", "callback_data": "n"}]]}
    assert await t.refused("sendInvoice", chat_id=BRIAN, reply_markup=keys, **ASKED) == "400 Bad Request: REPLY_MARKUP_BUY_EMPTY"
    keys["inline_keyboard"][0].insert(0, {"text": "Buy it", "pay": True})  # type: ignore[dict-item]
    sent = await t.ok("sendInvoice", chat_id=BRIAN, reply_markup=keys, **ASKED)
    assert sent["reply_markup"]["inline_keyboard"][0][0] == {"text": "Buy it", "pay": True}
    assert sent["invoice"]["total_amount"] == 250_000


async def test_the_card_in_the_chat_shows_what_it_asks_for_and_its_button_opens_the_sheet(t: Sides) -> None:
    sent = await t.ok("sendInvoice", chat_id=BRIAN, start_parameter="s", **ASKED)
    card = (await t.look(BRIAN, "messages"))[-1]
    assert card["invoice"] == {
        "slug": next(iter(t.town.telegram.invoices)), "title": "Sneakers", "description": "Red, size 42", "total": "KES 2,500.00",
    }  # fmt: skip
    assert card["buttons"][0][0] == {
        "text": "Pay KES 2,500.00", "data": None, "url": None, "copy": None, "switch_inline": None, "current_chat": False, "web_app": None,
        "style": None, "pay": True,
    }  # fmt: skip
    pressed = await t.act(BRIAN, "tap", message_id=sent["message_id"], button="Pay KES 2,500.00")
    sheet = await t.act(BRIAN, "invoice", slug=pressed["invoice"])
    assert sheet == await t.act(BRIAN, "invoice", message_id=sent["message_id"])
    assert (sheet["total"], sheet["test"], sheet["paid"], len(sheet["prices"])) == ("KES 2,500.00", True, 0, 2)


@pytest.mark.parametrize("shape", ["https://t.me/${}", "https://t.me/invoice/{}", "https://telegram.me/${}"])
async def test_a_link_opens_the_sheet_for_anybody(t: Sides, shape: str) -> None:
    made = await slug(t)
    assert (await t.act(ASHA, "open", url=shape.format(made)))["invoice"] == made
    assert (await t.act(ASHA, "invoice", slug=made))["title"] == "Sneakers"


async def test_what_is_no_invoice_opens_nothing(t: Sides) -> None:
    words = await t.ok("sendMessage", chat_id=BRIAN, text="hello")
    await t.act(BRIAN, "invoice", 404, message_id=words["message_id"])
    await t.act(BRIAN, "invoice", 404, slug="nothing")
    await t.act(BRIAN, "pay", 404, slug="nothing")
    assert (await t.act(BRIAN, "open", url="https://example.com/$x"))["invoice"] is None


async def test_a_payment_asks_the_bot_takes_the_money_and_tells_of_it(t: Sides) -> None:
    outcome = await paying(t, slug=await slug(t))
    assert {name: outcome["query"][name] for name in ("currency", "total_amount", "invoice_payload")} == {
        "currency": "KES", "total_amount": 250_000, "invoice_payload": "p" * 128,
    }  # fmt: skip
    assert outcome["query"]["from"]["id"] == BRIAN
    assert outcome["state"] == "paid"
    told = [one["successful_payment"] for one in await updates(t, "message") if "successful_payment" in one]
    (line,) = t.town.telegram.payments
    assert told == [{
        "currency": "KES", "total_amount": 250_000, "invoice_payload": "p" * 128,
        "telegram_payment_charge_id": line["telegram_charge"], "provider_payment_charge_id": line["provider_charge"],
    }]  # fmt: skip
    assert (await t.look(BRIAN, "messages"))[-1]["paid"] == {"amount": 250_000, "currency": "KES", "back": False}


async def test_a_no_of_the_bot_is_shown_and_nothing_is_charged(t: Sides) -> None:
    outcome = await paying(t, answer={"ok": False, "error_message": "Sold a second ago."}, slug=await slug(t))
    assert (outcome["state"], outcome["said"]) == ("refused", "Sold a second ago.")
    assert t.town.telegram.payments == []


@pytest.mark.parametrize("card", [DECLINED, POOR])
async def test_a_card_that_is_declined_is_not_told_to_the_bot(t: Sides, card: str) -> None:
    outcome = await paying(t, card=card, slug=await slug(t))
    assert outcome["state"] == "declined"
    assert not any("successful_payment" in one for one in await updates(t, "message"))


async def test_a_mistyped_card_is_refused_before_the_bot_is_asked(t: Sides) -> None:
    made = await slug(t)
    await t.act(BRIAN, "pay", 400, slug=made, card="4242")
    assert not any("pre_checkout_query" in one for one in await t.ok("getUpdates"))


async def test_a_bot_that_is_late_lets_nothing_be_charged_and_hears_that_it_is_late(t: Sides) -> None:
    t.town.telegram.pre_checkout_life_s = 0.05
    outcome = await t.act(BRIAN, "pay", slug=await slug(t))
    assert outcome["state"] == "timed_out"
    (query,) = await updates(t, "pre_checkout_query")
    late = "400 Bad Request: query is too old and response timeout expired or query ID is invalid"
    assert await t.refused("answerPreCheckoutQuery", pre_checkout_query_id=query["id"], ok=True) == late
    assert t.town.telegram.payments == []


async def test_an_answer_is_checked_and_counts_once(t: Sides) -> None:
    task = asyncio.ensure_future(t.act(BRIAN, "pay", slug=await slug(t)))
    number = (await updates(t, "pre_checkout_query"))[0]["id"]
    assert await t.refused("answerPreCheckoutQuery", ok=True) == '400 Bad Request: parameter "pre_checkout_query_id" is required'
    assert await t.refused("answerPreCheckoutQuery", pre_checkout_query_id=number) == '400 Bad Request: parameter "ok" is required'
    silent = await t.refused("answerPreCheckoutQuery", pre_checkout_query_id=number, ok=False)
    assert silent == "400 Bad Request: error message must be non-empty"
    assert (await t.refused("answerPreCheckoutQuery", pre_checkout_query_id="1", ok=True)).startswith("400 Bad Request: query is too old")
    await t.ok("answerPreCheckoutQuery", pre_checkout_query_id=number, ok="true")
    assert (await task)["state"] == "paid"
    assert (await t.refused("answerPreCheckoutQuery", pre_checkout_query_id=number, ok=True)).startswith("400 Bad Request: query is too")


async def test_a_bot_that_did_not_ask_for_it_is_not_asked(t: Sides) -> None:
    t.town.telegram.pre_checkout_life_s = 0.05
    await t.ok("getUpdates", allowed_updates=["message"])
    assert (await t.act(BRIAN, "pay", slug=await slug(t)))["state"] == "timed_out"
    assert not any("pre_checkout_query" in one for one in await t.ok("getUpdates"))
