"""Product pages, made once for each state of a link and each language, and kept as bytes.

What a page shows (the link, its stock, the shop, which methods work) is read again when it is older than a second, by one reader for all who wait;
only if it differs is the page made anew. The bell's `link` topic makes a page old at once, here and in other processes. So a page is at most
a second behind, whatever changes and whoever changes it, and a busy link costs one small read a second (docs/decisions: pages). The
purchase itself never believes the page: it asks the rules again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from domain.ids import FileId
from domain.ports import Unit
from domain.tokens import Purpose
from usecases import views
from usecases.hall import Hall
from usecases.views import ProductView
from web.splice import Spliced

FRESH_S: Final = 1.0
MOST_PAGES: Final = 2_000
KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Picture:
    """One product picture: its address without the size, and the widths there are, with their heights."""

    address: str
    sizes: tuple[tuple[int, int], ...]

    def at(self, width: int) -> str:
        return f"{self.address}/{width}"


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything a product page is made of."""

    view: ProductView
    pictures: tuple[Picture, ...]


def read_shown(unit: Unit, code: str, abilities: Mapping[str, Any]) -> Shown:
    """Raises NotFound for a code that never was."""
    view = views.product(unit, code, abilities)
    return Shown(view, tuple(_picture(unit, picture) for picture in view.link.pictures))


def _picture(unit: Unit, picture: FileId) -> Picture:
    sizes = tuple((width, height) for _, width, height in unit.files.sizes(picture)) or ((720, 720),)
    return Picture(f"/pictures/{unit.tokens.make(Purpose.FILE, picture)}", sizes)


@dataclass(slots=True)
class Page:
    shown: Shown
    body: Spliced
    status: int
    looked_s: float


class Shelf:
    """`make(shown, language)` renders and compresses a page; it runs once for each state of a link."""

    def __init__(self, hall: Hall, make: Callable[[Shown, str], Spliced], fresh_s: float = FRESH_S) -> None:
        self._hall = hall
        self._make = make
        self._fresh_s = fresh_s
        self._pages: OrderedDict[tuple[str, str], Page] = OrderedDict()
        self._looking: dict[str, asyncio.Task[Shown]] = {}
        self._stop: Callable[[], None] | None = None

    def start(self) -> None:
        self._stop = self._hall.bell.listen("link", self._changed)

    def stop(self) -> None:
        if self._stop is not None:
            self._stop()

    def _changed(self, what: Mapping[str, Any]) -> None:
        for page in self._pages.values():
            if page.shown.view.link.id == what.get("id"):
                page.looked_s = float("-inf")

    def on_shelf(self, code: str, language: str) -> Page | None:
        """The page if it is there and fresh enough: the quick way, without waiting."""
        page = self._pages.get((code, language))
        if page is None or self._hall.clock.monotonic_s() - page.looked_s >= self._fresh_s:
            return None
        return page

    async def page(self, code: str, language: str) -> Page:
        """Raises NotFound."""
        looked_s = self._hall.clock.monotonic_s()
        shown = await self._look(code)
        key = (code, language)
        page = self._pages.get(key)
        if page is None or page.shown != shown:
            page = Page(shown, self._make(shown, language), 200 if shown.view.why_not is None else 410, looked_s)
            self._pages[key] = page
        page.looked_s = looked_s
        self._pages.move_to_end(key)
        while len(self._pages) > MOST_PAGES:
            self._pages.popitem(last=False)
        return page

    async def _look(self, code: str) -> Shown:
        """One read for all who want to know at this moment."""
        task = self._looking.get(code)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._hall.store.read(read_shown, code, self._hall.abilities))
            self._looking[code] = task
            task.add_done_callback(lambda done: self._looked(code, done))
        return await asyncio.shield(task)

    def _looked(self, code: str, done: asyncio.Task[Shown]) -> None:
        self._looking.pop(code, None)
        if not done.cancelled():
            done.exception()
