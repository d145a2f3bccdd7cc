"""Back room: the one HTTP client. Says what is known of a call that failed; never raises for what a provider does, never tries again."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, Never

import httpx
import structlog

from domain.payment import Unreadable

MOST_BYTES: Final = 1 << 20
"""Largest reply that is read."""
CALLBACK_BYTES: Final = 64 << 10
"""Largest callback that is understood."""
DEEPEST: Final = 20
"""Nesting of JSON that is understood; what providers send is at most six deep."""
_NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """The provider answered, whatever it said. Header names are in lower case."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class NotSent:
    """Certainly nothing reached the provider: asking again is safe. `why` is the name of the cause."""

    why: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have reached the provider. `why` is the name of the cause."""

    why: str


Result = Answer | NotSent | Unknown


@cache
def trusted() -> ssl.SSLContext:
    """Whom everybody trusts, read once: reading it takes as long as a hundred requests."""
    return httpx.create_ssl_context(trust_env=False)


class Http:
    """One pool of connections for all providers. No redirects, no cookies kept, no compression; the environment's proxies are not read.

    `deadline_s` bounds a whole call, so that a provider that trickles bytes cannot hold it.
    """

    def __init__(
        self,
        *,
        connect_timeout_s: float = 5.0,
        read_timeout_s: float = 30.0,
        deadline_s: float = 60.0,
        most_bytes: int = MOST_BYTES,
        connections: int = 100,
        proxy: str | None = None,
    ) -> None:
        self._deadline_s = deadline_s
        self._most_bytes = most_bytes
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(read_timeout_s, connect=connect_timeout_s, pool=connect_timeout_s),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=5.0),
            headers={"Accept-Encoding": "identity", "User-Agent": "payloom"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
            trust_env=False,
            verify=trusted(),
            proxy=proxy,
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    async def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        shown_path: str | None = None,
    ) -> Result:
        """One request; `body` goes as JSON, `form` as a form, `content` as it is. `shown_path` is logged where the path holds a secret."""
        started = time.perf_counter()
        host, path = _place(url)
        result: Result
        try:
            async with asyncio.timeout(self._deadline_s):
                result = await self._ask(method, url, headers, body, form, content)
        except _NEVER_LEFT as problem:
            result = NotSent(type(problem).__name__)
        except httpx.InvalidURL as problem:
            result = NotSent(type(problem).__name__)
        except (httpx.HTTPError, httpx.StreamError, TimeoutError, OSError) as problem:
            result = Unknown(type(problem).__name__)
        outcome: dict[str, Any] = (
            {"status": result.status} if isinstance(result, Answer) else {"failed": type(result).__name__, "why": result.why}
        )
        took_ms = round((time.perf_counter() - started) * 1000)
        log.info("outgoing", method=method, host=host, path=shown_path or path, took_ms=took_ms, **outcome)
        return result

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str] | None, body: Any, form: Mapping[str, str] | None, content: bytes | None
    ) -> Answer | Unknown:
        async with self._client.stream(method, url, headers=headers, json=body, data=form, content=content) as response:
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                return Unknown("Compressed")
            whole = bytearray()
            async for part in response.aiter_raw():
                whole += part
                if len(whole) > self._most_bytes:
                    return Unknown("TooLarge")
            return Answer(response.status_code, bytes(whole), {name.lower(): value for name, value in response.headers.items()})


def _place(url: str) -> tuple[str, str]:
    """Host and path for the log: a query may hold secrets, a user and password always do."""
    try:
        read = httpx.URL(url)
    except httpx.InvalidURL:
        return "", ""
    return read.host, read.path


def read_json(raw: bytes, limit: int = CALLBACK_BYTES) -> dict[str, Any]:
    """The JSON object in a provider's body: fractions as Decimal; no duplicate keys, NaN, NUL, half characters or deep nesting.

    Raises Unreadable for anything else, and nothing but that.
    """
    if len(raw) > limit:
        raise Unreadable("too large")
    try:
        text = raw.decode()
        found = _STRICT.decode(text)
    except (ValueError, ArithmeticError, RecursionError) as problem:
        raise Unreadable(f"not JSON ({type(problem).__name__})") from None
    if not isinstance(found, dict):
        raise Unreadable("not an object")
    if "\\u" in text or text.count("{") + text.count("[") >= DEEPEST:
        _check(found)
    return found


def _no_constant(name: str) -> Never:
    raise Unreadable(f"{name} is not a number")


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("a key twice")
    return found


_STRICT: Final = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_no_twins)


def _check(found: dict[str, Any]) -> None:
    """Every text can be stored (no NUL, no half of a surrogate pair) and nothing lies too deep.

    Not asked where it cannot be otherwise: such characters come by an escape only, and depth by brackets.
    """
    level: list[Any] = [found]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += value.keys()
                below += value.values()
            elif isinstance(value, list):
                below += value
            elif isinstance(value, str) and ("\0" in value or not _whole(value)):
                raise Unreadable("a text that cannot be stored")
        if not below:
            return
        level = below
    raise Unreadable("too deep")


def _whole(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)
