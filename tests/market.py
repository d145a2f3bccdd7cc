"""Five gateways on one street: the house with its real web door, and the town's provider of each, all over HTTP on loopback.

`market(folder, template)` opens it. Nothing happens by itself: providers tell at once, timers and questions run in `settled` and `later` only.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web
from pydantic import SecretStr

from domain.ids import CheckoutId, OrganizationId
from domain.link import Link
from domain.money import Money
from domain.order import Order
from domain.payment import Attempt, Checkout, Method, Refund
from domain.person import Language, Organization, Person, Role
from domain.ports import Unit
from domain.rights import Actor, Party
from domain.tokens import Purpose
from gateways.http import Http
from payloom.audit import audit
from payloom.streets import town_settings
from payloom.wiring import Built, build
from tests.bot.town import free_port
from tests.market_payers import PAYERS, WEBHOOK_SECRET, Providers
from town.core import Core, Fault
from usecases.gateways import PLATFORM
from usecases.links import NewLink, create_link
from usecases.lists import register
from usecases.people import open_shop

GATEWAYS: Final = ("daraja", "stripe", "paypal", "paytabs", "moyasar")
METHODS: Final = {
    "daraja": Method.MPESA, "stripe": Method.VISA, "paypal": Method.PAYPAL, "paytabs": Method.MASTERCARD, "moyasar": Method.MADA,
}  # fmt: skip
PRICES: Final = {
    "daraja": Money(2500_00, "KES"), "stripe": Money(2500_00, "KES"), "paypal": Money(20_00, "USD"), "paytabs": Money(150_50, "AED"),
    "moyasar": Money(150_50, "SAR"),
}  # fmt: skip
"""What each settles at home, so that it is the one that carries its method."""
PAYPAL_WEBHOOK: Final = "1JE4291016473214C"
_KEY = re.compile(r'name="key" value="([0-9a-f]{32})"')
_TABLES = ("checkouts", "payments", "attempts", "orders", "entries", "postings", "refunds", "chargebacks", "outbox", "inbox", "audit")


@dataclass(frozen=True)
class Heard:
    """One call at our door, as it came; `status` is what it was answered."""

    path: str
    raw: bytes
    headers: Mapping[str, str]
    status: int

    @property
    def gateway(self) -> str:
        return self.path.split("/")[2]

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Sale:
    """One purchase. `pay` is the path of its pay page, empty where it did not begin on the web."""

    gateway: str
    checkout_id: CheckoutId
    pay: str = ""
    number: str = ""


@dataclass
class Market:
    """The street. `deaf` makes the door answer 503 to whoever tells us something: it was not written down."""

    core: Core
    built: Built
    providers: Providers
    base: str
    web: aiohttp.ClientSession
    owner: Actor
    heard: list[Heard] = field(default_factory=list)
    deaf: bool = False
    links: dict[str, Link] = field(default_factory=dict)
    begun: int = 0

    # --- the shop and its buyers

    async def link(self, gateway: str, price: Money | None = None, stock: int | None = None) -> Link:
        self.begun += 1
        new = NewLink(f"link-{self.begun}", f"Thing {self.begun}", price or PRICES[gateway], stock=stock)
        return await self.built.store.write(create_link, self.owner, new)

    async def form(self, link: Link) -> str:
        """The key of the page's form."""
        async with self.web.get(f"{self.base}/buy/{link.code}") as answer:
            return str(_KEY.findall(await answer.text())[0])

    def filled(self, gateway: str, key: str) -> dict[str, str]:
        """The form as the next buyer fills it in: another telephone each time."""
        self.begun += 1
        return {"phone": f"07{self.begun:08}", "name": "Wanjiru", "address": "Kilimani", "note": "", "quantity": "1",
                "method": str(METHODS[gateway]), "key": key}  # fmt: skip

    async def post_form(self, link: Link, form: Mapping[str, str]) -> tuple[int, str]:
        """Its status, and where it leads."""
        buyer = int(form["phone"])
        source = {"X-Forwarded-For": f"10.1.{buyer >> 8 & 255}.{buyer & 255}"}
        async with self.web.post(f"{self.base}/buy/{link.code}", data=form, headers=source, allow_redirects=False) as answer:
            await answer.read()
            return answer.status, answer.headers.get("Location", "")

    async def begins(self, gateway: str, link: Link | None = None) -> Sale:
        """A buyer fills in the form of our page and is shown the gateway's, or their telephone rings."""
        link = link or self.links.get(gateway) or await self.link(gateway)
        self.links[gateway] = link
        form = self.filled(gateway, await self.form(link))
        status, pay = await self.post_form(link, form)
        assert status == 303, (gateway, status)
        await self.built.hall.drain()
        number = self.built.hall.tokens.read(Purpose.PAY, pay.rpartition("/")[2])
        assert number is not None
        return Sale(gateway, CheckoutId(number), pay, f"254{form['phone'][1:]}")

    async def pays(self, sale: Sale) -> None:
        """The buyer pays, at the provider. Whatever is told of it has arrived when this ends."""
        await PAYERS[sale.gateway].pays(self.providers, await self.attempt(sale), sale.number)
        await self.quiet()

    async def declines(self, sale: Sale) -> None:
        """The buyer's bank, or the buyer, says no."""
        await PAYERS[sale.gateway].declines(self.providers, await self.attempt(sale), sale.number)
        await self.quiet()

    async def sold(self, gateway: str) -> tuple[Sale, Order]:
        """Paid, proved, an order."""
        sale = await self.begins(gateway)
        await self.pays(sale)
        await self.later(90)
        order = await self.order(sale)
        assert order is not None and order.proved, (gateway, order)
        return sale, order

    async def sees(self, path: str) -> tuple[int, str]:
        async with self.web.get(self.base + path, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location") or await answer.text()

    # --- what arrives

    async def quiet(self) -> None:
        """Until the providers have told what they had to tell by now."""
        while self.providers.busy():  # noqa: ASYNC110 - it watches the town, which tells nobody
            await asyncio.sleep(0.002)

    async def settled(self) -> None:
        """Everything that is due on either side has happened."""
        for _ in range(20):
            seen = len(self.heard)
            await self.quiet()
            await self.built.settle()
            if len(self.heard) == seen and not self.providers.busy():
                return
        raise AssertionError("it never ends")

    async def later(self, seconds: float, steps: int = 1) -> None:
        """Time goes by, and what is due meanwhile happens."""
        for _ in range(steps):
            self.core.clock.advance(seconds / steps)
            await asyncio.sleep(0)
            await self.settled()

    def fault(self, provider: str, name: str, times: int = 1, **detail: Any) -> None:
        self.core.faults.plant(Fault(provider, name, times, detail))

    async def deliver(self, one: Heard, raw: bytes | None = None, headers: Mapping[str, str] | None = None, path: str = "") -> int:
        """Somebody posts it to our door once more, or altered; the status."""
        body, said = one.raw if raw is None else raw, dict(one.headers if headers is None else headers)
        said = {name: value for name, value in said.items() if name.lower() not in {"host", "content-length", "accept-encoding"}}
        async with self.web.post(self.base + (path or one.path), data=body, headers=said) as answer:
            await answer.read()
            return answer.status

    def forged(self, one: Heard, body: Any) -> tuple[bytes, dict[str, str]]:
        """Another body at the same address, signed as its provider would: what only the provider, or a thief of its secret, can send."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        signed: tuple[bytes, dict[str, str]] = PAYERS[one.gateway].sign(self.providers, raw, dict(one.headers))
        return signed

    def told(self, gateway: str) -> list[Heard]:
        return [one for one in self.heard if one.gateway == gateway]

    def success(self, gateway: str) -> Heard:
        """The event that said `paid`, newest first."""
        return next(one for one in reversed(self.told(gateway)) if PAYERS[gateway].is_success(one.path, one.json))

    # --- what we have of it

    async def attempt(self, sale: Sale) -> Attempt:
        return (await self.attempts(sale))[-1]

    async def attempts(self, sale: Sale) -> list[Attempt]:
        return list(await self.built.store.read(lambda unit: unit.payments.attempts(sale.checkout_id)))

    async def checkout(self, sale: Sale) -> Checkout:
        return await self.built.store.read(lambda unit: unit.checkouts.get(sale.checkout_id))

    async def order(self, sale: Sale) -> Order | None:
        return await self.built.store.read(lambda unit: unit.orders.of_checkout(sale.checkout_id))

    async def refunds(self, sale: Sale) -> list[Refund]:
        tries = [one.id for one in await self.attempts(sale)]
        return await self.built.store.read(lambda unit: [refund for number in tries for refund in unit.payments.refunds_of(number)])

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return await self.built.store.read(lambda unit: list(unit.session.plain(sql).fetchall()))  # type: ignore[attr-defined]

    async def counts(self, *tables: str) -> dict[str, int]:
        """Rows that matter, to see what happened."""
        return {table: int((await self.rows(f"SELECT count(*) FROM {table}"))[0][0]) for table in tables or _TABLES}

    async def books(self) -> dict[str, int]:
        """Balances that are not zero, by kind of account, owner where it is a gateway, and currency; what we owe is negative."""
        sums: dict[str, int] = {}
        asked = "SELECT account, currency, sum(amount_minor) FROM postings GROUP BY account, currency"
        for account, currency, amount in await self.rows(asked):
            kind, _, owner = str(account).partition(":")
            name = f"{kind} {currency}" if owner[:1].isdigit() else f"{account} {currency}"
            sums[name] = sums.get(name, 0) + int(amount)
        return {name: amount for name, amount in sums.items() if amount}

    async def alerts(self) -> set[str]:
        return {str(row[0]) for row in await self.rows("SELECT action FROM audit WHERE subject LIKE 'alert:%'")}

    async def pays_by_hand(self) -> None:
        """Daraja is told our addresses for what is paid from the M-PESA menu; it confirms prompts there, too, and lists both."""
        hall = self.built.hall
        assert hall.by_hand is not None
        self.providers.daraja.apps["town-key"].external_validation = True
        token, admin = hall.tokens.make(Purpose.BY_HAND, PLATFORM), Actor(Party.ADMIN, "settings")
        assert await register(hall.store, hall.by_hand, admin, PLATFORM, token, unless_reached=False, phone="254700000000") == ""

    async def proved(self) -> None:
        """Every promise holds over the whole database."""
        settings = self.built.settings
        report = await audit(settings.database_url, key=settings.audit_key, now=self.core.clock.now())
        broken = [(one.name, one.offences) for one in report.broken if one.name != "messages_end"]
        assert not broken, broken


def house_settings(folder: Path, template: Path, port: int, there: str) -> Any:
    database = folder / "market.db"
    shutil.copyfile(template, database)
    given = {
        "telegram_api_base": "http://127.0.0.1:9", "mpesa_api_base": f"{there}/town/daraja", "at_username": "", "smtp_url": SecretStr(""),
        "base_url": f"http://127.0.0.1:{port}", "trusted_proxies": ("127.0.0.1",),
        "stripe_api_base": f"{there}/town/stripe", "stripe_secret_key": SecretStr(PAYERS["stripe"].key),
        "stripe_webhook_secret": SecretStr(PAYERS["stripe"].secret),
        "paypal_api_base": f"{there}/town/paypal", "paypal_client_id": PAYERS["paypal"].key,
        "paypal_client_secret": SecretStr(PAYERS["paypal"].secret), "paypal_webhook_id": PAYPAL_WEBHOOK,
        "paypal_merchant_id": "TWNMERCHANT22",
        "paytabs_api_base": f"{there}/town/paytabs", "paytabs_profile_id": PAYERS["paytabs"].key,
        "paytabs_server_key": SecretStr(PAYERS["paytabs"].secret),
        "moyasar_api_base": f"{there}/town/moyasar", "moyasar_secret_key": SecretStr(PAYERS["moyasar"].key),
        "moyasar_webhook_secret": SecretStr(WEBHOOK_SECRET),
    }  # fmt: skip
    return town_settings(folder, port, f"sqlite+aiosqlite:///{database}", **given)


def _furnish(unit: Unit) -> Actor:
    person = Person(unit.new_id(), "Amina", Language.EN, Role.SELLER, None, unit.now)  # type: ignore[arg-type]
    unit.people.add(person)
    shop: Organization = open_shop(unit, person.id, "Mama Amina", "telegram")
    return Actor(Party.OWNER, "telegram", person.id, OrganizationId(shop.id))


def _listening(here: Market) -> Any:
    """Notes every call of a provider before the house hears it."""

    @web.middleware
    async def listen(request: web.Request, handler: Any) -> web.StreamResponse:
        if not request.path.startswith("/callbacks/") or request.headers.get("X-Again"):
            return await handler(request)  # type: ignore[no-any-return]
        raw = await request.read()
        answer: web.StreamResponse | None = web.Response(status=503) if here.deaf else None
        try:
            answer = answer or await handler(request)
        finally:
            here.heard.append(Heard(request.path, raw, dict(request.headers), 500 if answer is None else answer.status))
        return answer

    return listen


@asynccontextmanager
async def market(folder: Path, template: Path, seed: int = 7) -> AsyncIterator[Market]:
    """Everything running; each provider knows where our door is."""
    core, port = Core(seed), free_port()
    async with Providers(core) as providers, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as browser:
        base = f"http://127.0.0.1:{port}"
        http = Http(connect_timeout_s=2.0, read_timeout_s=2.0, deadline_s=6.0)
        built = build(house_settings(folder, template, port, providers.url), clock=core.clock, http=http, paced=False)
        await built.open_store()
        here = Market(core, built, providers, base, browser, await built.store.write(_furnish))
        application = built.web()
        application.middlewares.insert(0, _listening(here))
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        try:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            providers.listen(base, PAYPAL_WEBHOOK)
            yield here
        finally:
            await providers.hush()
            await built.hall.drain()
            await runner.cleanup()
            await built.close_store()
