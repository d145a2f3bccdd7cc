"""Back room: posts events to addresses that strangers typed. Standard Webhooks 1.0.0, https://www.standardwebhooks.com

A name is looked up once, every address it has must be public, and the connection goes to the very address that was looked at: whoever answers
the next question about that name differently gains nothing. No redirect is followed, and no connection is kept for the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
import structlog

from domain.webhook import Tried, is_loopback, is_public
from gateways.http import trusted

DEADLINE_S: Final = 10.0
MOST_BYTES: Final = 64 << 10
KEPT_CHARS: Final = 1024
USER_AGENT: Final = "payloom-webhooks/1"

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
log = structlog.get_logger(__name__)


class NotPublic(Exception):
    """The name leads to an address that is nobody's on the internet."""


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """All numeric addresses of a name, in the order the system would try them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class WebhookPost:
    """`loopback` lets this machine be posted to: for a town. Certificates are checked against the name, never against the address."""

    def __init__(
        self,
        *,
        loopback: bool = False,
        resolve: Resolve = system_resolve,
        deadline_s: float = DEADLINE_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._loopback = loopback
        self._resolve = resolve
        self._deadline_s = deadline_s
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(deadline_s, connect=min(5.0, deadline_s)),
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=0),
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Content-Type": "application/json"},
            follow_redirects=False,
            trust_env=False,
            verify=trusted() if tls is None else tls,
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Tried:
        started = time.perf_counter()
        try:
            tried = await self._post(httpx.URL(url), headers, body)
        except NotPublic:
            tried = Tried(None, "address_not_public")
        except socket.gaierror:
            tried = Tried(None, "name_not_found")
        except (TimeoutError, httpx.TimeoutException):
            tried = Tried(None, "timeout")
        except httpx.ConnectError as problem:
            tried = Tried(None, "tls" if "CERTIFICATE" in str(problem).upper() or "SSL" in str(problem).upper() else "not_connected")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError) as problem:
            tried = Tried(None, type(problem).__name__)
        took_ms = round((time.perf_counter() - started) * 1000)
        log.info(
            "webhook", host=_host(url), webhook_id=headers.get("webhook-id", ""), took_ms=took_ms, status=tried.status, error=tried.error
        )
        return Tried(tried.status, tried.error, tried.answer, tried.retry_after_s, took_ms)

    async def _post(self, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> Tried:
        ends_s = asyncio.get_running_loop().time() + self._deadline_s
        async with asyncio.timeout_at(ends_s):
            response = await self._answered(url, headers, body)
        try:
            answer = await _beginning(response, ends_s)
        finally:
            await response.aclose()
        error = "" if response.is_success else "redirected" if response.is_redirect else f"http_{response.status_code}"
        return Tried(response.status_code, error, answer, _retry_after(response.headers))

    async def _answered(self, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> httpx.Response:
        """By the first address of the name that lets us in; no other hears us then."""
        addresses = await self._resolve(url.host, url.port or (443 if url.scheme == "https" else 80))
        if not addresses or not all(self._may(address, url) for address in addresses):
            raise NotPublic
        for address in addresses[:-1]:
            try:
                return await self._send(url, address, headers, body)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._send(url, addresses[-1], headers, body)

    def _may(self, address: str, url: httpx.URL) -> bool:
        return (is_public(address) and url.scheme == "https") or (self._loopback and is_loopback(address))

    async def _send(self, url: httpx.URL, address: str, headers: Mapping[str, str], body: bytes) -> httpx.Response:
        request = self._client.build_request(
            "POST",
            url.copy_with(host=address),
            headers={**headers, "Host": url.netloc.decode("ascii")},
            content=body,
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
        return await self._client.send(request, stream=True)


async def _beginning(response: httpx.Response, ends_s: float) -> str:
    """The first of what is said, for the log. What goes wrong after the status came changes nothing: we were answered."""
    whole = bytearray()
    with contextlib.suppress(TimeoutError, httpx.HTTPError, httpx.StreamError, OSError):
        async with asyncio.timeout_at(ends_s):
            async for part in response.aiter_raw():
                whole += part
                if len(whole) >= MOST_BYTES:
                    break
    text = bytes(whole[:MOST_BYTES]).decode("utf-8", "replace")
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text[:KEPT_CHARS])


def _retry_after(headers: httpx.Headers) -> int:
    """Seconds, or a date against the receiver's own; 0 for what cannot be read."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return int(text[:9])
    try:
        return max(0, int((parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("date", ""))).total_seconds()))
    except (ValueError, TypeError):
        return 0


def _host(url: str) -> str:
    """For the log: a path may hold a secret."""
    try:
        return httpx.URL(url).host
    except httpx.InvalidURL:
        return ""
