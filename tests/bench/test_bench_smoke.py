"""Every bench runs, with tiny numbers; and the floor of settling writes the very rows that we write."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from payloom import bench
from payloom.bench import floors, load, rows, stock
from payloom.bench.figures import Figure
from payloom.bench.settle import house_on

SALES = range(1, 6)
SAME = {
    "attempts": ("id", "state", "live", "receipt", "result", "asked", "version"),
    "payments": ("id", "state", "version"),
    "checkouts": ("id", "state", "version"),
    "orders": ("checkout_id", "attempt_id", "organization_id", "link_id", "buyer_id", "buyer_name", "item", "amount_minor", "state", "escrow", "due"),
    "entries": ("kind", "cause", "organization_id"),
    "postings": ("n", "amount_minor", "currency"),
    "inbox": ("gateway", "kind", "state", "tries"),
    "outbox": ("fact", "person_id", "channel", "urgency", "state"),
    "audit": ("subject", "seq", "actor", "action"),
}  # fmt: skip
"""What is neither the dice's nor the clock's."""


def spelled(found: dict[str, dict[Any, rows.Row]]) -> dict[str, Counter[tuple[Any, ...]]]:
    return {table: Counter(tuple(row[name] for name in names) for row in found[table].values()) for table, names in SAME.items()}


@pytest.fixture
def data(tmp_path: Path, sqlite_template: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copyfile(sqlite_template, folder / "ours.db")
    return folder


@pytest.mark.parametrize("gateway", ["daraja", "stripe"])
def test_the_floor_writes_the_rows_that_we_write(data: Path, gateway: str) -> None:
    ours = stock.make(data, f"sqlite+aiosqlite:///{data}/ours.db", 8, gateway=gateway)
    theirs = ours.elsewhere(stock.copy_sqlite(ours.database_url, data / "floor.db"))
    before = rows.read(ours)
    with house_on(ours) as house:
        load.send(house.port, ours.callbacks([0]), 1)
        first = rows.settlement(before, rows.read(ours))
        load.send(house.port, ours.callbacks(SALES), 3)
    assert {table: len(added) for table, added in first.added.items()} == {
        "inbox": 1, "orders": 1, "entries": 1, "postings": 2, "audit": 1, "outbox": 2,
    }  # fmt: skip
    floors.by_sqlite(theirs.database_url, [first.of(number) for number in (0, *SALES)])
    written = rows.read(ours)
    assert len(written["orders"]) == 1 + len(SALES)
    assert spelled(rows.read(theirs)) == spelled(written)


def figures_of(capsys: pytest.CaptureFixture[str], name: str, **options: Any) -> list[dict[str, Any]]:
    assert bench.run([name], as_json=True, **options) == 0
    told = json.loads(capsys.readouterr().out)
    assert not told["skipped"]
    assert all(figure["bench"] == name and figure["ours"]["median"] > 0 for figure in told["figures"])
    return list(told["figures"])


def test_settling_is_measured_on_both_engines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    monkeypatch.setenv("PAYLOOM_BENCH_POSTGRES", postgres_url)
    figures = figures_of(capsys, "settle", sales=12, rounds=1, callers=(4,))
    assert [figure["case"] for figure in figures] == [
        "SQLite, 4 at once",
        "SQLite, Stripe, 4 at once",
        "PostgreSQL, 4 at once, 2 web processes",
        "PostgreSQL, 4 at once",
        "PostgreSQL, Stripe, 4 at once, 2 web processes",
    ]
    assert all(figure["ratio"] > 0 for figure in figures)


@pytest.mark.parametrize(
    "name,options,count",
    [
        ("buy-page", {"pages": 20, "rounds": 1, "connections": 2}, 2),
        ("telegram", {"updates": 5, "rounds": 1}, 2),
        ("notify", {"rates": (10,), "seconds": 1}, 1),
        ("scale", {"few": 3, "many": 9, "rounds": 1, "sales": 4, "pages": 4, "reads": 2}, 5),
        ("start", {"rounds": 1}, 3),
        ("ussd", {"sessions": 3, "rounds": 1, "connections": 2}, 1),
        ("ussd-crowd", {"crowd": 4, "rate": 40, "connections": 2}, 1),
    ],
)
def test_every_other_bench_runs(capsys: pytest.CaptureFixture[str], name: str, options: dict[str, Any], count: int) -> None:
    assert len(figures_of(capsys, name, **options)) == count


def test_the_outbox_loses_nobody_and_keeps_the_limit_with_two_workers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    """T2, O1, K4: how full the pipe is, and who comes first, only a longer run can tell."""
    monkeypatch.setenv("PAYLOOM_BENCH_POSTGRES", postgres_url)
    assert bench.run(["outbox"], as_json=True, messages=60, per_s=40, fails=0.02) == 0
    told = json.loads(capsys.readouterr().out)
    assert not told["skipped"]
    used, most, lost, twice, _ahead = (figure["ours"]["median"] for figure in told["figures"])
    assert 0 < used < 1.1
    assert (most <= 40, lost, twice) == (True, 0, 0)


def test_people_get_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.run(["buy-page"], pages=4, rounds=1, connections=1) == 0
    assert "buy-page" in capsys.readouterr().out


def test_a_bench_that_is_not_there_is_refused_with_the_names_of_those_that_are() -> None:
    with pytest.raises(bench.NoSuchBench, match="settle, buy-page, telegram, notify, outbox, scale, start"):
        bench.run(["setle"])


def figure(goal: float | None, *, less: bool = False) -> Callable[..., Figure]:
    def made(ours: list[float], floor: list[float]) -> Figure:
        return Figure("b", "c", "s", ours, floor, goal=goal, less=less)

    return made


def test_the_ratio_is_the_middle_one_of_the_rounds() -> None:
    """A round that the machine's neighbours disturbed on one side only does not decide."""
    at_least, at_most = figure(0.5), figure(1.3, less=True)
    assert at_least([10, 60, 70], [100, 100, 100]).ratio == pytest.approx(0.6)
    assert at_least([10, 60, 70], [100, 100, 100]).met is True
    assert at_most([2.0], [1.0]).met is False
    assert at_most([1.2], []).met is True
    assert figure(None)([1.0], []).met is None
    assert at_least([], []).met is None
