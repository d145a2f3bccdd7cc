"""`payloom admin reconcile|stray|suspense ...`: what can be typed about money that does not fit. Each command returns a Task."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from payloom.admin_task import Task

_QUIET: dict[str, Any] = {"no_args_is_help": True, "add_completion": False, "pretty_exceptions_enable": False}

reconcile = typer.Typer(help="Gateways' own records against our books.", **_QUIET)
stray = typer.Typer(help="Money that named nothing of ours.", **_QUIET)
suspense = typer.Typer(help="Payments that did not fit and wait for a person.", **_QUIET)

Number = Annotated[int, typer.Argument(help="Its id.", show_default=False)]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A day, such as 2026-11-20 (UTC).", show_default=False)]
ByHand = Annotated[
    str,
    typer.Option("--by-hand", help="It went back in another way: how that can be found again, such as an M-Pesa code.", show_default=False),
]


def _date(day: datetime | None) -> str:
    return "" if day is None else day.date().isoformat()


@reconcile.command("run")
def reconcile_run(
    gateway: Annotated[str, typer.Option(help="Only this one; all when empty.", show_default=False)] = "",
    day: Day = None,
    since: Day = None,
    until: Day = None,
) -> Task:
    """Compare now: yesterday, or the days that are named, both ends included."""
    if day is not None and (since is not None or until is not None):
        raise typer.BadParameter("--day, or --since and --until")
    return Task("reconcile.run", {"gateway": gateway, "since": _date(day or since), "until": _date(day or until)})


@reconcile.command("list")
def reconcile_list() -> Task:
    """What differs and is not settled, with what settles it."""
    return Task("reconcile.differences")


@reconcile.command("ask")
def reconcile_ask(number: Number) -> Task:
    """The gateway is asked about our attempt; what it says is booked, and the day is compared once more."""
    return Task("reconcile.ask", {"number": number})


@reconcile.command("settle")
def reconcile_settle(
    number: Number, note: Annotated[str, typer.Option(help="What it was and what was done; kept in the audit trail.", show_default=False)]
) -> Task:
    """You looked, and it is in order now: it is not told again."""
    return Task("reconcile.settle", {"number": number, "note": note})


@stray.command("list")
def stray_list() -> Task:
    """What waits for its owner, and what is on its way back."""
    return Task("admin_suspense.stray_list")


@stray.command("return")
def stray_return(number: Number, by_hand: ByHand = "") -> Task:
    """Send it back through the gateway that took it; or write down that it went back by hand."""
    return Task("admin_suspense.stray_return", {"number": number, "by_hand": by_hand})


@stray.command("keep")
def stray_keep(number: Number) -> Task:
    """A return without an answer: you saw in the gateway's portal that nothing went back. It waits again."""
    return Task("admin_suspense.stray_keep", {"number": number})


@stray.command("match")
def stray_match(
    number: Number, checkout: Annotated[str, typer.Argument(help="The number of a checkout or of an order.", show_default=False)]
) -> Task:
    """It was paid for this checkout. Where that is paid already, it goes back by itself as paid twice."""
    return Task("admin_suspense.stray_match", {"number": number, "checkout": checkout})


@suspense.command("list")
def suspense_list() -> Task:
    """Money in another currency, for another payee, or denied after it was told."""
    return Task("admin_suspense.suspense_list")


@suspense.command("return")
def suspense_return(number: Number, by_hand: ByHand = "") -> Task:
    """Send it back through the gateway that took it; or write down that it went back by hand."""
    return Task("admin_suspense.suspense_return", {"number": number, "by_hand": by_hand})


@suspense.command("write-off")
def suspense_write_off(number: Number) -> Task:
    """The gateway denied it and it never came, as its portal shows: it leaves the books."""
    return Task("admin_suspense.suspense_write_off", {"number": number})
