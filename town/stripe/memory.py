"""Keeping Stripe's accounts in a file, so that a town that starts again is the town that was left.

Deliveries under way and banks' open questions do not outlive the town: the one is asked for at `/town/api/stripe/send`, the other again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from town.stripe.books import Account, Endpoint
from town.stripe.gate import Gate
from town.stripe.shapes import Json

VERSION = 2
_KEPT = ("sessions", "lines", "intents", "charges", "refunds", "disputes", "transactions", "events", "asked_with")


def dump(accounts: Mapping[str, Account], gate: Gate) -> Json:
    return {
        "version": VERSION,
        "keys": gate.keys(),
        "accounts": [
            {
                "key": account.key,
                "endpoints": [asdict(one) for one in account.endpoints],
                **{name: getattr(account, name) for name in _KEPT},
            }
            for account in accounts.values()
        ],
    }


def save(accounts: Mapping[str, Account], gate: Gate, keep: Path) -> None:
    """Write `keep` whole or not at all."""
    beside = keep.with_suffix(".new")
    beside.write_text(json.dumps(dump(accounts, gate), ensure_ascii=False), encoding="utf-8")
    beside.replace(keep)


def load(accounts: Mapping[str, Account], gate: Gate, keep: Path) -> bool:
    """Take up what `keep` holds of the accounts that are there; False when there is nothing (of this version) to take up.

    An account that has endpoints already keeps its own: addresses are what the one who starts the town says.
    """
    if not keep.is_file():
        return False
    kept: Json = json.loads(keep.read_text(encoding="utf-8"))
    if kept.get("version") != VERSION:
        return False
    gate.put_back(kept["keys"])
    for one in kept["accounts"]:
        account = accounts.get(one["key"])
        if account is None:
            continue
        for name in _KEPT:
            getattr(account, name).update(one[name])
        if not account.endpoints:
            account.endpoints += [Endpoint(**{**endpoint, "enabled": tuple(endpoint["enabled"])}) for endpoint in one["endpoints"]]
    return True
