"""Back room: Stripe's own lists: the refunds of a payment, and the balance transactions that reconciliation reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import stripe

from domain.payment import About, Attempt, Record, Refund, Unreadable
from gateways.payments.stripe_events import REFUND, Session, amount_of, an_id, optional_id, read_session
from gateways.payments.stripe_units import Units

PAGE: Final = 100
MOST_PAGES: Final = 1000
CLOCKS_DIFFER_S: Final = 300
SENT_WITHIN_S: Final = 3600
"""An attempt is sent long before this, or never."""
_SOURCES: Final = {"charge": About.PAYMENT, "refund": About.REFUND, "dispute": About.CHARGEBACK}
_TYPES: Final = frozenset(
    {"charge", "payment", "refund", "payment_refund", "refund_failure", "payment_failure_refund", "adjustment", "payment_reversal"}
)
"""Kinds of balance transactions that are about sales; payouts, transfers, fees and the rest are not."""


class Books:
    """Of one account. Every list raises Unreadable for what is no list, and stripe.StripeError."""

    def __init__(self, client: stripe.StripeClient, units: Units) -> None:
        self._client = client
        self._units = units

    async def session_of(self, attempt: Attempt) -> Session | None:
        """GET /v1/checkout/sessions made since the attempt was: the one with our id. None when the list is whole and it is not in it."""
        began = int(attempt.created_at.timestamp())
        asked: Any = {"created": {"gte": began - CLOCKS_DIFFER_S, "lte": began + SENT_WITHIN_S}}
        async for one in _all(self._client.v1.checkout.sessions.list_async, asked):
            if one.get("client_reference_id") == str(attempt.id):
                return read_session(one, self._units)
        return None

    async def refund_of_ours(self, receipt: str, refund: Refund) -> Mapping[str, Any] | None:
        """GET /v1/refunds of the payment: the one with our id, as it stands now."""
        asked: Any = {"payment_intent": receipt}
        async for one in _all(self._client.v1.refunds.list_async, asked):
            metadata = one.get("metadata")
            if (isinstance(metadata, dict) and metadata.get(REFUND) == str(refund.id)) or one.get("id") == refund.ref:
                return one
        return None

    async def records(self, since: datetime, until: datetime) -> list[Record]:
        """From `since` on, before `until`, newest first, as Stripe lists them."""
        created = {"gte": int(since.timestamp()), "lt": int(until.timestamp())}
        asked: Any = {"created": created, "expand": ["data.source"]}
        lines = [one async for one in _all(self._client.v1.balance_transactions.list_async, asked)]
        return [record for line in lines if (record := self._record(line)) is not None]

    def _record(self, line: Mapping[str, Any]) -> Record | None:
        """None for what is not about a sale, or not in a currency of ours."""
        source = line.get("source")
        if line.get("type") not in _TYPES or source is None:
            return None
        if not isinstance(source, dict):
            raise Unreadable("source")
        about = _SOURCES.get(str(source.get("object")))
        moved, settled_in = amount_of(line, "amount")
        fee, _ = amount_of({**line, "currency": settled_in}, "fee")
        created = line.get("created")
        if about is None:
            return None
        if type(created) is not int or not 0 <= created < 1 << 40:
            raise Unreadable("created")
        amount, currency = amount_of(source, "amount")
        money = self._units.back(amount, currency)
        if money is None:
            return None
        came_in = moved > 0
        turned_back = came_in is not (about is About.PAYMENT)
        return Record(
            about,
            an_id(source.get("id"), "id"),
            optional_id(source.get("payment_intent")),
            -money if turned_back else money,
            datetime.fromtimestamp(created, UTC),
            self._units.back(fee, settled_in),
        )


async def _all(ask: Callable[[Any], Awaitable[Any]], asked: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
    """Everything in a list, page by page."""
    after: dict[str, str] = {}
    for _ in range(MOST_PAGES):
        page = (await ask({**asked, **after, "limit": PAGE})).to_dict()
        data, more = page.get("data"), page.get("has_more")
        if not isinstance(data, list) or not all(isinstance(one, dict) for one in data) or not isinstance(more, bool):
            raise Unreadable("a list")
        for one in data:
            yield one
        if not more:
            return
        if not data:
            raise Unreadable("a list that is empty and goes on")
        after = {"starting_after": an_id(data[-1].get("id"), "id")}
    raise Unreadable("a list without end")
