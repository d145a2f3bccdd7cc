"""K16 and kills from outside: the product as it is started in earnest, told to stop in the middle of a payment, or killed at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator

from tests.crash.given import as_environment
from tests.crash.nursery import ROOT, Nursery
from tests.crash.people import Purchase
from tests.crash.sale import Sale, sale
from tests.crash.street import Street, street
from tests.crash.verdict import faults

HOURS_S = 2 * 3600
READY_S = 30.0
MOST_KILLS = 10


@contextlib.asynccontextmanager
async def payloom_run(there: Street) -> AsyncIterator[Process]:
    """`payloom run all`, in a process group of its own, ready to take money."""
    environment = {**os.environ, **as_environment(there.settings), "PYTHONPATH": str(ROOT)}
    output = os.open(there.folder / "output", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "payloom", "run", "all",
        cwd=there.folder, env=environment, stdin=DEVNULL, stdout=output, stderr=output, start_new_session=True,
    )  # fmt: skip
    os.close(output)
    try:
        await ready(there, process)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ready(there: Street, process: Process) -> None:
    assert there.browser is not None
    async with asyncio.timeout(READY_S):
        while True:
            assert process.returncode is None, there.last_words()
            with contextlib.suppress(OSError):
                async with there.browser.get(f"http://127.0.0.1:{there.house_port}/readyz") as answer:
                    if answer.status == 200 and there.listening:
                        return
            await asyncio.sleep(0.05)


async def until_made(there: Street, script: Sale) -> None:
    """The shop and its link, made by a house of the harness, which then goes."""
    for name, step in script.steps():
        await step()
        if name == "create":
            break
    house = await there.revive()
    assert await house.stop() == 0
    there.house = None


async def test_told_to_stop_during_a_payment_it_finishes_what_it_began_and_goes(home: Nursery, engine_url: str) -> None:
    """K16. SIGTERM right after the form was sent: the prompt that was begun is sent and written down, the exit code is 0, and the sale goes
    on with the next process."""
    async with street(engine_url, home) as there:
        script = sale(there)
        await until_made(there, script)
        async with payloom_run(there) as process:
            purchase = Purchase(there, script.code, script.brian)
            await purchase.send_form()
            assert purchase.path.startswith("/pay/")
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), READY_S) == 0
        ((state, ref),) = there.rows("SELECT state, ref FROM attempts")
        assert state == "PENDING"
        assert ref is not None
        assert len(script.brian.prompts()) == 1
        async with payloom_run(there) as process:
            there.town.phones.answer(script.brian.msisdn, "right")
            for _ in range(int(READY_S / 0.05)):
                if there.one("SELECT count(*) FROM orders"):
                    break
                await asyncio.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), READY_S) == 0
        assert there.rows("SELECT state, escrow FROM orders") == [("PAID", "HELD")]


async def test_killed_from_outside_again_and_again_the_sale_still_ends_right(home: Nursery, engine_url: str) -> None:
    """K1, K2. The kill comes from another process, at no particular point, all through the sale. A callback that nobody heard is the one
    thing that has to be found again by asking."""
    async with street(engine_url, home) as there:
        chance = random.Random(7)
        quiet = asyncio.Event()
        killer = asyncio.get_running_loop().create_task(_kill_now_and_then(there, chance, quiet))
        script = sale(there)
        for name, step in script.steps():
            if name.startswith(("buy", "pin", "refund")):
                quiet.set()  # a prompt whose answer and whose callback are both lost is known to nobody: see tests/crash/plan.py
            else:
                quiet.clear()
            await step()
        killer.cancel()
        await asyncio.gather(killer, return_exceptions=True)
        await there.pass_time(HOURS_S)
        assert there.deaths > 2
        assert [fault for fault in await faults(script) if "told" not in fault] == []


async def _kill_now_and_then(there: Street, chance: random.Random, quiet: asyncio.Event) -> None:
    left = MOST_KILLS
    while left:
        await asyncio.sleep(chance.uniform(0.05, 0.5))
        if there.house is not None and not there.house.dead and not quiet.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.kill(await there.house.life.pid(), signal.SIGKILL)
                left -= 1
