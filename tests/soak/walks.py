"""Random walks: buyers who pay, cancel, forget and complain, a seller who works through orders, a Daraja that misbehaves, and a killer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from tests.crash.desk import look_into_the_portal
from tests.crash.people import Chatter, Purchase, T
from tests.crash.sale import Sale, sale
from tests.crash.street import Street
from town.core import Fault
from town.phones import NothingWaits

AT_ONCE: Final = 6
DAY_S: Final = 86_400.0
PIN: Final = ("right", "right", "right", "right", "cancel", "wrong", "broke")
FAULTS: Final = (
    "callback_before_reply", "duplicate_callback", "expire_token", "late_callback", "masked_phone", "missing_receipt", "no_callback",
    "query_4999", "query_500", "query_down", "spike", "stk_500", "stk_half_json", "stk_html", "stk_timeout_after", "stk_timeout_before",
    "token_500",
)  # fmt: skip
OVER: Final = frozenset({"COMPLETED", "REFUNDED", "VOID"})


@dataclass(slots=True)
class Walk:
    """Everything chance decides comes from one seed; how the processes interleave does not, so a seed repeats the plan, not the run."""

    street: Street
    chance: random.Random
    kills: bool
    sale: Sale = field(init=False)
    buyers: int = 0
    done: Counter[str] = field(default_factory=Counter)

    async def open(self) -> None:
        self.sale = sale(self.street)
        for name, step in self.sale.steps():
            await step()
            if name == "create":
                return

    async def sell_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        killer = asyncio.get_running_loop().create_task(self._kill_now_and_then())
        try:
            while time.monotonic() < end:
                self._misbehave()
                await asyncio.gather(*(self._somebody_buys() for _ in range(AT_ONCE)))
                await self._amina_works()
                await self.street.revive()
                await self.street.core.pass_time(self.chance.choice((1, 15, 60, 600, 3600, DAY_S)))
        finally:
            killer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await killer

    async def end(self) -> None:
        """No more faults, no more kills; a month passes; whoever sits at the desk does what the alerts ask for."""
        self.street.core.faults.clear()
        for _ in range(30):
            await self.street.pass_time(600)
            await look_into_the_portal(self.street)
            await self.street.core.pass_time(DAY_S)
            left = {row[0] for row in self.street.rows("SELECT DISTINCT state FROM orders")} - OVER
            refunds = self.street.one("SELECT count(*) FROM refunds WHERE state <> 'DONE'")
            if not left and not refunds:
                return

    def _misbehave(self) -> None:
        for _ in range(self.chance.randrange(3)):
            fault = self.chance.choice(FAULTS)
            self.done[f"fault {fault}"] += 1
            self.street.core.faults.plant(Fault("daraja", fault, 1, {"seconds": self.chance.choice((0.01, 0.2))}))

    async def _somebody_buys(self) -> None:
        self.buyers += 1
        buyer = Chatter(self.street, 10_000 + self.buyers, f"Buyer {self.buyers}", f"2547{30_000_000 + self.buyers}")
        purchase = Purchase(self.street, self.sale.code, buyer)
        for _ in range(20):
            await (await self.street.revive()).settle()
            await (purchase.look() if purchase.path else purchase.send_form())
            if purchase.path.startswith("/track/"):
                self.done["paid"] += 1
                return
            if buyer.prompts() and self.chance.random() < 0.9:
                answer = self.chance.choice(PIN)
                with contextlib.suppress(NothingWaits):
                    self.street.town.phones.answer(buyer.msisdn, answer)
                self.done[f"pin {answer}"] += 1
            await asyncio.sleep(0.02)
        self.done["gave up"] += 1

    async def _amina_works(self) -> None:
        """A few of the orders on her cards, each a step further."""
        amina = self.sale.amina
        open_orders = self.street.rows("SELECT number, state FROM orders WHERE state IN ('PAID', 'ACCEPTED', 'SHIPPED') LIMIT 40")
        for number, state in self.chance.sample(list(open_orders), min(4, len(open_orders))):
            label = {"PAID": "chat.act.accept", "ACCEPTED": "chat.act.delivered", "SHIPPED": "chat.act.delivered"}[state]
            if state == "PAID" and self.chance.random() < 0.2:
                label = "chat.act.refund"
            if await amina.tap(T(label), number):
                await (await self.street.revive()).settle()
                if label == "chat.act.refund":
                    await amina.tap(T("chat.do.yes_refund"))
                self.done[label] += 1

    async def _kill_now_and_then(self) -> None:
        while self.kills:
            await asyncio.sleep(self.chance.uniform(0.05, 3.0))
            house = self.street.house
            if house is not None and not house.dead:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(await house.life.pid(), signal.SIGKILL)
                self.done["kill -9"] += 1


def unknown_charges(street: Street) -> tuple[int, int]:
    """Charges in Daraja's books that we do not know, and tries of ours that might be them: both the answer to the prompt and its only
    callback were lost, so that there was nothing left to ask by."""
    ours = {ref for (ref,) in street.rows("SELECT ref FROM attempts WHERE state = 'SUCCEEDED'")}
    lost = [entry for entry in street.town.daraja.books() if entry["kind"] == "stk" and entry["checkout_request_id"] not in ours]
    might_be = street.one("SELECT count(*) FROM attempts WHERE ref IS NULL AND state <> 'SUCCEEDED'")
    return len(lost), int(might_be)
