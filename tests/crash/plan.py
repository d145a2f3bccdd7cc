"""Which points a sale has, and runs that together die at every one of them.

A run kills the house once in each step (the steps are far apart: each has fully recovered before the next begins), so as many runs are
needed as the longest step has points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

WANDERING: Final = ("commit:tick:", "commit:write_visits:", "commit:seal_trail:")
"""Written by timers about every ten seconds, in whatever step that is: to die at one of each anywhere is enough."""

NOT_TOGETHER: Final = (
    ("buy", "pin"), ("buy again", "pin again"), ("pin", "refund"), ("pin", "back"), ("pin again", "refund"), ("pin again", "back"),
)  # fmt: skip
"""Pairs of which one run kills in one only. The first two are a known limit, not a shortcut: a prompt whose answer was lost is known by its
callback only, and Daraja calls once. The others need the receipt that only the callback of a payment brings."""
AGAIN: Final = " again"

Point = tuple[str, str]


@dataclass(slots=True)
class Plan:
    """What a run dies at: step -> point. `recovery` is the point of the next life at which it dies once more, 0 for none."""

    kills: dict[str, str] = field(default_factory=dict)
    recovery: int = 0


def wanders(name: str) -> bool:
    return name.startswith(WANDERING)


def points_of(passed: Iterable[tuple[int, str]], steps: Iterable[str]) -> dict[str, list[str]]:
    """The points of a clean run by step, in their order."""
    names = list(steps)
    found: dict[str, list[str]] = {name: [] for name in names}
    wandering: set[str] = set()
    for step, name in passed:
        kind = name.partition("#")[0]
        if step >= len(names) or name in found[names[step]] or name.startswith("KILLED") or kind in wandering:
            continue
        found[names[step]].append(name)
        if wanders(name):
            wandering.add(kind)
    return found


def without_repeats(points: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """What is done a second time, for another buyer, is died at only where the first time passed no such point."""
    return {
        step: [name for name in names if name not in points.get(step.removesuffix(AGAIN), ())] if step.endswith(AGAIN) else names
        for step, names in points.items()
    }


def first_of_each(points: Mapping[str, list[str]], alike: Callable[[str, str], str]) -> dict[str, list[str]]:
    """Of those that are `alike` (what it gives for a step and the kind of a point) the first one; none that is alike to nothing ("")."""
    met = {""}
    kept: dict[str, list[str]] = {}
    for step, names in points.items():
        kept[step] = []
        for name in names:
            what = alike(step, name.partition("#")[0])
            if what not in met:
                met.add(what)
                kept[step].append(name)
    return kept


def plans(points: Mapping[str, list[str]], steps: Sequence[str]) -> list[Plan]:
    """Runs that together die at each point of each step; at one that wanders wherever it comes."""
    left = {step: [name for name in names if not wanders(name)] for step, names in points.items()}
    wandering = sorted({name for names in points.values() for name in names if wanders(name)})
    made = [Plan(dict.fromkeys(steps, name)) for name in wandering]
    while any(left.values()):
        plan = Plan(recovery=1 + len(made) % 9 if len(made) % 3 == 2 else 0)
        taken: set[str] = set()
        for step, names in sorted(left.items(), key=lambda item: -len(item[1])):
            enemies = {other for pair in NOT_TOGETHER if step in pair for other in pair if other != step}
            if names and not enemies & taken:
                plan.kills[step] = names.pop(0)
                taken.add(step)
        made.append(plan)
    return made
