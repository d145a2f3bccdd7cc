"""Every row of the safety catalogue that is built has a test whose docstring names it (the catalogue is the second section of safety.md)."""

from __future__ import annotations

import ast
import re

from tests.house.tree import python_files, text_of

ROWS = [
    "C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "C10", "C13", "C14", "C16", "C17", "C18", "C19", "C20", "C21",
    "O1", "O2", "O3", "O4", "O5", "O6", "O7", "O9", "O12", "O13",
    "S1", "S2", "S3", "S5", "S7", "S8", "S10",
    "K3", "K4", "K6", "K8", "K12", "K14", "K15", "K16",
    "T1", "T2", "T3", "T4", "T5", "T6", "T12", "T13", "T14", "T15", "T16", "T17", "T18",
    "W1", "W2", "W3", "W4", "W5", "W6", "W9", "W11", "W12", "W13", "W14", "W16", "W20", "W22", "W24", "W25", "W26", "W27", "W29", "W30",
]  # fmt: skip
"""A row that is built from now on is added here, together with its test."""
_NAMED = re.compile(r"\b([COSKTW])([1-9][0-9]?)(?:(?:-|–| to )\1([1-9][0-9]?))?\b")


def rows_named(source: str) -> set[str]:
    """The rows in the docstrings of the tests of a file, of their classes and of the file itself; `T1-T6` names each between."""
    tree = ast.parse(source)
    tests = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")]
    if not tests:
        return set()
    places = [tree, *tests, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    said = " ".join(ast.get_docstring(place) or "" for place in places)
    found = (match.groups() for match in _NAMED.finditer(said))
    return {f"{letter}{number}" for letter, first, last in found for number in range(int(first), int(last or first) + 1)}


def test_every_row_has_a_test_that_names_it() -> None:
    named: set[str] = set()
    for name in python_files():
        if name.startswith("tests/"):
            named |= rows_named(text_of(name) or "")
    assert not [row for row in ROWS if row not in named]


def test_a_row_is_found_by_its_whole_name_only() -> None:
    source = '"""K8."""\ndef test_a() -> None:\n    """W12, T1-T3: W1x, AW5, not W2."""\ndef helper() -> None:\n    """C9."""\n'
    assert rows_named(source) == {"K8", "W12", "T1", "T2", "T3", "W2"}
    assert rows_named('"""K8: no test is here."""') == set()
