"""Whose account the address of a callback belongs to, with the secrets by which its events are checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from aiohttp import web

from domain.errors import NotFound
from domain.ids import AttemptId, OrganizationId, RefundId
from domain.payment import Notice
from domain.ports import Unit
from domain.tokens import Purpose
from usecases.gateways import ACCOUNTS as RUNG
from usecases.gateways import PLATFORM, credentials_of
from usecases.hall import Hall

FRESH_S: Final = 1.0
"""An account that was read so short a time ago is not read again for the next event, unless the bell says that secrets changed."""
MOST: Final = 200
"""Accounts that are remembered."""
_OWNERS: Final = (Purpose.SETTINGS, Purpose.ATTEMPT, Purpose.REFUND)


@dataclass(frozen=True, slots=True)
class Account:
    """Whose account an address belongs to, with what its events are checked; `attempt_id` or `refund_id` where the address is of one alone."""

    owner: OrganizationId
    credentials: Mapping[str, str]
    attempt_id: AttemptId | None = None
    refund_id: RefundId | None = None

    def headers(self) -> dict[str, Any]:
        named = {"owner": self.owner, "attempt_id": self.attempt_id, "refund_id": self.refund_id}
        return {name: number for name, number in named.items() if number is not None}

    def of(self, notice: Notice) -> Notice:
        """The notice with what the address says of it."""
        return replace(
            notice,
            owner=self.owner,
            attempt_id=notice.attempt_id if self.attempt_id is None else self.attempt_id,
            refund_id=notice.refund_id if self.refund_id is None else self.refund_id,
        )


def account_of(unit: Unit, gateway: str, purpose: Purpose | None, number: int) -> Account:
    """Raises NotFound for an account that is not set up, and for an attempt or a refund of another gateway."""
    owner, attempt, refund = OrganizationId(number), None, None
    if purpose is Purpose.REFUND:
        refund = unit.payments.refund(RefundId(number))
        number = 0 if refund is None else refund.attempt_id
    if purpose in {Purpose.ATTEMPT, Purpose.REFUND}:
        attempt = unit.payments.attempt(AttemptId(number))
        if attempt is None or attempt.gateway != gateway:
            raise NotFound(what="attempt")
        owner = attempt.organization_id if attempt.direct else PLATFORM
    credentials = credentials_of(unit, owner, gateway, owner != PLATFORM)
    return Account(owner, credentials, None if attempt is None else attempt.id, None if refund is None else refund.id)


class Accounts:
    """Remembers `most` of them for `fresh_s`, so that a rush of events does not read the same secrets from the database for each of them."""

    def __init__(self, hall: Hall, fresh_s: float = FRESH_S, most: int = MOST) -> None:
        self._hall = hall
        self._fresh_s = fresh_s
        self._most = most
        self._known: dict[tuple[str, str], tuple[float, Account]] = {}
        self._rung = 0
        self._stop: Callable[[], None] | None = None

    def start(self) -> None:
        self._stop = self._hall.bell.listen(RUNG, self._forget)

    def stop(self) -> None:
        if self._stop is not None:
            self._stop()

    def _forget(self, _: Mapping[str, Any]) -> None:
        self._rung += 1
        self._known.clear()

    async def of(self, gateway: str, token: str, *, anew: bool = False) -> Account | None:
        """Whose events come to this address; None for a token that is not ours and an account that nobody set up. `anew` believes nothing that is remembered."""
        now_s = self._hall.clock.monotonic_s()
        read_s, known = self._known.get((gateway, token), (0.0, None))
        if known is not None and not anew and now_s - read_s < self._fresh_s:
            return known
        self._known.pop((gateway, token), None)
        rung, account = self._rung, await self._read(gateway, token)
        if account is not None and account.attempt_id is None and rung == self._rung:  # nobody tells often of one attempt
            if len(self._known) >= self._most:
                self._known.clear()
            self._known[gateway, token] = (now_s, account)
        return account

    async def _read(self, gateway: str, token: str) -> Account | None:
        purpose, number = None, int(PLATFORM)
        if token:
            found = ((purpose, self._hall.tokens.read(purpose, token)) for purpose in _OWNERS)
            purpose, read = next(((purpose, read) for purpose, read in found if read is not None), (None, None))
            if read is None:
                return None
            number = read
        try:
            return await self._hall.store.read(account_of, gateway, purpose, number)
        except NotFound:
            return None


ACCOUNTS: Final = web.AppKey("accounts", Accounts)
