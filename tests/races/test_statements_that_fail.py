"""S10: PostgreSQL refuses any statement of a settlement, as it may at any time: the whole unit runs again and ends as if nothing had been."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from domain.phone import Phone
from domain.ports import Unit
from storage.statements import Cursor, Session, Sql
from storage.together import Part
from tests.races.arena import Arena
from tests.races.test_callbacks import arrives, counts
from usecases.settlement import Received

LEAST_STATEMENTS = 2


@dataclass
class Trouble:
    """The server itself raises `code` at statement number `at`, in the first `times` runs of a unit. `seen` is how many statements came."""

    code: str = ""
    at: int = 0
    times: int = 0
    seen: int = 0
    raised: int = 0

    def meets(self, connection: Any) -> None:
        self.seen += 1
        if self.seen == self.at and self.raised < self.times:
            self.raised += 1
            connection.execute(f"DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '{self.code}'; END $$")


class Troubled(Session):
    """A session that meets trouble at one of the statements it sends."""

    def __init__(self, session: Session, trouble: Trouble) -> None:
        super().__init__(session.connection, session.dialect)
        self._trouble = trouble

    def _execute(self, sql: Sql, params: Mapping[str, Any]) -> Cursor:
        self._trouble.meets(self.connection)
        return super()._execute(sql, params)

    def _together(self, group: Sequence[Part]) -> None:
        self._trouble.meets(self.connection)
        super()._together(group)


def troubled(work: Callable[[Unit], Received], trouble: Trouble) -> Callable[[Any], Received]:
    def unit(given: Any) -> Received:
        trouble.seen = 0
        given.session = Troubled(given.session, trouble)
        result = work(given)
        given.flush()
        return result

    return unit


@pytest.mark.parametrize("code", ["40001", "40P01", "55P03"], ids=["serialization failure", "deadlock", "lock timeout"])
async def test_a_settlement_refused_at_any_statement_runs_again_whole(pg_arena: Arena, code: str) -> None:
    """S10. Twice in a row at each statement; the same rows as after a run without trouble."""
    async with pg_arena.opened(4) as store:

        async def settle(number: int, trouble: Trouble) -> tuple[Received, dict[str, int]]:
            attempt = pg_arena.street.ringing(pg_arena.street.checkout(phone=Phone(f"+2547130{number:05}")))
            before = counts(pg_arena)
            received = await store.write(troubled(arrives(attempt, pg_arena.street.success(attempt)), trouble))
            return received, {table: now - before[table] for table, now in counts(pg_arena).items()}

        clean = Trouble()
        single = await settle(0, clean)
        assert single[0] is Received.APPLIED
        assert clean.seen >= LEAST_STATEMENTS
        for at in range(1, clean.seen + 1):
            trouble = Trouble(code, at, times=2)
            assert await settle(at, trouble) == single
            assert trouble.raised == 2
    assert pg_arena.count("orders") == clean.seen + 1
    await pg_arena.proved()


async def test_a_unit_that_is_refused_for_ever_is_given_up_with_nothing_done(pg_arena: Arena) -> None:
    """S10: bounded."""
    attempt = pg_arena.street.ringing()
    before = counts(pg_arena)
    trouble = Trouble("40001", 1, times=1000)
    async with pg_arena.opened(4) as store:
        with pytest.raises(Exception, match="injected"):
            await store.write(troubled(arrives(attempt, pg_arena.street.success(attempt)), trouble))
    assert 1 < trouble.raised < 50
    assert counts(pg_arena) == before
