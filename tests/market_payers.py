"""The providers of the market, and what the buyers and their banks do at each."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Protocol

import aiohttp
from aiohttp import web
from yarl import URL

from domain.payment import Attempt
from town import cards
from town.alarms import Alarms
from town.core import Core
from town.daraja.server import Daraja
from town.moyasar.server import DEFAULT_ACCOUNT, Moyasar
from town.paypal.server import DEFAULT_APP, PayPal
from town.paypal.signing import paypals
from town.paytabs.books import Profile
from town.paytabs.server import DEFAULT_PROFILE, PayTabs
from town.phones import Phones
from town.stripe.courier import signature as stripe_signature
from town.stripe.server import DEFAULT_KEY, DEFAULT_SECRET, Stripe

WEBHOOK_SECRET: Final = "a-shared-secret-of-the-dashboard"
BAD_CARD: Final = "4000000000000002"


class Providers:
    """All five around one clock, below one address."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.phones = Phones(core)
        self.daraja = Daraja(core, self.phones, callback_delay_s=0.0, keep=20_000, prompt_life_s=600.0)
        self.stripe = Stripe(core, delay_s=0.0)
        self.paypal = PayPal(core, webhook_delay_s=0.0, keep=20_000)
        self.paytabs = PayTabs(core, callback_delay_s=0.0)
        self.moyasar = Moyasar(core, callback_delay_s=0.0)
        self.url = ""
        self.asked: Counter[str] = Counter()
        """How often each address was called."""
        self.person: aiohttp.ClientSession
        self._runner: web.AppRunner

    @property
    def _alarms(self) -> tuple[Alarms, ...]:
        return (self.daraja._office.alarms, self.stripe._alarms, self.paypal._office.alarms, self.paytabs._alarms, self.moyasar._alarms)

    def busy(self) -> bool:
        """Something is being told, or due to be."""
        now = self.core.clock.now()
        return any(alarms._tasks or (alarms._due and alarms._due[0][0] <= now) for alarms in self._alarms)

    async def __aenter__(self) -> Providers:
        application = web.Application(middlewares=[self._count])
        for one in (self.daraja, self.phones, self.stripe, self.paypal, self.paytabs, self.moyasar):
            application.add_routes(one.routes())
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.person = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))
        for one in (self.daraja, self.stripe, self.paypal, self.paytabs, self.moyasar):
            await one.start()
        return self

    @web.middleware
    async def _count(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked[request.path] += 1
        return await handler(request)  # type: ignore[no-any-return]

    async def hush(self) -> None:
        """Nobody tells anything any more."""
        for one in (self.daraja, self.stripe, self.paypal, self.paytabs, self.moyasar):
            await one.stop()

    async def __aexit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        await self.hush()
        await self.person.close()
        await self._runner.cleanup()

    def listen(self, house: str, paypal_webhook: str) -> None:
        """What a merchant sets up in each dashboard."""
        self.stripe.add_account(DEFAULT_KEY, f"{house}/callbacks/stripe", DEFAULT_SECRET)
        self.paypal.hooks.add(self.paypal.apps[DEFAULT_APP.client_id], f"{house}/callbacks/paypal", webhook_id=paypal_webhook)
        self.moyasar.listen(DEFAULT_ACCOUNT, f"{house}/callbacks/moyasar", WEBHOOK_SECRET)
        known = DEFAULT_PROFILE
        self.paytabs.add_profile(Profile(known.profile_id, known.server_key, ipn_url=f"{house}/callbacks/paytabs"))

    async def types(self, url: str | None, **fields: str) -> str:
        """A person sends a form of a hosted page off; where that leads."""
        assert url is not None
        async with self.person.post(url, data=fields, allow_redirects=False) as answer:
            await answer.read()
            return _there(answer)


def _there(answer: aiohttp.ClientResponse) -> str:
    return str(answer.url.join(URL(answer.headers["Location"]))) if "Location" in answer.headers else str(answer.url)


class Payer(Protocol):
    """Of one gateway. `key` and `secret` are those of the platform's account."""

    key: str
    secret: str

    async def pays(self, at: Providers, attempt: Attempt, number: str) -> None: ...
    async def declines(self, at: Providers, attempt: Attempt, number: str) -> None: ...
    def sign(self, at: Providers, raw: bytes, headers: dict[str, str]) -> tuple[bytes, dict[str, str]]: ...
    def is_success(self, path: str, body: Any) -> bool: ...
    def amount(self, body: Any, minor: int) -> Any:
        """The same success, of another amount: in the units that the provider counts in."""
        ...

    def currency(self, body: Any, code: str) -> Any: ...
    async def gives_back(self, at: Providers, receipt: str, minor: int) -> None:
        """Somebody refunds on the provider's own dashboard."""
        ...


@dataclass
class OnPhone:
    key: str = "town-key"
    secret: str = "town-secret"

    async def pays(self, at: Providers, attempt: Attempt, number: str, answer: str = "right") -> None:
        at.phones.phone(number).balance_minor = 150_000_00
        at.phones.answer(number, answer)

    async def declines(self, at: Providers, attempt: Attempt, number: str) -> None:
        at.phones.answer(number, "cancel")

    def sign(self, at: Providers, raw: bytes, headers: dict[str, str]) -> tuple[bytes, dict[str, str]]:
        return raw, headers

    def is_success(self, path: str, body: Any) -> bool:
        return path.endswith("/stk") and int(body["Body"]["stkCallback"]["ResultCode"]) == 0

    def amount(self, body: Any, minor: int) -> Any:
        items = body["Body"]["stkCallback"]["CallbackMetadata"]["Item"]
        next(item for item in items if item["Name"] == "Amount")["Value"] = minor / 100
        return body

    def currency(self, body: Any, code: str) -> Any:
        return None

    async def gives_back(self, at: Providers, receipt: str, minor: int) -> None:
        raise NotImplementedError("nobody has such a dashboard")


@dataclass
class OnStripe:
    key: str = DEFAULT_KEY
    secret: str = DEFAULT_SECRET

    async def pays(self, at: Providers, attempt: Attempt, number: str) -> None:
        at.stripe.pay(str(attempt.ref))

    async def declines(self, at: Providers, attempt: Attempt, number: str) -> None:
        at.stripe.pay(str(attempt.ref), BAD_CARD)

    def sign(self, at: Providers, raw: bytes, headers: dict[str, str], age_s: int = 0) -> tuple[bytes, dict[str, str]]:
        stamp = int(at.core.clock.now().timestamp()) - age_s
        return raw, {"Content-Type": "application/json", "Stripe-Signature": f"t={stamp},v1={stripe_signature(self.secret, stamp, raw)}"}

    def is_success(self, path: str, body: Any) -> bool:
        return bool(body["type"] == "checkout.session.completed")

    def amount(self, body: Any, minor: int) -> Any:
        body["data"]["object"]["amount_total"] = minor
        return body

    def currency(self, body: Any, code: str) -> Any:
        body["data"]["object"]["currency"] = code.lower()
        return body

    async def gives_back(self, at: Providers, receipt: str, minor: int) -> None:
        account = at.stripe.accounts[DEFAULT_KEY]
        account.refund(account.charges[account.intents[receipt]["latest_charge"]], minor, "succeeded", metadata={}, reason=None)


@dataclass
class OnPayPal:
    key: str = DEFAULT_APP.client_id
    secret: str = DEFAULT_APP.secret

    async def pays(self, at: Providers, attempt: Attempt, number: str) -> None:
        at.paypal.approve(str(attempt.ref))

    async def declines(self, at: Providers, attempt: Attempt, number: str) -> None:
        at.paypal.approve(str(attempt.ref), funding="declined_card")

    def sign(self, at: Providers, raw: bytes, headers: dict[str, str], hook: str | None = None) -> tuple[bytes, dict[str, str]]:
        told = {name.lower(): value for name, value in headers.items()}
        about, stamp = told["paypal-transmission-id"], at.core.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        hook = next(iter(at.paypal.hooks.hooks)) if hook is None else hook
        signed = paypals().sign(about, stamp, hook, raw)
        return raw, {**told, "paypal-transmission-time": stamp, "paypal-transmission-sig": signed}

    def is_success(self, path: str, body: Any) -> bool:
        return bool(body["event_type"] == "PAYMENT.CAPTURE.COMPLETED")

    def amount(self, body: Any, minor: int) -> Any:
        body["resource"]["amount"]["value"] = f"{minor / 100:.2f}"
        return body

    def currency(self, body: Any, code: str) -> Any:
        body["resource"]["amount"]["currency_code"] = code
        return body

    async def gives_back(self, at: Providers, receipt: str, minor: int) -> None:
        at.paypal.refund_by_hand(receipt, minor)


@dataclass
class OnPayTabs:
    key: str = str(DEFAULT_PROFILE.profile_id)
    secret: str = DEFAULT_PROFILE.server_key

    async def _card(self, at: Providers, attempt: Attempt, number: str) -> None:
        bank = await at.types(attempt.url, how="card", number=number, name="Wanjiru", cvc="123")
        await at.types(bank, answer="ok")

    async def pays(self, at: Providers, attempt: Attempt, number: str) -> None:
        await self._card(at, attempt, cards.GOOD_MASTERCARD)

    async def declines(self, at: Providers, attempt: Attempt, number: str) -> None:
        await self._card(at, attempt, BAD_CARD)

    def sign(self, at: Providers, raw: bytes, headers: dict[str, str]) -> tuple[bytes, dict[str, str]]:
        return raw, {"Content-Type": "application/json", "Signature": hmac.new(self.secret.encode(), raw, hashlib.sha256).hexdigest()}

    def is_success(self, path: str, body: Any) -> bool:
        return bool(body["tran_type"] == "Sale" and body.get("payment_result", {}).get("response_status") == "A")

    def amount(self, body: Any, minor: int) -> Any:
        return {**body, "tran_total": f"{minor / 100:.2f}", "cart_amount": f"{minor / 100:.2f}"}

    def currency(self, body: Any, code: str) -> Any:
        return {**body, "tran_currency": code, "cart_currency": code}

    async def gives_back(self, at: Providers, receipt: str, minor: int) -> None:
        profile, sale = at.paytabs.profiles[DEFAULT_PROFILE.profile_id], at.paytabs.books.transactions[receipt]
        asked = {"cart_id": f"dashboard-{receipt}-{minor}", "cart_description": "by hand", "cart_currency": sale["cart_currency"]}
        tran = at.paytabs.books.add(profile, {**asked, "cart_amount": f"{minor / 100:.2f}"}, "refund", receipt)
        at.paytabs.books.end(tran, "A", "G12345", "Authorised")
        at.paytabs.hooks.tell(profile, tran)


@dataclass
class OnMoyasar:
    key: str = DEFAULT_ACCOUNT.secret_key
    secret: str = WEBHOOK_SECRET

    async def _card(self, at: Providers, attempt: Attempt, number: str) -> None:
        card = {"number": number, "name": "Brian Otieno", "month": "12", "year": "2031", "cvc": "123"}
        bank = await at.types(attempt.url, **card, type="creditcard")
        await at.types(bank, answer="ok")

    async def pays(self, at: Providers, attempt: Attempt, number: str) -> None:
        await self._card(at, attempt, cards.GOOD_MADA)

    async def declines(self, at: Providers, attempt: Attempt, number: str) -> None:
        await self._card(at, attempt, BAD_CARD)

    def sign(self, at: Providers, raw: bytes, headers: dict[str, str]) -> tuple[bytes, dict[str, str]]:
        return raw, {"Content-Type": "application/json"}

    def is_success(self, path: str, body: Any) -> bool:
        return bool(body.get("type") == "payment_paid")

    def amount(self, body: Any, minor: int) -> Any:
        return {**body, "data": {**body["data"], "amount": minor}}

    def currency(self, body: Any, code: str) -> Any:
        return {**body, "data": {**body["data"], "currency": code}}

    async def gives_back(self, at: Providers, receipt: str, minor: int) -> None:
        payment = at.moyasar.books.payments[receipt]
        at.moyasar.books.give_back(payment, minor)
        at.moyasar.hooks.tell(DEFAULT_ACCOUNT, "payment_refunded", payment)


PAYERS: Final[Mapping[str, Any]] = {
    "daraja": OnPhone(), "stripe": OnStripe(), "paypal": OnPayPal(), "paytabs": OnPayTabs(), "moyasar": OnMoyasar(),
}  # fmt: skip


@dataclass(frozen=True)
class Movement:
    """A line of a provider's own books, as it changes the merchant's balance there; fees are left out. `receipt` is the payment's."""

    about: str
    receipt: str
    minor: int
    currency: str


def movements(at: Providers, gateway: str) -> list[Movement]:
    """Everything that moved at a provider."""
    return _LINES[gateway](at)


def _of_daraja(at: Providers) -> list[Movement]:
    found = []
    for line in at.daraja.books():
        back = line["kind"] == "reversal"
        receipt = line["original_receipt"] if back else line["receipt"]
        found.append(Movement("refund" if back else "payment", receipt, line["amount"] * (-100 if back else 100), "KES"))
    return found


def _of_stripe(at: Providers) -> list[Movement]:
    kinds = {"charge": "payment", "refund": "refund", "refund_failure": "refund", "adjustment": "chargeback"}
    account = at.stripe.accounts[DEFAULT_KEY]
    found = []
    for line in account.transactions.values():
        source = line["source"]
        thing = account.charges.get(source) or account.refunds.get(source) or account.disputes[source]
        found.append(Movement(kinds[line["type"]], thing["payment_intent"], line["amount"], line["currency"].upper()))
    return found


def _of_paypal(at: Providers) -> list[Movement]:
    kinds = {
        "capture": "payment",
        "refund": "refund",
        "reversal": "chargeback",
        "dispute_hold": "chargeback",
        "dispute_release": "chargeback",
    }
    lines = [line for line in at.paypal.books() if line["kind"] in kinds]
    return [Movement(kinds[line["kind"]], line.get("capture", line["id"]), line["units"], line["currency"]) for line in lines]


def _of_paytabs(at: Providers) -> list[Movement]:
    found = []
    for line in at.paytabs.books.movements:
        back = line["kind"] != "sale"
        minor = round(float(line["amount"]) * 100)
        found.append(Movement("refund" if back else "payment", line["of"] or line["tran_ref"], -minor if back else minor, line["currency"]))
    return found


def _of_moyasar(at: Providers) -> list[Movement]:
    found = []
    for line in at.moyasar.books.movements:
        back = line["kind"] != "payment"
        found.append(Movement("refund" if back else "payment", line["payment"], line["amount"] * (-1 if back else 1), line["currency"]))
    return found


_LINES: Final = {"daraja": _of_daraja, "stripe": _of_stripe, "paypal": _of_paypal, "paytabs": _of_paytabs, "moyasar": _of_moyasar}


def begun(at: Providers, gateway: str) -> int:
    """How many payments a provider was made to wait for: prompts, sessions, orders, pages."""
    match gateway:
        case "daraja":
            return len(at.daraja.checkouts())
        case "stripe":
            return len(at.stripe.accounts[DEFAULT_KEY].sessions)
        case "paypal":
            return len(at.paypal.orders())
        case "paytabs":
            return len([one for one in at.paytabs.books.transactions.values() if one["tran_type"] == "Sale"])
        case _:
            return len(at.moyasar.books.invoices)
