"""PayTabs alone, served on loopback: for trying a client against it, and for tests.

`python -m town.paytabs.standalone 8092` serves until interrupted.
"""

from __future__ import annotations

from typing import Any

from town.alone import Alone, serve
from town.core import Core
from town.paytabs.server import PayTabs


class Standalone(Alone):
    """`async with Standalone(seed=1) as alone:` serves."""

    def __init__(self, seed: int | None = None, port: int = 0, **settings: Any) -> None:
        core = Core(seed)
        self.paytabs = PayTabs(core, **settings)
        super().__init__(core, port, self.paytabs)

    @property
    def base_url(self) -> str:
        """What a client takes instead of the host of a region."""
        return f"{self.url}/town/paytabs"


if __name__ == "__main__":
    serve(Standalone, lambda alone: alone.base_url)
