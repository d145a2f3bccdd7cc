"""Money that named nothing of ours: what is changed behind our back about its way back is named."""

from __future__ import annotations

import pytest

from tests.audit.conftest import Lived
from tests.audit.ground import audited, tampering


@pytest.mark.parametrize("state", ["RETURNED", "MATCHED"])
async def test_a_stray_that_never_left_is_named(house: Lived, state: str) -> None:
    with tampering(house.url) as session:
        ((number,),) = session.plain("SELECT id FROM strays WHERE state = 'WAITING'").fetchall()
        session.plain(f"UPDATE strays SET state = '{state}' WHERE id = {number}")
    report = await audited(house.url, house.clock)
    found = {(finding.name, offence.id) for finding in report.broken for offence in finding.offences}
    check = "strays_go_back_once" if state == "RETURNED" else "strays_are_apart"
    assert (check, f"stray:{number}") in found
    assert ("suspense_is_explained", f"suspense:{number}") in found
