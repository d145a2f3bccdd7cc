"""The `payloom` command. Errors are one line in plain words with the next step; `-v` shows the trace."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from payloom import log
from payloom.settings import BadSettings

app = typer.Typer(
    help="Safe payments for people who sell in chats.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
verbose = False


@app.callback()
def options(trace: Annotated[bool, typer.Option("-v", "--verbose", help="Show the whole trace of an error.")] = False) -> None:
    global verbose  # noqa: PLW0603 - one command line, one process
    verbose = trace


async def until_told_to_stop(work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run until Ctrl-C or SIGTERM; a second signal does not wait."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await work(stop)


@app.command()
def town(
    port: Annotated[int, typer.Option(help="Where to listen, on this machine only.")] = 8080,
    data: Annotated[Path, typer.Option(help="The folder that keeps everything.")] = Path("var"),
) -> None:
    """Product and imitated providers in one process, with phones to click at /town."""
    from payloom.streets import Streets, town_settings  # noqa: PLC0415 - commands load what they need

    log.configure(level="warning")

    async def live(stop: asyncio.Event) -> None:
        streets = Streets(town_settings(data, port), keep=data / "town.json")
        await streets.open()
        print(
            f"\n  PayLoom's town is open:  http://localhost:{port}/town\n\n  Ctrl-C closes it; everything is still there when it opens again.\n",
            flush=True,
        )
        try:
            await stop.wait()
        finally:
            await streets.close()

    asyncio.run(until_told_to_stop(live))


def main() -> None:
    """Run a command; tell a failure in one line."""
    try:
        app(standalone_mode=False)
    except typer.Exit as done:
        sys.exit(done.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BadSettings as bad:
        print("These settings need a look:", *(f"  - {problem}" for problem in bad.problems), sep="\n", file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        if verbose:
            raise
        with contextlib.suppress(BrokenPipeError):
            print(f"payloom: {_plain(error)}", file=sys.stderr)
        sys.exit(1)


def _plain(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in {98, 48}:
        return "that port is in use already: stop whoever has it, or choose another with --port (PORT=9000 make run)"
    return f"{error} (run again with -v before the command for the whole trace)"
