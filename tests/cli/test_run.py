"""`payloom run`: refuses what it cannot be, drains when told to stop, leaves nothing behind."""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.cli.ground import Done, House, answers, end, free_port, house_in, payloom, running, settings


def test_a_run_is_up_ready_and_ends_cleanly_on_sigterm(house: House) -> None:
    """K16."""
    port = free_port()
    env = {**house.env, "PAYLOOM_PORT": str(port), "PAYLOOM_LOG_FORMAT": "json"}
    with running("run", env=env, cwd=house.folder, port=port) as process:
        assert answers(port, "/readyz")
        assert (house.folder / "payloom.db.sock").stat().st_mode & 0o777 == 0o600
        assert end(process) == 0
    log = (house.folder / "running.log").read_text()
    assert '"event": "closed"' in log
    assert "Traceback" not in log
    assert not (house.folder / "payloom.db.sock").exists()
    assert not (house.folder / "payloom.db-wal").exists()


def test_a_second_process_on_the_file_is_refused_in_one_line_and_the_first_goes_on(house: House) -> None:
    port = free_port()
    env = {**house.env, "PAYLOOM_PORT": str(port)}
    with running("run", env=env, cwd=house.folder, port=port) as process:
        second = payloom("run", env={**env, "PAYLOOM_PORT": str(free_port()), "PAYLOOM_LOG_LEVEL": "error"}, cwd=house.folder)
        assert (second.code, second.out) == (1, "")
        assert second.err.count("\n") == 1
        assert "is in use by another PayLoom process" in second.err
        assert answers(port, "/readyz")
        assert payloom("admin", "organization", "list", "--json", env=env, cwd=house.folder) == Done(0, "[]\n", "")
        assert end(process, signal.SIGINT) == 0


def test_a_port_that_is_taken_is_told_in_one_line(house: House) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        env = {**house.env, "PAYLOOM_PORT": str(taken.getsockname()[1]), "PAYLOOM_LOG_LEVEL": "error"}
        done = payloom("run", "all", env=env, cwd=house.folder)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "port is in use" in done.err


@pytest.mark.parametrize("what", ["web", "bot", "worker", "all"])
def test_pending_migrations_are_refused_and_never_applied_by_the_way(house: House, what: str) -> None:
    Path(house.folder / "payloom.db").unlink()
    done = house.ask("run", what)
    assert done.code == 1
    assert "run `payloom migrate`" in done.err
    assert not (house.folder / "payloom.db").exists()


def test_migrate_tells_applies_and_is_repeatable(house: House) -> None:
    (house.folder / "payloom.db").unlink()
    assert house.ask("migrate", "--check").code == 1
    assert not (house.folder / "payloom.db").exists()
    assert "applied: 0001" in house.ask("migrate").out
    assert house.ask("migrate") == Done(0, "the database is up to date\n", "")
    assert house.ask("migrate", "--check").code == 0


def test_migrating_needs_no_setting_but_the_database(house: House) -> None:
    assert house.ask("migrate", env={"PAYLOOM_DATABASE_URL": house.url}).code == 0


def test_a_bot_in_webhook_mode_says_who_hears_telegram_and_waits(house: House) -> None:
    env = {**house.env, "PAYLOOM_TELEGRAM_MODE": "webhook", "PAYLOOM_TELEGRAM_WEBHOOK_SECRET": "x" * 20}
    log = house.folder / "running.log"
    process = _start(house, env, "run", "bot")
    try:
        while "payloom run web" not in log.read_text():
            assert process.poll() is None
        assert end(process) == 0
    finally:
        process.kill()
        process.wait()


def _start(house: House, env: dict[str, str], *words: str) -> subprocess.Popen[str]:
    from tests.cli.ground import PYTHON, environment  # noqa: PLC0415

    with (house.folder / "running.log").open("w") as log:
        return subprocess.Popen([PYTHON, "-m", "payloom", *words], env=environment(env), cwd=house.folder, stderr=log, text=True)


def test_on_postgresql_web_bot_and_worker_run_beside_one_another(postgresql_url: str, tmp_path: Path) -> None:
    port = free_port()
    env = {**settings(postgresql_url, port=str(port)), "PAYLOOM_LOG_FORMAT": "json"}
    folders = [tmp_path / name for name in ("web", "bot", "worker")]
    for folder in folders:
        folder.mkdir()
    with (
        running("run", "web", env=env, cwd=folders[0], port=port) as web,
        running("run", "bot", env=env, cwd=folders[1]) as bot,
        running("run", "worker", env=env, cwd=folders[2]) as worker,
    ):
        assert answers(port, "/readyz")
        assert payloom("admin", "organization", "list", "--json", env=env, cwd=tmp_path) == Done(0, "[]\n", "")
        assert [end(process) for process in (worker, bot, web)] == [0, 0, 0]


def test_a_town_takes_the_desks_commands_too(tmp_path: Path) -> None:
    port = free_port()
    with running("town", "--port", str(port), env={}, cwd=tmp_path, port=port) as process:
        assert payloom("admin", "--town", "organization", "list", "--json", env={}, cwd=tmp_path) == Done(0, "[]\n", "")
        found = payloom("doctor", "--town", "--json", env={}, cwd=tmp_path)
        assert found.code == 0, found.out
        assert {one["state"] for one in found.data["findings"]} == {"ok"}
        assert end(process) == 0
    assert payloom("admin", "--town", "admins", "list", "--json", env={}, cwd=tmp_path) == Done(0, "[]\n", "")
    assert payloom("audit", "--json", env={}, cwd=tmp_path).code == 0


def test_where_there_is_no_town_it_says_how_to_open_one(house: House) -> None:
    for words in (("admin", "--town", "organization", "list"), ("doctor", "--data", "nowhere")):
        done = house.ask(*words)
        assert (done.code, "`make run`" in done.err) == (1, True)
    assert not (house.folder / "nowhere").exists()


def test_a_command_that_does_not_exist_is_told_in_one_line(house: House) -> None:
    done = house.ask("fly")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert house.ask("admin", "fly").code == 2
    assert house.ask("admin", "--help").code == 0


def test_help_loads_nothing_it_does_not_need(tmp_path: Path) -> None:
    code = "import sys, payloom.cli; print([name for name in ('asyncio', 'pydantic', 'structlog', 'telegram', 'aiohttp', 'sqlalchemy') if name in sys.modules])"
    assert _python(code, tmp_path) == "[]\n"
    code = "import sys, payloom.adminline, payloom.admin; print([name for name in ('telegram', 'aiohttp', 'sqlalchemy', 'httpx') if name in sys.modules])"
    assert _python(code, tmp_path) == "[]\n"


def _python(code: str, cwd: Path) -> str:
    from tests.cli.ground import PYTHON, environment  # noqa: PLC0415

    return subprocess.run([PYTHON, "-c", code], env=environment({}), cwd=cwd, capture_output=True, text=True, check=True).stdout


def test_a_deep_folder_has_a_line_too(sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    house = house_in(deep, sqlite_template, monkeypatch)
    port = free_port()
    with running("run", env={**house.env, "PAYLOOM_PORT": str(port)}, cwd=deep, port=port) as process:
        assert house.admin("organization", "list", "--json") == Done(0, "[]\n", "")
        assert end(process) == 0
