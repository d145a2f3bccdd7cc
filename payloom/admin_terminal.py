"""The terminal's side of `payloom admin`: what is typed and asked for, and how the answer is shown."""

from __future__ import annotations

import getpass
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from payloom.admin import parse
from payloom.admin_task import Said

if TYPE_CHECKING:
    from payloom.where import Where


class Unusable(Exception):
    """What was typed cannot be used; the message says what would."""


@dataclass(slots=True)
class Wants:
    """The options that may stand anywhere in the line."""

    json: bool = False
    town: bool = False
    data: Path | None = None


def lift(words: list[str]) -> tuple[list[str], Wants]:
    """The line without `--json`, `--town` and `--data DIR`, and what they said."""
    left, wants, rest = [], Wants(), iter(words)
    for word in rest:
        if word == "--json":
            wants.json = True
        elif word == "--town":
            wants.town = True
        elif word == "--data":
            wants.data = Path(next(rest, "var"))
        elif word.startswith("--data="):
            wants.data = Path(word.removeprefix("--data="))
        else:
            left.append(word)
    return left, wants


def main(words: list[str]) -> int:
    """Parse, ask for secrets, have it done, show what was said. Returns the exit code."""
    argv, wants = lift(words)
    task = parse(argv)
    if task is None:
        return 0
    from payloom.adminline import do  # noqa: PLC0415 - `--help` does without
    from payloom.log import configure  # noqa: PLC0415 - as above
    from payloom.where import where  # noqa: PLC0415 - as above

    configure(level="error")
    meant = where(town=wants.town, data=wants.data)
    said = do(meant, argv, task, collect(task.asks, meant, str(task.args.get("gateway", ""))))
    show(said, as_json=wants.json)
    return said.code


def collect(source: str, meant: Where, gateway: str = "daraja") -> dict[str, str]:
    """Credentials from where they are: asked on the terminal, read from stdin, or the settings' own."""
    if not source:
        return {}
    from payloom.carriers import FIELDS, platform_credentials  # noqa: PLC0415 - loads the gateways

    if source == "env":
        given = platform_credentials(meant.settings()).get(gateway)
        if not given:
            first = f"PAYLOOM_{prefix_of(gateway).upper()}_{FIELDS[gateway][0].name.upper()}"
            raise Unusable(f"{first} and its companions are not set: use --from prompt or --from stdin")
        return given
    if source == "stdin":
        return _read(sys.stdin.read(65_536), gateway, [field.name for field in FIELDS[gateway]])
    if not sys.stdin.isatty():
        raise Unusable("there is no terminal to ask on: give the credentials with --from stdin or --from env")
    answers = {}
    for field in FIELDS[gateway]:
        answers[field.name] = (getpass.getpass(f"{field.question}: ") if field.secret else input(f"{field.question}: ")).strip()
    return {name: answer for name, answer in answers.items() if answer}


def prefix_of(gateway: str) -> str:
    """How the settings of a gateway begin."""
    return "mpesa" if gateway == "daraja" else gateway


def _read(text: str, gateway: str, names: list[str]) -> dict[str, str]:
    """One JSON object, or a `name=value` in each line."""
    try:
        if text.lstrip().startswith("{"):
            found = {str(name): str(value) for name, value in json.loads(text).items()}
        else:
            pairs = [line.partition("=") for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
            found = {name.strip().lower().removeprefix(f"payloom_{prefix_of(gateway)}_"): value.strip() for name, _, value in pairs}
    except ValueError:
        raise Unusable("stdin is neither JSON nor name=value lines") from None
    if set(found) - set(names) or not found:
        raise Unusable(f"stdin gives name=value lines; the names are {', '.join(names)}")
    return found


def show(said: Said, *, as_json: bool) -> None:
    """The answer, on standard output; what went wrong, on standard error."""
    if as_json:
        sys.stdout.write(json.dumps({"lines": said.lines} if said.data is None else said.data, ensure_ascii=False, indent=2) + "\n")
        return
    stream = sys.stderr if said.code else sys.stdout
    if said.rows:
        table(said.columns, said.rows)
    for line in said.lines:
        stream.write((f"payloom: {line}" if said.code else line) + "\n")


def table(columns: object, rows: object, title: str = "") -> None:
    """A table as wide as the terminal; elsewhere as wide as it needs to be."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - only where there is a table
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    drawn = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:  # type: ignore[attr-defined]
        drawn.add_column(column, overflow="fold")
    for row in rows:  # type: ignore[attr-defined]
        drawn.add_row(*(cell if isinstance(cell, Text) else Text(printable(str(cell))) for cell in row))
    Console(width=None if sys.stdout.isatty() else 200, highlight=False).print(drawn)


def printable(text: str) -> str:
    """A name that somebody chose cannot move the cursor of whoever runs the house."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
