"""`payloom doctor`: every setting and where it comes from, everything that can be checked, and what to do about it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from payloom import doctor_cards, doctor_checks, doctor_mail, doctor_outside, log
from payloom.adminline import port_of
from payloom.doctor_checks import FINE, NOTE, PROBLEM, Check, Finding, Ground
from payloom.settings import Settings, look, masked, missing, origins

CHECKS: Final[Sequence[Check]] = (
    doctor_checks.database,
    doctor_checks.sealed,
    doctor_checks.disk,
    doctor_outside.addresses,
    doctor_outside.telegram,
    doctor_outside.daraja,
    doctor_cards.cards,
    doctor_cards.methods,
    doctor_mail.mail,
    doctor_checks.clock,
)
_LEVELS: Final = {FINE: "green", NOTE: "yellow", PROBLEM: "bold red"}


def examine(*, as_json: bool, town: bool, data: Path | None) -> int:
    """Look at everything, show it; 1 when there is a problem."""
    log.configure(level="error")
    settings, found = _settings(town=town, data=data)
    ground = Ground(settings, town, town and port_of(settings.database_url) is not None, datetime.now(UTC))
    found += asyncio.run(_examine(ground))
    if as_json:
        shown = {name: {"value": value, "from": origin} for name, value, origin in listed(settings, town=town)}
        sys.stdout.write(json.dumps({"settings": shown, "findings": [asdict(one) for one in found]}, indent=2, ensure_ascii=False) + "\n")
    else:
        _show(settings, found, town=town)
    return 1 if any(one.state == PROBLEM for one in found) else 0


def _settings(*, town: bool, data: Path | None) -> tuple[Settings, list[Finding]]:
    if town:
        from payloom.where import TOWN, town_of, where  # noqa: PLC0415 - loads the whole house

        found = where(town=True, data=data)
        port = port_of(found.database_url)
        state = f"the town's own; it is {'closed' if port is None else f'open on port {port}'}"
        return town_of(found.town or TOWN, port or 8080), [Finding("settings", FINE, state)]
    settings, unread = look()
    problems = unread + missing(settings, unread={problem.partition(":")[0] for problem in unread})
    if problems:
        return settings, [Finding("settings", PROBLEM, problem) for problem in problems]
    return settings, [Finding("settings", FINE, "everything a real run needs is there")]


def listed(settings: Settings, *, town: bool) -> list[tuple[str, str, str]]:
    """(name, value with secrets masked, where from) of every setting."""
    known = origins(settings)
    return [
        (f"PAYLOOM_{name.upper()}", masked(getattr(settings, name)), "town" if town and known[name] != "default" else known[name])
        for name in Settings.model_fields
    ]


async def _examine(ground: Ground) -> list[Finding]:
    """All at once, shown in their order. A check that breaks is a finding itself."""

    async def one(check: Check) -> list[Finding]:
        try:
            async with asyncio.timeout(30):
                return [finding async for finding in check(ground)]
        except Exception as error:  # noqa: BLE001 - the others are shown all the same; its words may quote a secret
            return [Finding(check.__name__, PROBLEM, f"this check failed ({type(error).__name__})")]

    return [finding for findings in await asyncio.gather(*map(one, CHECKS)) for finding in findings]


def _show(settings: Settings, found: Sequence[Finding], *, town: bool) -> None:
    from rich.text import Text  # noqa: PLC0415 - takes a while to load

    from payloom.admin_terminal import table  # noqa: PLC0415 - as above

    table(("setting", "value", "from"), listed(settings, town=town))
    rows = [(Text(one.state, style=_LEVELS[one.state]), one.name, one.found, one.do) for one in found]
    table(("", "check", "found", "what to do"), rows)
    problems = sum(one.state == PROBLEM for one in found)
    sys.stdout.write(f"{problems} problem{'' if problems == 1 else 's'}\n" if problems else "no problem\n")
