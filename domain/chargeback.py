"""Chargebacks: money that a buyer's bank takes back through the gateway that took it. A dispute is between buyer and seller in our house."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.ids import AttemptId, ChargebackId, OrderId, OrganizationId
from domain.life import ChargebackState
from domain.money import Money


@dataclass(frozen=True, slots=True)
class Chargeback:
    """One case at a bank. `source` is the account the money was booked out of; `before` the order's state when it was frozen, else empty."""

    id: ChargebackId
    attempt_id: AttemptId
    organization_id: OrganizationId
    order_id: OrderId
    gateway: str
    direct: bool
    ref: str
    money: Money
    source: str
    before: str
    state: ChargebackState
    opened_at: datetime
    ended_at: datetime | None = None
    version: int = 0


class Chargebacks(Protocol):
    def get(self, chargeback_id: ChargebackId) -> Chargeback: ...
    def by_ref(self, gateway: str, ref: str) -> Chargeback | None: ...
    def of_attempt(self, attempt_id: AttemptId) -> Sequence[Chargeback]: ...
    def add(self, chargeback: Chargeback) -> None:
        """Raises Stale when this case was written down before."""
        ...

    def save(self, chargeback: Chargeback) -> Chargeback: ...
