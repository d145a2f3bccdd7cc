"""The API over real HTTP: on SQLite, and where a race matters on both engines."""

from __future__ import annotations

import contextlib
import functools
import json
import secrets
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from openapi_core import Config, OpenAPI

from domain.ports import House
from domain.tokens import Tokens
from storage.bell import LocalBell
from tests.storage.ground import StillClock, opened, surroundings
from tests.web.api.ground import BASE, Api, PaperGateway, found_world
from usecases.hall import Hall
from web.api.v1 import ENDPOINTS
from web.api.v1.document import document
from web.application import application


@functools.cache
def watching() -> OpenAPI:
    """The document as openapi-core reads it; once, for it takes a second."""
    config = Config(extra_media_type_deserializers={"application/problem+json": json.loads})
    return OpenAPI.from_dict(document(ENDPOINTS, BASE), config=config)


@contextlib.asynccontextmanager
async def serving(url: str) -> AsyncIterator[Api]:
    clock, gateway, bell = StillClock(), PaperGateway(), LocalBell()
    async with opened(url, surroundings(clock), bell) as store:
        house = House(BASE, "PayLoomBot", "KE", "KES", 250)
        hall = Hall(store, {"daraja": gateway}, bell, clock, house, Tokens([b"k" * 16]))
        world = await store.write(found_world)
        app = application(hall, new_key=lambda: secrets.token_hex(16))
        async with TestServer(app) as server, aiohttp.ClientSession() as session:
            try:
                yield Api(hall, gateway, clock, world, str(server.make_url("")).rstrip("/"), url, session, watching())
            finally:
                await hall.drain()


@pytest.fixture
async def api(sqlite_url: str) -> AsyncIterator[Api]:
    async with serving(sqlite_url) as served:
        yield served


@pytest.fixture
async def api_on_both(engine_url: str) -> AsyncIterator[Api]:
    """Once on SQLite, once on PostgreSQL."""
    async with serving(engine_url) as served:
        yield served
