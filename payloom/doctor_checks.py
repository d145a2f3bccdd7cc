"""What the doctor looks at. Each check is a coroutine that yields findings; none raises, none shows a secret, none writes."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

from payloom.settings import Settings, sqlite_file

FINE, NOTE, PROBLEM = "ok", "note", "problem"
_WAL_BUG: Final = ((3, 7, 0), (3, 51, 2))
"""SQLite versions that can damage a WAL when two connections write and checkpoint at once (sqlite.org/wal.html, "WAL-reset bug")."""
_SKEW: Final = timedelta(seconds=60)
_LEAST_FREE, _ENOUGH_FREE = 200 * 2**20, 2 * 2**30
_SEAL_AGE: Final = timedelta(hours=36)


@dataclass(frozen=True, slots=True)
class Finding:
    """`state` is ok, note or problem; `do` is the next step."""

    name: str
    state: str
    found: str
    do: str = ""


@dataclass(frozen=True, slots=True)
class Ground:
    """What is looked at: the settings, whether they are a town's (and that town is open), and the time."""

    settings: Settings
    town: bool
    town_is_open: bool
    now: datetime

    @property
    def outside(self) -> str:
        """How bad it is when a provider cannot be reached: in a town that is closed, it cannot."""
        return NOTE if self.town and not self.town_is_open else PROBLEM


Check = Callable[[Ground], AsyncIterator[Finding]]
Query = Callable[[str], Sequence[Any] | None]


@contextlib.contextmanager
def _asking(url: str) -> Any:
    """A connection that only reads, beside whoever runs: `query(sql)` gives the first row."""
    path = sqlite_file(url)
    if path is not None:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as connection:
            yield lambda sql: connection.execute(sql).fetchone()
        return
    import psycopg  # noqa: PLC0415 - not needed with SQLite

    from storage.postgres import conninfo  # noqa: PLC0415 - as above

    with psycopg.connect(conninfo(url), autocommit=True, connect_timeout=5) as server:
        server.execute("SET default_transaction_read_only = on")
        yield lambda sql: server.execute(sql.encode()).fetchone()


async def database(ground: Ground) -> AsyncIterator[Finding]:
    """Reachable, which engine, how it keeps its word, migrations, what waits, the seals, the sealed credentials."""
    path = sqlite_file(ground.settings.database_url)
    if path is not None and not path.exists():
        yield Finding("database", PROBLEM, "the file is not there yet", "run `payloom migrate` (the town makes its own)")
        return
    try:
        found = await asyncio.to_thread(_look_at_database, ground)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding; its words may quote the address
        yield Finding(
            "database", PROBLEM, f"cannot be used ({type(error).__name__})", "look at PAYLOOM_DATABASE_URL and at the server's log"
        )
        return
    for finding in found:
        yield finding


def _look_at_database(ground: Ground) -> list[Finding]:
    from payloom.migrate import pending  # noqa: PLC0415 - loads the migrations' folder

    url, found = ground.settings.database_url, []
    with _asking(url) as query:
        found += _engine(query, sqlite_file(url), ground)
        left = pending(url)
        if left:
            found.append(Finding("migrations", PROBLEM, f"pending: {', '.join(left)}", "make a backup, then run `payloom migrate`"))
            return found
        found.append(Finding("migrations", FINE, "none pending"))
        found += _waiting(query)
        found.append(_seals(query, ground))
        found.append(_clock_mark(query, ground))
    return found


def _engine(query: Query, path: Path | None, ground: Ground) -> list[Finding]:
    if path is None:
        version, at = query("SELECT current_setting('server_version'), clock_timestamp()") or ("?", ground.now)
        kept = query("SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit')") or ()
        found = [Finding("database", FINE, f"PostgreSQL {version}")]
        if "off" in kept:
            told = "fsync, full_page_writes and synchronous_commit are not all on: a power cut can lose acknowledged payments"
            found.append(Finding("durability", PROBLEM, told, "turn them on in postgresql.conf"))
        else:
            found.append(Finding("durability", FINE, "fsync, full_page_writes and synchronous_commit are on"))
        return [*found, _skew("clock against the database", at, ground.now)]
    version = tuple(int(part) for part in sqlite3.sqlite_version.split("."))
    inside = _WAL_BUG[0] <= version <= _WAL_BUG[1]
    note = "; its WAL has a bug with several writers: there is one writer here, which protects" if inside else ""
    mode = (query("PRAGMA journal_mode") or ("?",))[0]
    found = [Finding("database", FINE, f"SQLite {sqlite3.sqlite_version}{note}", "no other program may write this file" if inside else "")]
    state = FINE if mode == "wal" else NOTE
    found.append(Finding("journal", state, f"{mode}", "" if mode == "wal" else "`payloom run` turns WAL on at its first start"))
    return [*found, _pragmas(path)]


def _pragmas(path: Path) -> Finding:
    """As the store's own writer has them: set on a connection like its, and read back."""
    from storage.sqlite import _PRAGMAS  # noqa: PLC0415 - loads the storage room

    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        for pragma in _PRAGMAS:
            if "journal_mode" not in pragma:
                connection.execute(pragma)
        kept = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "foreign_keys")}
    fine = kept == {"synchronous": 2, "foreign_keys": 1}
    return Finding("pragmas", FINE if fine else PROBLEM, f"synchronous={kept['synchronous']} foreign_keys={kept['foreign_keys']}",
                   "" if fine else "this SQLite ignores them: use another build of it")  # fmt: skip


def _waiting(query: Query) -> list[Finding]:
    """What only a person can bring on."""
    rows = (
        ("parked events", "SELECT count(*) FROM inbox WHERE state = 'PARKED'", "`payloom admin inbox list`, then replay"),
        ("dead messages", "SELECT count(*) FROM outbox WHERE state = 'DEAD'", "`payloom admin outbox list`, then retry"),
        ("failed refunds", "SELECT count(*) FROM refunds WHERE state = 'FAILED' OR (state = 'PENDING' AND act_at IS NULL)",
         "`payloom admin refund list`, then retry or confirm"),
    )  # fmt: skip
    counted = [(name, int((query(sql) or (0,))[0]), do) for name, sql, do in rows]
    found = [Finding(name, NOTE, f"{count}", do) for name, count, do in counted if count]
    return found or [Finding("work for a person", FINE, "no parked event, no dead message, no failed refund")]


def _seals(query: Query, ground: Ground) -> Finding:
    """The newest seal of the audit trail, against the oldest record that it does not cover."""
    at, upto = query("SELECT max(at), coalesce(max(upto_id), 0) FROM audit_seals") or (None, 0)
    since = (query(f"SELECT min(at) FROM audit WHERE id > {int(upto)}") or (None,))[0]  # noqa: S608 - a number
    last = "none yet" if at is None else f"the last one of {_instant(at):%Y-%m-%d %H:%M} UTC"
    if since is not None and ground.now - _instant(since) > _SEAL_AGE:
        hours = int((ground.now - _instant(since)).total_seconds() // 3600)
        return Finding(
            "audit seal", PROBLEM, f"{last}; records of {hours} hours are not sealed", "is a worker running? its log says what stops it"
        )
    return Finding("audit seal", FINE, last)


def _clock_mark(query: Query, ground: Ground) -> Finding:
    import json  # noqa: PLC0415 - here alone

    row = query("SELECT value FROM marks WHERE name = 'clock'")
    highest = datetime.fromisoformat(json.loads(row[0])["highest"]) if row else None
    if highest is not None and highest - ground.now > _SKEW and not ground.town:
        told = f"this house has seen {highest:%Y-%m-%d %H:%M} UTC already, and now it is {ground.now:%H:%M}: timers stand still"
        return Finding("clock", PROBLEM, told, "set the clock right; if it is right now: `payloom admin trust-clock`")
    return Finding("clock", FINE, f"{ground.now:%Y-%m-%d %H:%M:%S} UTC, not behind what was seen before")


def _instant(stored_us: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=stored_us)


def _skew(name: str, there: datetime, here: datetime) -> Finding:
    apart = abs(there - here)
    told = f"{apart.total_seconds():.0f} s apart"
    return Finding(name, FINE, told) if apart < _SKEW else Finding(name, PROBLEM, told, "let both machines take their time from NTP")


async def sealed(ground: Ground) -> AsyncIterator[Finding]:
    """Every sealed credential opens with the ring, under its first key."""
    try:
        yield await asyncio.to_thread(_look_at_sealed, ground)
    except Exception as error:  # noqa: BLE001 - told by `database` and by the settings; as there
        yield Finding("sealed credentials", NOTE, f"not looked at ({type(error).__name__})")


def _look_at_sealed(ground: Ground) -> Finding:
    from gateways.seals import AesSeals, CannotOpen  # noqa: PLC0415 - loads cryptography

    ring = AesSeals([key.get_secret_value() for key in ground.settings.encryption_keys])
    with _asking(ground.settings.database_url) as query:
        count = int((query("SELECT count(*) FROM gateway_settings") or (0,))[0])
        order = "SELECT organization_id, gateway, sealed FROM gateway_settings ORDER BY organization_id, gateway LIMIT 1 OFFSET"
        rows = [row for place in range(count) if (row := query(f"{order} {place}")) is not None]
    lost, old = 0, 0
    for organization_id, gateway, text in rows:
        try:
            old += ring.rotate(text, f"organization:{organization_id}:{gateway}:credentials") != text
        except CannotOpen:
            lost += 1
    if lost:
        told = f"{lost} of {len(rows)} cannot be opened"
        return Finding("sealed credentials", PROBLEM, told, "put the key they were sealed with back into PAYLOOM_ENCRYPTION_KEYS")
    if old:
        return Finding("sealed credentials", NOTE, f"{old} of {len(rows)} are under an older key", "`payloom admin rotate-keys`")
    return Finding("sealed credentials", FINE, f"{len(rows)}, all under the first key")


async def disk(ground: Ground) -> AsyncIterator[Finding]:
    path = sqlite_file(ground.settings.database_url)
    folder = path.parent if path is not None and path.parent.exists() else Path()
    free = (await asyncio.to_thread(shutil.disk_usage, folder)).free
    told = f"{free / 2**30:.1f} GiB free"
    state = FINE if free >= _ENOUGH_FREE else NOTE if free >= _LEAST_FREE else PROBLEM
    yield Finding("disk", state, told, "" if state == FINE else "make room before it is full: a full disk stops every sale")


async def clock(ground: Ground) -> AsyncIterator[Finding]:
    """Our clock against what a provider writes into its answers."""
    from gateways.http import Answer, Http  # noqa: PLC0415 - loads httpx

    http = Http(deadline_s=10)
    try:
        answer = await http.call("GET", ground.settings.mpesa_api_base, shown_path="/")
    finally:
        await http.aclose()
    date = answer.headers.get("date", "") if isinstance(answer, Answer) else ""
    try:
        yield _skew("clock against Daraja", parsedate_to_datetime(date), datetime.now(UTC))
    except ValueError:
        yield Finding("clock against Daraja", NOTE, "not compared: no answer with a date")
