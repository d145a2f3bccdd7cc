"""Who may import whom is kept by the contracts in pyproject.toml; here, that they hold and that they can fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house.tree import ROOMS, ROOT

# a file, a line in it that breaks a contract, and the contract
BREACHES = [
    ("domain/breach.py", "import storage", "Floors"),
    ("storage/breach.py", "import gateways", "Floors"),
    ("usecases/breach.py", "import payloom", "Floors"),
    ("web/breach.py", "import bot", "Floors"),
    ("web/breach.py", "import storage", "The doors"),
    ("jobs/breach.py", "import gateways", "The doors"),
    ("town/breach.py", "import domain", "The town"),
    ("usecases/breach.py", "import sqlalchemy", "The heart and the hall"),
    ("domain/breach.py", "import httpx", "The heart and the hall"),
    ("gateways/breach.py", "import sqlalchemy", "Only"),
]


def lint_imports(*places: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; sys.path[:0] = sys.argv[1:]; from importlinter.cli import lint_imports as go; sys.exit(go(no_cache=True, no_logo=True))"
    command = [sys.executable, "-P", "-c", code, *map(str, places)]
    return subprocess.run(command, cwd=places[0], capture_output=True, text=True, check=False)


def test_every_room_is_under_contract() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert sorted(settings["tool"]["importlinter"]["root_packages"]) == sorted(ROOMS)


def test_the_contracts_hold(empty_house: Path) -> None:
    done = lint_imports(ROOT, empty_house)  # a room that is not built yet counts as an empty one
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def empty_house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The floor plan with empty rooms: a breach there is the only one."""
    root = tmp_path_factory.mktemp("house")
    for room in ROOMS:
        (root / room).mkdir()
        (root / room / "__init__.py").write_text(f'"""{room}"""\n', encoding="utf-8")
    shutil.copyfile(ROOT / "pyproject.toml", root / "pyproject.toml")
    return root


def test_an_empty_house_breaks_no_contract(empty_house: Path) -> None:
    done = lint_imports(empty_house)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file,line,contract", BREACHES)
def test_a_breach_is_seen(empty_house: Path, file: str, line: str, contract: str) -> None:
    (empty_house / file).write_text(line + "\n", encoding="utf-8")
    try:
        done = lint_imports(empty_house)
    finally:
        (empty_house / file).unlink()
    broken = [said for said in done.stdout.splitlines() if said.startswith(contract) and "BROKEN" in said]
    assert done.returncode != 0
    assert broken, done.stdout + done.stderr
