"""G9: a gateway's own books are read whole or not at all, whichever gateway it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.payment import About
from domain.statement import KeepsBooks, NoBooks
from gateways.payments.daraja import Daraja
from gateways.payments.daraja_c2b import DarajaC2b, _recorded
from tests.gateways.test_contract import CREDENTIALS, NAMES, offline

LISTLESS = {"daraja", "paytabs", "telegram"}
"""Daraja lists what was paid by hand, through DarajaC2b; PayTabs and Telegram list nothing."""


def keeper(name: str) -> Any:
    gateway = offline(name)
    return DarajaC2b(gateway) if isinstance(gateway, Daraja) else gateway


@pytest.mark.parametrize("name", NAMES)
def test_who_keeps_books_says_so(name: str) -> None:
    assert isinstance(offline(name), KeepsBooks) is (name not in LISTLESS)


@pytest.mark.parametrize("name", sorted({*NAMES, "daraja"} - {"paytabs", "telegram"}))
async def test_a_list_that_cannot_be_had_is_never_empty(name: str) -> None:
    """Nobody answers; and without credentials nobody is asked."""
    gateway, now = keeper(name), datetime.now(UTC)
    assert About.PAYMENT in gateway.books.whole
    for credentials in (CREDENTIALS[name], {}):
        with pytest.raises(NoBooks, match=r"\w"):
            await gateway.records(now - timedelta(days=1), now, credentials)


LINE = b'{"transactionId": "SJK4H7L2QX", "amount": "10.00", "billreference": "", "msisdn": 1, "short_code": "600000", "trxDate": "%s"}'


@pytest.mark.parametrize("written", [b"2026-11-21T12:00:00+03:00", b"2026-11-21 12:00:00", b"2026-11-21T09:00:00Z"])
def test_darajas_times_are_nairobis_where_they_do_not_say(written: bytes) -> None:
    assert _recorded(LINE % written).at == datetime(2026, 11, 21, 9, tzinfo=UTC)
