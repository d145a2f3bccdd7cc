"""Keeping PayPal in a file, so that a town that starts again is the town that was left. Events under way are not sent again by themselves."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from town.paypal.apps import App
from town.paypal.hooks import Event, Hook, Hooks
from town.paypal.office import Office
from town.paypal.records import Capture, Dispute, Json, Order, Refund

VERSION = 1


def save(office: Office, hooks: Hooks, keep: Path) -> None:
    """Write `keep` whole or not at all."""
    beside = keep.with_suffix(".new")
    beside.write_text(json.dumps(_dump(office, hooks), ensure_ascii=False), encoding="utf-8")
    beside.replace(keep)


def load(office: Office, hooks: Hooks, keep: Path) -> bool:
    """Take up what `keep` holds; False when there is nothing (of this version) to take up. What is of apps that are gone is left out."""
    if not keep.is_file():
        return False
    kept: Json = json.loads(keep.read_text(encoding="utf-8"))
    if kept.get("version") != VERSION:
        return False
    apps = office.portal.apps
    for client_id, balances in kept["balances"].items():
        if client_id in apps:
            apps[client_id].balances = balances
    for one in _of(kept["orders"], apps):
        payer = one.pop("payer")
        order = Order(**one, payer=office.buyers.get(payer or ""), captures=[])
        office.orders[order.id] = order
    for one in kept["captures"]:
        if (of := office.orders.get(one.pop("order"))) is not None:
            capture = office.captures[one["id"]] = Capture(**_timed(one), order=of, refunds=[])
            of.captures.append(capture)
    for one in kept["refunds"]:
        if (taken := office.captures.get(one.pop("capture"))) is not None:
            refund = office.refunds[one["id"]] = Refund(**_timed(one), capture=taken)
            taken.refunds.append(refund)
    for one in kept["disputes"]:
        if (about := office.captures.get(one.pop("capture"))) is not None:
            office.disputes[one["id"]] = Dispute(**_timed(one), capture=about)
    for one in _of(kept["hooks"], apps):
        hooks.hooks[one["id"]] = Hook(**{**one, "types": tuple(one["types"])})
    for one in _of(kept["events"], apps):
        hooks.events[one["id"]] = Event(**one, raw=hooks.raw(one["body"]))
    for client_id, desk, key, at, found in kept["keys"]:
        office.keys[client_id, desk, key] = datetime.fromisoformat(at), found
    office.books[:] = kept["books"]
    return True


def _dump(office: Office, hooks: Hooks) -> Json:
    return {
        "version": VERSION,
        "balances": {app.client_id: app.balances for app in office.portal.apps.values()},
        "orders": [
            _flat(one, "captures") | {"app": one.app.client_id, "payer": one.payer.email if one.payer else None}
            for one in office.orders.values()
        ],
        "captures": [_flat(one, "refunds") | {"order": one.order.id} for one in office.captures.values()],
        "refunds": [_flat(one) | {"capture": one.capture.id} for one in office.refunds.values()],
        "disputes": [_flat(one) | {"capture": one.capture.id} for one in office.disputes.values()],
        "hooks": [_flat(one) | {"app": one.app.client_id} for one in hooks.hooks.values()],
        "events": [_flat(one, "raw") | {"app": one.app.client_id} for one in hooks.events.values()],
        "keys": [[*key, at.isoformat(), found] for key, (at, found) in office.keys.items()],
        "books": office.books,
    }


def _flat(one: Any, *without: str) -> Json:
    """The fields of a record; what it points to is named by the caller."""
    values = {
        field.name: getattr(one, field.name) for field in fields(one) if field.name not in (*without, "app", "order", "capture", "payer")
    }
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def _timed(one: Json) -> Json:
    return {
        name: datetime.fromisoformat(value) if name in ("at", "approved_at") and value is not None else value for name, value in one.items()
    }


def _of(kept: list[Json], apps: dict[str, App]) -> list[Json]:
    """Those of apps that are still there."""
    return [{**_timed(one), "app": apps[one["app"]]} for one in kept if one["app"] in apps]
