"""A provider's limit, shared out between the processes that speak to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from domain.ports import Unit

PACES = "paces"
LEASE = timedelta(seconds=5)
"""What a process had that was not heard of for so long is free again. It stopped using it long before (gateways/messages/pace.py): the difference
is for what it had sent last, and for clocks that disagree."""


def take_share(unit: Unit, name: str, who: int, most: int, keeps: int, wants: int) -> tuple[int, int, datetime]:
    """Of the `most` that a provider takes in its second, `who` cannot let go of `keeps` yet and wants `wants`.

    Who it is (0: somebody new), how many it may use from now on, and until when nobody may speak.
    """
    silent_until = unit.limits.hold_places(name, unit.now)  # its row is ours until the unit ends
    who = who or unit.new_id()
    row = unit.marks.get(f"pace:{name}") or {}
    others = {one: held for one, held in row.items() if one != str(who) and datetime.fromisoformat(held["until"]) > unit.now}
    if not keeps and not wants:
        unit.marks.put(f"pace:{name}", others)
        return who, 0, silent_until
    fair = fair_shares({one: held["wants"] for one, held in others.items()} | {str(who): wants}, most)[str(who)]
    free = max(0, most - sum(held["has"] for held in others.values()))
    has = max(keeps, min(fair, free))
    unit.marks.put(f"pace:{name}", others | {str(who): {"has": has, "wants": wants, "until": (unit.now + LEASE).isoformat()}})
    return who, min(has, fair), silent_until


def fair_shares(wants: Mapping[str, int], most: int) -> dict[str, int]:
    """Who wants little gets it, the others get the same, and what nobody wants is spread over all."""
    left, shares = most, dict[str, int]()
    for place, (one, wanted) in enumerate(sorted(wants.items(), key=lambda item: (item[1], item[0]))):
        shares[one] = min(wanted, -(-left // (len(wants) - place)))
        left -= shares[one]
    return {one: share + left // len(wants) for one, share in shares.items()}


def hold_places(unit: Unit, name: str, wait: timedelta) -> None:
    """The provider told one of us to wait: that holds for all, and they hear of it at once."""
    unit.limits.hold_places(name, unit.now + wait)
    unit.wake(PACES, name=name, seconds=wait.total_seconds())
