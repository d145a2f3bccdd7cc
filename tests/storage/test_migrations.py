"""The migrations end where storage/tables.py is, on both engines, and the database itself guards what is only ever added."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect
from sqlalchemy.pool import NullPool

from payloom import migrate as migration
from payloom.migrate import migrate, pending
from storage.postgres import conninfo
from storage.tables import APPEND_ONLY, metadata
from tests.storage.ground import raw, sqlite_path


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """`new_database(name) -> url`: an empty one, not migrated."""
    if request.param == "sqlite":
        return lambda name: f"sqlite+aiosqlite:///{tmp_path / name}.db"
    new: Callable[[], str] = request.getfixturevalue("new_postgres_database")
    return lambda _: new()


@pytest.fixture
def empty_url(new_database: Callable[[str], str]) -> str:
    return new_database("empty")


@contextlib.contextmanager
def connected(url: str) -> Iterator[Connection]:
    if url.startswith("sqlite"):
        engine = create_engine(f"sqlite:///{sqlite_path(url)}", poolclass=NullPool)
    else:
        engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo(url)), poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def shape(url: str) -> dict[str, Any]:
    """Everything the engine says of each table: columns, keys, checks with their text, indexes with their condition."""
    found: dict[str, Any] = {}
    with connected(url) as connection:
        seen = inspect(connection)
        for table in seen.get_table_names():
            found[table] = {
                "columns": [
                    (c["name"], str(c["type"]), c["nullable"], c["default"], c.get("autoincrement")) for c in seen.get_columns(table)
                ],
                "key": seen.get_pk_constraint(table),
                "refers": sorted(map(str, seen.get_foreign_keys(table))),
                "unique": sorted(map(str, seen.get_unique_constraints(table))),
                "checks": sorted((c["name"], c["sqltext"]) for c in seen.get_check_constraints(table)),
            }
        if url.startswith("sqlite"):
            indexes = connection.exec_driver_sql("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")
        else:
            indexes = connection.exec_driver_sql("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'")
        found["indexes"] = sorted(" ".join(f"{name} {sql}".split()) for name, sql in indexes if not name.startswith("alembic"))
    found.pop("alembic_version", None)
    return found


def test_the_migrations_end_where_the_tables_are(new_database: Callable[[str], str]) -> None:
    """Made from storage/tables.py in one go, a database is the same to the last check, index condition and name."""
    migrated, made = new_database("migrated"), new_database("made")
    migrate(migrated)
    with connected(made) as connection:
        metadata.create_all(connection)
        connection.commit()
    ended, meant = shape(migrated), shape(made)
    assert ended.keys() == meant.keys()
    for table, what in meant.items():
        assert ended[table] == what
    assert [name for name, _ in meant["wallets"]["checks"]] == ["ck_wallets_never_below_zero"]
    assert any("WHERE" in index for index in meant["indexes"])


def test_alembic_finds_nothing_to_add(engine_url: str) -> None:
    with connected(engine_url) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_migrating_again_changes_nothing_and_does_not_load_alembic(engine_url: str) -> None:
    """A start with nothing to migrate pays for one short look."""
    before = shape(engine_url)
    program = "import sys; from payloom.migrate import migrate; migrate(sys.argv[1]); print('alembic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, engine_url], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert shape(engine_url) == before
    assert pending(engine_url) == []


def test_what_is_pending_is_told_before_it_is_done(empty_url: str) -> None:
    assert pending(empty_url)[0] == "0001"
    migrate(empty_url)
    assert pending(empty_url) == []


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg", "postgresql+psycopg"])
def test_every_promised_scheme_of_postgresql_is_understood(postgresql_url: str, scheme: str) -> None:
    assert pending(f"{scheme}:{postgresql_url.partition(':')[2]}") == []


@pytest.mark.parametrize("url", ["sqlite://", "sqlite+aiosqlite:///:memory:"])
def test_sqlite_needs_a_file(url: str) -> None:
    with pytest.raises(ValueError, match="names a file"):
        migrate(url)


def test_the_way_back_leaves_nothing(engine_url: str) -> None:
    with migration._connected(engine_url) as connection:
        command.downgrade(migration._config(connection), "base")
    left = shape(engine_url)
    assert left == {"indexes": []}
    assert pending(engine_url)[0] == "0001"
    migrate(engine_url)
    assert pending(engine_url) == []


def test_processes_that_migrate_at_once_wait_for_one_another(empty_url: str) -> None:
    """K5: a second process finds the work done; nobody sees half a schema."""
    program = "import sys; from payloom.migrate import migrate; migrate(sys.argv[1])"
    processes = [
        subprocess.Popen([sys.executable, "-c", program, empty_url], stderr=subprocess.PIPE, text=True, env={**os.environ})
        for _ in range(3)
    ]
    told = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], told
    assert pending(empty_url) == []


def test_a_migration_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    """K5: on SQLite too, the tables and the mark that they are there come together, or neither."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'broken.db'}"
    with contextlib.suppress(KeyboardInterrupt), migration._connected(url) as connection:
        command.upgrade(migration._config(connection), "head")
        raise KeyboardInterrupt
    assert pending(url)[0] == "0001"
    assert shape(url) == {"indexes": []}


ROWS = {
    "entries": "INSERT INTO entries (id, kind, cause, at) VALUES (1, 'k', 'c', 1)",
    "postings": "INSERT INTO postings (entry_id, n, account, amount_minor, currency) VALUES (1, 0, 'a', 5, 'KES')",
    "audit": "INSERT INTO audit (id, subject, seq, at, actor, action, data, previous, mark) VALUES (1, 's', 1, 1, 'a', 'b', '{}', '', 'm')",
    "audit_seals": "INSERT INTO audit_seals (n, upto_id, count, at, previous, mark) VALUES (1, 1, 1, 1, '', 'm')",
}
CHANGES = {"entries": "kind", "postings": "account", "audit": "actor", "audit_seals": "mark"}


def refuse(url: str, statement: str) -> None:
    error: tuple[type[Exception], ...] = (sqlite3.IntegrityError, psycopg.errors.RestrictViolation)
    with raw(url) as session:
        if not url.startswith("sqlite"):
            session.plain("SET session_replication_role = origin")
        with pytest.raises(error, match="append-only"):
            session.plain(statement)


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_the_database_refuses_to_change_or_delete_what_is_only_ever_added(engine_url: str, table: str) -> None:
    with raw(engine_url) as session:
        session.plain(ROWS[table])
    refuse(engine_url, f"UPDATE {table} SET {CHANGES[table]} = 'x'")
    refuse(engine_url, f"DELETE FROM {table}")
    if not engine_url.startswith("sqlite"):
        refuse(engine_url, f"TRUNCATE {table} CASCADE")
    with raw(engine_url) as session:
        row = session.plain(f"SELECT count(*), min({CHANGES[table]}) FROM {table}").fetchone()
    assert row[0] == 1
    assert row[1] != "x"
