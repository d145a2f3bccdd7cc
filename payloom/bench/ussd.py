"""ussd: one turn over HTTP with its stored state, beside a bare aiohttp route that reads a form. ussd-crowd: many sessions open at once.

A session is a shop being opened: dial, language, role, its name, and home. Every turn writes what the phone was shown, committed before the answer.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from payloom.bench import load, stock
from payloom.bench.figures import Figure
from payloom.bench.process import running
from payloom.bench.settle import house_on
from payloom.streets import TOWN_CALLBACKS

TYPED: Final = ("", "1", "1*1", "1*1*Mama Amina Shoes", "1*1*Mama Amina Shoes*00")
FIRST_NUMBER: Final = 254_700_000_000
SHOPS: Final = 2000
"""That are there before, with their people: SQLite plans by what `stock` measured, and for two people it plans to look at everybody."""


def run(*, sessions: int = 400, rounds: int = 5, connections: int = 32, uvloop: bool = True, **_: Any) -> tuple[list[Figure], list[str]]:
    """`sessions` of five turns in each round, other people in each."""
    figure = Figure("ussd", f"{connections} callers", "turns/s", goal=0.25, floor_is="bare aiohttp, the form read")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        shop = stock.make(data, f"sqlite+aiosqlite:///{data}/ours.db", SHOPS, people=True)
        body = data / "answer"
        body.write_bytes(b"CON What brings you here?\n1. I sell\n2. I buy")
        headers = json.dumps({"Content-Type": "text/plain; charset=utf-8"})
        with (
            house_on(shop, uvloop=uvloop) as house,
            running("payloom.bench.bare", str(body), headers, "uvloop" if uvloop else "plain") as bare,
        ):
            for number in range(rounds + 1):
                asked = turns(range(number * sessions, (number + 1) * sessions))
                ours, floor = (load.send(server.port, asked, connections, uvloop=uvloop).per_s for server in (house, bare))
                if number:  # the first is for warming up
                    figure.add(ours, floor)
        with stock.connected(shop.database_url) as run_sql:
            shops = int(run_sql("SELECT count(*) FROM organizations WHERE name = 'Mama Amina Shoes'")[0][0])
        figure.note = f"{shops:,} shops were opened by {(rounds + 1) * sessions:,} sessions"
    return [figure], []


def crowd(*, crowd: int = 2000, rate: int = 400, connections: int = 200, uvloop: bool = True, **_: Any) -> tuple[list[Figure], list[str]]:
    """`crowd` sessions at once; somebody presses a key `rate` times a second, in turn, so each waits five seconds between two."""
    figure = Figure("ussd-crowd", f"{crowd:,} sessions, {rate} turns/s, p99", "s", goal=1.0, less=True)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        shop = stock.make(data, f"sqlite+aiosqlite:///{data}/ours.db", SHOPS, people=True)
        with house_on(shop, uvloop=uvloop) as house:
            answered = load.send(house.port, turns(range(crowd)), connections, rate, uvloop=uvloop)
        waits_s = sorted(answered.latencies_s)
        figure.add(waits_s[int(len(waits_s) * 0.99)])
        with stock.connected(shop.database_url) as run_sql:
            kept = int(run_sql("SELECT count(*) FROM organizations WHERE name = 'Mama Amina Shoes'")[0][0])
        figure.note = (
            f"{len(waits_s):,} turns, median {waits_s[len(waits_s) // 2]:.3f} s, longest {waits_s[-1]:.3f} s, sessions lost: {crowd - kept}"
        )
    return [figure], []


def turns(people: Sequence[int]) -> list[bytes]:
    """The first turn of everybody, then the second of everybody, and so on."""
    return [_posted(person, text) for text in TYPED for person in people]


def _posted(person: int, text: str) -> bytes:
    form = {
        "sessionId": f"ATUid_{person}",
        "phoneNumber": f"+{FIRST_NUMBER + person}",
        "serviceCode": "*384*77#",
        "networkCode": "63902",
        "text": text,
    }
    body = urlencode(form).encode()
    head = (
        f"POST /ussd/{TOWN_CALLBACKS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\nUser-Agent: bench\r\n\r\n"
    )
    return head.encode() + body
