"""A whole town in which people pay from the M-Pesa menu: asked, confirmed, proved, claimed and listed over HTTP; its books and ours agree."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from domain.by_hand import account_of
from domain.payment import Checkout
from domain.ports import Unit
from payloom.audit import audit
from payloom.streets import Streets, town_settings
from payloom.tour_people import Chatter, Wire
from payloom.tour_print import Printer
from tests.bot.town import Here, free_port

SHORT_CODE = "174379"


@asynccontextmanager
async def town_by_hand(folder: Path) -> AsyncIterator[Here]:
    port = free_port()
    streets = Streets(town_settings(folder, port), seed=7, by_hand=True)
    await streets.open()
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            here = Here(streets, Wire(session, f"http://127.0.0.1:{port}", Printer(quiet=True)))
            await here.opens_shop()
            yield here
            report = await audit(streets.settings, now=streets.core.clock.now())
            assert [finding.name for finding in report.broken] == []
    finally:
        await streets.close()


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    async with town_by_hand(tmp_path) as found:
        yield found


async def checkout_of(here: Here, buyer: Chatter) -> Checkout:
    person = await here.person(buyer)
    checkout: Checkout | None = await here.read(lambda unit: unit.by_hand.latest_of_buyer(person.id))
    assert checkout is not None
    return checkout


async def begins(here: Here, prompt: str = "cancel") -> tuple[Chatter, Checkout]:
    """Somebody who buys in the chat and does not pay at the prompt."""
    buyer = await here.somebody()
    await buyer.start(here.link)
    await buyer.tap("do.buy_one")
    await buyer.say("Kilimani")
    await buyer.share_number()
    await buyer.tap("do.pay")
    if prompt:
        await buyer.pin(prompt)
    await here.wire.pass_time(2)
    return buyer, await checkout_of(here, buyer)


async def pays(here: Here, buyer: Chatter, account: str, amount: int = 2500) -> str:
    said = await here.wire.act(f"/phone/{buyer.msisdn}/pay", short_code=SHORT_CODE, account=account, amount=amount)
    return str(said["receipt"] or "")


async def fault(here: Here, name: str, **detail: Any) -> None:
    await here.wire.act("/faults", provider="daraja", fault=name, times=1, detail=detail)


async def order_of(here: Here, checkout: Checkout) -> Any:
    return await here.read(lambda unit: unit.orders.of_checkout(checkout.id))


async def proved(here: Here, checkout: Checkout) -> None:
    """There is an order, and the gateway agreed."""

    async def look() -> bool:
        order = await order_of(here, checkout)
        return order is not None and order.proved

    await here.wire.eventually(look, "the payment is proved", step_s=3)


def count(unit: Unit, table: str) -> int:
    return int(unit.session.plain(f"SELECT count(*) FROM {table}").fetchone()[0])  # type: ignore[attr-defined]


async def test_money_from_the_menu_becomes_a_proved_order(here: Here) -> None:
    """C7"""
    buyer, checkout = await begins(here)
    assert await pays(here, buyer, account_of(checkout.number).lower())
    await here.wire.pass_time(3)
    await here.wire.pass_time(3)
    await proved(here, checkout)


async def test_what_does_not_fit_is_refused_before_the_money_moves(here: Here) -> None:
    """C8, C14"""
    buyer, checkout = await begins(here)
    before = (await here.wire.look(f"/phone/{buyer.msisdn}"))["balance_minor"]
    assert await pays(here, buyer, checkout.number, 2499) == ""
    assert await pays(here, buyer, "INV00042") == ""
    assert (await here.wire.look(f"/phone/{buyer.msisdn}"))["balance_minor"] == before
    assert await order_of(here, checkout) is None


@pytest.mark.parametrize(("name", "detail"), [("duplicate_confirmation", {"count": 3}), ("late_confirmation", {"seconds": 60})])
async def test_a_confirmation_twice_or_late_counts_once(here: Here, name: str, detail: dict[str, Any]) -> None:
    """C1, C2"""
    buyer, checkout = await begins(here)
    await fault(here, name, **detail)
    await pays(here, buyer, checkout.number)
    await here.wire.pass_time(70)
    await here.wire.pass_time(5)
    await proved(here, checkout)
    assert await here.read(count, "orders") == 1


async def test_a_confirmation_that_never_came_is_found_in_the_list(here: Here) -> None:
    buyer, checkout = await begins(here)
    await fault(here, "no_confirmation")
    await pays(here, buyer, checkout.number)
    assert await order_of(here, checkout) is None
    await here.wire.pass_time(600)
    await proved(here, checkout)


async def test_a_confirmation_before_the_result_of_its_prompt_counts_once(here: Here) -> None:
    """C2: Daraja confirms prompts too."""
    await fault(here, "late_callback", seconds=20)
    _, checkout = await begins(here, "right")
    assert await order_of(here, checkout) is None
    await here.wire.pass_time(30)
    await proved(here, checkout)
    await here.wire.pass_time(30)
    assert await here.read(count, "attempts") == 1
    assert await here.read(count, "strays") == 0


async def test_a_code_is_claimed_in_the_chat(here: Here) -> None:
    buyer, checkout = await begins(here)
    await fault(here, "no_confirmation")
    receipt = await pays(here, buyer, checkout.number)
    await buyer.say(f"/paid {receipt.lower()}")
    await here.wire.pass_time(3)
    await proved(here, checkout)


async def test_a_message_is_pasted_in_the_dialog_and_a_wrong_code_is_told(here: Here) -> None:
    buyer, checkout = await begins(here)
    await buyer.tap("do.paid_already")
    await buyer.say("ZZZ9ZZZ9ZZ")
    await here.wire.pass_time(3)
    await buyer.hears("We cannot tie this code")
    await fault(here, "no_confirmation")
    await pays(here, buyer, checkout.number)
    message = (await here.wire.look(f"/phone/{buyer.msisdn}"))["sms"][-1]["text"]
    await buyer.say("/paid")
    await buyer.say(message)
    await here.wire.pass_time(3)
    await proved(here, checkout)


async def test_a_code_is_claimed_on_the_page_without_javascript(here: Here) -> None:
    buyer, checkout = await begins(here)
    await fault(here, "no_confirmation")
    receipt = await pays(here, buyer, checkout.number)
    token = here.streets.house.hall.tokens.make("pay", checkout.id)  # type: ignore[arg-type]
    base, session = here.wire.base, here.wire.session
    async with session.get(f"{base}/pay/{token}") as page:
        shown = await page.text()
    assert account_of(checkout.number) in shown
    assert f'action="/pay/{token}/claim"' in shown
    async with session.post(f"{base}/pay/{token}/claim", data={"receipt": "hello there"}) as refused:
        assert refused.status == 422
        assert "no M-Pesa code" in await refused.text()
    async with session.post(f"{base}/pay/{token}/claim", data={"receipt": receipt}, allow_redirects=False) as taken:
        assert (taken.status, taken.headers["Location"]) == (303, f"/pay/{token}/claim")
    async with session.get(f"{base}/pay/{token}/claim") as asking:
        assert receipt in await asking.text()
    await here.wire.pass_time(3)
    await proved(here, checkout)
    async with session.get(f"{base}/pay/{token}/claim", allow_redirects=False) as over:
        assert over.status == 303


async def test_somebody_elses_code_is_refused_in_the_words_of_an_unknown_one(here: Here) -> None:
    payer, theirs = await begins(here)
    receipt = await pays(here, payer, theirs.number)
    await here.wire.pass_time(3)
    thief, mine = await begins(here)
    await thief.say(f"/paid {receipt}")
    await here.wire.pass_time(3)
    await thief.hears("We cannot tie this code")
    assert await order_of(here, mine) is None


async def test_a_forged_confirmation_is_denied_by_the_gateway(here: Here) -> None:
    """C5, C7: the address is a secret; whoever learns it gets an order that nothing is released for, and that is void soon."""
    _, checkout = await begins(here)
    token = here.streets.house.hall.tokens.make("by_hand", 0)  # type: ignore[arg-type]
    body = {
        "TransID": "ZZZ9ZZZ9ZZ",
        "TransAmount": "2500.00",
        "BusinessShortCode": SHORT_CODE,
        "BillRefNumber": checkout.number,
        "MSISDN": "",
    }
    for wrong in ("0" * 48, token[:-1] + ("0" if token[-1] != "0" else "1")):
        async with here.wire.session.post(f"{here.wire.base}/callbacks/daraja/{wrong}/c2b/confirmation", json=body) as refused:
            assert refused.status == 404
    async with here.wire.session.post(f"{here.wire.base}/callbacks/daraja/{token}/c2b/confirmation", json=body) as taken:
        assert await taken.json() == {"ResultCode": 0, "ResultDesc": "Accepted"}
    order = await order_of(here, checkout)
    assert not order.proved

    async def void() -> bool:
        return str((await order_of(here, checkout)).state) == "VOID"

    await here.wire.eventually(void, "the forged payment is denied", step_s=61)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"\xff\xfe", b'{"TransID":"X"}', b'{"TransID":"SJK4H7L2QX","TransAmount":"NaN"}', b"<html>"]
)
async def test_what_cannot_be_daraja_is_kept_and_refused(here: Here, raw: bytes) -> None:
    """C16, C17"""
    token = here.streets.house.hall.tokens.make("by_hand", 0)  # type: ignore[arg-type]
    address = f"{here.wire.base}/callbacks/daraja/{token}/c2b"
    async with here.wire.session.post(f"{address}/confirmation", data=raw) as kept:
        assert kept.status == 200
    async with here.wire.session.post(f"{address}/validation", data=raw) as refused:
        assert (await refused.json())["ResultCode"] == "C2B00016"
    assert await here.read(count, "strays") == 0
