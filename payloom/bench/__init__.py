"""`payloom bench`: ours beside the floor, in the same run, round by round. Bounded, on this machine only, and ends by itself."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Any, Final

BENCHES: Final[Mapping[str, str]] = {
    "settle": "settle", "buy-page": "buy_page", "telegram": "telegram", "notify": "notify", "outbox": "outbox", "scale": "scale", "start": "start", "ussd": "ussd",
    "ussd-crowd": "ussd:crowd",
}  # fmt: skip
"""By the name that is typed: the module, and its function where that is not `run(**options) -> (figures, sentences about what was left out)`."""


class NoSuchBench(Exception):
    """The message says which there are."""


def run(names: list[str], as_json: bool = False, **options: Any) -> int:
    """Run the named benches, all when none is named. 0 also when a goal is missed: a figure is not a failure."""
    from payloom.bench.figures import Figure, show  # noqa: PLC0415 - the command line loads what it needs

    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        raise NoSuchBench(f"there is no bench {', '.join(unknown)}: there are {', '.join(BENCHES)}")
    figures: list[Figure] = []
    skipped: list[str] = []
    for name in names or BENCHES:
        if not as_json:
            print(f"{name} ...", file=sys.stderr, flush=True)
        module, _, verb = BENCHES[name].partition(":")
        found, left_out = getattr(importlib.import_module(f"payloom.bench.{module}"), verb or "run")(**options)
        figures += found
        skipped += left_out
    show(figures, skipped, as_json)
    return 0
