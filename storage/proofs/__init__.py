"""What proves the promises of docs/ledger.md over a whole database, read-only and streaming: each check names what breaks it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from sqlalchemy import text

from storage.proofs.books import BOOKS
from storage.proofs.chain import CHAIN
from storage.proofs.chain import SEALS_HOLD as SEALS_HOLD
from storage.proofs.chain import newest_seal as newest_seal
from storage.proofs.effects import EFFECTS
from storage.proofs.owners import OWNERS
from storage.proofs.reading import Check as Check
from storage.proofs.reading import Offence as Offence
from storage.proofs.reading import Reading as Reading
from storage.proofs.reading import Understand as Understand
from storage.proofs.reading import opened as opened
from storage.proofs.sales import BOOKED, ONCE
from storage.proofs.story import STORY
from storage.statements import Sql

CHECKS: Final[tuple[Check, ...]] = tuple(
    sorted((*BOOKS, *ONCE, *BOOKED, *EFFECTS, *OWNERS, *STORY, *CHAIN), key=lambda check: check.promise)
)

SHOWN: Final = 20
"""Offenders that are named; the others are counted."""

_BEGIN, _END, _UNDO = (Sql(text(f"{verb} a_check")) for verb in ("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT"))


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: how many things it looked at, how many broke it, and the first of those."""

    promise: int
    name: str
    what: str
    checked: int
    broken: int
    offences: tuple[Offence, ...]


def prove(reading: Reading, checks: Iterable[Check] = CHECKS) -> Iterator[Finding]:
    """One after the other. A check that itself fails, because a row cannot even be read, is a broken one."""
    for check in checks:
        if check.reads_events and reading.understand is None:
            continue
        reading.session.run(_BEGIN)
        try:
            checked = reading.number(check.of)
            found = check.find(reading)
            shown = tuple(islice(found, SHOWN))
            finding = Finding(check.promise, check.name, check.what, checked, len(shown) + sum(1 for _ in found), shown)
        except Exception as error:  # noqa: BLE001 - whatever it is, the promise is not proved, and the next check is due
            reading.session.run(_UNDO)
            offence = Offence("check", {"failed": f"{type(error).__name__}: {error}".splitlines()[0]})
            finding = Finding(check.promise, check.name, check.what, 0, 1, (offence,))
        reading.session.run(_END)
        yield finding
