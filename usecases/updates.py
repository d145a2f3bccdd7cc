"""What people say, written down before it is confirmed: updates of a chat channel, and the screens that answer them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from domain.ids import InboxId, OutboxId, PersonId
from domain.life import InboxState, OutboxState
from domain.person import ChannelKind
from domain.ports import Unit
from domain.records import InboxEvent, OutboxMessage

TELEGRAM: Final = "telegram"
"""Where its updates lie in the inbox, payments among them: the chat's door takes them up, not the one of the gateways."""
PAYMENT: Final = "payment"
"""The kind of an update that tells of money; every other is an `update`."""
ABANDONED = timedelta(seconds=60)
"""An update stored this long ago and not handled was cut off by a crash."""

MOST_TRIES = 5
RESEND = timedelta(seconds=20)
"""A screen whose delivery is not known after this is sent by the worker."""


def store_updates(unit: Unit, gateway: str, updates: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write them all down, each once; returns the keys of those seen for the first time."""
    fresh = []
    for update in updates:
        raw = json.dumps(update, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        event = InboxEvent(
            id=InboxId(unit.new_id()), gateway=gateway, event_key=str(update["update_id"]), kind=_kind(update), raw=raw, headers={}, source="",
            received_at=unit.now, state=InboxState.STORED, act_at=unit.now + ABANDONED,
        )  # fmt: skip
        if unit.inbox.add(event):
            fresh.append(event.event_key)
    return fresh


def tells_of_money(update: Mapping[str, Any]) -> bool:
    """A payment in the chat, or one that went back."""
    message = update.get("message")
    return isinstance(message, Mapping) and not message.keys().isdisjoint({"successful_payment", "refunded_payment"})


def _kind(update: Mapping[str, Any]) -> str:
    return PAYMENT if tells_of_money(update) else "update"


def waiting_update(unit: Unit, gateway: str, event_key: str) -> tuple[InboxEvent | None, bool]:
    """The stored update, if it was stored, and whether it still waits to be handled."""
    event = unit.inbox.by_key(gateway, event_key)
    return event, event is None or event.state is InboxState.STORED


def finish_update(unit: Unit, event: InboxEvent | None, *, conceal: bool = False) -> None:
    """It became a turn: in the same unit, so that it can never be handled twice. Of one that held a secret only its number stays."""
    if event is not None:
        raw = json.dumps({"update_id": int(event.event_key), "concealed": True}).encode() if conceal else event.raw
        unit.inbox.save(replace(event, state=InboxState.APPLIED, act_at=None, raw=raw))


def end_update(unit: Unit, gateway: str, event_key: str, error: str = "", *, park: bool = False) -> None:
    """An update that led to no turn is done; one that failed is tried again later, and parked after some tries, or at once."""
    event, waits = waiting_update(unit, gateway, event_key)
    if event is None or not waits:
        return
    tries = event.tries + 1
    if error and tries < MOST_TRIES and not park:
        unit.inbox.save(replace(event, tries=tries, error=error, act_at=unit.now + ABANDONED * tries))
    else:
        unit.inbox.save(replace(event, tries=tries, error=error, act_at=None, state=InboxState.PARKED if error else InboxState.IGNORED))


def promise_screen(unit: Unit, person_id: PersonId, channel: ChannelKind, version: int, key: str) -> OutboxId:
    """The screen that answers is also an outbox row, due a little later: if this process dies before it is sent, the worker sends it."""
    message = OutboxMessage(
        id=OutboxId(unit.new_id()), fact="screen", key=f"screen:{person_id}:{version}:{key}", person_id=person_id, channel=channel, urgency=0,
        payload={"version": version}, state=OutboxState.WAITING, created_at=unit.now, act_at=unit.now + RESEND,
    )  # fmt: skip
    unit.outbox.add([message])
    return message.id


def screen_delivered(
    unit: Unit, outbox_id: OutboxId | None, person_id: PersonId, channel: ChannelKind, version: int, ref: str | None
) -> None:
    """The screen reached the channel: the promise is kept, and the message is remembered so that it can be edited."""
    if outbox_id is not None:
        message = unit.outbox.get(outbox_id)
        if message.state in {OutboxState.WAITING, OutboxState.SENDING}:
            unit.outbox.save(replace(message, state=OutboxState.SENT, sent_at=unit.now))
    place = unit.conversations.get(person_id, channel) if ref is not None else None
    if place is not None and place.version == version:
        unit.conversations.note_shown(person_id, channel, version, {**place.shown, "ref": ref})
