"""What the tests of the web door stand on: the real application over a real SQLite store, a gateway that says what a test wants, a shop."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from domain.errors import BadInput
from domain.ids import CheckoutId, FileId, LinkId, OrganizationId, PersonId
from domain.life import LinkState
from domain.link import Link
from domain.money import Money
from domain.order import Order
from domain.payment import Ability, Ask, Attempt, Method, Notice, Outcome, Proof, Refund, Reply
from domain.person import Language, Organization, Person, Role
from domain.ports import House, Unit
from domain.records import GatewaySettings, StoredFile
from domain.rights import Actor, Party
from domain.tokens import Purpose, Tokens
from gateways.payments.daraja_notice import read_notice
from storage.bell import LocalBell
from storage.sqlite import SqliteStore
from storage.store import StoreUnavailable
from storage.unit import Surroundings
from tests.storage.ground import AUDIT_KEY, Dice, OpenSeals, sqlite_path
from usecases import settlement
from usecases.gateways import PLATFORM
from usecases.hall import Hall
from web.application import application
from web.door import Picture
from web.gate import GatedRunner, Limits

ORIGIN = "https://pay.example"
START = datetime(2026, 11, 21, 7, 21, 0, tzinfo=UTC)
SHOP, OWNER = OrganizationId(11), PersonId(12)
ABILITY = Ability("daraja", frozenset({Method.MPESA}), frozenset({"KES"}), {"KES": 100}, 100, 25_000_000, True, Proof.HINT)
FORM = {
    "phone": "0712 345 678",
    "name": "Wanjiru Kamau",
    "address": "Kilimani, Wood Avenue, gate 12",
    "note": "Call first",
    "quantity": "1",
    "method": "mpesa",
}


@dataclass
class HandClock:
    """Stands until it is moved."""

    at: datetime = START
    seconds: float = 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return self.seconds

    def move(self, by: timedelta) -> None:
        self.at += by
        self.seconds += by.total_seconds()


@dataclass
class Pretend:
    """A gateway that queues every prompt and remembers it; its callbacks are read by the real reader."""

    asked: list[Ask] = field(default_factory=list)
    reply: Callable[[Ask], Reply] = lambda ask: Reply(Outcome.PENDING, f"ws_CO_{ask.attempt_id}")
    genuine: bool = True
    meanwhile: Callable[[Ask], Awaitable[None]] | None = None

    @property
    def ability(self) -> Ability:
        return ABILITY

    async def start(self, ask: Ask) -> Reply:
        self.asked.append(ask)
        if self.meanwhile is not None:
            await self.meanwhile(ask)
        return self.reply(ask)

    async def fetch(self, attempt: Attempt, credentials: Mapping[str, str]) -> Reply:
        return Reply(Outcome.UNKNOWN)

    async def refund(self, refund: Refund, receipt: str, credentials: Mapping[str, str], callback_token: str) -> Reply:
        return Reply(Outcome.PENDING, "AG_1")

    def authentic(self, kind: str, raw: bytes, headers: Mapping[str, str], source: str, credentials: Mapping[str, str]) -> bool:
        return self.genuine

    def parse(self, kind: str, raw: bytes, headers: Mapping[str, str]) -> Notice:
        return read_notice(kind, raw)


async def small_pictures(raw: bytes) -> tuple[Picture, ...]:
    """Stands for the picture maker: what begins like a PNG is one."""
    if not raw.startswith(b"\x89PNG"):
        raise BadInput("picture", "not_a_picture")
    return ((720, 540, "image/webp", b"RIFF large"), (360, 270, "image/webp", b"RIFF small"))


@dataclass
class Ground:
    """The application, running, and its insides for looking."""

    hall: Hall
    gateway: Pretend
    clock: HandClock
    client: TestClient[web.Request, web.Application]
    buyers: int = 0

    async def link(self, **changes: Any) -> Link:
        """A link for sale; `pictures=2` gives it pictures."""
        return await self.hall.store.write(_add_link, changes)

    async def get(self, path: str, **more: Any) -> ClientResponse:
        return await self.client.get(path, allow_redirects=False, **more)

    async def post(self, path: str, data: Any = None, **more: Any) -> ClientResponse:
        return await self.client.post(path, data=data, allow_redirects=False, **more)

    async def begin(self, link: Link, **typed: str) -> str:
        """Buy as a browser without JavaScript does: read the form, fill it in, send it. The path of the pay page."""
        key = key_in(await (await self.get(f"/buy/{link.code}")).text())
        self.buyers += 1
        somebody = {"phone": f"0712 345 {self.buyers:03}", "key": key}
        headers = {"X-Forwarded-For": f"10.0.0.{self.buyers}"}
        answer = await self.post(f"/buy/{link.code}", {**FORM, **somebody, **typed}, headers=headers)
        assert answer.status == 303, await answer.text()
        await self.hall.drain()
        return answer.headers["Location"]

    def checkout_of(self, pay: str) -> CheckoutId:
        number = self.hall.tokens.read(Purpose.PAY, pay.rpartition("/")[2])
        assert number is not None
        return CheckoutId(number)

    async def attempt_of(self, pay: str) -> Attempt:
        return (await self.hall.store.read(lambda unit: unit.payments.attempts(self.checkout_of(pay))))[-1]

    def callback(self, attempt: Attempt, kind: str = "stk") -> str:
        return f"/callbacks/daraja/{self.hall.tokens.make(Purpose.ATTEMPT, attempt.id)}/{kind}"

    def body(self, attempt: Attempt, code: int = 0, **changes: Any) -> bytes:
        return stk_body(attempt, code, **changes)

    async def pay(self, pay: str, code: int = 0, **changes: Any) -> ClientResponse:
        """Daraja calls back about the last attempt."""
        attempt = await self.attempt_of(pay)
        return await self.client.post(self.callback(attempt), data=stk_body(attempt, code, **changes))

    async def order(self, pay: str) -> Order:
        order = await self.hall.store.read(lambda unit: unit.orders.of_checkout(self.checkout_of(pay)))
        assert order is not None
        return order

    async def sold(self, **changes: Any) -> tuple[str, Order]:
        """A paid order: the path of its tracking page, and the order."""
        pay = await self.begin(await self.link(**changes))
        assert (await self.pay(pay)).status == 200
        order = await self.order(pay)
        return f"/track/{self.hall.tokens.make(Purpose.TRACK, order.id)}", order

    async def prove(self, order: Order) -> None:
        await self.hall.store.write(settlement.record_fetch, order.attempt_id, Reply(Outcome.SUCCEEDED))

    async def now(self, order: Order) -> Order:
        return await self.hall.store.read(lambda unit: unit.orders.get(order.id))

    async def seller(self, work: Callable[..., Any], order: Order, *args: Any) -> None:
        await self.hall.store.write(work, Actor(Party.OWNER, "telegram", OWNER, SHOP), order.number, *args)

    async def counts(self) -> tuple[int, ...]:
        """Rows that matter, to see that nothing happened."""
        return await self.hall.store.read(_counts)


def _counts(unit: Unit) -> tuple[int, ...]:
    tables = ("checkouts", "attempts", "orders", "entries", "outbox", "disputes", "refunds")
    return tuple(int(unit.session.plain(f"SELECT count(*) FROM {table}").fetchone()[0]) for table in tables)  # type: ignore[attr-defined]


def stk_body(attempt: Attempt, code: int = 0, *, receipt: str | None = None, amount: Any = None, ref: str | None = None) -> bytes:
    """What Daraja posts after a prompt."""
    call: dict[str, Any] = {
        "MerchantRequestID": "m-1",
        "CheckoutRequestID": ref or attempt.ref or f"ws_CO_{attempt.id}",
        "ResultCode": code,
        "ResultDesc": "said",
    }
    if code == 0:
        items = [
            {"Name": "Amount", "Value": attempt.money.amount_minor // 100 if amount is None else amount},
            {"Name": "MpesaReceiptNumber", "Value": receipt or f"TKL{attempt.id % 10**7:07}"},
            {"Name": "TransactionDate", "Value": 20261121102233},
            {"Name": "PhoneNumber", "Value": 254712345678},
        ]
        call["CallbackMetadata"] = {"Item": items}
    return json.dumps({"Body": {"stkCallback": call}}).encode()


def key_in(page: str) -> str:
    found = re.search(r'name="key" value="([0-9a-f]{32})"', page)
    assert found, page
    return found.group(1)


def _furnish(unit: Unit) -> None:
    unit.people.add(Person(OWNER, "Amina", Language.EN, Role.SELLER, None, unit.now))
    unit.organizations.add(Organization(SHOP, "Mama Amina Shoes", "KE", "KES", 250, unit.now))
    sealed = unit.seals.seal(json.dumps({"short_code": "174379"}), f"organization:{PLATFORM}:daraja:credentials")
    unit.settings.put(GatewaySettings(PLATFORM, "daraja", sealed, unit.now, unit.now))


def _add_link(unit: Unit, changes: dict[str, Any]) -> Link:
    number = LinkId(unit.new_id())
    pictures = tuple(_add_picture(unit, n) for n in range(changes.pop("pictures", 0)))
    code = "PL-" + "".join("23456789ABCDEFGHJKMNPQRSTUVWXYZ"[unit.chance(60) % 31] for _ in range(5))
    made = Link(number, code, SHOP, OWNER, "Red sneakers", "Soft and light, sizes 38 to 44.", Money(250_000, "KES"), LinkState.ACTIVE,
                unit.now, f"key-{number}", pictures)  # fmt: skip
    made = replace(made, **changes)
    unit.links.add(made)
    return made


def _add_picture(unit: Unit, shade: int) -> FileId:
    first = FileId(unit.new_id())
    for n, width in enumerate((1080, 720, 360)):
        number = first if n == 0 else FileId(unit.new_id())
        body = b"RIFF%d-%d" % (width, shade)
        unit.files.add(StoredFile(number, SHOP, OWNER, f"picture:{first}", "image/webp", width, width, body, unit.now))
    return first


class GatedServer(TestServer):
    """As `payloom run` serves it."""

    def __init__(self, app: web.Application, limits: Limits) -> None:
        super().__init__(app)
        self._limits = limits

    async def _make_runner(self, **_: Any) -> web.AppRunner:
        return GatedRunner(self.app, self._limits, frozenset())


@contextlib.asynccontextmanager
async def standing(url: str, **settings: Any) -> AsyncIterator[Ground]:
    """The whole door, running on loopback."""
    clock, bell, gateway = HandClock(), LocalBell(), Pretend()
    house = House(settings.pop("base_url", ORIGIN), "PayLoomBot", "KE", "KES", 250)
    tokens = Tokens([b"k" * 16])
    store = SqliteStore(sqlite_path(url), Surroundings(clock, Dice(), house, tokens, OpenSeals(), AUDIT_KEY), bell)
    await store.open()
    hall = Hall(store, {"daraja": gateway}, bell, clock, house, tokens)
    given: dict[str, Any] = {
        "new_key": lambda: secrets.token_hex(16),
        "pictures": small_pictures,
        "unavailable": (StoreUnavailable,),
        "heartbeat_s": 0.2,
        "trusted_proxies": frozenset({"127.0.0.1"}),
    }
    limits = settings.pop("limits", Limits())
    app = application(hall, **{**given, **settings})
    client = TestClient(GatedServer(app, limits))
    try:
        await store.write(_furnish)
        await client.start_server()
        yield Ground(hall, gateway, clock, client)
    finally:
        await client.close()
        await hall.drain()
        await store.close()
