"""The habits of the house, kept by a machine (docs/architecture.md, "Habits")."""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from domain import life
from tests.house import rules
from tests.house.tree import ROOMS, ROOT, all_files, python_files, text_of

Rule = Callable[[str], list[str]]
MIGRATIONS = "storage/migrations/versions/"
HEART_MAY_IMPORT = frozenset({*sys.stdlib_module_names, "domain", "phonenumbers"})  # docs/decisions/0007: data and pure functions


def heart_libraries(source: str) -> list[str]:
    """The heart imports Python's own modules, itself, and phonenumbers."""
    return rules.libraries(source, HEART_MAY_IMPORT)


def floats_by_name(source: str) -> list[str]:
    """An amount does not become a float on its way to a provider or a row."""
    return rules.floats(source, literals=False)


def states_not_moved_to(source: str) -> list[str]:
    lives = [value for value in vars(life).values() if isinstance(value, life.Life)]
    initial = {type(state).__name__: {one.name for one in each.initial} for each in lives for state in each.initial}
    return rules.states_not_moved_to(source, initial)


states_not_moved_to.__doc__ = rules.states_not_moved_to.__doc__


def in_rooms(*rooms: str, without: tuple[str, ...] = ()) -> Callable[[str], bool]:
    return lambda name: name.startswith(tuple(f"{room}/" for room in rooms)) and not name.startswith(without or ("\0",))


OTHER_ROOMS = tuple(room for room in ROOMS if room not in {"payloom", "town"})
# rule, where it holds
PYTHON_RULES: list[tuple[Rule, Callable[[str], bool]]] = [
    (rules.floats, in_rooms("domain", "usecases")),
    (floats_by_name, in_rooms("gateways/payments", "storage", without=(MIGRATIONS,))),
    (states_not_moved_to, in_rooms("usecases")),
    (rules.states_set, in_rooms("bot", "web", "jobs", "gateways", "storage", without=(MIGRATIONS,))),
    (rules.environment_read, in_rooms(*ROOMS, without=("payloom/settings.py",))),
    (rules.clocks_and_dice, in_rooms(*OTHER_ROOMS)),
    (rules.words_for_people, in_rooms("domain", "usecases", "bot", "web", "jobs", without=("bot/dialogs/",))),
    (heart_libraries, in_rooms("domain")),
    (rules.awaits, in_rooms("domain")),
    (rules.plain_comparisons_of_secrets, in_rooms(*ROOMS, without=("town/",))),
    (rules.patching, in_rooms("tests")),
    (rules.too_long, in_rooms(*ROOMS, "tests", ".ci", without=(MIGRATIONS,))),
]
TEXT_RULES: list[Rule] = [rules.machine_paths, rules.registries]


def name_of(value: object) -> str:
    return str(getattr(value, "__name__", value))


@pytest.mark.parametrize("rule,holds_in", [pytest.param(*row, id=name_of(row[0])) for row in PYTHON_RULES])
def test_the_habit_holds_in_every_python_file(rule: Rule, holds_in: Callable[[str], bool]) -> None:
    found = []
    for name in filter(holds_in, python_files()):
        try:
            found += [f"{name}:{one}" for one in rule(text_of(name) or "")]
        except SyntaxError as problem:
            found.append(f"{name}:{problem.lineno}: not Python ({problem.msg})")
    assert not found, "\n".join([str(rule.__doc__), *found])


@pytest.mark.parametrize("rule", TEXT_RULES, ids=name_of)
def test_the_habit_holds_in_every_file(rule: Rule) -> None:
    found = [f"{name}:{one}" for name in all_files() if (text := text_of(name)) is not None for one in rule(text)]
    assert not found, "\n".join([str(rule.__doc__), *found])


def test_every_name_says_what_is_inside() -> None:
    found = [name for name in python_files() if rules.vague_names(name)]
    assert not found


def test_no_root_folder_hides_a_library() -> None:
    """A root folder is importable; one that is called like a library, or like a module of Python's own, would be found first."""
    folders = sorted({name.partition("/")[0] for name in python_files() if "/" in name and not name.startswith(".")})
    own = sys.path[:]
    try:
        sys.path[:] = [entry for entry in own if entry and Path(entry).resolve() != ROOT]
        hidden = [folder for folder in folders if folder in sys.stdlib_module_names or is_installed(folder)]
    finally:
        sys.path[:] = own
    assert folders
    assert not hidden


def is_installed(folder: str) -> bool:
    spec = importlib.machinery.PathFinder.find_spec(folder, sys.path)
    return spec is not None and spec.origin is not None and not Path(spec.origin).is_relative_to(ROOT / folder)


def test_every_room_has_its_door_plate() -> None:
    """Each room is a package whose first words say which room it is."""
    missing = [room for room in ROOMS if (ROOT / room).is_dir() and not (text_of(f"{room}/__init__.py") or "").lstrip().startswith('"""')]
    assert not missing
