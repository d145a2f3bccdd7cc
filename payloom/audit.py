"""`payloom audit`: proves every promise of docs/ledger.md over the database, beside a running house, without writing anything."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from domain.payment import Notice, Unreadable
from domain.records import RawEvent
from domain.trail import TrailSeal
from gateways.http import Http
from payloom.carriers import every_gateway
from payloom.settings import Settings
from payloom.wiring import SystemClock
from storage.proofs import CHECKS, SEALS_HOLD, Finding, Reading, Understand, newest_seal, opened, prove
from usecases.settlement import understand


@dataclass(frozen=True, slots=True)
class Report:
    """`newest_seal` (None when the seals are broken) belongs outside the database: the chain of seals up to it cannot be cut or made anew without being missed."""

    findings: tuple[Finding, ...]
    newest_seal: TrailSeal | None
    took_s: float

    @property
    def ok(self) -> bool:
        return not any(finding.broken for finding in self.findings)

    @property
    def broken(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.broken)

    def as_dict(self) -> dict[str, Any]:
        seal = self.newest_seal
        return {
            "ok": self.ok,
            "took_s": round(self.took_s, 3),
            "newest_seal": None if seal is None else {"n": seal.n, "mark": seal.mark, "at": seal.at.isoformat()},
            "findings": [
                {
                    "promise": one.promise,
                    "name": one.name,
                    "what": one.what,
                    "checked": one.checked,
                    "broken": one.broken,
                    "offences": [
                        {"id": offence.id, **{name: _jsonable(fact) for name, fact in offence.facts.items()}} for offence in one.offences
                    ],
                }
                for one in self.findings
            ],
        }


def _jsonable(fact: Any) -> Any:
    return fact if fact is None or isinstance(fact, str | int) else str(fact)


async def audit(
    settings: Settings | str,
    *,
    key: bytes = b"",
    read: Understand | None = None,
    now: datetime | None = None,
    heard: Callable[[Finding], None] | None = None,
) -> Report:
    """Every check over one snapshot. With a database's address instead of settings, `key` is the audit trail's, and `read` reads provider
    events; without it they are left out.

    `heard` is called, in another thread, with each finding as it comes. Raises StoreUnavailable when there is no database to look at.
    """
    if isinstance(settings, Settings):
        url, key, read = settings.database_url, settings.audit_key, read or reader(settings)
    else:
        url = settings
    return await asyncio.to_thread(_audit, url, key, now or datetime.now(UTC), read, heard or _nobody)


def _nobody(finding: Finding) -> None:
    """Nobody waits for it."""


def _audit(url: str, key: bytes, now: datetime, read: Understand | None, heard: Callable[[Finding], None]) -> Report:
    began = time.monotonic()
    findings = []
    with opened(url) as session:
        reading = Reading(session, now, key, read)
        for finding in prove(reading):
            heard(finding)
            findings.append(finding)
        whole = not any(finding.broken and finding.name == SEALS_HOLD for finding in findings)
        return Report(tuple(findings), newest_seal(reading) if whole else None, time.monotonic() - began)


def reader(settings: Settings) -> Understand:
    """Reads stored provider events as the inbox worker does; nothing goes over the network."""
    gateways = every_gateway(settings, Http(), SystemClock())

    def read(event: RawEvent) -> Notice:
        gateway = gateways.get(event.gateway)
        if gateway is None:
            raise Unreadable(event.gateway)
        return understand(gateway, event)

    return read


def run(settings: Settings, as_json: bool) -> int:
    """The command: a table, or JSON; 1 when a promise is broken."""
    console = Console(highlight=False)
    if as_json:
        report = asyncio.run(audit(settings))
        console.file.write(json.dumps(report.as_dict(), indent=2, ensure_ascii=False) + "\n")
        return 0 if report.ok else 1
    with _progress(Console(stderr=True)) as heard:
        report = asyncio.run(audit(settings, heard=heard))
    show(report, console)
    return 0 if report.ok else 1


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[Finding], None]]:
    """On a terminal, how far it is; elsewhere nothing."""
    done = 0
    with console.status(f"0/{len(CHECKS)}") as status:

        def heard(finding: Finding) -> None:
            nonlocal done
            done += 1
            status.update(f"{done}/{len(CHECKS)} {finding.what}")

        yield heard


def show(report: Report, console: Console) -> None:
    """One line for each check; what is broken is named below it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (("promise", "right"), ("what was checked", "left"), ("count", "right"), ("", "left")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for finding in report.findings:
        table.add_row(
            str(finding.promise), finding.what, f"{finding.checked:,}", "[green]OK[/]" if not finding.broken else "[bold red]BROKEN[/]"
        )
    console.print(table)
    for finding in report.broken:
        console.print(f"\n[bold red]Promise {finding.promise} is broken[/] ({finding.name}): {finding.broken:,} found")
        for offence in finding.offences:
            console.print(f"  {offence}", markup=False)
        if finding.broken > len(finding.offences):
            console.print(f"  and {finding.broken - len(finding.offences):,} more")
    seal = report.newest_seal
    if seal is not None:
        console.print(
            f"\nNewest seal of the audit trail: {seal.n} {seal.mark} ({seal.at:%Y-%m-%d %H:%M:%S} UTC). Keep it outside the database."
        )
    verdict = (
        "[green]Every promise holds.[/]" if report.ok else f"[bold red]{len(report.broken)} of {len(report.findings)} checks are broken.[/]"
    )
    console.print(f"{verdict} {report.took_s:.1f} s")
