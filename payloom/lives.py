"""Draws docs/lives.md from the tables of domain/life.py: `payloom lives` writes it, a test keeps it true."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from domain.life import LIVES, Life
from domain.rights import Party

_HEAD: Final = """\
# Lives

Drawn from `domain/life.py` by `payloom lives`; a change is made there, and a test compares. A step that no row has is refused
(`IllegalTransition`) and changes nothing; a step to where a thing already is succeeds and does nothing; a step that a party has no
right to is answered like a thing that does not exist. An arrow shows the fact that is told, when one is. "Books" are the kinds of
ledger entry (`domain/booking.py`) that are written in the same unit of work.
"""


def draw() -> str:
    """The whole page, the same for the same tables."""
    return "\n".join([_HEAD, *(part for life in LIVES for part in _life(life))])


def _life(life: Life[Any]) -> list[str]:
    return [f"## {life.name}", "", *_diagram(life), "", *_table(life), ""]


def _diagram(life: Life[Any]) -> list[str]:
    lines = ["```mermaid", "stateDiagram-v2", "    direction LR"]
    lines += [f"    [*] --> {state}" for state in _in_order(life, life.initial)]
    lines += [f"    {move.source} --> {move.target}{f': {move.tells}' if move.tells else ''}" for move in life.moves]
    lines += [f"    {state} --> [*]" for state in _in_order(life, life.final)]
    return [*lines, "```"]


def _table(life: Life[Any]) -> list[str]:
    lines = ["| from | to | who | books | tells |", "| --- | --- | --- | --- | --- |"]
    for move in life.moves:
        who = ", ".join(party for party in Party if party in move.by)
        books = ", ".join(f"`{kind}`" for kind in move.books)
        cells = (move.source, move.target, who, books, f"`{move.tells}`" if move.tells else "")
        lines.append("|".join(["", *(f" {cell} " if cell else " " for cell in cells), ""]))
    return lines


def _in_order(life: Life[Any], states: frozenset[StrEnum]) -> list[StrEnum]:
    return [state for state in life.states if state in states]
