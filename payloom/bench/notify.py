"""notify: from the callback's arrival to the message in Telegram's hands, for buyer and seller, while sales come at a fixed rate."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from payloom.bench import load, stock
from payloom.bench.figures import Figure
from payloom.bench.process import Process, running
from payloom.bench.settle import house_on

RATES = (200, 100, 50, 25)


def run(*, seconds: float = 6, rates: tuple[int, ...] = RATES, uvloop: bool = True, **_: Any) -> tuple[list[Figure], list[str]]:
    """The highest rate first; stops at the first rate that the machine keeps up with. No pace of Telegram's: it allows 30 messages a second."""
    figures = []
    for rate in rates:
        sales = int(rate * seconds)
        with tempfile.TemporaryDirectory() as folder, running("payloom.bench.emulator") as telegram:
            data = Path(folder)
            shops = stock.make(data, f"sqlite+aiosqlite:///{data}/ours.db", sales + 1, people=True)
            given = {"telegram_api_base": f"http://127.0.0.1:{telegram.port}"}
            with house_on(shops, uvloop=uvloop, doors=["bot", "worker"], given=given) as house:
                load.send(house.port, shops.callbacks([0]), 1)
                time.sleep(1)
                telegram.ask("forget")
                waits_s, lost = _waits(shops, house, telegram, sales, rate, uvloop)
        waits_s.sort()
        p99_s = waits_s[int(len(waits_s) * 0.99)] if waits_s else float("inf")
        figure = Figure("notify", f"SQLite, {rate} sales/s, p99", "s", goal=1.0, less=True)
        figure.add(p99_s)
        figure.note = f"{len(waits_s)} messages, median {waits_s[len(waits_s) // 2]:.3f} s, longest {waits_s[-1]:.3f} s, not seen: {lost}"
        figures.append(figure)
        if figure.met and not lost:
            break
    return figures, []


def _waits(shops: stock.Stock, house: Process, telegram: Process, sales: int, rate: int, uvloop: bool) -> tuple[list[float], int]:
    """Seconds from when the callback left to each of its two messages; how many messages never came."""
    told = load.send(house.port, shops.callbacks(range(1, 1 + sales)), 64, rate, uvloop=uvloop)
    end_s = time.monotonic() + 60
    while telegram.ask("messages")["messages"] < 2 * sales and time.monotonic() < end_s:
        time.sleep(0.5)
    first = telegram.ask("first")["first"]
    waits_s, lost = [], 0
    for number, left_s in enumerate(told.left_at_s, 1):
        for chat in (stock.SELLER - number, stock.BUYER - number):
            if str(chat) in first:
                waits_s.append(first[str(chat)] - left_s)
            else:
                lost += 1
    return waits_s, lost
