"""What the tests of this room ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import structlog

from gateways.http import Http
from gateways.payments.daraja import Daraja
from tests.gateways.provider import HandClock, Provider, says
from tests.market import Market, market


@pytest_asyncio.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider() as running:
        yield running


@pytest_asyncio.fixture
async def http() -> AsyncIterator[Http]:
    client = Http(connect_timeout_s=2.0, read_timeout_s=0.5, deadline_s=5.0)
    yield client
    await client.aclose()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest_asyncio.fixture
async def daraja(provider: Provider, http: Http, clock: HandClock) -> AsyncIterator[Daraja]:
    """Daraja at `provider`, where a token can be had."""
    provider.tell("/oauth/v1/generate", says({"access_token": "a" * 28, "expires_in": "3599"}))
    gateway = Daraja(http, provider.url, clock, "https://shop.example")
    yield gateway
    await gateway.aclose()


@pytest.fixture(autouse=True)
def logs_as_they_come() -> None:
    """Whatever a command configured before: here every event can be caught."""
    structlog.reset_defaults()


@pytest.fixture
async def here(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Market]:
    """The whole house and the five providers of the town; whatever a test did there, every promise holds afterwards."""
    async with market(tmp_path, sqlite_template) as opened:
        yield opened
        await opened.proved()
