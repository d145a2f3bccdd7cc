"""The state machines: one table per thing. Nothing else decides a state; docs/lives.md is drawn from here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, TypeVar

from domain.errors import IllegalTransition, NotFound
from domain.rights import LEADERS, MEMBERS, Party


class LinkState(StrEnum):
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    USED = "USED"
    EXPIRED = "EXPIRED"
    SOLD_OUT = "SOLD_OUT"


class CheckoutState(StrEnum):
    OPEN = "OPEN"
    PAYING = "PAYING"
    PAID = "PAID"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"


class PaymentState(StrEnum):
    CREATED = "CREATED"
    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    PARTLY_REFUNDED = "PARTLY_REFUNDED"
    REFUNDED = "REFUNDED"
    DISPUTED_BY_BANK = "DISPUTED_BY_BANK"
    CHARGED_BACK = "CHARGED_BACK"


class AttemptState(StrEnum):
    """One try: written before it is sent, marked before the call, so that a crash never sends twice."""

    CREATED = "CREATED"
    SENDING = "SENDING"
    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class OrderState(StrEnum):
    PAID = "PAID"
    ACCEPTED = "ACCEPTED"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    COMPLETED = "COMPLETED"
    DISPUTED = "DISPUTED"
    REFUNDED = "REFUNDED"
    VOID = "VOID"
    FROZEN = "FROZEN"


class EscrowState(StrEnum):
    PENDING = "PENDING"
    HELD = "HELD"
    DISPUTED = "DISPUTED"
    RELEASED = "RELEASED"
    REFUNDED = "REFUNDED"
    SPLIT = "SPLIT"
    VOID = "VOID"
    FROZEN = "FROZEN"
    CHARGED_BACK = "CHARGED_BACK"


class DisputeState(StrEnum):
    OPEN = "OPEN"
    ANSWERED = "ANSWERED"
    SETTLED = "SETTLED"
    DECIDED = "DECIDED"
    WITHDRAWN = "WITHDRAWN"


class RefundState(StrEnum):
    """A refund on its way through the gateway that took the money."""

    ASKED = "ASKED"
    SENDING = "SENDING"
    PENDING = "PENDING"
    DONE = "DONE"
    FAILED = "FAILED"


class ChargebackState(StrEnum):
    """Money that a buyer's bank took back: while the bank decides, and then for good."""

    OPEN = "OPEN"
    WON = "WON"
    LOST = "LOST"


class InboxState(StrEnum):
    STORED = "STORED"
    APPLIED = "APPLIED"
    IGNORED = "IGNORED"
    PARKED = "PARKED"


class OutboxState(StrEnum):
    WAITING = "WAITING"
    SENDING = "SENDING"
    SENT = "SENT"
    SKIPPED = "SKIPPED"
    DEAD = "DEAD"


S = TypeVar("S", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Move(Generic[S]):
    """One row: from, to, who may, what is booked (kinds of entry), which fact is told."""

    source: S
    target: S
    by: frozenset[Party]
    books: tuple[str, ...] = ()
    tells: str | None = None


class Life(Generic[S]):
    """A table of moves with its first state and its last ones."""

    def __init__(self, name: str, initial: frozenset[S], *moves: Move[S]) -> None:
        self.name = name
        self.initial = initial
        self.moves = moves
        self.states: type[S] = type(moves[0].source)
        self._rows = {(move.source, move.target): move for move in moves}

    @property
    def final(self) -> frozenset[S]:
        return frozenset(state for state in self.states if not any(move.source == state for move in self.moves))

    def move(self, source: S, target: S, by: Party) -> Move[S] | None:
        """The row for this step; None when already there. Raises IllegalTransition, or NotFound when `by` has no right to it."""
        if source == target:
            return None
        row = self._rows.get((source, target))
        if row is None:
            raise IllegalTransition(life=self.name, source=str(source), target=str(target))
        if by not in row.by:
            raise NotFound(life=self.name, by=str(by))
        return row

    def can(self, source: S, target: S, by: Party) -> bool:
        row = self._rows.get((source, target))
        return row is not None and by in row.by


_GATEWAY: Final = frozenset({Party.GATEWAY})
_CLOCK: Final = frozenset({Party.CLOCK})
_BUYER: Final = frozenset({Party.BUYER})
_ADMIN: Final = frozenset({Party.ADMIN})
_JUDGES: Final = frozenset({Party.ARBITER, Party.ADMIN})
_CONFIRMS: Final = _BUYER | _JUDGES | _CLOCK
_CANCELS: Final = LEADERS | _BUYER | _JUDGES | _CLOCK
_ASKS: Final = _BUYER | _CLOCK | _GATEWAY

LINK: Final = Life(
    "link",
    frozenset({LinkState.ACTIVE}),
    Move(LinkState.ACTIVE, LinkState.INACTIVE, LEADERS | _ADMIN),
    Move(LinkState.INACTIVE, LinkState.ACTIVE, LEADERS | _ADMIN),
    Move(LinkState.ACTIVE, LinkState.USED, _GATEWAY | _BUYER),
    Move(LinkState.ACTIVE, LinkState.EXPIRED, _CLOCK),
    Move(LinkState.EXPIRED, LinkState.ACTIVE, LEADERS | _ADMIN),
    Move(LinkState.ACTIVE, LinkState.SOLD_OUT, _GATEWAY | _BUYER | LEADERS),
    Move(LinkState.SOLD_OUT, LinkState.ACTIVE, LEADERS | _CLOCK | _BUYER | _GATEWAY | _ADMIN),
    Move(LinkState.SOLD_OUT, LinkState.INACTIVE, LEADERS | _ADMIN),
)

CHECKOUT: Final = Life(
    "checkout",
    frozenset({CheckoutState.OPEN}),
    Move(CheckoutState.OPEN, CheckoutState.PAYING, _BUYER),
    Move(CheckoutState.PAYING, CheckoutState.OPEN, _ASKS),
    Move(CheckoutState.PAYING, CheckoutState.PAID, _GATEWAY, tells="order_paid"),
    Move(CheckoutState.OPEN, CheckoutState.PAID, _GATEWAY, tells="order_paid"),
    Move(CheckoutState.OPEN, CheckoutState.EXPIRED, _CLOCK),
    Move(CheckoutState.PAYING, CheckoutState.EXPIRED, _CLOCK),
    Move(CheckoutState.OPEN, CheckoutState.CANCELLED, _BUYER | _ADMIN),
    Move(CheckoutState.PAYING, CheckoutState.CANCELLED, _BUYER | _ADMIN),
    Move(CheckoutState.EXPIRED, CheckoutState.PAID, _GATEWAY, tells="order_paid"),
    Move(CheckoutState.CANCELLED, CheckoutState.PAID, _GATEWAY, tells="order_paid"),
)

_TAKEN: Final = (PaymentState.SUCCEEDED, PaymentState.PARTLY_REFUNDED, PaymentState.REFUNDED)
_ENDED_UNPAID: Final = (PaymentState.FAILED, PaymentState.CANCELLED, PaymentState.EXPIRED)
PAYMENT: Final = Life(
    "payment",
    frozenset({PaymentState.CREATED}),
    Move(PaymentState.CREATED, PaymentState.PENDING, _BUYER),
    Move(PaymentState.PENDING, PaymentState.SUCCEEDED, _GATEWAY, books=("capture",)),
    *(Move(PaymentState.PENDING, end, _ASKS) for end in _ENDED_UNPAID),
    *(Move(end, PaymentState.PENDING, _BUYER) for end in _ENDED_UNPAID),
    *(Move(end, PaymentState.SUCCEEDED, _GATEWAY, books=("capture",)) for end in _ENDED_UNPAID),
    Move(PaymentState.SUCCEEDED, PaymentState.PARTLY_REFUNDED, _GATEWAY, books=("refund_confirmed",)),
    Move(PaymentState.SUCCEEDED, PaymentState.REFUNDED, _GATEWAY, books=("refund_confirmed",)),
    Move(PaymentState.PARTLY_REFUNDED, PaymentState.REFUNDED, _GATEWAY, books=("refund_confirmed",)),
    *(Move(state, PaymentState.DISPUTED_BY_BANK, _GATEWAY, books=("chargeback",)) for state in _TAKEN),
    *(Move(PaymentState.DISPUTED_BY_BANK, state, _GATEWAY, books=("chargeback_won",)) for state in _TAKEN),
    Move(PaymentState.DISPUTED_BY_BANK, PaymentState.CHARGED_BACK, _GATEWAY),
)

_ENDED_TRIES: Final = (AttemptState.FAILED, AttemptState.CANCELLED, AttemptState.EXPIRED)
ATTEMPT: Final = Life(
    "attempt",
    frozenset({AttemptState.CREATED}),
    Move(AttemptState.CREATED, AttemptState.SENDING, _BUYER | _CLOCK),
    Move(AttemptState.CREATED, AttemptState.FAILED, _CLOCK),
    Move(AttemptState.SENDING, AttemptState.PENDING, _GATEWAY | _CLOCK),
    *(Move(AttemptState.SENDING, end, _GATEWAY | _CLOCK) for end in _ENDED_TRIES),
    *(Move(AttemptState.PENDING, end, _GATEWAY | _CLOCK) for end in _ENDED_TRIES),
    *(Move(state, AttemptState.SUCCEEDED, _GATEWAY) for state in (AttemptState.SENDING, AttemptState.PENDING, *_ENDED_TRIES)),
)

_OPEN_ORDER: Final = (OrderState.PAID, OrderState.ACCEPTED, OrderState.SHIPPED, OrderState.DELIVERED)
ORDER: Final = Life(
    "order",
    frozenset({OrderState.PAID}),
    Move(OrderState.PAID, OrderState.ACCEPTED, MEMBERS, tells="order_accepted"),
    Move(OrderState.PAID, OrderState.SHIPPED, MEMBERS, tells="order_shipped"),
    Move(OrderState.PAID, OrderState.DELIVERED, MEMBERS, tells="order_delivered"),
    Move(OrderState.ACCEPTED, OrderState.SHIPPED, MEMBERS, tells="order_shipped"),
    Move(OrderState.ACCEPTED, OrderState.DELIVERED, MEMBERS, tells="order_delivered"),
    Move(OrderState.SHIPPED, OrderState.DELIVERED, MEMBERS | _CLOCK, tells="order_delivered"),
    *(Move(state, OrderState.COMPLETED, _CONFIRMS, books=("release",), tells="order_completed") for state in _OPEN_ORDER),
    *(Move(state, OrderState.DISPUTED, _BUYER, tells="dispute_opened") for state in _OPEN_ORDER),
    *(Move(OrderState.DISPUTED, state, _BUYER | _JUDGES, tells="dispute_withdrawn") for state in _OPEN_ORDER),
    *(
        Move(state, OrderState.REFUNDED, _CANCELS | _GATEWAY, books=("refund_asked",), tells="order_refunded")
        for state in (OrderState.PAID, OrderState.ACCEPTED)
    ),
    Move(OrderState.DISPUTED, OrderState.REFUNDED, LEADERS | _JUDGES | _GATEWAY, books=("refund_asked",), tells="order_refunded"),
    Move(OrderState.DISPUTED, OrderState.COMPLETED, _JUDGES, books=("release",), tells="order_completed"),
    *(
        Move(state, OrderState.VOID, _GATEWAY, books=("disproved",), tells="payment_disproved")
        for state in (*_OPEN_ORDER, OrderState.DISPUTED)
    ),
    *(
        Move(state, OrderState.FROZEN, _GATEWAY, books=("chargeback",), tells="chargeback_opened")
        for state in (*_OPEN_ORDER, OrderState.DISPUTED)
    ),
    *(
        Move(OrderState.FROZEN, state, _GATEWAY, books=("chargeback_won",), tells="chargeback_won")
        for state in (*_OPEN_ORDER, OrderState.DISPUTED)
    ),
    Move(OrderState.FROZEN, OrderState.VOID, _GATEWAY, tells="chargeback_lost"),
    *(
        Move(state, OrderState.REFUNDED, _GATEWAY, books=("refund_asked", "refund_confirmed"), tells="order_refunded")
        for state in (OrderState.SHIPPED, OrderState.DELIVERED)
    ),
)

_HELD: Final = (EscrowState.HELD, EscrowState.DISPUTED)
ESCROW: Final = Life(
    "escrow",
    frozenset({EscrowState.PENDING}),
    Move(EscrowState.PENDING, EscrowState.HELD, _GATEWAY, books=("capture",)),
    Move(EscrowState.PENDING, EscrowState.VOID, _CLOCK | _BUYER | _ADMIN),
    Move(EscrowState.HELD, EscrowState.RELEASED, _CONFIRMS, books=("release",)),
    Move(EscrowState.HELD, EscrowState.REFUNDED, _CANCELS | _GATEWAY, books=("refund_asked",)),
    Move(EscrowState.HELD, EscrowState.DISPUTED, _BUYER),
    Move(EscrowState.DISPUTED, EscrowState.HELD, _BUYER | _JUDGES),
    Move(EscrowState.DISPUTED, EscrowState.RELEASED, _JUDGES, books=("release",)),
    Move(EscrowState.DISPUTED, EscrowState.REFUNDED, LEADERS | _JUDGES | _GATEWAY, books=("refund_asked",)),
    Move(EscrowState.DISPUTED, EscrowState.SPLIT, _JUDGES, books=("release", "refund_asked")),
    *(Move(state, EscrowState.VOID, _GATEWAY, books=("disproved",)) for state in _HELD),
    *(Move(state, EscrowState.FROZEN, _GATEWAY, books=("chargeback",)) for state in _HELD),
    *(Move(EscrowState.FROZEN, state, _GATEWAY, books=("chargeback_won",)) for state in _HELD),
    Move(EscrowState.FROZEN, EscrowState.CHARGED_BACK, _GATEWAY),
)

DISPUTE: Final = Life(
    "dispute",
    frozenset({DisputeState.OPEN}),
    Move(DisputeState.OPEN, DisputeState.ANSWERED, MEMBERS | _CLOCK),
    *(Move(state, DisputeState.SETTLED, LEADERS) for state in (DisputeState.OPEN, DisputeState.ANSWERED)),
    *(Move(state, DisputeState.DECIDED, _JUDGES) for state in (DisputeState.OPEN, DisputeState.ANSWERED)),
    *(Move(state, DisputeState.WITHDRAWN, _BUYER | _GATEWAY) for state in (DisputeState.OPEN, DisputeState.ANSWERED)),
)

REFUND: Final = Life(
    "refund",
    frozenset({RefundState.ASKED}),
    Move(RefundState.ASKED, RefundState.SENDING, _CLOCK),
    Move(RefundState.SENDING, RefundState.ASKED, _CLOCK | _GATEWAY),
    Move(RefundState.SENDING, RefundState.PENDING, _CLOCK | _GATEWAY),
    *(
        Move(state, RefundState.DONE, _GATEWAY | _ADMIN, books=("refund_confirmed",))
        for state in (RefundState.SENDING, RefundState.PENDING)
    ),
    *(Move(state, RefundState.FAILED, _GATEWAY, books=("refund_failed",)) for state in (RefundState.SENDING, RefundState.PENDING)),
    Move(RefundState.FAILED, RefundState.ASKED, _ADMIN, books=("refund_asked",)),
    Move(RefundState.PENDING, RefundState.ASKED, _CLOCK | _ADMIN),
    Move(RefundState.FAILED, RefundState.DONE, _ADMIN | _GATEWAY, books=("refund_asked", "refund_confirmed")),
)

CHARGEBACK: Final = Life(
    "chargeback",
    frozenset({ChargebackState.OPEN}),
    Move(ChargebackState.OPEN, ChargebackState.WON, _GATEWAY, books=("chargeback_won",), tells="chargeback_won"),
    Move(ChargebackState.OPEN, ChargebackState.LOST, _GATEWAY, tells="chargeback_lost"),
)

LIVES: Final = (LINK, CHECKOUT, PAYMENT, ATTEMPT, ORDER, ESCROW, DISPUTE, REFUND, CHARGEBACK)
