"""Which house a command is about: the one of the settings, or a town in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from payloom.settings import BadSettings, Settings, load, read

TOWN: Path = Path("var")


class NoTown(Exception):
    """There is no town in this folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"there is no town in {folder}/: `make run` (or `payloom town`) opens one")


@dataclass(frozen=True, slots=True)
class Where:
    """A house that is meant. Its address is known at once; its settings are loaded, and found good or bad, when they are asked for."""

    database_url: str
    town: Path | None

    def settings(self) -> Settings:
        """Raises BadSettings, NoTown."""
        if self.town is not None:
            return town_of(self.town)
        try:
            return load()
        except BadSettings as bad:
            if town_is_in(TOWN):
                raise BadSettings([*bad.problems, f"or, if you mean the town in {TOWN}/: say --town"]) from None
            raise


def where(*, town: bool = False, data: Path | None = None) -> Where:
    """The town where that is meant, else the house of the environment. Raises BadSettings, NoTown."""
    if not town and data is None:
        return Where(read().database_url, None)
    folder = data or TOWN
    if not town_is_in(folder):
        raise NoTown(folder)
    return Where(f"sqlite+aiosqlite:///{folder / 'payloom.db'}", folder)


def settings_or_town(data: Path | None = None) -> Settings:
    """As above; where nothing at all is set up, the town in var/ if there is one."""
    if data is not None:
        return town_of(data)
    try:
        return load()
    except BadSettings:
        if town_is_in(TOWN) and not read().secret_key:
            return town_of(TOWN)
        raise


def town_is_in(folder: Path) -> bool:
    return (folder / "town-secrets.json").exists()


def town_of(folder: Path, port: int = 8080) -> Settings:
    """A town's settings without opening one: nothing is made where there is none."""
    if not town_is_in(folder):
        raise NoTown(folder)
    from payloom.streets import town_settings  # noqa: PLC0415 - loads the whole house

    return town_settings(folder, port, cards=True)
