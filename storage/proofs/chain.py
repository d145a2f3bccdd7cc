"""Promise 11: the audit trail is whole. Marks, the links between records, and the seals over all of them are computed again."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import bindparam, select

from domain.records import AuditRecord, audit_mark
from domain.trail import TrailSeal, seal_mark
from storage.mapping import Mapper
from storage.proofs.reading import Check, Offence, Reading, counted
from storage.sealing import SEAL
from storage.statements import Sql
from storage.tables import audit, audit_seals

_RECORD = Mapper(audit, AuditRecord)
_BY_SUBJECT = Sql(select(audit).order_by(audit.c.subject, audit.c.seq))
_SEALS = Sql(select(audit_seals).order_by(audit_seals.c.n))
_STRETCH = Sql(select(audit.c.mark).where(audit.c.id > bindparam("after"), audit.c.id <= bindparam("upto")).order_by(audit.c.id))


def _records(reading: Reading) -> Iterator[Offence]:
    """Each record bears its own mark, and the mark of the one before it; none is missing between them."""
    subject, seq, previous = "", 0, ""
    for row in reading.rows(_BY_SUBJECT):
        if row[1] != subject:
            subject, seq, previous = row[1], 0, ""
        name = f"audit:{row[0]}"
        if row[2] != seq + 1:
            yield Offence(name, {"subject": subject, "seq": row[2], "expected": seq + 1, "is": "missing_before"})
        elif not hmac.compare_digest(row[7], previous):
            yield Offence(name, {"subject": subject, "seq": row[2], "is": "not_linked"})
        if not _genuine(reading.key, row):
            yield Offence(name, {"subject": subject, "seq": row[2], "is": "not_our_mark"})
        seq, previous = row[2], row[8]


def _genuine(key: bytes, row: Sequence[Any]) -> bool:
    """What is stored is canonical already, so that its text serves as it is; only where that fails the record is read and written anew."""
    body = f"[{row[0]},{_quoted(row[1])},{row[2]},{row[3]},{_quoted(row[4])},{_quoted(row[5])},{row[6]},{_quoted(row[7])}]"
    if hmac.compare_digest(hmac.digest(key, body.encode(), "sha256").hex(), row[8]):
        return True
    try:
        record = _RECORD.read(row)
    except (ValueError, OverflowError):
        return False
    return hmac.compare_digest(record.mark, audit_mark(key, record))


_quoted = json.encoder.encode_basestring


def _seals(reading: Reading) -> Iterator[Offence]:
    """Each seal bears its own mark over the records it closes, and the mark of the seal before it."""
    last = TrailSeal(0, -1, 0, reading.now, "", "")
    for row in reading.rows(_SEALS):
        seal = SEAL.read(row)
        marks = [mark for (mark,) in reading.rows(_STRETCH, after=last.upto_id, upto=seal.upto_id)]
        if seal.n != last.n + 1:
            yield Offence(f"seal:{seal.n}", {"expected": last.n + 1, "is": "missing_before"})
        elif not hmac.compare_digest(seal.previous, last.mark):
            yield Offence(f"seal:{seal.n}", {"is": "not_linked"})
        if len(marks) != seal.count:
            yield Offence(f"seal:{seal.n}", {"records": len(marks), "sealed": seal.count, "upto": seal.upto_id})
        elif not hmac.compare_digest(seal.mark, seal_mark(reading.key, seal, marks)):
            yield Offence(f"seal:{seal.n}", {"is": "not_our_mark", "upto": seal.upto_id})
        last = seal


SEALS_HOLD: Final = "seals_hold"
CHAIN: Final[tuple[Check, ...]] = (
    Check(11, "records_are_whole", "each audit record bears our mark and follows the one before it", counted(audit.name), _records),
    Check(11, SEALS_HOLD, "each seal closes the records it was made over, all of them and no others", counted(audit_seals.name), _seals),
)


def newest_seal(reading: Reading) -> TrailSeal | None:
    """To be kept outside the database: whoever has an older one can tell that it is still in the chain."""
    rows = reading.session.run(Sql(select(audit_seals).order_by(audit_seals.c.n.desc()).limit(1))).fetchall()
    return SEAL.read(rows[0]) if rows else None
