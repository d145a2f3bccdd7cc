"""`payloom admin gateway`: every provider's credentials are tried before they are kept, and no secret of theirs is ever printed."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import web

from payloom.carriers import FIELDS, OWN_FIELDS
from tests.cli.ground import NOBODY, House, free_port
from tests.cli.test_admin import shop
from tests.storage.ground import raw
from town.acquirers import Merchant
from town.application import Town
from town.core import Core

GIVEN: dict[str, dict[str, str]] = {
    "daraja": {"consumer_key": "CANARY-key", "consumer_secret": "CANARY-secret", "short_code": "600111", "passkey": "CANARY-passkey"},
    "stripe": {"secret_key": "sk_test_CANARY0000000000000000", "webhook_secret": "whsec_CANARY00000000000000"},
    "paypal": {"client_id": "a-client", "client_secret": "CANARY-secret", "webhook_id": "1JE4291016473214C"},
    "paytabs": {"profile_id": "12345", "server_key": "SCANARY000-CANARYCANA-CANARYCANA", "region": "KSA"},
    "moyasar": {"secret_key": "sk_test_CANARY00000000000000000000000000", "webhook_secret": "CANARY-webhook"},
}
BASES = {"daraja": "mpesa_api_base", **{name: f"{name}_api_base" for name in ("stripe", "paypal", "paytabs", "moyasar")}}
PROOF = {"daraja": "consumer_secret", "stripe": "secret_key", "paypal": "client_secret", "paytabs": "server_key", "moyasar": "secret_key"}
"""The field by which the provider knows whether it is them."""


@contextmanager
def _town(port: int) -> Iterator[None]:
    """The providers, in a thread with a loop of its own: the command runs one of its own too."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    over = asyncio.Event()

    async def live() -> None:
        cards = {name: given for name, given in GIVEN.items() if name != "daraja"}
        town = Town(Core(), merchant=Merchant("http://127.0.0.1:9/callbacks", cards))
        town.daraja.add_app(key="CANARY-key", secret="CANARY-secret", short_code="600111", passkey="CANARY-passkey")
        runner = web.AppRunner(town.application(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        ready.set()
        await over.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(live()), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(20)
        loop.close()


@pytest.fixture(scope="module")
def providers() -> Iterator[str]:
    port = free_port()
    with _town(port):
        yield f"http://127.0.0.1:{port}/town"


@pytest.fixture
def open_house(house: House, providers: str) -> House:
    """The same house, where the providers answer."""
    bases = {f"PAYLOOM_{base.upper()}": f"{providers}/{name}" for name, base in BASES.items()}
    return House(house.folder, house.env | bases, house.monkeypatch)


def kept(house: House) -> list[tuple[Any, ...]]:
    with raw(house.url) as session:
        return list(session.plain("SELECT organization_id, gateway FROM gateway_settings WHERE organization_id <> 0").fetchall())


def give(house: House, gateway: str, number: str, **changed: str) -> Any:
    """Set it for a shop, from stdin; whatever comes of it, nothing secret is said."""
    given = {name: value for name, value in {**GIVEN[gateway], **changed}.items() if value}
    done = house.admin("gateway", "set", gateway, "--organization", number, "--from", "stdin", "--json", stdin=json.dumps(given))
    secret = {field.name for field in FIELDS[gateway] if field.secret}
    assert not [name for name, value in given.items() if name in secret and value in done.out + done.err]
    return done


def test_the_test_is_of_every_gateway() -> None:
    assert set(GIVEN) == set(OWN_FIELDS)


@pytest.mark.parametrize("gateway", GIVEN)
def test_what_a_provider_knows_is_kept_and_shown_without_its_secrets(open_house: House, gateway: str) -> None:
    """W26"""
    number = shop(open_house)
    done = give(open_house, gateway, number)
    assert done.code == 0, done.err
    assert kept(open_house) == [(int(number), gateway)]
    hook = done.data.get("webhook", "")
    assert hook.startswith(f"https://pay.example.com/callbacks/{gateway}/") if gateway != "daraja" else not hook
    for words in (("gateway", "show"), ("gateway", "show", "--json")):
        shown = open_house.admin(*words)
        assert "CANARY" not in shown.out + shown.err
    listed = open_house.admin("gateway", "show", "--json").data
    assert [(one["owner"], one["gateway"], bool(one["tested"])) for one in listed] == [("Mama Amina", gateway, True)]


@pytest.mark.parametrize("gateway", GIVEN)
def test_what_a_provider_does_not_know_is_not_kept(open_house: House, gateway: str) -> None:
    number = shop(open_house)
    real = GIVEN[gateway][PROOF[gateway]]
    done = give(open_house, gateway, number, **{PROOF[gateway]: f"{real[:-4]}NONE"})
    assert (done.code, done.data["error"]) == (1, "configuration")
    assert kept(open_house) == []


@pytest.mark.parametrize("gateway", GIVEN)
def test_what_is_missing_is_named_and_nothing_is_kept(open_house: House, gateway: str) -> None:
    number = shop(open_house)
    done = give(open_house, gateway, number, **{PROOF[gateway]: ""})
    assert (done.code, done.data["error"]) == (1, "configuration")
    assert PROOF[gateway].replace("_", " ") in done.data["message"]
    assert kept(open_house) == []


@pytest.mark.parametrize("gateway", GIVEN)
def test_of_a_provider_that_is_away_nothing_is_kept(house: House, gateway: str) -> None:
    assert all(value == NOBODY for name, value in house.env.items() if name.endswith("_API_BASE"))
    number = shop(house)
    done = give(house, gateway, number)
    assert (done.code, done.data["error"]) == (1, "try_later")
    assert "nothing is kept" in done.data["message"]
    assert kept(house) == []


@pytest.mark.parametrize("gateway", GIVEN)
def test_a_gateway_is_paused_and_resumed(house: House, gateway: str) -> None:
    for word, paused in (("pause", True), ("resume", False)):
        done = house.admin("gateway", word, gateway, "--json")
        assert (done.code, done.data) == (0, {"gateway": gateway, "paused": paused})
        with raw(house.url) as session:
            value = session.plain(f"SELECT value FROM marks WHERE name = 'paused:{gateway}'").fetchone()[0]
        assert json.loads(value) == {"paused": paused}


def test_names_that_are_not_a_gateways_are_refused_by_name(house: House) -> None:
    number = shop(house)
    done = house.admin("gateway", "set", "stripe", "--organization", number, "--from", "stdin", stdin='{"consumer_key": "CANARY"}')
    assert done.code != 0
    assert "secret_key, webhook_secret" in done.err
    assert "CANARY" not in done.out + done.err
    assert house.admin("gateway", "set", "carrier-pigeon").code == 2


def test_addresses_of_payments_by_hand_are_registered_once_the_account_is_kept(open_house: House) -> None:
    number = shop(open_house)
    assert open_house.admin("gateway", "register", "--organization", number).code == 1
    assert give(open_house, "daraja", number).code == 0
    done = open_house.admin("gateway", "register", "--organization", number, "--json")
    assert (done.code, done.data["result"]) == (0, "registered")
    away = House(open_house.folder, open_house.env | {"PAYLOOM_MPESA_API_BASE": NOBODY}, open_house.monkeypatch)
    again = away.admin("gateway", "register", "--organization", number, "--json")
    assert (again.code, again.data["result"]) == (1, "try_later")
    assert "CANARY" not in done.out + again.out + again.err
