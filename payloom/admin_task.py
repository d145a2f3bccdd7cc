"""A command of the desk as a value: what it will do, and what it said. Parsed where it is typed, worked where the database is open."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from domain.ports import Unit
    from payloom.wiring import Built
    from usecases.admin import Desk

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Said:
    """Lines for people, a table where there is one, `data` for machines, and the exit code."""

    lines: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    data: Any = None
    code: int = 0

    def packed(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Room:
    """Where a task works: the house with its store open. `given` is what the person at the terminal was asked for."""

    house: Built
    given: Mapping[str, str] = field(default_factory=dict, repr=False)

    async def write(self, work: Callable[[Unit, Desk], R]) -> R:
        from payloom.admin_rows import DeskRows  # noqa: PLC0415 - where a command is only typed, no database is loaded

        return await self.house.hall.store.write(lambda unit: work(unit, DeskRows(unit)))

    async def read(self, work: Callable[[Unit, Desk], R]) -> R:
        from payloom.admin_rows import DeskRows  # noqa: PLC0415 - as above

        return await self.house.hall.store.read(lambda unit: work(unit, DeskRows(unit)))


@dataclass(frozen=True, slots=True)
class Task:
    """`verb` is `module.function` under `payloom/`: loaded where the work is done. `asks` is what is asked for at the terminal before."""

    verb: str
    args: Mapping[str, Any] = field(default_factory=dict)
    asks: str = ""


async def execute(house: Built, task: Task, given: Mapping[str, str]) -> Said:
    """Do it. A refusal is an answer with a sentence and exit code 1; a bug is raised."""
    from domain.errors import DomainError  # noqa: PLC0415 - as above
    from payloom.admin_words import sentence  # noqa: PLC0415 - as above
    from storage.store import StoreUnavailable  # noqa: PLC0415 - as above

    try:
        module, _, name = task.verb.partition(".")
        work: Callable[..., Awaitable[Said]] = getattr(importlib.import_module(f"payloom.{module}"), name)
        return await work(Room(house, given), **task.args)
    except DomainError as refusal:
        said = sentence(refusal)
        return Said((said,), data={"error": refusal.code, "message": said}, code=1)
    except StoreUnavailable:
        said = "the database cannot be used now: `payloom doctor` says why"
        return Said((said,), data={"error": "unavailable", "message": said}, code=1)
