"""What a bench measured: ours and the floor of the same rounds, the ratio of each round, and how it is shown."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Figure:
    """One comparison. `ours[n]` and `floor[n]` are of the same round; where there is no floor the goal is a plain number.

    `goal` is what the ratio (or, without a floor, the figure itself) should be: at least, or at most when `less` is true.
    """

    bench: str
    case: str
    unit: str
    ours: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    floor_is: str = ""
    goal: float | None = None
    less: bool = False
    note: str = ""

    def add(self, ours: float, floor: float | None = None) -> None:
        self.ours.append(ours)
        if floor is not None:
            self.floor.append(floor)

    @property
    def ratio(self) -> float | None:
        """The median of the rounds' ratios: two sides of one round met the same neighbours on this machine."""
        if not self.floor or not self.ours:
            return None
        return statistics.median(ours / floor for ours, floor in zip(self.ours, self.floor, strict=True))

    @property
    def met(self) -> bool | None:
        measured = self.ratio if self.floor else statistics.median(self.ours) if self.ours else None
        if self.goal is None or measured is None:
            return None
        return measured <= self.goal if self.less else measured >= self.goal

    def plain(self) -> dict[str, Any]:
        return {
            "bench": self.bench, "case": self.case, "unit": self.unit, "ours": _side(self.ours), "floor": _side(self.floor),
            "floor_is": self.floor_is, "ratio": None if self.ratio is None else round(self.ratio, 3), "goal": self.goal,
            "goal_is": "at most" if self.less else "at least", "met": self.met, "note": self.note,
        }  # fmt: skip


def _side(values: Sequence[float]) -> dict[str, Any] | None:
    if not values:
        return None
    rounded = [round(value, 4) for value in values]
    return {"median": round(statistics.median(values), 4), "lowest": min(rounded), "highest": max(rounded), "rounds": rounded}


def show(figures: Sequence[Figure], skipped: Sequence[str], as_json: bool) -> None:
    """A table for people, one JSON object for machines."""
    if as_json:
        print(json.dumps({"machine": machine(), "figures": [figure.plain() for figure in figures], "skipped": list(skipped)}, indent=1))
        return
    from rich.console import Console  # noqa: PLC0415 - only for people
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table(title=f"PayLoom against its floors ({machine()})", title_justify="left")
    for name in ("bench", "case", "ours", "floor", "ratio", "goal", ""):
        table.add_column(name, justify="right" if name in {"ours", "floor", "ratio", "goal"} else "left", overflow="fold")
    for figure in figures:
        table.add_row(
            figure.bench, figure.case, _cell(figure.ours, figure.unit), _cell(figure.floor, figure.unit),
            "" if figure.ratio is None else f"{figure.ratio:.2f}", _goal(figure), {True: "met", False: "missed", None: ""}[figure.met],
        )  # fmt: skip
    console = Console()
    console.print(table)
    for line in (*(f"{figure.bench} / {figure.case}: {figure.note}" for figure in figures if figure.note), *skipped):
        console.print(line, highlight=False, markup=False)


def _cell(values: Sequence[float], unit: str) -> str:
    if not values:
        return ""
    middle = statistics.median(values)
    return f"{_number(middle)} {unit}" + (f"\n({_number(min(values))} .. {_number(max(values))})" if len(values) > 1 else "")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _goal(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    return f"{'at most' if figure.less else 'at least'} {figure.goal:g}{'' if figure.floor else ' ' + figure.unit}"


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
