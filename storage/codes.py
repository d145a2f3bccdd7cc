"""One-time codes as rows."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, delete, select, tuple_

from domain.codes import Code
from storage.mapping import Mapper, save_value, to_us
from storage.statements import Session, Sql, maker, save_version, select_by
from storage.tables import codes

_CODE = Mapper(codes, Code)
_KEY = ("flow", "subject")
_OF = select_by(codes, *_KEY)
_BY_DIGEST = select_by(codes, "flow", "digest")
_SAVE = save_version(codes, *_KEY)
_PUT = Sql(
    lambda dialect: (
        insert := maker(dialect)(codes).values({column.name: bindparam(column.name) for column in codes.columns})
    ).on_conflict_do_update(
        index_elements=list(_KEY),
        set_={
            **{column.name: insert.excluded[column.name] for column in codes.columns if column.name not in {*_KEY, "version"}},
            "version": codes.c.version + 1,
        },
    )
)
_OVER = (
    select(codes.c.flow, codes.c.subject)
    .where(codes.c.expires_at < bindparam("before"))
    .order_by(codes.c.expires_at)
    .limit(bindparam("most"))
)
_PRUNE = Sql(delete(codes).where(tuple_(codes.c.flow, codes.c.subject).in_(_OVER)))


class CodeRows:
    def __init__(self, session: Session) -> None:
        self.session = session

    def put(self, code: Code) -> None:
        self.session.later(_PUT, _CODE.row(code))

    def of(self, flow: str, subject: str) -> Code | None:
        row = self.session.run(_OF, flow=flow, subject=subject).fetchone()
        return None if row is None else _CODE.read(row)

    def by_digest(self, flow: str, digest: str) -> Code | None:
        row = self.session.run(_BY_DIGEST, flow=flow, digest=digest).fetchone()
        return None if row is None else _CODE.read(row)

    def save(self, code: Code) -> Code:
        return save_value(self.session, _CODE, _SAVE, code, *_KEY)

    def prune(self, before: datetime, limit: int) -> int:
        return self.session.run(_PRUNE, before=to_us(before), most=limit).rowcount
