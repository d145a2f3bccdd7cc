"""Group pay: one checkout split into shares. Each share, or several at once, is a checkout of its own; the whole is full when all are paid.

Shares are equal but for the last unit that people can pay (a whole shilling, a cent): the first ones are that much larger, so that they add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from domain.errors import BadInput
from domain.life import CheckoutState
from domain.money import Money, split
from domain.payment import Checkout

GROUP_LASTS: Final = timedelta(hours=24)
LEAST_SHARES: Final = 2
MOST_SHARES: Final = 20

_WHOLE_ONLY: Final = frozenset({"KES", "TZS"})
"""Where nobody pays in cents: M-Pesa takes whole shillings."""
_TAKEN: Final = frozenset({CheckoutState.OPEN, CheckoutState.PAYING, CheckoutState.PAID})


def step_of(money: Money) -> int:
    """The smallest part of this amount that can be paid, in minor units."""
    return int(10**money.exponent) if money.currency in _WHOLE_ONLY and money.is_whole else 1


def check_shares(total: Money, shares: int) -> None:
    """Raises BadInput for a number of shares that this amount cannot be split into."""
    most = min(MOST_SHARES, total.amount_minor // step_of(total))
    if not LEAST_SHARES <= shares <= most:
        raise BadInput("shares", "out_of_range", least=LEAST_SHARES, limit=most)


def parts_of(money: Money, weights: Sequence[Money]) -> list[Money]:
    """In proportion to what each paid, in the steps that can be paid; they add up, and none is more than was paid."""
    step = min(step_of(one) for one in (money, *weights))
    units = split(Money(money.amount_minor // step, money.currency), [weight.amount_minor for weight in weights])
    return [part.times(step) for part in units]


@dataclass(frozen=True, slots=True)
class Group:
    """A group checkout, and everything that was ever taken of it."""

    whole: Checkout
    taken: Sequence[Checkout]

    @property
    def held(self) -> Sequence[Checkout]:
        """Paid, or kept for somebody who is paying."""
        return [share for share in self.taken if share.state in _TAKEN]

    @property
    def paid(self) -> Sequence[Checkout]:
        return [share for share in self.taken if share.state is CheckoutState.PAID]

    @property
    def paid_shares(self) -> int:
        return sum(share.shares for share in self.paid)

    @property
    def paid_money(self) -> Money:
        return Money(sum(share.total.amount_minor for share in self.paid), self.whole.total.currency)

    @property
    def free(self) -> int:
        return self.whole.shares - sum(share.shares for share in self.held)

    @property
    def is_full(self) -> bool:
        return self.paid_shares == self.whole.shares

    @property
    def _small(self) -> int:
        """A plain share, in steps."""
        return self.whole.total.amount_minor // step_of(self.whole.total) // self.whole.shares

    @property
    def _larger(self) -> int:
        """How many of the free shares are one step larger."""
        steps = self.whole.total.amount_minor // step_of(self.whole.total)
        return steps - self._small * self.whole.shares - sum(self._larger_of(share) for share in self.held)

    def _larger_of(self, share: Checkout) -> int:
        return share.total.amount_minor // step_of(self.whole.total) - self._small * share.shares

    def price(self, count: int) -> Money:
        """What the next `count` free shares cost: the larger ones go first. Raises BadInput when there are not so many."""
        if not 1 <= count <= self.free:
            raise BadInput("shares", "not_so_many", limit=self.free)
        steps = self._small * count + min(count, self._larger)
        return Money(steps * step_of(self.whole.total), self.whole.total.currency)

    def fits(self, share: Checkout) -> bool:
        """Whether the shares that somebody let go are still free, for the same money."""
        larger = self._larger_of(share)
        return larger <= self._larger and share.shares - larger <= self.free - self._larger
