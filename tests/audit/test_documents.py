"""docs/ledger.md says what is proved: each check, each kind of entry, each account."""

from __future__ import annotations

from pathlib import Path

from domain.ledger import AccountKind
from storage.proofs import CHECKS
from storage.proofs.books import SHAPES

LEDGER = Path(__file__).parents[2] / "docs" / "ledger.md"


def test_the_document_names_everything() -> None:
    said = LEDGER.read_text()
    missing = [check.name for check in CHECKS if f"`{check.name}`" not in said]
    missing += [kind for kind in SHAPES if f"| `{kind}` |" not in said]
    missing += [kind for kind in AccountKind if f"`{kind}:" not in said]
    assert not missing


def test_each_check_is_under_its_promise() -> None:
    chapters = LEDGER.read_text().split("\n### ")[1:]
    for chapter in chapters:
        promise = int(chapter.partition(".")[0])
        for check in CHECKS:
            assert (f"`{check.name}`" in chapter) == (check.promise == promise), (check.name, promise)
