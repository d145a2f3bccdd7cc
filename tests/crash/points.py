"""Where a house can be killed: before and after every commit that wrote something, and before and after every call to the outside.

Nothing of this is in the product: a house that is started by the harness is built with this store, this client and this transport.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from telegram.request import BaseRequest, RequestData

from domain.ports import Store, Unit
from gateways.http import Http, Result
from gateways.telegram_transport import AiohttpRequest, Timeout
from storage.statements import POSTGRES, Session
from storage.unit import SqlUnit
from tests.crash.board import Board, append

P = ParamSpec("P")
R = TypeVar("R")
NO_UPDATES = b'"result":[]'


class Points:
    """Writes each point down as `step name#occurrence`, and kills this process (SIGKILL, no farewell) at the one it is told."""

    def __init__(self, board: Board, log: Path) -> None:
        self._board = board
        self._log = append(log)
        self._lock = threading.Lock()
        self._step = -1
        self._seen: Counter[str] = Counter()
        self._under_way = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """A unit or a call of a payment gateway that has begun."""
        self._under_way += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._quiet.set()

    async def quiet(self) -> None:
        """Return when nothing is under way. What a call brought is written without a pause in between, so it is not missed."""
        await self._quiet.wait()

    def hit(self, name: str) -> None:
        with self._lock:
            step = self._board.step
            if step != self._step:
                self._step = step
                self._seen.clear()
            self._seen[name] += 1
            point = f"{name}#{self._seen[name]}".encode()
            with contextlib.suppress(OSError):  # a test may have filled the disk
                os.write(self._log, b"%d %s\n" % (step, point))
            countdown = self._board.countdown
            if countdown > 0:
                self._board.countdown = countdown - 1
            if point == self._board.target or countdown == 1:
                os.write(self._log, b"%d KILLED %s\n" % (step, point))
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(60)


def written(session: Session) -> int:
    """A number that grows when the open transaction writes: rows changed on SQLite, on PostgreSQL whether it has an id of its own."""
    if session.dialect != POSTGRES:
        return int(session.connection.total_changes)
    return int(session.connection.execute("SELECT (pg_current_xact_id_if_assigned() IS NOT NULL)::int").fetchone()[0])


def name_of(unit: Callable[..., Any]) -> str:
    return str(getattr(unit, "__qualname__", type(unit).__qualname__)).replace("<locals>.", "").replace(" ", "")


class CountedStore:
    """A store whose commits are points. The unit runs unchanged; `before` is the last instant at which nothing of it is kept yet."""

    def __init__(self, store: Store, points: Points) -> None:
        self._store = store
        self._points = points
        self._met: WeakKeyDictionary[Session, int] = WeakKeyDictionary()
        """What `written` said last of a transaction that several units share; a new one has written nothing, and need not be asked."""

    async def write(self, unit: Callable[Concatenate[Unit, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        name, wrote = name_of(unit), False

        def counted(given: Unit, /, *inner: P.args, **named: P.kwargs) -> R:
            nonlocal wrote
            assert isinstance(given, SqlUnit), "the stores of this house run SQL units"
            before = self._met.get(given.session, 0) if given.session.dialect == POSTGRES else written(given.session)
            result = unit(given, *inner, **named)
            given.flush()
            self._met[given.session] = after = written(given.session)
            wrote = after > before
            if wrote:
                self._points.hit(f"commit:{name}:before")
            return result

        with self._points.under_way():
            result = await self._store.write(counted, *args, **kwargs)
            if wrote:
                self._points.hit(f"commit:{name}:after")
        return result

    async def read(self, unit: Callable[Concatenate[Unit, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        return await self._store.read(unit, *args, **kwargs)


class CountedHttp(Http):
    """The client of the payment gateways, whose calls are points."""

    def __init__(self) -> None:
        super().__init__()
        self.points: Points | None = None

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
        name = "/".join(urlsplit(url).path.split("/")[-2:])
        assert self.points is not None, "given to it with the house"
        with self.points.under_way():
            self.points.hit(f"call:{name}:before")
            result = await super().call(method, url, headers=headers, body=body, form=form, content=content, shown_path=shown_path)
            self.points.hit(f"call:{name}:after")
        return result


class CountedRequest(AiohttpRequest):
    """Telegram's transport, whose calls are points. Waiting for updates is one only when some came."""

    def __init__(self, points: Points, *, connections: int = 256, read_timeout_s: float = 10.0) -> None:
        super().__init__(connections=connections, read_timeout_s=read_timeout_s)
        self._points = points

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
        name = urlsplit(url).path.rpartition("/")[2]
        listening = name == "getUpdates"
        if not listening:
            self._points.hit(f"telegram:{name}:before")
        status, answer = await super().do_request(url, method, request_data, read_timeout, write_timeout, connect_timeout, pool_timeout)
        if not listening or NO_UPDATES not in answer.replace(b" ", b""):
            self._points.hit(f"telegram:{name}:after")
        return status, answer
