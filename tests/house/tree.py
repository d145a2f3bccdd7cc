"""Which files the house rules look at: what git tracks or would track; without git, everything that is not made by a tool."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("payloom", "bot", "web", "jobs", "usecases", "domain", "storage", "gateways", "templates", "town")
MADE_BY_TOOLS = {"var", "build", "dist", "__pycache__"}  # and every hidden folder but .ci


@functools.cache
def all_files() -> list[str]:
    """Paths from the root, with forward slashes; looked up once."""
    if (ROOT / ".git").exists():
        asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(asked, cwd=ROOT, capture_output=True, check=False)
        if listed.returncode == 0:
            return sorted(name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file())
    return sorted(files_below(ROOT))


def files_below(folder: Path) -> Iterator[str]:
    for below in folder.iterdir():
        if below.is_dir() and below.name not in MADE_BY_TOOLS and (not below.name.startswith(".") or below.name == ".ci"):
            yield from files_below(below)
        elif below.is_file():
            yield below.relative_to(ROOT).as_posix()


def python_files() -> list[str]:
    return [name for name in all_files() if name.endswith(".py")]


def text_of(name: str) -> str | None:
    """The file's text; None when it is not text, or went away while we looked."""
    try:
        return (ROOT / name).read_text(encoding="utf-8")
    except (UnicodeDecodeError, FileNotFoundError):
        return None
