"""Back room: Bot API calls of python-telegram-bot over aiohttp, which costs less than half of httpx (design: the stack, section 3).

The token is part of every address, so no address is ever logged, nor let out inside an exception.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any, Final

import aiohttp
from telegram._utils.defaultvalue import DefaultValue
from telegram.error import InvalidToken, NetworkError, RetryAfter, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData

MOST_BYTES: Final = 4 << 20
"""Largest answer of a method; a hundred updates are well below."""
MOST_FILE_BYTES: Final = 21 << 20
"""Largest file: bots may fetch 20 MB."""
_NEVER_LEFT: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)
_REFUSED: Final = re.compile(rb'\s*\{\s*"ok"\s*:\s*false\b')
_NOT_THERE: Final = re.compile(rb"(?i)not supported|not implemented|unknown method|method not found|no such method")
_SIZE: Final = frozenset({"file_id", "file_unique_id", "width", "height"})
Timeout = DefaultValue[float] | float | DefaultValue[None] | None


class NotConnected(NetworkError):
    """Nothing reached Telegram: sending again is safe."""

    __slots__ = ()


class TooFast(RetryAfter):
    """Flood control, made without the warning that reading `retry_after` gives; the time is in `_retry_after`, as in its parent."""

    __slots__ = ()

    def __init__(self, wait: timedelta) -> None:
        self._retry_after = wait
        TelegramError.__init__(self, f"Too Many Requests: retry after {wait.total_seconds():.0f}")


class NoSuchMethod(InvalidToken):
    """The server does not know this method; of Telegram's own it may also mean a malformed token, as 404 does there."""

    __slots__ = ()

    def __init__(self) -> None:
        TelegramError.__init__(self, "no such method")


class AiohttpRequest(BaseRequest):
    """One pool of connections. Made by `initialize`, closed by `shutdown`, and may be opened again. Times in seconds, None is for ever."""

    def __init__(
        self,
        *,
        connections: int = 256,
        connect_timeout_s: float | None = 5.0,
        read_timeout_s: float | None = 10.0,
        write_timeout_s: float | None = 10.0,
        media_write_timeout_s: float | None = 30.0,
        pool_timeout_s: float | None = 5.0,
        proxy: str | None = None,
    ) -> None:
        self._connections = connections
        self._connect_s, self._read_s, self._pool_s = connect_timeout_s, read_timeout_s, pool_timeout_s
        self._write_s, self._media_write_s = write_timeout_s, media_write_timeout_s
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float | None:
        return self._read_s

    async def initialize(self) -> None:
        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(limit=self._connections, ttl_dns_cache=60)
            headers = {"User-Agent": self.USER_AGENT, "Accept-Encoding": "identity"}
            self._session = aiohttp.ClientSession(
                connector=connector, headers=headers, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )

    async def shutdown(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Timeout = BaseRequest.DEFAULT_NONE,
        write_timeout: Timeout = BaseRequest.DEFAULT_NONE,
        connect_timeout: Timeout = BaseRequest.DEFAULT_NONE,
        pool_timeout: Timeout = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """Status and body. Raises TooFast, NoSuchMethod, NotConnected, TimedOut or NetworkError, never with an address in it."""
        if self._session is None:
            raise NotConnected("not initialized")
        read_s = _or_else(read_timeout, self._read_s)
        write_s = _or_else(write_timeout, self._media_write_s if request_data and request_data.contains_files else self._write_s)
        connect_s = _or_else(connect_timeout, self._connect_s)
        all_of_it = (_or_else(pool_timeout, self._pool_s), connect_s, write_s, read_s)
        timeout = aiohttp.ClientTimeout(total=_sum(all_of_it), connect=_sum(all_of_it[:2]), sock_connect=connect_s, sock_read=read_s)
        limit = MOST_FILE_BYTES if method == "GET" else MOST_BYTES
        body = None if request_data is None else _body(request_data)
        try:
            async with self._session.request(method, url, data=body, timeout=timeout, proxy=self._proxy, allow_redirects=False) as response:
                answer = await _read(response, limit)
        except _NEVER_LEFT as problem:
            raise NotConnected(f"not connected ({type(problem).__name__})") from None
        except TimeoutError:
            raise TimedOut from None
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            raise NetworkError(f"connection failed ({type(problem).__name__})") from None
        status = _code(answer) if response.status == 200 and _REFUSED.match(answer) else response.status
        if status == 429:
            raise TooFast(_wait(answer))
        if method == "POST" and _unknown_method(status, answer):
            raise NoSuchMethod
        return status, answer

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """As the parent does, but says nothing of the body in the log, and takes only an object.

        Of a message that was sent its number and picture are all we need: the rest is not given to the library, which refuses a whole
        answer for one field that a server other than Telegram's writes in its own way.
        """
        try:
            found = json.loads(payload.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise TelegramError("Invalid server response") from None
        result = found.get("result")
        if result is None and found.get("ok") is True:
            found["result"] = True
        elif isinstance(result, dict):
            found["result"] = _message(result) if isinstance(_number(result.get("message_id")), int) else _bot(result)
        return found


def _unknown_method(status: int, body: bytes) -> bool:
    """Telegram says 404; others have been seen to say 501, 405, or 500 with words."""
    return status in (404, 405, 501) or (status >= 500 and _NOT_THERE.search(body[:1000]) is not None)


def _code(body: bytes) -> int:
    """The `error_code` of a refusal that came with status 200."""
    try:
        code = json.loads(body).get("error_code")
    except (ValueError, RecursionError):
        code = None
    return code if isinstance(code, int) and 400 <= code <= 599 else 400


def _message(sent: dict[str, Any]) -> dict[str, Any]:
    """The number as a number, the moment as nothing, the chat, and the sizes of a picture that can be read."""
    number, chat = sent["message_id"], sent.get("chat")
    place = chat.get("id") if isinstance(chat, dict) else None
    found: dict[str, Any] = {"message_id": _number(number), "date": 0, "chat": {"id": _number(place) or 0, "type": "private"}}
    sizes = sent.get("photo")
    if isinstance(sizes, list) and all(isinstance(one, dict) and one.keys() >= _SIZE for one in sizes):
        found["photo"] = [{name: one[name] for name in _SIZE} for one in sizes]
    return found


def _bot(told: dict[str, Any]) -> dict[str, Any]:
    """Who answers getMe is a bot, also where it is not said."""
    if "first_name" in told or "username" in told:
        return {"is_bot": True, "first_name": "", **told, "id": _number(told.get("id"))}
    return told


def _number(value: object) -> object:
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value, re.ASCII) else value


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    whole = bytearray()
    async for part in response.content.iter_chunked(1 << 16):
        whole += part
        if len(whole) > limit:
            raise ValueError("answer too large")
    return bytes(whole)


def _body(data: RequestData) -> aiohttp.FormData | dict[str, str]:
    """A form of JSON texts; multipart where files go with it."""
    if not data.contains_files:
        return data.json_parameters
    form = aiohttp.FormData(quote_fields=False)
    for name, value in data.json_parameters.items():
        form.add_field(name, value)
    for name, (filename, content, kind) in data.multipart_data.items():
        form.add_field(name, content, filename=filename, content_type=kind)
    return form


def _or_else(given: Timeout, usual: float | None) -> float | None:
    return usual if isinstance(given, DefaultValue) else given


def _sum(parts: tuple[float | None, ...]) -> float | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _wait(body: bytes) -> timedelta:
    """`parameters.retry_after` in seconds; one second where it is not said."""
    try:
        seconds = json.loads(body)["parameters"]["retry_after"]
        return timedelta(seconds=min(max(int(seconds), 1), 86_400))
    except (ValueError, KeyError, TypeError, RecursionError):
        return timedelta(seconds=1)
