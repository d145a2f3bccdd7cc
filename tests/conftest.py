"""What every test may ask for: a migrated database of either kind, a browser, and the certainty that nothing is left running."""

from __future__ import annotations

import shutil
import signal
from asyncio.selector_events import _SelectorTransport  # type: ignore[attr-defined]
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.leftovers import end_processes, mark_this_session, processes_left
from tests.postgres import Postgres, database_of, running_postgres

pytest_plugins = ["tests.browser"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak-minutes", type=int, default=10, help="how long `-m soak` sells (default: 10)")
    parser.addoption("--soak-seed", type=int, default=0, help="the seed that a failed soak printed (default: a new one)")


@pytest.fixture(scope="session", autouse=True)
def nothing_left_running() -> Iterator[None]:
    """Set up first and therefore torn down last: a process that a test forgot is named, ended, and fails the run."""
    mark = mark_this_session()
    yield
    left = processes_left(mark)
    end_processes(left)
    assert not left, "the tests left these processes running: " + "; ".join(left)


@pytest.fixture(scope="session", autouse=True)
def accepted_too_late() -> Iterator[None]:
    """Python 3.11 forgets to close a connection that it accepted in the instant in which its server was closed: the transport's constructor fails
    with the socket in its hands. Whatever test runs when that is collected would be blamed for it."""
    make = _SelectorTransport.__init__

    def made_or_closed(transport: Any, *given: Any, **named: Any) -> None:
        try:
            make(transport, *given, **named)
        except AssertionError:
            transport._sock, sock = None, transport._sock
            sock.close()
            raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_SelectorTransport, "__init__", made_or_closed)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL for the session."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres) -> str:
    """Its administrative database: `postgresql://postgres@/postgres?host=<socket folder>`."""
    return postgres.url


@pytest.fixture
def new_postgres_database(postgres: Postgres) -> Iterator[Callable[..., str]]:
    """`new_postgres_database(template: str | None = None) -> str`: a fresh database's URL, dropped after the test."""
    made: list[str] = []

    def new(template: str | None = None) -> str:
        made.append(postgres.new_database(template))
        return made[-1]

    yield new
    for url in made:
        postgres.drop_database(url)


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> str:
    """The name of a database that is migrated once; copies of it are quick."""
    from payloom.migrate import migrate  # noqa: PLC0415 - only tests of a database need the product's own migrations

    url = postgres.new_database()
    migrate(url)
    return database_of(url)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a database that is migrated once; copies of it are quick."""
    from payloom.migrate import migrate  # noqa: PLC0415 - as above

    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate(f"sqlite+aiosqlite:///{path}")
    assert not path.with_name(path.name + "-wal").exists(), "the migration left its connection open"
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh, migrated SQLite file."""
    path = tmp_path / "payloom.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture
def postgresql_url(postgres_template: str, new_postgres_database: Callable[..., str]) -> str:
    """A fresh, migrated PostgreSQL database."""
    return new_postgres_database(postgres_template)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine_url(request: pytest.FixtureRequest) -> str:
    """A fresh, migrated database, once of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


class CountsTests:
    """A run in which every test was skipped, or none was found, is not a success."""

    def __init__(self) -> None:
        self.ran = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.ran += report.when == "call" and not report.skipped

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if exitstatus == pytest.ExitCode.OK and not self.ran and not session.config.option.collectonly:
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED


def pytest_configure(config: pytest.Config) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # told to end: tidy up as on Ctrl-C
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(CountsTests(), "counts-tests")
