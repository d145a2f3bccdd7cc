"""A database to measure on: one sale made by the hall's own verbs, then multiplied by SQL, ids and unique texts shifted row by row."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Table

from domain.ids import AttemptId
from domain.money import Money
from domain.payment import Method, Outcome, Reply
from domain.person import ChannelKind, Language
from domain.phone import Phone
from domain.ports import Unit
from domain.rights import Actor, Party
from domain.tokens import Purpose, Tokens
from payloom import migrate
from payloom.streets import town_settings
from payloom.wiring import build
from storage import tables
from storage.postgres import conninfo
from usecases import payments
from usecases.checkouts import NewCheckout
from usecases.links import NewLink, create_link
from usecases.people import arrive, open_shop

STEP: Final = 1 << 22
"""Ids of one millisecond: a copy's ids are this much older than its neighbour's."""

SELLER, BUYER = 3_000_000_000, 4_000_000_000
"""Chat ids; those of copy n are n less."""

PRICE: Final = Money(250_000, "KES")
STRIPE_SECRET: Final = "whsec_of_the_bench"  # noqa: S105 - of nobody
GIVEN: Final[dict[str, dict[str, Any]]] = {
    "daraja": {},
    "stripe": {
        "stripe_secret_key": "sk_test_of_the_bench",
        "stripe_webhook_secret": STRIPE_SECRET,
        "stripe_api_base": "http://127.0.0.1:9",
    },
}
"""What the house is set up with beside its town, by who carries the sales."""


@dataclass(frozen=True, slots=True)
class Stock:
    """Copy n, from 0 to `count` - 1, is the sale whose ids are n * STEP less; copy 0 was made by the hall. `data` holds the town's secrets."""

    data: Path
    database_url: str
    count: int
    attempt_id: int
    checkout_id: int
    link_code: str
    organization_id: int
    person_id: int
    ref: str = "ws_CO_BENCH"
    gateway: str = "daraja"

    @property
    def tokens(self) -> Tokens:
        return Tokens(town_settings(self.data, 0).token_keys)

    def callbacks(self, numbers: Sequence[int]) -> list[bytes]:
        """The gateway's words about these copies: Daraja's each at its own address, Stripe's signed now."""
        if self.gateway == "stripe":
            return [_event(self.attempt_id - number * STEP, f"{self.ref}{number or ''}", number) for number in numbers]
        tokens = self.tokens
        return [
            _callback(tokens.make(Purpose.ATTEMPT, self.attempt_id - number * STEP), f"{self.ref}{number or ''}", number)
            for number in numbers
        ]

    def elsewhere(self, database_url: str) -> Stock:
        return replace(self, database_url=database_url)


FIRST, NEXT = "ws_CO_BENCH", "ws_CO_MORE"
"""References of the first sale's copies, and of the second one's."""
_REFS: Final = {"daraja": FIRST, "stripe": "cs_test_BENCH"}
_PAGE: Final = "https://checkout.stripe.com/c/pay/cs_test_BENCH"


def receipt_of(number: int) -> str:
    return f"QBENCH0{number or ''}"


def _callback(token: str, ref: str, number: int) -> bytes:
    items = [
        {"Name": "Amount", "Value": PRICE.whole_units},
        {"Name": "MpesaReceiptNumber", "Value": receipt_of(number)},
        {"Name": "TransactionDate", "Value": 20260301120000},
        {"Name": "PhoneNumber", "Value": 254712345678},
    ]
    told = {"MerchantRequestID": "29115-34620561-1", "CheckoutRequestID": ref, "ResultCode": 0,
            "ResultDesc": "The service request is processed successfully.", "CallbackMetadata": {"Item": items}}  # fmt: skip
    return post(f"/callbacks/daraja/{token}/stk", json.dumps({"Body": {"stkCallback": told}}).encode())


def _event(attempt_id: int, ref: str, number: int) -> bytes:
    """`checkout.session.completed`, as Stripe shows and signs it."""
    session = {
        "id": ref, "object": "checkout.session", "amount_subtotal": PRICE.amount_minor, "amount_total": PRICE.amount_minor,
        "client_reference_id": str(attempt_id), "created": 1_772_000_000, "currency": "kes", "customer": None,
        "customer_details": {"address": None, "email": "payer@example.com", "name": None, "phone": None, "tax_exempt": "none", "tax_ids": []},
        "expires_at": 1_772_002_000, "livemode": False, "locale": "en", "metadata": {"payloom_attempt": str(attempt_id)}, "mode": "payment",
        "payment_intent": f"pi_BENCH{number or ''}", "payment_method_types": ["card"], "payment_status": "paid", "status": "complete",
        "success_url": "https://pay.example/pay/back", "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted", "url": None,
    }  # fmt: skip
    event = {
        "id": f"evt_BENCH{number or ''}", "object": "event", "api_version": "2026-10-28.endive", "created": 1_772_000_100,
        "data": {"object": session}, "livemode": False, "pending_webhooks": 1, "request": {"id": None, "idempotency_key": None},
        "type": "checkout.session.completed",
    }  # fmt: skip
    raw, stamp = json.dumps(event, indent=2).encode(), int(time.time())
    mark = hmac.new(STRIPE_SECRET.encode(), f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()
    return post("/callbacks/stripe", raw, f"Stripe-Signature: t={stamp},v1={mark}\r\n")


def post(path: str, body: bytes, headers: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


def make(data: Path, database_url: str, count: int, *, people: bool = False, gateway: str = "daraja") -> Stock:
    """A migrated database with `count` sales whose phones ring (or whose payers are on Stripe's page); each has a shop and people of its own when
    `people` is true."""
    data.mkdir(parents=True, exist_ok=True)
    migrate.migrate(database_url)
    with asyncio.Runner() as runner:
        first = runner.run(_first(data, database_url, gateway))
    stock = Stock(data, database_url, count, *first, ref=_REFS[gateway], gateway=gateway)
    multiply(stock, WAITING, people_too=people)
    return stock


async def _first(data: Path, database_url: str, gateway: str) -> tuple[int, int, str, int, int]:
    built = build(town_settings(data, 0, database_url, **GIVEN[gateway]), paced=False)
    await built.open_store()
    try:
        return await built.store.write(_one_sale, built.hall.abilities, gateway)
    finally:
        await built.close_store()


def _one_sale(unit: Unit, abilities: Any, gateway: str) -> tuple[int, int, str, int, int]:
    seller = arrive(unit, ChannelKind.TELEGRAM, str(SELLER), "Amina", Language.EN)
    shop = open_shop(unit, seller.id, "Mama Amina", "telegram")
    actor = Actor(Party.OWNER, "telegram", seller.id, shop.id)
    words = "Light and strong, for the road and for the hills. " * 8
    link = create_link(unit, actor, NewLink("bench", "Running shoes, size 42", PRICE, words))
    method = Method.VISA if gateway == "stripe" else Method.MPESA
    attempt_id, checkout_id = _begin_sale(unit, "bench", link.code, _REFS[gateway], abilities, method)
    return attempt_id, checkout_id, link.code, shop.id, seller.id


def one_more_sale(unit: Unit, link_code: str, abilities: Any) -> tuple[int, int]:
    """After copy 0 was settled: another copy 0. (attempt id, checkout id)"""
    return _begin_sale(unit, "more", link_code, NEXT, abilities)


def _begin_sale(unit: Unit, key: str, link_code: str, ref: str, abilities: Any, method: Method = Method.MPESA) -> tuple[int, int]:
    buyer = arrive(unit, ChannelKind.TELEGRAM, str(BUYER), "Brian", Language.EN)
    new = NewCheckout(key, link_code, 1, "Brian", "Kilimani, Nairobi", "call first", Phone("+254712345678"), "en", "web", buyer.id)
    attempt = payments.buy(unit, new, method, abilities)
    payments.begin_attempt(unit, AttemptId(attempt.id))
    payments.record_reply(unit, AttemptId(attempt.id), Reply(Outcome.PENDING, ref, url=_PAGE if method is Method.VISA else None))
    return attempt.id, attempt.checkout_id


Shifts = dict[str, tuple[str, ...]]
"""Per table: columns whose id is shifted. Columns after a `+` are unique texts that get the copy's number; after a `-`, a text that ends in an id."""

WAITING: Final[Shifts] = {
    "checkouts": ("id", "+number", "+key"),
    "payments": ("id", "checkout_id"),
    "attempts": ("id", "payment_id", "checkout_id", "+key", "+ref"),
    "audit": ("id", "-subject"),
}
_PEOPLE: Final[Shifts] = {
    "persons": ("id",),
    "channels": ("person_id", "!address"),
    "organizations": ("id",),
    "members": ("organization_id", "person_id"),
    "links": ("id", "organization_id", "created_by", "+code", "+key"),
}
_ALSO: Final[Shifts] = {
    "checkouts": ("organization_id", "link_id", "buyer_id"),
    "payments": ("organization_id",),
    "attempts": ("organization_id",),
}
SETTLED: Final[Shifts] = {
    "checkouts": ("id", "+number", "+key", "order_id"),
    "payments": ("id", "checkout_id"),
    "attempts": ("id", "payment_id", "checkout_id", "+key", "+ref", "+receipt"),
    "orders": ("id", "+number", "checkout_id", "attempt_id"),
    "entries": ("id", "-cause"),
    "postings": ("entry_id", "-account"),
    "audit": ("id", "-subject"),
    "inbox": ("id", "+event_key"),
    "outbox": ("id", "-key", "order_id"),
}
"""As `WAITING`, for a sale that is done."""


def multiply(stock: Stock, shifts: Shifts, *, people_too: bool = False, newer_than: int = 0) -> None:
    """Copies 1 to `count` - 1 of every row there is (whose id is above `newer_than`); oldest first, so that indexes grow at their end."""
    if people_too:
        shifts = {**_PEOPLE, **{name: (*columns, *_ALSO.get(name, ())) for name, columns in shifts.items()}}
    with connected(stock.database_url) as run:
        if stock.database_url.startswith("sqlite"):
            for pragma in ("journal_mode=MEMORY", "synchronous=OFF", "cache_size=-2000000"):
                run(f"PRAGMA {pragma}")
        for name, columns in shifts.items():
            run(_copies(tables.metadata.tables[name], columns, stock, newer_than))
        for name in tables.metadata.tables:
            if run(f'SELECT 1 FROM "{name}" LIMIT 1'):  # noqa: S608 - our own names
                run(f'ANALYZE "{name}"')  # a table that is known to be empty is read whole, by plans that are kept while it grows


def _copies(table: Table, columns: Sequence[str], stock: Stock, newer_than: int) -> str:
    sqlite = stock.database_url.startswith("sqlite")
    last = stock.count - 1
    numbers = (
        f"WITH RECURSIVE copy(n) AS (SELECT {last} WHERE {last} > 0 UNION ALL SELECT n - 1 FROM copy WHERE n > 1)"  # noqa: S608 - numbers of our own
        if sqlite
        else f"WITH copy AS (SELECT generate_series({last}, 1, -1) AS n)"
    )
    how = {column.lstrip("+-!"): column for column in columns}
    values = ", ".join(_value(f'"{table.name}"."{column.name}"', how.get(column.name, ""), sqlite) for column in table.columns)
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    only = [f'"{table.name}".id > {newer_than}'] if newer_than else []
    only += ["subject LIKE 'sale:%'"] if table.name == "audit" else []
    where = f" WHERE {' AND '.join(only)}" if only else ""
    return f'INSERT INTO "{table.name}" ({names}) {numbers} SELECT {values} FROM copy, "{table.name}"{where}'  # noqa: S608 - names of our own


def _value(column: str, how: str, sqlite: bool) -> str:
    if not how:
        return column
    if how[0] == "+":
        return f"{column} || CAST(copy.n AS TEXT)"
    if how[0] == "!":
        return f"CAST(CAST({column} AS BIGINT) - copy.n AS TEXT)"
    if how[0] == "-":
        return _text_with_id(column, sqlite)
    return f"{column} - CAST(copy.n AS BIGINT) * {STEP}"


def _text_with_id(column: str, sqlite: bool) -> str:
    """`sale:ID` or `kind:ID:rest` with the id shifted; a text without an id of that length stays as it is."""
    if sqlite:
        start = f"instr({column}, ':') + 1"
        digits = f"CAST(substr({column}, {start}) AS INTEGER)"
        return (f"CASE WHEN {digits} > {STEP} THEN substr({column}, 1, {start} - 1) || CAST({digits} - copy.n * {STEP} AS TEXT) || "
                f"substr({column}, {start} + length(CAST({digits} AS TEXT))) ELSE {column} END")  # fmt: skip
    digits = f"CAST(substring({column} FROM ':(\\d{{12,}})') AS BIGINT)"
    return (f"CASE WHEN {digits} IS NULL THEN {column} ELSE replace({column}, CAST({digits} AS TEXT), "
            f"CAST({digits} - CAST(copy.n AS BIGINT) * {STEP} AS TEXT)) END")  # fmt: skip


@contextlib.contextmanager
def connected(database_url: str) -> Iterator[Callable[[str], Any]]:
    """Runs plain SQL on either engine, in one transaction."""
    if database_url.startswith("sqlite"):
        import sqlite3  # noqa: PLC0415 - one engine of two

        with contextlib.closing(sqlite3.connect(sqlite_path(database_url))) as connection, connection:
            yield lambda text: connection.execute(text).fetchall()
    else:
        import psycopg  # noqa: PLC0415 - as above

        with psycopg.connect(conninfo(database_url)) as server:

            def run(text: Any) -> Any:
                cursor = server.execute(text)
                return cursor.fetchall() if cursor.description else []

            yield run


def sqlite_path(database_url: str) -> Path:
    return Path(database_url.partition(":///")[2])


def name_of(database_url: str) -> str:
    return database_url.partition("?")[0].rpartition("/")[2]


def copy_sqlite(database_url: str, to: Path) -> str:
    """Another file with the same rows (the source is closed and has no log left)."""
    shutil.copyfile(sqlite_path(database_url), to)
    return f"sqlite+aiosqlite:///{to}"
