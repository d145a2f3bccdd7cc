"""Reads requirement files and judges them: everything pinned, everything hashed, nothing from elsewhere, no name nobody chose."""

from __future__ import annotations

import re
from dataclasses import dataclass

PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[a-z0-9,._-]+\])?==([^\s;]+)(?:\s*;.*)?$")
HASH = re.compile(r"^--hash=sha256:[0-9a-f]{64}$")
INSTALLS = re.compile(r"""\bpip["']?,?\s*["']?(?:install|sync)\b""")


@dataclass(frozen=True)
class Requirement:
    name: str
    version: str
    hashes: int


def faults(text: str) -> list[str]:
    """What is wrong with a lock: a line that is not a pinned name, or a name without a hash."""
    found = []
    for line in logical_lines(text):
        head, hashes = split(line)
        if not PINNED.match(head):
            found.append(f"not pinned, or not from an index: {head}")
        elif not hashes or not all(HASH.match(one) for one in hashes):
            found.append(f"no sha256 hash: {head}")
    return found


def requirements(text: str) -> list[Requirement]:
    heads = [split(line) for line in logical_lines(text)]
    return [Requirement(found[1], found[2], len(hashes)) for head, hashes in heads if (found := PINNED.match(head))]


def logical_lines(text: str) -> list[str]:
    joined = re.sub(r"\\\n\s*", " ", text)
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.strip().startswith("#")]


def split(line: str) -> tuple[str, list[str]]:
    words = line.split(" --", 1)
    return words[0].strip(), [f"--{one.strip()}" for one in words[1].split(" --")] if len(words) > 1 else []


def careless_installs(text: str) -> list[str]:
    """Lines that install packages without asking for hashes."""
    return [
        f"{number}: {line.strip()}"
        for number, line in enumerate(text.splitlines(), 1)
        if INSTALLS.search(line) and "--require-hashes" not in line and not line.strip().startswith("#")
    ]
