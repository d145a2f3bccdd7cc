"""`payloom admin ...`: what can be typed. Nothing is done here: each command returns a Task, worked by whoever has the database open."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from payloom import admin_books
from payloom.admin_task import Task

_QUIET: dict[str, Any] = {"no_args_is_help": True, "add_completion": False, "pretty_exceptions_enable": False}

desk = typer.Typer(name="payloom admin", help="Runs the house. Works while the server runs.", **_QUIET)
organization = typer.Typer(help="Who sells.", **_QUIET)
member = typer.Typer(help="Who acts for an organization.", **_QUIET)
api_key = typer.Typer(help="Keys of the API.", **_QUIET)
refund = typer.Typer(help="Money on its way back.", **_QUIET)
late = typer.Typer(help="Money that came after its time.", **_QUIET)
inbox = typer.Typer(help="What providers told us.", **_QUIET)
outbox = typer.Typer(help="What people are told.", **_QUIET)
gateway = typer.Typer(help="Who carries payments.", **_QUIET)
webhook = typer.Typer(help="Whose servers are told.", **_QUIET)
admins = typer.Typer(help="Who gets the alerts.", **_QUIET)
desk.add_typer(admin_books.reconcile, name="reconcile")
desk.add_typer(admin_books.stray, name="stray")
desk.add_typer(admin_books.suspense, name="suspense")
for name, part in (
    ("organization", organization), ("member", member), ("api-key", api_key), ("refund", refund), ("late", late), ("inbox", inbox), ("outbox", outbox),
    ("gateway", gateway), ("webhook", webhook), ("admins", admins),
):  # fmt: skip
    desk.add_typer(part, name=name)

Organization = Annotated[str, typer.Argument(help="Its id, or its name.", show_default=False)]
TelegramId = Annotated[
    str, typer.Argument(help="The person's numeric Telegram id; they have written to the bot before.", show_default=False)
]
Number = Annotated[int, typer.Argument(help="Its id.", show_default=False)]


class Role(StrEnum):
    STAFF = "staff"
    MANAGER = "manager"
    OWNER = "owner"


class Switch(StrEnum):
    ON = "on"
    OFF = "off"


class Decision(StrEnum):
    RELEASE = "release"
    REFUND = "refund"
    SPLIT = "split"


class Carrier(StrEnum):
    DARAJA = "daraja"
    STRIPE = "stripe"
    PAYPAL = "paypal"
    PAYTABS = "paytabs"
    MOYASAR = "moyasar"
    TELEGRAM = "telegram"


class Source(StrEnum):
    """Where the secrets come from: `prompt` asks on the terminal, `stdin` reads `name=value` lines or JSON, `env` takes the platform's settings."""

    PROMPT = "prompt"
    STDIN = "stdin"
    ENV = "env"


@desk.callback()
def everywhere(
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    town: Annotated[bool, typer.Option("--town", help="The town of `make run`.")] = False,
    data: Annotated[Path | None, typer.Option("--data", help="The town's folder, when it is not var/.", show_default=False)] = None,
) -> None:
    """Runs the house. Works while the server runs."""


@organization.command("create")
def organization_create(
    name: Annotated[str, typer.Argument(help="As buyers see it.", show_default=False)],
    owner: Annotated[str, typer.Option(help="Telegram id of who owns it; they have written to the bot before.", show_default=False)],
    country: Annotated[str, typer.Option(help="Two letters; as in the settings when empty.", show_default=False)] = "",
    currency: Annotated[str, typer.Option(help="Three letters; as in the settings when empty.", show_default=False)] = "",
    fee_bps: Annotated[
        int | None, typer.Option(min=0, max=10_000, help="Our part of a release in basis points.", show_default=False)
    ] = None,
) -> Task:
    """A new shop with its first owner."""
    return Task(
        "admin_desk.organization_create",
        {"name": name, "owner": owner, "country": country.upper(), "currency": currency.upper(), "fee_bps": fee_bps},
    )


@organization.command("list")
def organization_list() -> Task:
    """All of them."""
    return Task("admin_desk.organization_list")


@member.command("add")
def member_add(
    organization: Organization, person: TelegramId, role: Annotated[Role, typer.Option(help="What they may do.")] = Role.STAFF
) -> Task:
    """Somebody acts for an organization from now on."""
    return Task("admin_desk.member_set", {"organization": organization, "person": person, "role": role.value})


@member.command("role")
def member_role(organization: Organization, person: TelegramId, role: Annotated[Role, typer.Argument(show_default=False)]) -> Task:
    """Another role for somebody."""
    return Task("admin_desk.member_set", {"organization": organization, "person": person, "role": role.value})


@member.command("remove")
def member_remove(organization: Organization, person: TelegramId) -> Task:
    """They act for it no more, from this instant."""
    return Task("admin_desk.member_remove", {"organization": organization, "person": person})


@member.command("list")
def member_list(organization: Organization) -> Task:
    """Who acts for it."""
    return Task("admin_desk.member_list", {"organization": organization})


@api_key.command("create")
def api_key_create(
    organization: Organization,
    name: Annotated[str, typer.Option(help="What it is for.", show_default=False)],
    owner: Annotated[
        str, typer.Option(help="Telegram id of the owner it belongs to; the first owner when empty.", show_default=False)
    ] = "",
    days: Annotated[int, typer.Option(min=1, max=730, help="How long it opens.")] = 365,
) -> Task:
    """A new key. Its text is shown once and kept nowhere."""
    return Task("admin_desk.api_key_create", {"organization": organization, "name": name, "owner": owner, "days": days})


@api_key.command("revoke")
def api_key_revoke(prefix: Annotated[str, typer.Argument(help="The twelve characters after plk_.", show_default=False)]) -> Task:
    """It opens nothing any more, from this instant."""
    return Task("admin_desk.api_key_revoke", {"prefix": prefix.removeprefix("plk_").partition("_")[0]})


@api_key.command("revoke-all")
def api_key_revoke_all(organization: Organization) -> Task:
    """None of an organization's keys opens anything any more, from this instant."""
    return Task("admin_desk.api_key_revoke_all", {"organization": organization})


@api_key.command("list")
def api_key_list(organization: Organization) -> Task:
    """The keys of an organization, without their secrets."""
    return Task("admin_desk.api_key_list", {"organization": organization})


@desk.command("feature")
def feature(
    organization: Organization,
    name: Annotated[str, typer.Argument(show_default=False)],
    switch: Annotated[Switch, typer.Argument(show_default=False)],
) -> Task:
    """Switch a feature for an organization."""
    return Task("admin_desk.feature", {"organization": organization, "name": name, "on": switch is Switch.ON})


@desk.command("freeze")
def freeze(organization: Organization) -> Task:
    """The clock releases nothing of theirs any more: what is held stays held."""
    return Task("admin_desk.freeze", {"organization": organization, "frozen": True})


@desk.command("unfreeze")
def unfreeze(organization: Organization) -> Task:
    """The clock releases again."""
    return Task("admin_desk.freeze", {"organization": organization, "frozen": False})


@admins.command("add")
def admins_add(person: TelegramId) -> Task:
    """Alerts go to this person."""
    return Task("admin_desk.admins_set", {"person": person, "on": True})


@admins.command("remove")
def admins_remove(person: TelegramId) -> Task:
    """Alerts go to this person no longer."""
    return Task("admin_desk.admins_set", {"person": person, "on": False})


@admins.command("list")
def admins_list() -> Task:
    """Who gets the alerts."""
    return Task("admin_desk.admins_list")


@desk.command("trust-clock")
def trust_clock() -> Task:
    """The clock is right now, though it went back or jumped: timers may fire again."""
    return Task("admin_desk.trust_clock")


@desk.command("never-prompt")
def never_prompt(
    phone: Annotated[str, typer.Argument(show_default=False)],
    again: Annotated[bool, typer.Option("--again", help="Prompts are welcome again.")] = False,
) -> Task:
    """Nobody can have an M-Pesa prompt sent to this number."""
    return Task("admin_desk.never_prompt", {"phone": phone, "never": not again})


@desk.command("resolve")
def resolve(
    order: Annotated[str, typer.Argument(help="Its eight digits.", show_default=False)],
    decision: Annotated[Decision, typer.Argument(show_default=False)],
    amount: Annotated[
        str, typer.Option("--refund", help="With split: the part that goes back, such as 1500 or 1500.50.", show_default=False)
    ] = "",
) -> Task:
    """Decide a dispute."""
    if bool(amount) is not (decision is Decision.SPLIT):
        raise typer.BadParameter("--refund AMOUNT belongs to split, and split needs it")
    return Task("admin_money.resolve", {"order": order, "decision": decision.value, "amount": amount})


@refund.command("list")
def refund_list() -> Task:
    """Those that failed, and those whose answer never came."""
    return Task("admin_money.refund_list")


@refund.command("retry")
def refund_retry(number: Number) -> Task:
    """Send it again. Look into the gateway's own portal first: what was paid there would be paid twice."""
    return Task("admin_money.refund_retry", {"number": number})


@refund.command("confirm")
def refund_confirm(
    number: Number,
    reference: Annotated[str, typer.Option("--reference", help="What the portal calls it; kept with the refund.", show_default=False)] = "",
) -> Task:
    """You saw in the gateway's portal that the money went back, or gave it back there yourself: the buyer is told."""
    return Task("admin_money.refund_confirm", {"number": number, "reference": reference})


@late.command("list")
def late_list() -> Task:
    """What waits for a seller's decision, the first to go back first."""
    return Task("admin_money.late_list")


LateNumber = Annotated[str, typer.Argument(help="Its eight digits.", show_default=False)]


@late.command("accept")
def late_accept(number: LateNumber) -> Task:
    """Make an order of it, for a seller who cannot."""
    return Task("admin_money.late_accept", {"number": number})


@late.command("refund")
def late_refund(number: LateNumber) -> Task:
    """Give it back now."""
    return Task("admin_money.late_refund", {"number": number})


@inbox.command("list")
def inbox_list() -> Task:
    """Events that wait, and those that were parked for a person."""
    return Task("admin_money.inbox_list")


@inbox.command("replay")
def inbox_replay(number: Number) -> Task:
    """Apply a parked or waiting event again, now."""
    return Task("admin_money.inbox_replay", {"number": number})


@outbox.command("list")
@outbox.command("dead", hidden=True)
def outbox_dead() -> Task:
    """Messages that could not be told, and how many died of each error."""
    return Task("admin_money.outbox_dead")


@outbox.command("retry")
def outbox_retry(
    number: Annotated[int, typer.Argument(help="Of one message.", show_default=False)] = 0,
    error: Annotated[str, typer.Option(help="All that died of this error, as the list shows it.", show_default=False)] = "",
    every: Annotated[bool, typer.Option("--all", help="All that are dead.")] = False,
) -> Task:
    """Tell it again: one message, those of one error, or all."""
    if (number != 0) + bool(error) + every != 1:
        raise typer.BadParameter("one of: the number of a message, --error ERROR, --all")
    return (
        Task("admin_money.outbox_retry", {"number": number}) if number else Task("admin_money.outbox_retry_all", {"error": error or None})
    )


@gateway.command("set")
def gateway_set(
    name: Annotated[Carrier, typer.Argument(show_default=False)],
    organization: Annotated[str, typer.Option(help="Whose own account it is; the platform's when empty.", show_default=False)] = "",
    source: Annotated[Source, typer.Option("--from", help=str(Source.__doc__))] = Source.PROMPT,
) -> Task:
    """Keep credentials, sealed; they are tried with the gateway first."""
    return Task("admin_gateway.configure", {"gateway": name.value, "organization": organization}, asks=source.value)


@gateway.command("show")
def gateway_show() -> Task:
    """What is set up, with secrets masked."""
    return Task("admin_gateway.show")


@gateway.command("register")
def gateway_register(
    organization: Annotated[str, typer.Option("--organization", help="Whose short code; without it the platform's.")] = "",
    unless_reached: Annotated[bool, typer.Option("--completed", help="Money is taken, too, when Daraja cannot ask us.")] = False,
    phone: Annotated[
        str, typer.Option("--list", help="The number Safaricom knows the short code by: also read its list of payments.")
    ] = "",
) -> Task:
    """Tell Daraja our addresses for payments made by hand from the M-Pesa menu."""
    return Task("admin_gateway.register", {"organization": organization, "unless_reached": unless_reached, "phone": phone})


@gateway.command("pause")
def gateway_pause(name: Annotated[Carrier, typer.Argument(show_default=False)]) -> Task:
    """No new payments through it; those under way are followed to their end."""
    return Task("admin_gateway.pause", {"gateway": name.value, "paused": True})


@gateway.command("resume")
def gateway_resume(name: Annotated[Carrier, typer.Argument(show_default=False)]) -> Task:
    """New payments again."""
    return Task("admin_gateway.pause", {"gateway": name.value, "paused": False})


@webhook.command("list")
def webhook_list() -> Task:
    """Where organizations are told of what happens, and how that goes."""
    return Task("admin_webhook.show")


@webhook.command("disable")
def webhook_disable(number: Number) -> Task:
    """Nothing is posted there any more; its owner hears it, and alone can switch it on again."""
    return Task("admin_webhook.disable", {"number": number})


@webhook.command("replay")
def webhook_replay(
    number: Number, hours: Annotated[int, typer.Option(min=1, max=24 * 90, help="What was made in the last so many hours.")] = 24
) -> Task:
    """Send again what failed there."""
    return Task("admin_webhook.replay", {"number": number, "hours": hours})


@desk.command("rotate-keys")
def rotate_keys() -> Task:
    """Seal everything again with the first of PAYLOOM_ENCRYPTION_KEYS. May be stopped and started again at any point."""
    return Task("admin_gateway.rotate_keys")


def parse(argv: list[str]) -> Task | None:
    """The Task that is typed; None when help was shown. Raises the command line's own errors (they have `format_message`)."""
    found = desk(argv, prog_name="payloom admin", standalone_mode=False)
    return found if isinstance(found, Task) else None
