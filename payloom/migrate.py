"""Brings a database to the newest schema. Quick when there is nothing to do: alembic is then not even imported.

`python -m payloom.migrate "add refunds"` drafts the next migration from storage/tables.py; read it before you keep it.
"""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import storage

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

_FOLDER = Path(storage.__file__).parent / "migrations"
_LOCK = 4_605_219_117
"""The number of PostgreSQL's advisory lock that a migrating process holds."""

_WAIT_S = 60.0
_LAST_OF = "SELECT version_num FROM alembic_version"


def migrate(url: str) -> None:
    """Apply what is missing, each process in its turn. Repeatable; a process that dies half way leaves whole migrations only."""
    if not pending(url):
        return
    from alembic import command  # noqa: PLC0415 - its import takes longer than most starts of the program

    with _connected(url) as connection:
        command.upgrade(_config(connection), "head")


def pending(url: str) -> list[str]:
    """Revisions that are not applied yet, oldest first."""
    known = _revisions()
    applied = _applied_sqlite(_sqlite_path(url)) if _is_sqlite(url) else _applied_postgres(url)
    return known[known.index(applied) + 1 :] if applied in known else known if applied is None else []


def _revisions() -> list[str]:
    """Migrations follow one another by number; the file's name begins with it."""
    return sorted(path.name.partition("_")[0] for path in (_FOLDER / "versions").glob("[0-9]*.py"))


def _is_sqlite(url: str) -> bool:
    return url.partition(":")[0].partition("+")[0] == "sqlite"


def _sqlite_path(url: str) -> Path:
    """`sqlite+aiosqlite:///relative.db` or `sqlite+aiosqlite:////absolute.db`. There must be a file: several connections meet in it."""
    path = url.partition("://")[2].partition("?")[0].removeprefix("/")
    if path in {"", ":memory:"}:
        raise ValueError("an SQLite address names a file, such as sqlite+aiosqlite:///var/payloom.db")
    return Path(path)


def _applied_sqlite(path: Path) -> str | None:
    if not path.exists():
        return None
    with contextlib.closing(sqlite3.connect(path, timeout=_WAIT_S)) as connection:
        known = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'alembic_version'").fetchone()
        row = connection.execute(_LAST_OF).fetchone() if known else None
    return None if row is None else str(row[0])


def _applied_postgres(url: str) -> str | None:
    import psycopg  # noqa: PLC0415 - not needed with SQLite

    from storage.postgres import conninfo  # noqa: PLC0415 - as above

    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        known = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
        row = connection.execute(_LAST_OF).fetchone() if known and known[0] else None
    return None if row is None else str(row[0])


@contextlib.contextmanager
def _connected(url: str) -> Iterator[Connection]:
    """A connection that no other process migrates beside: SQLite has one exclusive transaction around everything, PostgreSQL a lock."""
    from sqlalchemy import create_engine, text  # noqa: PLC0415 - as alembic
    from sqlalchemy.pool import NullPool  # noqa: PLC0415 - as alembic

    if _is_sqlite(url):
        path = _sqlite_path(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine("sqlite://", creator=lambda: _open_sqlite(path), poolclass=NullPool)
        with engine.connect() as connection, connection.begin():
            connection.exec_driver_sql("BEGIN EXCLUSIVE")
            yield connection
    else:
        import psycopg  # noqa: PLC0415 - not needed with SQLite

        from storage.postgres import conninfo  # noqa: PLC0415 - as above

        engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo(url)), poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:number)"), {"number": _LOCK})
            connection.commit()
            yield connection


def _open_sqlite(path: Path) -> sqlite3.Connection:
    """Foreign keys stay off: altering a table in batch mode rebuilds it, and would take the rows that refer to it along."""
    connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
    connection.execute("PRAGMA foreign_keys=OFF")
    return connection


def _config(connection: Any) -> Config:
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


def draft(message: str) -> None:
    """Write the next migration: what storage/tables.py has and the migrations do not make. CHECK constraints are not seen: add them by hand."""
    from alembic import command  # noqa: PLC0415 - as above

    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/draft.db"
        migrate(url)
        with _connected(url) as connection:
            command.revision(_config(connection), message, autogenerate=True)


if __name__ == "__main__":
    draft(" ".join(sys.argv[1:]))
