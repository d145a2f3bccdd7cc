"""Money from the M-Pesa menu of a phone of the town, to a paybill and to a till: what the phone is told, and what becomes of the message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from domain.by_hand import account_of
from payloom.audit import audit
from payloom.streets import Streets, town_settings
from payloom.tour_people import Wire
from payloom.tour_print import Printer
from tests.bot.town import Here, free_port
from tests.flows.test_by_hand import begins, order_of, proved, town_by_hand
from town.daraja.server import DEFAULT_APP

TILL = "700222"


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    async with town_by_hand(tmp_path) as found:
        yield found


@pytest.fixture
async def kiosk(tmp_path: Path) -> AsyncIterator[Here]:
    """The same town, paid at a till."""
    settings = town_settings(tmp_path, port := free_port(), mpesa_transaction_type="BUYGOODS", mpesa_till=TILL)
    streets = Streets(settings, seed=7, by_hand=True)
    about = {name: getattr(DEFAULT_APP, name) for name in ("key", "secret", "short_code", "passkey")}
    streets.town.daraja.add_app(**about, kind="BUYGOODS", till=TILL, name="PAYLOOM")
    await streets.open()
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            found = Here(streets, Wire(session, f"http://127.0.0.1:{port}", Printer(quiet=True)))
            await found.opens_shop()
            yield found
            report = await audit(streets.settings, now=streets.core.clock.now())
            assert [finding.name for finding in report.broken] == []
    finally:
        await streets.close()


async def pays(here: Here, buyer: Any, **order: Any) -> tuple[str, str]:
    """(receipt, SMS)."""
    said = await here.wire.act(f"/phone/{buyer.msisdn}/pay", **{"amount": 2500, "pin": "1234", **order})
    return str(said["receipt"] or ""), str(said["said"])


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"account": "INV00042"}, "The account number INV00042 is not correct for PAYLOOM."),
        ({"amount": 2499}, "The amount Ksh2,499.00 is not correct for account {account} of PAYLOOM."),
        ({"pin": "9999"}, "You have entered a wrong M-PESA PIN."),
    ],
)
async def test_the_phone_is_told_why_nothing_was_paid(here: Here, changed: dict[str, Any], why: str) -> None:
    """C8, C14: refused before the money moves, in words."""
    buyer, checkout = await begins(here)
    account = account_of(checkout.number)
    receipt, said = await pays(here, buyer, **{"service": "paybill", "short_code": "174379", "account": account, **changed})
    assert (receipt, said.startswith(f"Failed. {why.format(account=account)}")) == ("", True)
    assert await order_of(here, checkout) is None


async def test_a_till_is_paid_without_an_account_and_its_message_makes_the_order(kiosk: Here) -> None:
    """Buy Goods names no checkout: the money waits apart until the buyer shows the message."""
    buyer, checkout = await begins(kiosk)
    receipt, said = await pays(kiosk, buyer, service="till", short_code=TILL)
    assert said.startswith(f"{receipt} Confirmed. Ksh2,500.00 paid to PAYLOOM. on ")
    await kiosk.wire.pass_time(3)
    assert await order_of(kiosk, checkout) is None
    await buyer.say("/paid")
    await buyer.say(said)
    await kiosk.wire.pass_time(3)
    await proved(kiosk, checkout)
