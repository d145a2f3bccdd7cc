"""Access tokens by client credentials: one per pair of keys, because with Daraja (portal page "Authorization") a new one ends the one before."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from domain.payment import Unreadable
from domain.ports import Clock
from gateways.http import Answer, Http, read_json

REFRESH_AFTER: Final = timedelta(minutes=50)
SPARE: Final = timedelta(seconds=60)
"""A token of shorter life than usual is replaced this long before its end."""
KEPT: Final = 1000
"""Pairs of keys whose token is remembered."""


@dataclass(frozen=True, slots=True)
class Token:
    """What to show; `value` is a secret."""

    value: str = field(repr=False)
    taken_at: datetime
    good_for: timedelta


@dataclass(frozen=True, slots=True)
class NoToken:
    """There is none: `configuration` when the provider does not know the keys, else `try_later`."""

    why: str


class TokenShelf:
    """Gives the token of a pair of keys. Those who ask while one is fetched wait for that one, and share its failure.

    With a `form` it is posted to `path`, as OAuth 2 has it; Daraja wants a GET.
    """

    def __init__(
        self,
        http: Http,
        base_url: str,
        clock: Clock,
        path: str = "/oauth/v1/generate?grant_type=client_credentials",
        form: Mapping[str, str] | None = None,
    ) -> None:
        self._http = http
        self._url = f"{base_url}{path}"
        self._form = form
        self._clock = clock
        self._tokens: OrderedDict[bytes, Token] = OrderedDict()
        self._fetching: dict[bytes, asyncio.Task[Token | NoToken]] = {}

    async def aclose(self) -> None:
        """Give up what is being fetched."""
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def get(self, key: str, secret: str) -> Token | NoToken:
        name = _name(key, secret)
        found = self._tokens.get(name)
        if found is not None and self._is_good(found):
            self._tokens.move_to_end(name)
            return found
        task = self._fetching.get(name)
        if task is None:
            task = self._fetching[name] = asyncio.create_task(self._fetch(name, key, secret))
            task.add_done_callback(lambda _: self._fetching.pop(name, None))
        # Shielded: the first who asked may leave while others wait.
        return await asyncio.shield(task)

    def drop(self, key: str, secret: str, token: Token) -> None:
        """This token was refused. A newer one, fetched meanwhile by somebody else, stays."""
        name = _name(key, secret)
        if self._tokens.get(name) is token:
            del self._tokens[name]

    def _is_good(self, token: Token) -> bool:
        age = self._clock.now() - token.taken_at
        return timedelta(0) <= age < min(REFRESH_AFTER, token.good_for - SPARE)

    async def _fetch(self, name: bytes, key: str, secret: str) -> Token | NoToken:
        """GET /oauth/v1/generate?grant_type=client_credentials, or a POST of the form."""
        taken_at = self._clock.now()
        basic = base64.b64encode(f"{key}:{secret}".encode()).decode()
        method = "GET" if self._form is None else "POST"
        answer = await self._http.call(method, self._url, headers={"Authorization": f"Basic {basic}"}, form=self._form)
        if not isinstance(answer, Answer):
            return NoToken("try_later")
        if answer.status != 200:
            return NoToken("configuration" if answer.status in (400, 401, 403) else "try_later")
        token = _read(answer.body, taken_at)
        if token is None:
            return NoToken("try_later")
        self._tokens[name] = token
        self._tokens.move_to_end(name)
        while len(self._tokens) > KEPT:
            self._tokens.popitem(last=False)
        return token


def _name(key: str, secret: str) -> bytes:
    """Both keys: who knows only the public half of another's pair gets no token of theirs."""
    return hashlib.sha256(f"{len(key)}:{key}:{secret}".encode()).digest()


def _read(body: bytes, taken_at: datetime) -> Token | None:
    """`expires_in` is a string in old samples and a number in new ones; without it the token is taken to last as usual."""
    try:
        reply = read_json(body)
    except Unreadable:
        return None
    value, life = reply.get("access_token"), str(reply.get("expires_in", ""))
    if not isinstance(value, str) or not 1 <= len(value) <= 4096 or not value.isascii() or not value.isprintable() or " " in value:
        return None
    good_for = timedelta(seconds=int(life)) if life.isascii() and life.isdigit() and len(life) <= 6 else REFRESH_AFTER + SPARE
    return Token(value, taken_at, good_for)
