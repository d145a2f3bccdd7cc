"""A gateway that keeps books, and a desk that lays them beside ours, without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from domain.money import Money
from domain.order import Order
from domain.payment import About, Record
from domain.reconcile import Kind
from domain.statement import Bookkeeping, NoBooks
from tests.factories import Street
from tests.fakes import FakeGateway, GroundStore
from usecases import reconcile as reconciling
from usecases.gateways import PLATFORM
from usecases.reconcile import Account, Books, Day, Result, reconcile

TODAY = date(2026, 11, 21)


@dataclass
class Listing(FakeGateway):
    """A gateway that keeps books: `lines` are all of them; `broken` is why they cannot be read."""

    lines: list[Record] = field(default_factory=list)
    keeps: Bookkeeping = field(default_factory=lambda: Bookkeeping(frozenset(About)))
    broken: str = ""
    read: list[tuple[datetime, datetime, Mapping[str, str]]] = field(default_factory=list)

    @property
    def books(self) -> Bookkeeping:
        return self.keeps

    async def records(self, since: datetime, until: datetime, credentials: Mapping[str, str]) -> Sequence[Record]:
        self.read.append((since, until, credentials))
        if self.broken:
            raise NoBooks(self.broken)
        return [line for line in self.lines if since <= line.at < until]


@dataclass
class Desk:
    """Reads days, with a gateway that keeps books."""

    street: Street
    gateway: Any = field(default_factory=Listing)
    by_hand: Any = None
    listed: bool = False
    paused: list[timedelta] = field(default_factory=list)
    most: int = reconciling.MOST_ASKED

    @property
    def books(self) -> Books:
        async def pause(step: timedelta) -> None:
            self.paused.append(step)

        return Books(GroundStore(self.street.ground), {"daraja": self.gateway}, self.by_hand, pause, self.most)

    def day(self, day: date = TODAY, owner_id: Any = PLATFORM) -> Day:
        return Day(Account("daraja", owner_id, self.listed), day, self.street.ground.clock.at)

    async def reads(self, day: date = TODAY, **more: Any) -> Result:
        result = await reconcile(self.books, self.day(day, **more), asked=True)
        assert result is not None
        return result

    async def finds(self, day: date = TODAY, **more: Any) -> list[tuple[Kind, str | None, Money | None, Money | None]]:
        return [(one.kind, one.receipt, one.theirs, one.ours) for one in (await self.reads(day, **more)).differences]

    def paid(self, **changes: Any) -> Order:
        """A sale that both sides have."""
        order = self.street.paid(**changes)
        self.gateway.lines.append(self.line(order))
        return order

    def line(self, order: Order, **changes: Any) -> Record:
        receipt = f"R{order.attempt_id}"
        return replace(Record(About.PAYMENT, receipt, receipt, order.total, self.street.ground.clock.at, Money(100, "KES")), **changes)
