"""Every gateway beside M-Pesa, each with a hosted page of its own: for pages that offer a buyer many ways to pay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from domain.methods import CARRIERS
from domain.payment import Ability, Ask, Attempt, Notice, Outcome, Proof, Refund, Reply, Unreadable
from domain.ports import Unit
from domain.records import GatewaySettings
from domain.rights import Actor, Party
from tests.web.ground import Ground
from usecases import lists
from usecases.gateways import PLATFORM, sealed_for

HOSTED: Final = ("stripe", "paypal", "paytabs", "moyasar")
CURRENCIES: Final = frozenset({"KES", "SAR", "AED", "USD"})
DESK: Final = Actor(Party.ADMIN, "settings")


@dataclass
class Hosted:
    """A gateway whose page is somewhere else. `reply` None: the page is there."""

    name: str
    reply: Reply | None = None
    asked: list[Ask] = field(default_factory=list)

    @property
    def ability(self) -> Ability:
        methods = frozenset(method for method, carriers in CARRIERS.items() if self.name in carriers)
        return Ability(self.name, methods, CURRENCIES, {}, 100, 99_999_999, True, Proof.PROOF)

    async def start(self, ask: Ask) -> Reply:
        self.asked.append(ask)
        return self.reply or Reply(Outcome.PENDING, f"ref_{ask.attempt_id}", url=f"https://pay.{self.name}.example/page/{ask.attempt_id}")

    async def fetch(self, attempt: Attempt, credentials: Mapping[str, str]) -> Reply:
        return Reply(Outcome.PENDING, attempt.ref)

    async def refund(self, refund: Refund, receipt: str, credentials: Mapping[str, str], callback_token: str) -> Reply:
        return Reply(Outcome.PENDING, f"re_{refund.id}")

    def authentic(self, kind: str, raw: bytes, headers: Mapping[str, str], source: str, credentials: Mapping[str, str]) -> bool:
        return False

    def parse(self, kind: str, raw: bytes, headers: Mapping[str, str]) -> Notice:
        raise Unreadable(self.name)


async def open_every_way(ground: Ground, *, by_hand: bool = True) -> dict[str, Hosted]:
    """Let the platform be paid through all of them, and, with `by_hand`, from the M-Pesa menu too."""
    made = {name: Hosted(name) for name in HOSTED}
    ground.hall.gateways.update(made)  # type: ignore[attr-defined]

    def keep(unit: Unit) -> None:
        for name in HOSTED:
            unit.settings.put(GatewaySettings(PLATFORM, name, unit.seals.seal("{}", sealed_for(PLATFORM, name)), unit.now, unit.now))
        if by_hand:
            lists.switch_on(unit, DESK, PLATFORM, listed=False)

    await ground.hall.store.write(keep)
    return made
