"""The `payloom` command. Errors are one line in plain words with the next step; `-v` shows the trace.

Nothing is loaded before it is needed: what a command does lives in modules of its own.
"""

from __future__ import annotations

import contextlib
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import asyncio

app = typer.Typer(
    help="Safe payments for people who sell in chats.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
verbose = False


class What(StrEnum):
    WEB = "web"
    BOT = "bot"
    WORKER = "worker"
    ALL = "all"


Data = Annotated[Path | None, typer.Option(help="The folder of a town, instead of the settings.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="For machines.")]
_ADMIN = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@app.callback()
def options(trace: Annotated[bool, typer.Option("-v", "--verbose", help="Show the whole trace of an error.")] = False) -> None:
    """Safe payments for people who sell in chats."""
    global verbose  # noqa: PLW0603 - one command line, one process
    verbose = trace


@app.command()
def town(
    port: Annotated[int, typer.Option(help="Where to listen, on this machine only.")] = 8080,
    data: Annotated[Path, typer.Option(help="The folder that keeps everything.")] = Path("var"),
) -> None:
    """Product and imitated providers in one process, with phones to click at /town."""
    from payloom import log  # noqa: PLC0415 - commands load what they need
    from payloom.adminline import AdminLine  # noqa: PLC0415 - as above
    from payloom.run import run_loop, until_told_to_stop  # noqa: PLC0415 - as above
    from payloom.streets import Streets, town_settings  # noqa: PLC0415 - as above

    log.configure(level="warning")

    async def live(stop: asyncio.Event) -> None:
        streets = Streets(town_settings(data, port, cards=True), keep=data / "town.json", by_hand=True)
        line = AdminLine(streets.house)
        try:
            await streets.open()
            await line.open()
            print(
                f"\n  PayLoom's town is open:  http://localhost:{port}/town\n\n  Ctrl-C closes it; everything is still there when it opens again.\n",
                flush=True,
            )
            await stop.wait()
        finally:
            await line.close()
            await streets.close()

    run_loop(until_told_to_stop(live))


@app.command()
def run(what: Annotated[What, typer.Argument(help="A process type; all is for one machine.")] = What.ALL) -> None:
    """Runs the house with real providers. SIGTERM or Ctrl-C lets what was begun come to its end."""
    from payloom import log, settings  # noqa: PLC0415 - as above

    found = settings.load()
    log.configure(found.log_format, found.log_level)
    from payloom import run as running  # noqa: PLC0415 - as above

    running.run(what.value, found)


@app.command()
def migrate(check: Annotated[bool, typer.Option("--check", help="Only tell what is pending; exit 1 if anything is.")] = False) -> None:
    """Brings the database up to date. Repeatable; before that, make a backup."""
    from payloom import migrate as migrations  # noqa: PLC0415 - as above
    from payloom.settings import read  # noqa: PLC0415 - as above

    url = read().database_url
    left = migrations.pending(url)
    if check:
        print(f"pending: {', '.join(left)}; `payloom migrate` applies them" if left else "the database is up to date")
        raise typer.Exit(1 if left else 0)
    migrations.migrate(url)
    print(f"applied: {', '.join(left)}" if left else "the database is up to date")


@app.command()
def audit(as_json: Json = False, data: Data = None) -> None:
    """Proves every promise over the database; exit 1 and the ids where one is broken."""
    from payloom.where import settings_or_town  # noqa: PLC0415 - as above

    settings = settings_or_town(data)
    from payloom import audit as auditing  # noqa: PLC0415 - as above

    raise typer.Exit(int(auditing.run(settings, as_json) or 0))


@app.command()
def lives() -> None:
    """Draws docs/lives.md from the tables of domain/life.py."""
    from payloom.lives import draw  # noqa: PLC0415 - as above

    page = Path("docs/lives.md")
    page.parent.mkdir(exist_ok=True)
    page.write_text(draw(), "utf-8")
    print(f"{page} is drawn")


@app.command()
def tour(as_json: Json = False) -> None:
    """The main job without hands, in a town of its own; exit 0 only if all of it is right."""
    from payloom import tour as touring  # noqa: PLC0415 - as above

    raise typer.Exit(int(touring.run(as_json) or 0))


@app.command()
def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Which; all when none is named.", show_default=False)] = None,
    as_json: Json = False,
    messages: Annotated[int | None, typer.Option(help="outbox: how many notifications.", min=100, show_default="5,000")] = None,
    per_s: Annotated[int | None, typer.Option(help="outbox: what the provider takes in a second.", min=1, show_default="200")] = None,
) -> None:
    """The benchmarks: ours, the floor, and the ratio."""
    from payloom import bench as benches  # noqa: PLC0415 - as above

    options = {name: value for name, value in (("messages", messages), ("per_s", per_s)) if value is not None}
    raise typer.Exit(int(benches.run(names or [], as_json, **options) or 0))


@app.command()
def doctor(
    as_json: Json = False, town: Annotated[bool, typer.Option("--town", help="The town of `make run`.")] = False, data: Data = None
) -> None:
    """Checks settings, database, providers, clock and disk, and says what to do; exit 1 on a problem."""
    from payloom.doctor import examine  # noqa: PLC0415 - as above

    raise typer.Exit(examine(as_json=as_json, town=town or data is not None, data=data))


@app.command(context_settings=_ADMIN, add_help_option=False)
def admin(context: typer.Context) -> None:
    """Organizations, members, API keys, disputes, refunds, gateways, keys; also while the server runs. `payloom admin --help`."""
    from payloom.admin_terminal import main as work  # noqa: PLC0415 - as above

    raise typer.Exit(work(context.args))


@app.command(context_settings=_ADMIN, add_help_option=False)
def reconcile(context: typer.Context) -> None:
    """Each gateway's own records against our books, both ways; exit 1 on a difference. `payloom reconcile --help`."""
    from payloom.admin_terminal import main as work  # noqa: PLC0415 - as above

    raise typer.Exit(work(["reconcile", "run", *context.args]))


def main() -> None:
    """Run a command; tell a failure in one line."""
    try:
        code = app(standalone_mode=False)
    except typer.Exit as done:
        sys.exit(done.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the last one who can say what happened
        sys.exit(_tell(error))
    sys.exit(code if isinstance(code, int) else 0)


def _tell(error: Exception) -> int:
    """The failure in plain words on standard error; the exit code. With -v the trace, unless the words say it all."""
    from payloom.plain import lines_of, trace_of  # noqa: PLC0415 - as above

    lines, code, expected = lines_of(error)
    with contextlib.suppress(BrokenPipeError):
        print(*(trace_of(error) if verbose and not expected else lines), sep="\n", file=sys.stderr)
    return code
