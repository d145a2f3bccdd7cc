"""Stripe alone, served on loopback: for trying a client against it, and for tests.

`python -m town.stripe.standalone 8094` serves until interrupted.
"""

from __future__ import annotations

from typing import Any

from town.alone import Alone, serve
from town.core import Core
from town.stripe.server import Stripe


class Standalone(Alone):
    """`async with Standalone(seed=1) as alone:` serves."""

    def __init__(self, seed: int | None = None, port: int = 0, **settings: Any) -> None:
        core = Core(seed)
        self.stripe = Stripe(core, **settings)
        super().__init__(core, port, self.stripe)

    @property
    def base_url(self) -> str:
        """What a client takes instead of `https://api.stripe.com`."""
        return f"{self.url}/town/stripe"


if __name__ == "__main__":
    serve(Standalone, lambda alone: alone.base_url)
