"""telegram: an update in, the answer handed to the network, the conversation stored; beside PTB with a handler that stores nothing."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from payloom.bench.figures import Figure
from payloom.bench.process import running

AT_ONCE = 64
"""As many as our own mouth has under way (bot/mouths/telegram.py)."""


def run(*, updates: int = 500, rounds: int = 5, uvloop: bool = True, **_: Any) -> tuple[list[Figure], list[str]]:
    """`updates` in each round."""
    usual = Figure("telegram", "PTB with its own transport", "updates/s", goal=0.4, floor_is="PTB, httpx, stores nothing")
    quick = Figure("telegram", "PTB with our transport", "updates/s", floor_is="PTB, our transport, stores nothing")
    with tempfile.TemporaryDirectory() as folder, running("payloom.bench.emulator") as emulator:
        data = Path(folder)
        shared = {"api": f"http://127.0.0.1:{emulator.port}", "uvloop": uvloop, "at_once": AT_ONCE}
        ours = {**shared, "side": "ours", "data": str(data), "database_url": f"sqlite+aiosqlite:///{data}/ours.db"}
        with (
            running("payloom.bench.speaking", json.dumps(ours)) as house,
            running("payloom.bench.speaking", json.dumps({**shared, "side": "ptb", "transport": "httpx"})) as httpx,
            running("payloom.bench.speaking", json.dumps({**shared, "side": "ptb", "transport": "ours"})) as aiohttp,
        ):
            for side in (house, httpx, aiohttp):
                side.ask(str(updates))
            for _round in range(rounds):
                emulator.ask("forget")
                speed = house.ask(str(updates))["per_s"]
                said = emulator.ask("messages")["messages"]
                if said < updates:
                    raise RuntimeError(f"{updates} updates, but only {said} answers")
                usual.add(speed, httpx.ask(str(updates))["per_s"])
                quick.add(speed, aiohttp.ask(str(updates))["per_s"])
    return [usual, quick], []
