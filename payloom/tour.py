"""`payloom tour`: the main job without hands. A town of its own, a seller, people who buy by every method; everything that can go wrong goes wrong once.

Whoever watches sees the chats as they happen, then a timeline for each order, the ledger, every gateway's own books, and the audit.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from payloom import log
from payloom.streets import Streets, town_settings
from payloom.tour_books import Books, audited, compared, read_books, show_books
from payloom.tour_cards import (
    bank_takes_it_back,
    pays_by_card,
    pays_by_hand,
    pays_by_mada,
    pays_in_dirhams,
    pays_inside_telegram,
    pays_with_paypal,
)
from payloom.tour_people import LOOK_AGAIN_S, Chatter, Expectation, Wire
from payloom.tour_phones import half_here_half_there, sells_on_feature_phones
from payloom.tour_print import Printer, Spoken
from payloom.tour_scenes import Scene, Tour, buys_in_the_chat, buys_on_the_web, open_shop, quick_sell
from payloom.tour_trouble import (
    callback_comes_late,
    callback_never_comes,
    digital_goods,
    disputes,
    never_shipped,
    released_by_the_clock,
)

SEED = 20_261_121
SETTLED_WITHIN_S = 5.0
OPEN = frozenset({"escrow", "refunds_in_transit", "suspense"})
"""Accounts in which nothing is left once every order has ended."""
SCENES: tuple[tuple[str, Scene], ...] = (
    ("Amina opens a shop and makes a link, step by step", open_shop),
    ("Amina sells in one message", quick_sell),
    ("Brian buys on the web page, follows on Telegram, confirms with a button", buys_on_the_web),
    ("Chipo buys in the chat, cancels, pays; the delivery code releases the money", buys_in_the_chat),
    ("Wangari sells and Otieno buys, each with a feature phone", sells_on_feature_phones),
    ("Half on a feature phone and finished on Telegram, and the reverse", half_here_half_there),
    ("A callback that never comes", callback_never_comes),
    ("Callbacks that come an hour late: the seller takes one, one is given back", callback_comes_late),
    ("A buyer who forgets: released 7 days after delivery, after two warnings", released_by_the_clock),
    ("Two disputes: one refunded by the seller, one split by the arbiter", disputes),
    ("An order that is never sent: given back after 14 days", never_shipped),
    ("Digital goods hand themselves over", digital_goods),
    ("Nia pays by card with Stripe: declined first, then her bank asks", pays_by_card),
    ("Omar pays with PayPal and closes the window; Amina gives it back before anything is sent", pays_with_paypal),
    ("Pendo pays dirhams by card with PayTabs", pays_in_dirhams),
    ("Salma pays riyals with mada in the chat; a part goes back after a dispute", pays_by_mada),
    ("Wanja pays by card inside Telegram", pays_inside_telegram),
    ("Nia's bank takes the money back long after the release", bank_takes_it_back),
    ("Tatu pays from the M-Pesa menu of the phone", pays_by_hand),
)


@dataclass(slots=True)
class Played:
    """What became of a scene."""

    name: str
    ok: bool = True
    seconds: float = 0
    failed: str = ""
    checks: list[str] = field(default_factory=list)
    chat: list[Spoken] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        said = [spoken.shown() for spoken in self.chat]
        return {
            "name": self.name,
            "ok": self.ok,
            "seconds": round(self.seconds, 2),
            "failed": self.failed,
            "checks": self.checks,
            "chat": said,
        }


def run(as_json: bool) -> int:
    """Play it. 0 only if every expectation held, the books agree and the audit found nothing."""
    log.configure(level="error")
    document = asyncio.run(play(Printer(quiet=as_json)))
    if as_json:
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    return 0 if document["ok"] else 1


async def play(printer: Printer, scenes: Sequence[tuple[str, Scene]] = SCENES, **settings: Any) -> dict[str, Any]:
    """The scenes in a town with these settings; everything about it as one document. `ok` says whether all of it is right."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="payloom-tour-", ignore_cleanup_errors=True) as folder:
        async with _town(Path(folder), printer, settings) as tour:
            played = await _scenes(tour, scenes)
            ending = await _ending(tour) if all(scene.ok for scene in played) else {"ok": False}
    seconds, checks = time.monotonic() - begun, sum(len(scene.checks) for scene in played)
    last = "✓ All of it is right" if ending["ok"] else "✗ Something is wrong"
    printer.plain(f"\n{last}: {len(played)} scenes, {checks} expectations, {seconds:.1f} s", "bold")
    return {"ok": ending["ok"], "seconds": round(seconds, 2), "scenes": [scene.shown() for scene in played], **ending}


@contextlib.asynccontextmanager
async def _town(folder: Path, printer: Printer, settings: dict[str, Any]) -> AsyncIterator[Tour]:
    """A town of its own: a temporary folder, a free port, a fixed seed."""
    port = _free_port()
    printer.plain("Opening a town ...", "dim")
    streets = Streets(town_settings(folder, port, cards=True, **settings), seed=SEED)
    await streets.open()
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
            wire = Wire(session, f"http://127.0.0.1:{port}", printer)
            yield Tour(streets, wire, printer, Chatter(wire, 1001, "Amina", "254711000001"))
    finally:
        await streets.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _scenes(tour: Tour, scenes: Sequence[tuple[str, Scene]]) -> list[Played]:
    """One after the other; the first that fails is the last."""
    played: list[Played] = []
    for number, (name, scene) in enumerate(scenes, 1):
        tour.printer.scene(number, name)
        tour.checks = []
        result, begun = Played(name), time.monotonic()
        played.append(result)
        try:
            await scene(tour)
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is told with the chat so far
            result.ok, result.failed = False, str(failure) if isinstance(failure, Expectation) else f"{type(failure).__name__}: {failure}"
            tour.printer.bad(name, result.failed)
        result.seconds, result.checks, result.chat = time.monotonic() - begun, tour.checks, tour.printer.said
        if not result.ok:
            break
    return played


async def _settled_books(tour: Tour) -> Books:
    """The books once everybody was told; what is still wrong after a while is wrong."""
    until = time.monotonic() + SETTLED_WITHIN_S
    while True:
        await tour.wire.settle()
        books = await tour.streets.house.hall.store.read(read_books, tour.orders)
        if not books.problems or time.monotonic() > until:
            return books
        await asyncio.sleep(LOOK_AGAIN_S)


async def _ending(tour: Tour) -> dict[str, Any]:
    """Timelines, the ledger, both sides' books, the audit."""
    tour.printer.scene(0, "The books")
    books = await _settled_books(tour)
    comparisons = await compared(tour, books)
    show_books(tour, books, comparisons)
    looked_at, found = await audited(tour, books)
    differences = [line for one in comparisons for line in one.differences]
    expectations = {
        "the books of every gateway and ours agree": not differences,
        f"the audit looked at {looked_at} things and found nothing wrong": not found,
        "every order ended": not any(total for name, _, _, total in books.accounts if name in OPEN),
    }
    for what, true in expectations.items():
        tour.printer.plain(f"{'✓' if true else '✗'} {what}", "green" if true else "bold red")
    for line in [*differences, *found]:
        tour.printer.plain(f"  {line}", "red")
    return {
        "ok": all(expectations.values()),
        "expectations": expectations,
        "orders": [{"buyer": buyer, "number": number, "timeline": books.timelines[number]} for buyer, number in tour.orders.items()],
        "ledger": {
            "accounts": [dict(zip(("account", "currency", "count", "balance_minor"), one, strict=True)) for one in books.accounts],
            "kinds": [dict(zip(("kind", "currency", "entries", "moved_minor"), one, strict=True)) for one in books.kinds],
        },
        "gateways": [asdict(one) for one in comparisons],
        "audit": {"looked_at": looked_at, "found": found},
    }
