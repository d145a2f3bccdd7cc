"""C1, C3: whatever the order in which a stored inbox is applied again, and however often, the books and the states end the same.

An inbox is recorded once, of sales at every gateway of the town that were paid, declined, refunded here and on dashboards, charged back, paid twice
and paid by hand; beside it the database as it was before the first of these events (a backup), and what each gateway answers when it is asked at the
end. Each run takes the backup, applies the events in an order of its own, with repeats, with the inbox worker and questions to the gateways in
between; then everything is asked for and tried again until nothing changes.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from domain.by_hand import HandGateway
from domain.ids import AttemptId, OrganizationId
from domain.payment import Attempt, Gateway, Method, Reply, Unreadable
from domain.ports import Unit
from domain.records import InboxEvent, RawEvent
from storage.unit import Surroundings
from tests.fakes import CountingChance, Ground, HandClock, check_books
from tests.market import GATEWAYS, Market, Sale, market
from tests.market_payers import PAYERS
from usecases import by_hand, payments, refunds, settlement
from usecases.gateways import credentials_of
from usecases.orders import cancel_order

RUNS = 12
ASKED_AT_ONCE = 0.15
DASHBOARDS = ("stripe", "paypal", "paytabs", "moyasar")
_STATES = {
    "attempts": "SELECT id, state, receipt, disproved FROM attempts WHERE source <> 'c2b'",
    "payments": "SELECT checkout_id, gateway, state FROM payments WHERE checkout_id NOT IN (SELECT checkout_id FROM attempts JOIN refunds "
    "ON refunds.attempt_id = attempts.id WHERE reason = 'double')",
    "checkouts": "SELECT id, state FROM checkouts",
    "orders": "SELECT checkout_id, state, escrow, amount_minor FROM orders",
    "refunds": "SELECT CASE reason WHEN 'double' THEN 0 ELSE attempt_id END, state, amount_minor, reason FROM refunds",
    "chargebacks": "SELECT ref, state, amount_minor FROM chargebacks",
}


@dataclass
class Recording:
    """The backup, the events that came after it in their order, and the gateways' last words."""

    backup: Path
    around: Surroundings
    gateways: dict[str, Gateway]
    by_hand: HandGateway
    at: datetime
    events: list[InboxEvent] = field(default_factory=list)
    truths: dict[AttemptId, Reply] = field(default_factory=dict)


class Replay:
    """A house made of the backup. Nothing but units: no network, no task, so that a run takes milliseconds."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        clock = HandClock(recording.at)
        self.ground = Ground(recording.backup, clock)
        was = recording.around
        self.ground.around = Surroundings(clock, CountingChance(1 << 20), was.house, was.tokens, was.seals, was.audit_key)

    def hear(self, event: InboxEvent) -> None:
        """As its door would."""
        raw = RawEvent(event.gateway, event.kind, event.raw, event.source, event.headers)
        if event.gateway == by_hand.INBOX:
            told, owner = self.recording.by_hand.read_told(event.kind, event.raw), OrganizationId(event.headers["owner"])
            self.ground.unit(by_hand.receive_told, raw, event.event_key, owner, told)
            return
        try:
            notice = settlement.understand(self.recording.gateways[event.gateway], raw)
        except Unreadable:
            notice = None
        self.ground.unit(settlement.receive, raw, event.event_key, notice)

    def work(self) -> int:
        """The inbox worker comes by: what could not be applied is tried again."""
        due = self.ground.unit(lambda unit: list(unit.inbox.due((*self.recording.gateways, by_hand.INBOX), unit.now, 100)))
        for event in due:
            if event.gateway == by_hand.INBOX:
                self.ground.unit(by_hand.apply_again, event, self.recording.by_hand.read_told(event.kind, event.raw))
            else:
                raw = RawEvent(event.gateway, event.kind, event.raw, event.source, event.headers)
                self.ground.unit(settlement.apply_stored, event, settlement.understand(self.recording.gateways[event.gateway], raw))
        return len(due)

    def ask(self, attempt_id: AttemptId) -> None:
        """The gateway is asked, if there is anything to ask about, and says what it says at the end."""
        attempt = self.ground.unit(payments.the_attempt, attempt_id)
        if attempt.ask_at is not None:
            self.ground.unit(settlement.record_fetch, attempt_id, self.recording.truths[attempt_id])

    def ends(self) -> None:
        for _ in range(8):
            for attempt_id in self.recording.truths:
                self.ask(attempt_id)
            self.ground.clock.move(timedelta(minutes=11))
            self.work()

    def books(self) -> dict[str, Any]:
        """Balances by kind of account and by what in the backup they are about; and every state."""
        sums: dict[str, int] = {}
        for account, currency, amount in self.ground.rows("SELECT account, currency, sum(amount_minor) FROM postings GROUP BY 1, 2"):
            kind, _, owner = str(account).partition(":")
            name = f"{kind if owner.isdigit() else account} {currency}"
            sums[name] = sums.get(name, 0) + int(amount)
        states = {table: sorted(self.ground.rows(sql), key=repr) for table, sql in _STATES.items()}
        return {"balances": {name: amount for name, amount in sums.items() if amount}, **states}

    def close(self) -> None:
        self.ground.close()


async def _recorded(here: Market, folder: Path) -> Recording:
    """Everything that may happen to a sale, at every gateway."""
    hall = here.built.hall
    assert hall.by_hand is not None
    await here.pays_by_hand()
    begun: dict[tuple[str, str], Sale] = {}
    sending = [await _refunded_by_us(here, await here.begins(name)) for name in GATEWAYS]
    for name in GATEWAYS:
        for what in ("paid", "declined", "declined and paid", *(("back", "parts") if name in DASHBOARDS else ())):
            begun[name, what] = await here.begins(name)
    for name in ("stripe", "paypal"):
        for what in ("lost", "won", "open"):
            begun[name, what] = await here.begins(name)
    begun["stripe", "twice"] = await here.begins("stripe")
    begun["daraja", "by hand"] = await here.begins("daraja")
    twice = begun["stripe", "twice"]
    first = await here.attempt(twice)
    form = {"method": str(Method.MPESA), "phone": "0799000111"}
    async with here.web.post(f"{here.base}{twice.pay}/retry", data=form) as answer:
        assert answer.status == 200
    await hall.drain()
    await here.settled()
    backup = folder / "backup.db"
    with closing(sqlite3.connect(folder / "market.db")) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    store = here.built.store
    around = store._around
    recording = Recording(backup, around, dict(hall.gateways), hall.by_hand, here.core.clock.now())
    await _happens(here, begun)
    for refund_id, call in sending:
        reply = await hall.gateways[call.refund.gateway].refund(call.refund, call.receipt, call.credentials, call.token)
        await here.built.store.write(refunds.record_refund, refund_id, reply)
    await here.quiet()
    await here.later(120, steps=4)
    await PAYERS["stripe"].pays(here.providers, first, "")
    here.providers.phones.answer("254799000111", "right")
    await here.quiet()  # which of the two is the order and which goes back, is by arrival; that refund is not sent any more
    known = {key for (key,) in _rows(backup, "SELECT event_key FROM inbox")}
    stored = await store.read(_inbox)
    wanted = [event for event in stored if event.event_key not in known and not event.kind.startswith("lookup")]
    recording.events = sorted(wanted, key=lambda event: event.id)
    for (number,) in _rows(backup, "SELECT id FROM attempts WHERE ref IS NOT NULL"):
        attempt, credentials = await store.read(_call, AttemptId(number))
        recording.truths[attempt.id] = await hall.gateways[attempt.gateway].fetch(attempt, credentials)
    return recording


def _inbox(unit: Unit) -> list[InboxEvent]:
    keys = unit.session.plain("SELECT gateway, event_key FROM inbox").fetchall()  # type: ignore[attr-defined]
    found = [unit.inbox.by_key(gateway, key) for gateway, key in keys]
    return [event for event in found if event is not None]


def _call(unit: Unit, attempt_id: AttemptId) -> tuple[Attempt, dict[str, str]]:
    attempt = payments.the_attempt(unit, attempt_id)
    return attempt, credentials_of(unit, attempt.organization_id, attempt.gateway, attempt.direct)


def _rows(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as file:
        return file.execute(sql).fetchall()


async def _refunded_by_us(here: Market, sale: Sale) -> tuple[Any, Any]:
    """Paid, proved, cancelled, and the refund just handed over when the backup was made: its answer and its events come after it."""
    await here.pays(sale)
    await here.later(90)
    order = await here.order(sale)
    assert order is not None and order.proved
    await here.built.store.write(cancel_order, here.owner, order.number)
    (refund,) = await here.refunds(sale)
    call = await here.built.store.write(refunds.begin_refund, refund.id, True)
    assert call is not None
    return refund.id, call


async def _happens(here: Market, begun: dict[tuple[str, str], Sale]) -> None:
    """Each sale of this street ends as it is called."""
    for (name, what), sale in begun.items():
        if what in {"declined", "declined and paid"}:
            await here.declines(sale)
            await here.settled()
        open_still = str((await here.attempt(sale)).state) == "PENDING"
        if what in {"paid", "back", "parts", "lost", "won", "open"} or (what == "declined and paid" and open_still):
            await here.pays(sale)
            await here.later(2)
        receipt = str((await here.attempt(sale)).receipt)
        price = (await here.attempt(sale)).money.amount_minor
        if what == "back":
            await PAYERS[name].gives_back(here.providers, receipt, price)
        elif what == "parts":
            await PAYERS[name].gives_back(here.providers, receipt, price // 3)
            await here.settled()
            await PAYERS[name].gives_back(here.providers, receipt, price // 4)
        elif what in {"lost", "won", "open"}:
            await _at_the_bank(here, name, receipt, what)
        elif what == "by hand":
            here.providers.phones.answer(sale.number, "cancel")
            await here.settled()
            number = (await here.checkout(sale)).number
            await here.providers.daraja.pay_by_hand(sale.number, "174379", number.removeprefix("TEMP-"), price // 100)
        await here.settled()
    await here.providers.daraja.pay_by_hand("254700009999", "174379", "NOBODYS", 77)
    await here.settled()


async def _at_the_bank(here: Market, name: str, receipt: str, what: str) -> None:
    if name == "stripe":
        case = here.providers.stripe.open_dispute(receipt)["id"]
        await here.settled()
        if what != "open":
            here.providers.stripe.close_dispute(case, won=what == "won")
    else:
        case = here.providers.paypal.dispute(receipt)
        await here.settled()
        if what != "open":
            here.providers.paypal.resolve_dispute(case, "RESOLVED_SELLER_FAVOUR" if what == "won" else "RESOLVED_BUYER_FAVOUR")


@asynccontextmanager
async def _recording(folder: Path, template: Path) -> AsyncIterator[Recording]:
    async with market(folder, template) as here:
        yield await _recorded(here, folder)


def run(recording: Recording, dice: random.Random | None) -> dict[str, Any]:
    """One replay; without dice, in the order of arrival."""
    replay = Replay(recording)
    try:
        events = list(recording.events)
        if dice is not None:
            events += dice.choices(recording.events, k=len(recording.events) // 2)
            dice.shuffle(events)
        for event in events:
            for _ in range(1 if dice is None else dice.choice((1, 1, 1, 2, 3))):
                replay.hear(event)
            if dice is not None and dice.random() < ASKED_AT_ONCE:
                replay.ask(dice.choice(list(recording.truths)))
            if dice is not None and dice.random() < ASKED_AT_ONCE:
                replay.ground.clock.move(timedelta(seconds=dice.randrange(40)))
                replay.work()
        replay.ends()
        check_books(replay.ground)
        stuck = replay.ground.rows("SELECT gateway, error, substr(raw, 1, 4000) FROM inbox WHERE state = 'STORED'")
        assert stuck == []
        books = replay.books()
        if dice is None:  # all of it once more, on top of its end
            for event in events:
                replay.hear(event)
            replay.ends()
            assert replay.books() == books
        return books
    finally:
        replay.close()


async def test_a_stored_inbox_ends_in_the_same_books_in_any_order_any_number_of_times(tmp_path: Path, sqlite_template: Path) -> None:
    """C1, C3: by provider truth, never by arrival."""
    async with _recording(tmp_path, sqlite_template) as recording:
        assert {event.gateway for event in recording.events} == {*GATEWAYS, by_hand.INBOX}
        assert len(recording.events) > 80
        once = run(recording, None)
        wrong: dict[int, Any] = {}
        for seed in range(RUNS):
            found = run(recording, random.Random(seed))
            if found != once:
                wrong[seed] = _difference(once, found)
        assert not wrong, json.dumps(wrong, indent=1, default=str)[:6000]


def _difference(once: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name, was in once.items():
        now = found[name]
        if isinstance(was, dict):
            told |= {f"{name}.{key}": (was.get(key, 0), now.get(key, 0)) for key in {*was, *now} if was.get(key, 0) != now.get(key, 0)}
        elif was != now:
            told[name] = {"was": [row for row in was if row not in now], "is": [row for row in now if row not in was]}
    return told
