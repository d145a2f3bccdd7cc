"""Signed events of gateways: the account by the address, the signature before anything is read, stored and applied once."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from domain.ids import AttemptId
from domain.life import AttemptState, InboxState
from domain.money import Money
from domain.payment import Ability, About, Ask, Attempt, Method, Notice, Outcome, Proof, Refund, Reply, Unreadable
from domain.records import GatewaySettings
from domain.tokens import Purpose
from tests.web.ground import FORM, ORIGIN, SHOP, Ground, key_in
from tests.web.test_daraja_hook import inbox
from usecases.gateways import PLATFORM, sealed_for

PLATFORMS, THEIRS = {"webhook_secret": "platform-secret"}, {"webhook_secret": "shop-secret"}
PAGE = "https://pay.provider.example/session/1"


@dataclass
class Signed:
    """A gateway with a hosted page, whose events are JSON signed with HMAC; it has everything that a signed one may have."""

    fetched: Reply = field(default_factory=lambda: Reply(Outcome.PENDING))
    asked: list[Ask] = field(default_factory=list)
    fetches: int = 0
    prepared: int = 0
    reply: Reply | None = None

    @property
    def ability(self) -> Ability:
        methods = frozenset({Method.VISA, Method.MASTERCARD})
        return Ability("stripe", methods, frozenset({"KES"}), {}, 100, 99_999_999, True, Proof.PROOF)

    async def start(self, ask: Ask) -> Reply:
        self.asked.append(ask)
        return self.reply or Reply(Outcome.PENDING, f"cs_{ask.attempt_id}", url=PAGE)

    async def fetch(self, attempt: Attempt, credentials: Mapping[str, str]) -> Reply:
        self.fetches += 1
        return replace(self.fetched, ref=attempt.ref)

    async def refund(self, refund: Refund, receipt: str, credentials: Mapping[str, str], callback_token: str) -> Reply:
        return Reply(Outcome.SUCCEEDED, f"re_{refund.id}")

    async def prepare(self, kind: str, raw: bytes, headers: Mapping[str, str]) -> None:
        self.prepared += 1

    def authentic(self, kind: str, raw: bytes, headers: Mapping[str, str], source: str, credentials: Mapping[str, str]) -> bool:
        expected = hmac.new(credentials["webhook_secret"].encode(), raw, hashlib.sha256).hexdigest()
        return kind == "events" and hmac.compare_digest(expected, headers.get("stripe-signature", ""))

    def parse(self, kind: str, raw: bytes, headers: Mapping[str, str]) -> Notice:
        try:
            said = json.loads(raw)
            about, outcome, attempt = About(said.get("about", "payment")), Outcome(said["outcome"]), AttemptId(said["attempt"])
            money = Money(said["minor"], "KES") if "minor" in said else None
            return Notice("stripe", said["id"], kind, outcome, Proof.PROOF, attempt, said.get("ref"), said.get("receipt"), money, about=about,
                          refund_ref=said.get("case"))  # fmt: skip
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Unreadable("not one of theirs") from None

    def redact(self, kind: str, raw: bytes) -> bytes:
        return raw.replace(b"a-secret-in-it", b"*")


@pytest.fixture
async def cards(ground: Ground) -> Signed:
    """Beside M-Pesa the platform can be paid by card."""
    gateway = Signed()
    ground.hall.gateways["stripe"] = gateway  # type: ignore[index]
    await set_up(ground, int(PLATFORM), PLATFORMS)
    return gateway


async def set_up(ground: Ground, owner: Any, credentials: Mapping[str, str]) -> None:
    def keep(unit: Any) -> None:
        sealed = unit.seals.seal(json.dumps(dict(credentials)), sealed_for(owner, "stripe"))
        unit.settings.put(GatewaySettings(owner, "stripe", sealed, unit.now, unit.now))

    await ground.hall.store.write(keep)


def event(attempt: Attempt, outcome: Outcome = Outcome.SUCCEEDED, number: str = "evt_1", **more: Any) -> bytes:
    minor = attempt.money.amount_minor
    return json.dumps(
        {"id": number, "attempt": int(attempt.id), "outcome": str(outcome), "minor": minor, "receipt": "pi_1", **more}
    ).encode()


async def send(ground: Ground, raw: bytes, path: str = "/callbacks/stripe", secret: str = "platform-secret") -> int:
    signature = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    return (await ground.client.post(path, data=raw, headers={"Stripe-Signature": signature, "Cookie": "a=b"})).status


async def begin(ground: Ground, **typed: str) -> str:
    return await ground.begin(await ground.link(), method="visa", phone="", **typed)


@pytest.mark.parametrize("path", ["/callbacks/stripe", "/api/stripe/webhook", "/api/v1/payments/webhook/stripe"])
async def test_a_signed_success_is_an_order_once_wherever_it_is_told(ground: Ground, cards: Signed, path: str) -> None:
    """C1, C5: proved at once, for it is signed."""
    pay = await begin(ground)
    attempt = await ground.attempt_of(pay)
    statuses = await asyncio.gather(*(send(ground, event(attempt), path) for _ in range(20)))
    assert set(statuses) == {200}
    assert (await ground.order(pay)).proved
    assert (await ground.counts())[2:4] == (1, 1)
    assert [(one.state, one.event_key) for one in await inbox(ground)] == [(InboxState.APPLIED, "0:evt_1")]
    assert "cookie" not in (await inbox(ground))[0].headers
    assert cards.prepared == 20


@pytest.mark.parametrize("secret", ["", "shop-secret", "platform-secret "])
async def test_what_is_not_signed_by_the_account_is_refused_counted_and_not_kept(ground: Ground, cards: Signed, secret: str) -> None:
    pay = await begin(ground)
    attempt = await ground.attempt_of(pay)
    before = await ground.counts()
    assert await send(ground, event(attempt), secret=secret) == 400
    assert await send(ground, event(attempt), "/api/v1/payments/webhook/stripe", secret) == 400
    assert (await ground.counts(), await inbox(ground)) == (before, [])
    assert 'refused_total{gateway="stripe",why="signature"} 2.0' in await (await ground.get("/metrics")).text()


@pytest.mark.parametrize(
    "path",
    ["/callbacks/paypal", "/callbacks/stripe/x", f"/callbacks/stripe/{'0' * 48}", "/callbacks/nobody", "/callbacks/stripe/x/events",
     "/api/v1/payments/webhook/paypal", "/api/v1/payments/webhook/stripe?token=x"],
)  # fmt: skip
async def test_an_address_of_no_account_is_a_404(ground: Ground, cards: Signed, path: str) -> None:
    pay = await begin(ground)
    assert await send(ground, event(await ground.attempt_of(pay)), path) == 404
    assert await inbox(ground) == []


async def test_an_account_of_their_own_speaks_of_its_own_payments_only(ground: Ground, cards: Signed) -> None:
    """C7: a seller who holds a genuine secret cannot mark what was to be paid to us as paid."""
    ours = await begin(ground)
    attempt = await ground.attempt_of(ours)
    token = ground.hall.tokens.make(Purpose.SETTINGS, SHOP)
    path = f"/callbacks/stripe/{token}"
    assert await send(ground, event(attempt), path, "shop-secret") == 404
    await set_up(ground, SHOP, THEIRS)
    assert await send(ground, event(attempt), path, "platform-secret") == 400
    assert await send(ground, event(attempt), path, "shop-secret") == 200
    assert (await ground.attempt_of(ours)).state is AttemptState.PENDING
    assert [one.state for one in await inbox(ground)] == [InboxState.PARKED]
    theirs = await begin(ground)
    own = await ground.attempt_of(theirs)
    assert own.direct
    assert cards.asked[-1].credentials == THEIRS
    assert await send(ground, event(own, receipt="pi_2"), path, "shop-secret") == 200
    assert (await ground.order(theirs)).escrow is None
    assert await send(ground, event(attempt)) == 200
    assert (await ground.order(ours)).proved


async def test_the_address_of_one_attempt_is_of_no_other(ground: Ground, cards: Signed) -> None:
    first, second = await begin(ground), await begin(ground)
    mine, theirs = await ground.attempt_of(first), await ground.attempt_of(second)
    token = ground.hall.tokens.make(Purpose.ATTEMPT, mine.id)
    assert await send(ground, event(theirs, ref=mine.ref), f"/callbacks/stripe/{token}/events") == 200
    assert (await ground.attempt_of(second)).state is AttemptState.PENDING
    assert (await ground.attempt_of(first)).state is AttemptState.SUCCEEDED


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"id": 1}', b"\xff\xfe", b'{"secret": "a-secret-in-it"}'])
async def test_what_is_signed_and_cannot_be_read_is_kept_for_a_person(ground: Ground, cards: Signed, raw: bytes) -> None:
    """C17: without the secret that it may carry."""
    for _ in range(2):
        assert await send(ground, raw) == 200
    assert [(one.state, one.raw) for one in await inbox(ground)] == [(InboxState.PARKED, raw.replace(b"a-secret-in-it", b"*"))]


async def test_another_amount_is_kept_apart(ground: Ground, cards: Signed) -> None:
    """C7: authentic is not valid."""
    pay = await begin(ground)
    attempt = await ground.attempt_of(pay)
    assert await send(ground, event(attempt, minor=100)) == 200
    assert (await ground.counts())[2] == 0
    assert await ground.hall.store.read(lambda unit: unit.books.balance(f"suspense:{attempt.id}")) == {"KES": 0}


async def test_an_event_about_nothing_of_ours_is_noted(ground: Ground, cards: Signed) -> None:
    raw = json.dumps({"id": "evt_9", "attempt": 1, "outcome": "UNKNOWN"}).encode()
    assert await send(ground, raw) == 200
    assert [one.state for one in await inbox(ground)] == [InboxState.IGNORED]


# --- the hosted page, as a browser without JavaScript meets it


async def test_the_buyer_is_led_to_the_page_and_back(ground: Ground, cards: Signed) -> None:
    pay = await begin(ground)
    ask = cards.asked[0]
    assert (ask.method, ask.phone, ask.back_url, ask.credentials) == (Method.VISA, None, f"{ORIGIN}{pay}/back", PLATFORMS)
    body = await (await ground.get(pay)).text()
    assert f'href="{PAGE}"' in body
    assert (await ground.get(f"{pay}/go")).headers["Location"] == PAGE
    back = await ground.get(f"{pay}/back?status=paid&session=forged")
    assert (back.status, back.headers["Location"]) == (303, pay)
    assert (await ground.get(pay)).status == 200
    cards.fetched = Reply(Outcome.SUCCEEDED, receipt="pi_1")
    headers = {"Origin": "https://pay.provider.example", "Sec-Fetch-Site": "cross-site"}
    assert (await ground.post(f"{pay}/back", {"respStatus": "D"}, headers=headers)).status == 303
    assert (await ground.get(pay)).headers["Location"].startswith("/track/")


async def test_coming_back_asks_the_gateway_a_bounded_number_of_times(ground: Ground, cards: Signed) -> None:
    pay = await begin(ground)
    for _ in range(14):
        assert (await ground.get(f"{pay}/back")).status == 303
    assert cards.fetches == 10


async def test_another_way_is_open_while_the_page_waits_and_the_old_page_still_pays(ground: Ground, cards: Signed) -> None:
    pay = await begin(ground)
    old = await ground.attempt_of(pay)
    assert (await ground.post(f"{pay}/retry", {"method": "visa"})).status == 303
    assert (await ground.attempt_of(pay)).id == old.id
    assert (await ground.post(f"{pay}/retry", {"method": "mpesa"})).status == 422
    assert (await ground.attempt_of(pay)).id == old.id
    ground.clock.move(timedelta(seconds=1))
    assert (await ground.post(f"{pay}/retry", {"method": "mpesa", "phone": "0712345678"})).status == 303
    new = await ground.attempt_of(pay)
    assert (new.gateway, new.live) == ("daraja", True)
    assert await send(ground, event(old)) == 200
    assert (await ground.order(pay)).attempt_id == old.id


@pytest.mark.parametrize("reply", [Reply(Outcome.DECLINED, result="configuration"), Reply(Outcome.NOT_SENT), Reply(Outcome.UNKNOWN)])
async def test_a_page_that_does_not_open_is_said(ground: Ground, cards: Signed, reply: Reply) -> None:
    cards.reply = reply
    pay = await begin(ground)
    answer = await ground.get(pay)
    assert answer.status == 200
    assert PAGE not in await answer.text()
    assert (await ground.get(f"{pay}/go")).headers["Location"] == pay


async def test_only_mpesa_needs_a_phone(ground: Ground, cards: Signed) -> None:
    link = await ground.link()
    page = await (await ground.get(f"/buy/{link.code}")).text()
    assert page.index('value="mpesa"') < page.index('value="visa"') < page.index('value="mastercard"')
    for method, status in (("mpesa", 422), ("visa", 303), ("paypal", 422), ("nonsense", 422)):
        page = await (await ground.get(f"/buy/{link.code}")).text()
        answer = await ground.post(f"/buy/{link.code}", {**FORM, "phone": "", "method": method, "key": key_in(page)})
        assert answer.status == status, method


@pytest.mark.parametrize("language", ["en", "sw", "ar"])
async def test_the_pages_stay_small(ground: Ground, cards: Signed, language: str) -> None:
    link = await ground.link()
    pay = await ground.begin(link, method="visa", phone="")
    for path in (f"/buy/{link.code}?lang={language}", f"{pay}?lang={language}"):
        answer = await ground.get(path, headers={"Accept-Encoding": "gzip"})
        assert int(answer.headers["Content-Length"]) < 14_000
