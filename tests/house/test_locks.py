"""What is installed is what was chosen: pinned, hashed, and no package that nobody meant (a typo is a package too)."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.house import locks
from tests.house.tree import ROOT, all_files, text_of

LOCKS = ["requirements.lock", "requirements-run.lock", ".ci/requirements-uv.lock"]
KNOWN = "tests/house/known_packages.txt"


def lock(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def known_packages() -> set[str]:
    return {line for line in lock(KNOWN).splitlines() if line and not line.startswith("#")}


def declared(group: str) -> set[str]:
    project = tomllib.loads(lock("pyproject.toml"))
    chosen = project["project"]["dependencies"] if group == "run" else project["dependency-groups"][group]
    return {re.split(r"[\[<>=!~ ;]", one, maxsplit=1)[0].lower().replace("_", "-") for one in chosen}


@pytest.mark.parametrize("name", LOCKS)
def test_everything_in_a_lock_is_pinned_and_hashed(name: str) -> None:
    """W27."""
    assert locks.faults(lock(name)) == []
    assert locks.requirements(lock(name))


def test_what_the_product_needs_is_the_same_version_in_both_locks() -> None:
    full = {(one.name, one.version) for one in locks.requirements(lock("requirements.lock"))}
    small = {(one.name, one.version) for one in locks.requirements(lock("requirements-run.lock"))}
    assert small <= full


def test_the_locks_hold_what_the_project_asks_for() -> None:
    full = {one.name for one in locks.requirements(lock("requirements.lock"))}
    small = {one.name for one in locks.requirements(lock("requirements-run.lock"))}
    assert declared("run") - small == set(), "run `make lock`"
    assert declared("dev") - full == set(), "run `make lock`"


def test_no_package_is_installed_that_nobody_chose() -> None:
    """W27: Somebody looks at each new name once, then writes it into the list: `reqeusts` would stand out there."""
    locked = {one.name for name in LOCKS for one in locks.requirements(lock(name))}
    assert locked - known_packages() == set(), f"new packages: read their names twice, then add them to {KNOWN}"
    assert known_packages() - locked == set(), f"no longer needed: remove them from {KNOWN}"


def test_nothing_is_installed_without_its_hash() -> None:
    """W27."""
    places = [name for name in all_files() if name in {"Makefile", "Procfile", "Dockerfile"} or name.startswith(".ci/")]
    assert [f"{name}:{one}" for name in places for one in locks.careless_installs(text_of(name) or "")] == []


def test_no_lock_file_that_names_hosts_is_kept() -> None:
    assert [name for name in all_files() if name.rpartition("/")[2] in {"uv.lock", "poetry.lock", "Pipfile.lock", "pip.conf"}] == []
