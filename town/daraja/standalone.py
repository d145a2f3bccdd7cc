"""Daraja and the phones alone, served on loopback: for trying a client against it, and for tests.

`python -m town.daraja.standalone 8090` serves until interrupted.
"""

from __future__ import annotations

from typing import Any

from town.alone import Alone, serve
from town.core import Core
from town.daraja.server import Daraja
from town.phones import Phones


class Standalone(Alone):
    """`async with Standalone(seed=1) as alone:` serves."""

    def __init__(self, seed: int | None = None, port: int = 0, **settings: Any) -> None:
        core = Core(seed)
        self.phones = Phones(core)
        self.daraja = Daraja(core, self.phones, **settings)
        super().__init__(core, port, self.daraja, self.phones.routes())

    @property
    def base_url(self) -> str:
        """What a client takes instead of `https://api.safaricom.co.ke`."""
        return f"{self.url}/town/daraja"


if __name__ == "__main__":
    serve(Standalone, lambda alone: alone.base_url)
