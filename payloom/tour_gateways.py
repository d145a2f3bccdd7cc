"""What each gateway of the town wrote into its own books, beside what we wrote into ours: payments, refunds, and what banks took back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from domain.money import EXPONENTS

Json = dict[str, Any]
PAYMENT, REFUND, BANK = "payment", "refund", "bank"


@dataclass(frozen=True, slots=True)
class Movement:
    """Money of one payment. `minor` is what came (+) or went (-); `receipt` is the gateway's name of the payment, whichever way it went."""

    gateway: str
    kind: str
    receipt: str
    currency: str
    minor: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """One gateway's books against ours, in one currency. `differences` is empty when they agree; fees of the gateway are in neither.

    `theirs_minor` is what it took less what went back, `ours_minor` what our clearing account says.
    """

    gateway: str
    currency: str
    payments: int
    refunds: int
    taken_back: int
    theirs_minor: int
    ours_minor: int
    differences: list[str]


def their_books(state: Mapping[str, Any], stripe_lines: Sequence[Json]) -> list[Movement]:
    """Of all gateways, out of the town's state; Stripe's lines name charges, refunds and disputes, which its state knows."""
    return [
        *_daraja(state["daraja"]["books"]),
        *_stripe(state["stripe"]["accounts"], stripe_lines),
        *_paypal(state["paypal"]["books"]),
        *_paytabs(state["paytabs"]["books"]),
        *_moyasar(state["moyasar"]["books"]),
        *(Movement("telegram", PAYMENT, one["telegram_charge"], one["currency"], one["amount"]) for one in state["telegram"]["payments"]),
    ]


def _daraja(books: Sequence[Json]) -> Iterable[Movement]:
    """A payment that was asked for and not called back is known to us by the name of the prompt, for no answer tells its receipt."""
    for one in books:
        into = one["kind"] in {"stk", "c2b"}
        minor = int(one["amount"]) * 100 * (1 if into else -1)
        yield Movement("daraja", PAYMENT if into else REFUND, str(one["receipt"] if into else one["original_receipt"]), "KES", minor)


def prompts(state: Mapping[str, Any]) -> dict[str, str]:
    """Receipts by the name of the prompt."""
    return {str(one["checkout_request_id"]): str(one["receipt"]) for one in state["daraja"]["books"] if one["kind"] == "stk"}


def _stripe(accounts: Sequence[Json], lines: Sequence[Json]) -> Iterable[Movement]:
    of: dict[str, str] = {}
    for account in accounts:
        of |= {str(one["id"]): str(one["payment_intent"]) for one in (*account["charges"], *account["refunds"], *account["disputes"])}
    kinds = {"charge": PAYMENT, "refund": REFUND, "refund_failure": REFUND, "adjustment": BANK}
    for line in lines:
        yield Movement("stripe", kinds[line["type"]], of[line["source"]], str(line["currency"]).upper(), int(line["amount"]))


def _paypal(books: Sequence[Json]) -> Iterable[Movement]:
    kinds = {"capture": PAYMENT, "refund": REFUND, "reversal": BANK, "dispute_hold": BANK, "dispute_release": BANK}
    for one in books:
        if one["kind"] in kinds:
            receipt = one["id"] if one["kind"] == "capture" else one["capture"]
            yield Movement("paypal", kinds[one["kind"]], str(receipt), one["currency"], int(one["units"]))


def _paytabs(books: Sequence[Json]) -> Iterable[Movement]:
    for one in books:
        minor = int(Decimal(one["amount"]).scaleb(EXPONENTS[one["currency"]]))
        into = one["kind"] == "sale"
        yield Movement(
            "paytabs", PAYMENT if into else REFUND, str(one["tran_ref"] if into else one["of"]), one["currency"], minor if into else -minor
        )


def _moyasar(books: Sequence[Json]) -> Iterable[Movement]:
    for one in books:
        into, minor = one["kind"] == "payment", int(one["amount"])
        yield Movement("moyasar", PAYMENT if into else REFUND, str(one["payment"]), one["currency"], minor if into else -minor)


def compare(ours: Sequence[Movement], theirs: Sequence[Movement], clearing: Mapping[tuple[str, str], int]) -> list[Comparison]:
    """By gateway and currency; `clearing` is the balance of our clearing account of each."""
    places = sorted({(one.gateway, one.currency) for one in (*ours, *theirs)} | clearing.keys())
    return [
        _compared(
            place,
            [one for one in ours if (one.gateway, one.currency) == place],
            [one for one in theirs if (one.gateway, one.currency) == place],
            clearing.get(place, 0),
        )
        for place in places
    ]


def _compared(place: tuple[str, str], ours: Sequence[Movement], theirs: Sequence[Movement], clearing: int) -> Comparison:
    gateway, currency = place
    differences = []
    for kind in (PAYMENT, REFUND, BANK):
        here, there = _sums(ours, kind), _sums(theirs, kind)
        differences += [
            f"{kind} {receipt}: {gateway} has {there.get(receipt, 0)} {currency}, we have {here.get(receipt, 0)}"
            for receipt in sorted(here.keys() | there.keys())
            if here.get(receipt, 0) != there.get(receipt, 0)
        ]
    kept = sum(one.minor for one in theirs)
    if kept != clearing:
        differences.append(f"{gateway} keeps {kept} {currency} for us, our clearing account says {clearing}")
    count: Callable[[str], int] = lambda kind: sum(one.kind == kind for one in theirs)  # noqa: E731 - three times, and nowhere else
    return Comparison(gateway, currency, count(PAYMENT), count(REFUND), count(BANK), kept, clearing, differences)


def _sums(movements: Iterable[Movement], kind: str) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for one in movements:
        if one.kind == kind:
            sums[one.receipt] += one.minor
    return sums
