"""How the tour looks: chats as they happen, compact; coloured on a terminal, plain elsewhere; nothing at all where a document is wanted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "bright_red", "bright_cyan", "bright_magenta", "bright_green", "bright_yellow")
LAST_SAID = 24
NAME_WIDTH = 8
AMOUNTS = frozenset({"balance", "moved", "it keeps", "we say"})
"""Columns of tables that hold money."""


@dataclass(slots=True)
class Spoken:
    """One line of a chat: who said it to whom, the text, and the buttons under it."""

    who: str
    to: str
    text: str
    buttons: Sequence[str] = ()
    edited: bool = False

    def shown(self) -> dict[str, Any]:
        return {"who": self.who, "to": self.to, "text": self.text, "buttons": list(self.buttons), "edited": self.edited}


@dataclass(slots=True)
class Printer:
    """`quiet` prints nothing; what was said is kept either way, for the document and for the moment something is wrong."""

    quiet: bool = False
    said: list[Spoken] = field(default_factory=list)
    _console: Console = field(default_factory=lambda: Console(highlight=False, emoji=False, markup=False))
    _colours: dict[str, str] = field(default_factory=dict)

    def scene(self, number: int, name: str) -> None:
        self.said = []
        if not self.quiet:
            self._console.print()
            self._console.print(Rule(Text(f" {number}  {name} ", style="bold"), align="left", style="dim"))

    def say(self, spoken: Spoken) -> None:
        self.said.append(spoken)
        if not self.quiet:
            self._bubble(spoken)

    @contextlib.contextmanager
    def hushed(self, instead: str) -> Iterator[None]:
        """What was shown before in full is told in one line; it is kept all the same."""
        self.note(instead)
        was, self.quiet = self.quiet, True
        try:
            yield
        finally:
            self.quiet = was

    def note(self, text: str) -> None:
        """What is not a chat: a clock moved, a phone rang, a page was opened."""
        self.said.append(Spoken("", "", text))
        self.plain(f"{'':>{NAME_WIDTH}} · {text}", "dim")

    def good(self, text: str) -> None:
        self.plain(f"{'':>{NAME_WIDTH}} ✓ {text}", "green")

    def bad(self, scene: str, what: str) -> None:
        """Which expectation failed, with the chat so far."""
        self.plain(f"\n✗ {scene}: {what}", "bold red")
        self.plain("  The last that was said:", "red")
        for spoken in self.said[-LAST_SAID:]:
            self.plain(f"    {spoken.who} > {spoken.to}: {' / '.join(spoken.text.splitlines())} {_keys(spoken.buttons)}".rstrip())

    def plain(self, text: str, style: str = "") -> None:
        if not self.quiet:
            self._console.print(Text(text, style=style), soft_wrap=True)

    def table(self, title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        if self.quiet:
            return
        table = Table(
            title=Text(title, style="bold"), title_justify="left", box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0)
        )
        for n, head in enumerate(heads):
            table.add_column(head, justify="right" if n and head in AMOUNTS else "left", no_wrap=True)
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        self._console.print()
        self._console.print(table)

    def _bubble(self, spoken: Spoken) -> None:
        bot = spoken.who == "bot"
        person = spoken.to if bot else spoken.who
        colour = self._colours.setdefault(person, COLOURS[len(self._colours) % len(COLOURS)])
        lines = [line for line in spoken.text.splitlines() if line.strip()] or [""]
        sign = ("✎" if spoken.edited else "◂") if bot else "▸"
        first = Text(f"{person:>{NAME_WIDTH}} {sign} ", style=colour)
        first.append(lines[0], style="" if bot else f"bold {colour}")
        self._console.print(first, soft_wrap=True)
        for line in lines[1:]:
            self._console.print(Text(f"{'':>{NAME_WIDTH}}   {line}"), soft_wrap=True)
        if spoken.buttons:
            self._console.print(Text(f"{'':>{NAME_WIDTH}}   {_keys(spoken.buttons)}", style="dim"), soft_wrap=True)


def _keys(buttons: Sequence[str]) -> str:
    return " ".join(f"[{button}]" for button in buttons)
