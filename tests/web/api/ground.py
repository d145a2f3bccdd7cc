"""What the tests of the API stand on: two shops with people and keys, a gateway that only writes down, real HTTP, and a document that watches."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

from domain.ids import AttemptId, OrderId, OrganizationId, PersonId
from domain.money import Money
from domain.order import Order
from domain.payment import Ability, Ask, Attempt, Method, Notice, Outcome, Proof, Refund, Reply, Unreadable
from domain.person import Channel, ChannelKind, ChannelState, Language, Member, Organization, Person, Role
from domain.phone import Phone
from domain.ports import Unit
from domain.rights import Actor, Party
from domain.tokens import Purpose
from tests.storage.ground import NOON, StillClock, raw
from usecases import links, payments, settlement
from usecases.api_keys import make_api_key
from usecases.checkouts import NewCheckout
from usecases.gateways import save_credentials
from usecases.hall import Hall

BASE = "https://pay.example"
ABILITY = Ability("daraja", frozenset({Method.MPESA}), frozenset({"KES"}), {"KES": 100}, 100, 25_000_000, True, Proof.HINT)
PHONE = "0712345678"
SHOP, OTHER_SHOP = OrganizationId(1), OrganizationId(2)
PEOPLE = {"owner": 1, "manager": 2, "staff": 3, "leaver": 4, "other": 5, "buyer": 6}


class PaperGateway:
    """Plays Daraja: starts by writing down, calls back when a test says so."""

    def __init__(self) -> None:
        self.asked: list[Ask] = []

    @property
    def ability(self) -> Ability:
        return ABILITY

    async def start(self, ask: Ask) -> Reply:
        self.asked.append(ask)
        return Reply(Outcome.PENDING, f"ws_{ask.attempt_id}")

    async def fetch(self, attempt: Attempt, credentials: Mapping[str, str]) -> Reply:
        return Reply(Outcome.PENDING)

    async def refund(self, refund: Refund, receipt: str, credentials: Mapping[str, str], callback_token: str) -> Reply:
        return Reply(Outcome.PENDING)

    def authentic(self, kind: str, raw: bytes, headers: Mapping[str, str], source: str, credentials: Mapping[str, str]) -> bool:
        return headers.get("User-Agent") != "forger"

    def parse(self, kind: str, raw: bytes, headers: Mapping[str, str]) -> Notice:
        try:
            body = json.loads(raw)
            money = Money(body["minor"], "KES")
            return Notice(
                "daraja", f"stk:{body['ref']}", kind, Outcome.SUCCEEDED, Proof.HINT, ref=body["ref"], receipt=body["receipt"], money=money
            )
        except (ValueError, KeyError, TypeError):
            raise Unreadable("not ours") from None


@dataclass
class World:
    """Bearers by who has them; `links` and `orders` by shop (`ours`, `theirs`); `tracks` are tracking tokens."""

    keys: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    tracks: dict[str, str] = field(default_factory=dict)


def found_world(unit: Unit) -> World:
    """A shop with an owner, a manager, a member of staff and one who left; another shop; a link and a paid order in each."""
    world = World()
    for name, number in PEOPLE.items():
        unit.people.add(Person(PersonId(number), name, Language.EN, Role.SELLER, None, NOON))
        unit.people.add_channel(Channel(ChannelKind.TELEGRAM, str(number), PersonId(number), ChannelState.ACTIVE, NOON))
    for shop in (SHOP, OTHER_SHOP):
        unit.organizations.add(Organization(shop, f"Shop {shop}", "KE", "KES", 250, NOON))
    save_credentials(unit, Actor(Party.ADMIN, "admin"), "daraja", {"short_code": "600000"}, tested=True)
    parties = {"owner": Party.OWNER, "manager": Party.MANAGER, "staff": Party.STAFF, "other": Party.OWNER}
    for name in ("owner", "manager", "staff", "leaver", "other"):
        person, shop = PersonId(PEOPLE[name]), OTHER_SHOP if name == "other" else SHOP
        if name in parties:
            unit.organizations.add_member(Member(shop, person, parties[name], NOON))
        _, world.keys[name] = make_api_key(unit, Actor(Party.OWNER, "web", person, shop), name)
    for whose, name in (("ours", "owner"), ("theirs", "other")):
        owner = Actor(Party.OWNER, "web", PersonId(PEOPLE[name]), OTHER_SHOP if whose == "theirs" else SHOP)
        new = links.NewLink(f"first-{whose}", f"Sneakers {whose}", Money(250_000, "KES"), stock=50)
        world.links[whose] = links.create_link(unit, owner, new).code
    return world


def sell(unit: Unit, code: str, key: str, *, buyer: PersonId | None = None, proof: Proof = Proof.PROOF) -> Order:
    """A purchase, paid, in one unit; from a phone of its own, for prompts to one phone are limited."""
    phone = Phone(f"+2547{int(hashlib.sha256(key.encode()).hexdigest(), 16) % 10**8:08}")
    new = NewCheckout(key, code, 1, "Amina", "Kilimani", "", phone, "en", "web", buyer)
    attempt = payments.buy(unit, new, Method.MPESA, {"daraja": ABILITY})
    payments.begin_attempt(unit, attempt.id)
    payments.record_reply(unit, attempt.id, Reply(Outcome.PENDING, f"ws_{attempt.id}"))
    paid = Notice("daraja", f"e{attempt.id}", "stk", Outcome.SUCCEEDED, proof, attempt.id, receipt=f"R{attempt.id}", money=attempt.money)
    settlement.apply_notice(unit, paid)
    order = unit.orders.of_checkout(attempt.checkout_id)
    assert order is not None
    return order


def order_of(unit: Unit, number: str) -> Order:
    order = unit.orders.by_number(number)
    assert order is not None
    return order


@dataclass(frozen=True)
class Said:
    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def told(self) -> Any:
        """The body without what names the single request."""
        return {name: value for name, value in self.body.items() if name != "request_id"}


@dataclass
class Api:
    """Speaks HTTP, and checks every exchange against the document: what it calls wrong is refused, and every answer is as it says."""

    hall: Hall
    gateway: PaperGateway
    clock: StillClock
    world: World
    url: str
    engine_url: str
    session: aiohttp.ClientSession
    document: OpenAPI

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        bearer: str = "",
        key: str | None = "fresh",
        data: bytes | None = None,
        **headers: str,
    ) -> Said:
        """`body` goes as JSON, `data` as it is; `key` "fresh" makes an Idempotency-Key where one is needed, None leaves it out."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if bearer:
            sent["Authorization"] = f"Bearer {bearer}"
        if method == "POST" and key is not None:
            sent["Idempotency-Key"] = uuid.uuid4().hex if key == "fresh" else key
        if body is not None:
            data = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        async with self.session.request(method, self.url + path, data=data, headers=sent, skip_auto_headers=["Content-Type"]) as response:
            raw_body = await response.read()
            kind = response.headers.get("Content-Type", "")
            shown = json.loads(raw_body) if kind.partition(";")[0].endswith("json") else raw_body.decode()
            said = Said(response.status, {**response.headers}, shown)
        self._compare(method, path, data, sent, said, raw_body)
        return said

    def _compare(self, method: str, path: str, data: bytes | None, sent: Mapping[str, str], said: Said, raw_body: bytes) -> None:
        place, _, query = path.partition("?")
        args = dict(pair.split("=", 1) for pair in query.split("&")) if query else {}
        kind = sent.get("Content-Type", "")
        asked = MockRequest(BASE, method, place, args=args, headers=dict(sent), data=data or b"", content_type=kind.partition(";")[0])
        answered = MockResponse(raw_body, said.status, dict(said.headers), said.headers["Content-Type"].partition(";")[0])
        if said.status == 405 or (said.status == 404 and not self.knows(method, place)):
            assert said.body["status"] == said.status
            return
        if said.status < 400:
            self.document.validate_request(asked)
        self.document.validate_response(asked, answered)
        assert "no-store" in said.headers["Cache-Control"] or "public" in said.headers["Cache-Control"]

    def knows(self, method: str, place: str) -> bool:
        """Whether the document has an address like this."""
        try:
            self.document.validate_response(MockRequest(BASE, method, place), MockResponse(b"{}", 299))
        except OpenAPIError as error:
            return "Path not found" not in str(error) and "Operation not found" not in str(error)
        return True

    async def order(self, whose: str = "ours", **more: Any) -> tuple[str, str]:
        """A fresh paid order: its number and its tracking token."""
        order = await self.hall.store.write(sell, self.world.links[whose], uuid.uuid4().hex, **more)
        return order.number, self.hall.tokens.make(Purpose.TRACK, order.id)

    async def state_of(self, number: str) -> Order:
        return await self.hall.store.read(order_of, number)

    def books(self) -> str:
        """Everything but counters and idempotency answers, as one digest: to see that nothing changed."""
        tables = (
            "entries",
            "postings",
            "wallets",
            "outbox",
            "orders",
            "checkouts",
            "payments",
            "attempts",
            "links",
            "disputes",
            "refunds",
            "audit",
            "inbox",
            "webhook_endpoints",
            "webhook_events",
            "webhook_deliveries",
        )
        digest = hashlib.sha256()
        with raw(self.engine_url) as session:
            for table in tables:
                rows = sorted(map(repr, session.plain(f"SELECT * FROM {table}").fetchall()))
                digest.update("\n".join([table, *rows]).encode())
        return digest.hexdigest()

    def count(self, table: str) -> int:
        with raw(self.engine_url) as session:
            return int(session.plain(f"SELECT count(*) FROM {table}").fetchone()[0])


def track(hall: Hall, order_id: OrderId) -> str:
    return hall.tokens.make(Purpose.TRACK, order_id)


def attempt_token(hall: Hall, attempt_id: AttemptId) -> str:
    return hall.tokens.make(Purpose.ATTEMPT, attempt_id)
