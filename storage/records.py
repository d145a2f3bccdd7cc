"""Inbox, outbox, cards, files, keys, settings, limits and marks as rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, case, delete, exists, func, select, tuple_, update

from domain.ids import FileId, OrderId, OrganizationId, OutboxId, PersonId
from domain.life import OutboxState
from domain.person import ChannelKind
from domain.records import Answered, ApiKey, Card, GatewaySettings, InboxEvent, OutboxMessage, StoredFile
from storage.ahead import EVENT_BY_KEY
from storage.mapping import Mapper, Repository, from_us, save_value, to_json, to_us
from storage.statements import Session, Sql, insert_into, insert_unless_there, maker, save_version, select_by
from storage.tables import answered, api_keys, cards, files, gateway_settings, inbox, limits, marks, outbox, paces

_ADD_EVENT = insert_unless_there(inbox)
_INBOX_DUE = Sql(
    select(inbox)
    .where(inbox.c.state == "STORED", inbox.c.gateway == bindparam("gateway"), inbox.c.act_at <= bindparam("now"))
    .order_by(inbox.c.id)
    .limit(bindparam("most"))
)


class InboxRows(Repository[InboxEvent]):
    mapper = Mapper(inbox, InboxEvent)

    def add(self, event: InboxEvent) -> bool:  # type: ignore[override]
        return self.session.run(_ADD_EVENT, **self.mapper.row(event)).rowcount == 1

    def keep(self, event: InboxEvent) -> None:
        self.session.later(_ADD_EVENT, self.mapper.row(event), {"table": "inbox"})

    def by_key(self, gateway: str, event_key: str) -> InboxEvent | None:
        return self.one(EVENT_BY_KEY, gateway=gateway, event_key=event_key)

    def due(self, gateways: Sequence[str], now: datetime, limit: int) -> Sequence[InboxEvent]:
        found = [event for gateway in gateways for event in self.readable(_INBOX_DUE, gateway=gateway, now=to_us(now), most=limit)[0]]
        return found[:limit]


_ADD_MESSAGE = insert_unless_there(outbox)


def _claim(dialect: str) -> Any:
    with_them = outbox.alias("with_them")
    # One worker has all that is being said to a person on a channel: it keeps the order, and knows how much went there.
    busy = exists().where(
        with_them.c.person_id == outbox.c.person_id, with_them.c.channel == outbox.c.channel,
        with_them.c.state == "SENDING", with_them.c.act_at > bindparam("now"),
    )  # fmt: skip
    due = (
        select(outbox.c.id)
        .where(
            outbox.c.state.in_(("WAITING", "SENDING")), outbox.c.act_at <= bindparam("now"), outbox.c.channel == bindparam("channel"), ~busy
        )
        .order_by(outbox.c.urgency, outbox.c.act_at, outbox.c.id)
        .limit(bindparam("most"))
    )
    if dialect == "postgresql":
        # As a CTE that locks it is looked for once; as a plain subquery the planner may run it for each row, and take more than `most`.
        due = select(due.with_for_update(skip_locked=True).cte("due").c.id)
    return (
        update(outbox)
        .where(outbox.c.id.in_(due), outbox.c.state.in_(("WAITING", "SENDING")))
        .values(
            {
                outbox.c.state: OutboxState.SENDING.value,
                # Whoever was sending it never came back: it may have arrived, so whatever is said now says so.
                outbox.c.error: case((outbox.c.state == "SENDING", "unknown"), else_=outbox.c.error),
                "act_at": bindparam("until"),
                "tries": outbox.c.tries + 1,
                "version": outbox.c.version + 1,
            }
        )
        .returning(*outbox.columns)
    )


_CLAIM = Sql(_claim)
_PARK = Sql(update(outbox).where(outbox.c.id == bindparam("id_")).values(state="DEAD", error="unreadable", version=outbox.c.version + 1))
_BY_REF = select_by(outbox, "channel", "ref")


def _revive(*which: Any) -> Sql:
    dead = select(outbox.c.id).where(outbox.c.state == "DEAD", *which).order_by(outbox.c.id).limit(bindparam("most"))
    again = {"state": "WAITING", "tries": 0, "version": outbox.c.version + 1, "created_at": bindparam("now"), "act_at": bindparam("now")}
    return Sql(update(outbox).where(outbox.c.id.in_(dead), outbox.c.state == "DEAD").values(again))


_REVIVE_ALL, _REVIVE_OF = _revive(), _revive(outbox.c.error == bindparam("error_"))
_FORGET_PAST = Sql(
    delete(outbox).where(
        outbox.c.id.in_(
            select(outbox.c.id)
            .where(outbox.c.order_id.is_(None), outbox.c.state.in_(("SENT", "SKIPPED")), outbox.c.created_at < bindparam("before"))
            .limit(bindparam("most"))
        )
    )
)
_DEAD = Sql(select(outbox).where(outbox.c.state == "DEAD").order_by(outbox.c.id).limit(bindparam("most")))
_WAITING = Sql(select(func.count(), func.min(outbox.c.created_at)).where(outbox.c.state.in_(("WAITING", "SENDING"))))
_CAUSES = Sql(
    select(outbox.c.channel, outbox.c.error, func.count())
    .where(outbox.c.state == "DEAD")
    .group_by(outbox.c.channel, outbox.c.error)
    .order_by(func.count().desc(), outbox.c.channel, outbox.c.error)
    .limit(bindparam("most"))
)
_CARD = Mapper(cards, Card)
_GET_CARD = select_by(cards, "order_id", "person_id", "channel")
_PUT_CARD = Sql(
    lambda dialect: (
        insert := maker(dialect)(cards).values({column.name: bindparam(column.name) for column in cards.columns})
    ).on_conflict_do_update(
        index_elements=["order_id", "person_id", "channel"],
        set_={"message_ref": insert.excluded.message_ref, "face": insert.excluded.face, "version": cards.c.version + 1},
    )
)


class OutboxRows(Repository[OutboxMessage]):
    mapper = Mapper(outbox, OutboxMessage)

    def add(self, messages: Sequence[OutboxMessage]) -> None:  # type: ignore[override]
        self.session.many(_ADD_MESSAGE, [self.mapper.row(message) for message in messages])

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._damaged: list[OutboxId] = []

    def claim(self, now: datetime, until: datetime, limit: int, channel: ChannelKind) -> Sequence[OutboxMessage]:
        found, self._damaged = self.readable(_CLAIM, now=to_us(now), until=to_us(until), most=limit, channel=channel)
        for outbox_id in self._damaged:
            self.session.run(_PARK, id_=outbox_id)
        return sorted(found, key=lambda message: (message.urgency, message.id))

    def parked(self) -> Sequence[OutboxId]:
        return self._damaged

    def by_ref(self, channel: ChannelKind, ref: str) -> OutboxMessage | None:
        return self.one(_BY_REF, channel=channel, ref=ref)

    def revive(self, error: str | None, now: datetime, limit: int) -> int:
        if error is None:
            return self.session.run(_REVIVE_ALL, now=to_us(now), most=limit).rowcount
        return self.session.run(_REVIVE_OF, now=to_us(now), most=limit, error_=error).rowcount

    def forget(self, before: datetime, limit: int) -> int:
        return self.session.run(_FORGET_PAST, before=to_us(before), most=limit).rowcount

    def dead(self, limit: int) -> Sequence[OutboxMessage]:
        return self.all(_DEAD, most=limit)

    def causes(self, limit: int) -> Sequence[tuple[ChannelKind, str, int]]:
        return [(ChannelKind(row[0]), row[1], row[2]) for row in self.session.run(_CAUSES, most=limit).fetchall()]

    def waiting(self) -> tuple[int, datetime | None]:
        count, oldest = self.session.run(_WAITING).fetchone()
        return count, None if oldest is None else from_us(oldest)

    def card(self, order_id: OrderId, person_id: PersonId, channel: ChannelKind) -> Card | None:
        row = self.session.run(_GET_CARD, order_id=order_id, person_id=person_id, channel=channel).fetchone()
        return None if row is None else _CARD.read(row)

    def put_card(self, card: Card) -> None:
        self.session.later(_PUT_CARD, _CARD.row(card))


_SIZES = Sql(select(files.c.id, files.c.width, files.c.height).where(files.c.kind == bindparam("kind")).order_by(files.c.width.desc()))


class FileRows(Repository[StoredFile]):
    mapper = Mapper(files, StoredFile)

    def sizes(self, file_id: FileId) -> Sequence[tuple[FileId, int, int]]:
        return [(FileId(row[0]), row[1], row[2]) for row in self.session.run(_SIZES, kind=f"picture:{file_id}").fetchall()]


_KEY = Mapper(api_keys, ApiKey)
_ADD_KEY = insert_into(api_keys)
_GET_KEY = select_by(api_keys, "prefix")
_SAVE_KEY = save_version(api_keys, "id")
_ANSWERED = Mapper(answered, Answered)
_GET_ANSWERED = select_by(answered, "scope", "key")
_ADD_ANSWERED = insert_into(answered)


class KeyRows:
    def __init__(self, session: Session) -> None:
        self.session = session

    def add_api_key(self, key: ApiKey) -> None:
        self.session.later(_ADD_KEY, _KEY.row(key))

    def api_key(self, prefix: str) -> ApiKey | None:
        row = self.session.run(_GET_KEY, prefix=prefix).fetchone()
        return None if row is None else _KEY.read(row)

    def save_api_key(self, key: ApiKey) -> ApiKey:
        return save_value(self.session, _KEY, _SAVE_KEY, key, "id")

    def answered(self, scope: str, key: str) -> Answered | None:
        row = self.session.run(_GET_ANSWERED, scope=scope, key=key).fetchone()
        return None if row is None else _ANSWERED.read(row)

    def remember(self, answer: Answered) -> None:
        self.session.later(_ADD_ANSWERED, _ANSWERED.row(answer))


_SETTINGS = Mapper(gateway_settings, GatewaySettings)
_GET_SETTINGS = select_by(gateway_settings, "organization_id", "gateway")
_ADD_SETTINGS = insert_unless_there(gateway_settings)
_SAVE_SETTINGS = save_version(gateway_settings, "organization_id", "gateway")


class SettingsRows:
    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, organization_id: OrganizationId, gateway: str) -> GatewaySettings | None:
        row = self.session.run(_GET_SETTINGS, organization_id=organization_id, gateway=gateway).fetchone()
        return None if row is None else _SETTINGS.read(row)

    def put(self, settings: GatewaySettings) -> None:
        known = self.get(settings.organization_id, settings.gateway)
        if known is None:
            self.session.run(_ADD_SETTINGS, **_SETTINGS.row(settings))
        else:
            renewed = replace(settings, version=known.version)
            save_value(self.session, _SETTINGS, _SAVE_SETTINGS, renewed, "organization_id", "gateway")


_COUNT = Sql(
    lambda dialect: (
        maker(dialect)(limits)
        .values(name=bindparam("name"), subject=bindparam("subject"), window=bindparam("window"), count=1)
        .on_conflict_do_update(index_elements=["name", "subject", "window"], set_={"count": limits.c.count + 1})
        .returning(limits.c.count)
    )
)
_SEEN = select_by(limits, "name", "subject", "window")
_FORGET = Sql(
    delete(limits).where(
        tuple_(limits.c.name, limits.c.subject, limits.c.window).in_(
            select(limits.c.name, limits.c.subject, limits.c.window).where(limits.c.window < bindparam("before")).limit(bindparam("most"))
        )
    )
)


def _hold_places(dialect: str) -> Any:
    later = case((paces.c.free_at > bindparam("until"), paces.c.free_at), else_=bindparam("until"))
    return (
        maker(dialect)(paces)
        .values(name=bindparam("name"), free_at=bindparam("until"))
        .on_conflict_do_update(index_elements=["name"], set_={"free_at": later})
        .returning(paces.c.free_at)
    )


_HOLD_PLACES = Sql(_hold_places)


class LimitRows:
    def __init__(self, session: Session) -> None:
        self.session = session

    def count(self, name: str, subject: str, window_s: int, now: datetime) -> int:
        return int(self.session.run(_COUNT, name=name, subject=subject, window=_window(window_s, now)).fetchone()[0])

    def seen(self, name: str, subject: str, window_s: int, now: datetime) -> int:
        row = self.session.run(_SEEN, name=name, subject=subject, window=_window(window_s, now)).fetchone()
        return 0 if row is None else int(row[3])

    def forget(self, before: datetime, limit: int) -> int:
        return self.session.run(_FORGET, before=to_us(before) // 1_000_000, most=limit).rowcount

    def hold_places(self, name: str, until: datetime) -> datetime:
        return from_us(self.session.run(_HOLD_PLACES, name=name, until=to_us(until)).fetchone()[0])


def _window(window_s: int, now: datetime) -> int:
    start = to_us(now) // 1_000_000
    return start - start % window_s


_GET_MARK = select_by(marks, "name")
_PUT_MARK = Sql(
    lambda dialect: (insert := maker(dialect)(marks).values(name=bindparam("name"), value=bindparam("value"))).on_conflict_do_update(
        index_elements=["name"], set_={"value": insert.excluded.value}
    )
)


class MarkRows:
    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, name: str) -> dict[str, Any] | None:
        row = self.session.run(_GET_MARK, name=name).fetchone()
        return None if row is None else json.loads(row[1])

    def put(self, name: str, value: Mapping[str, Any]) -> None:
        self.session.later(_PUT_MARK, {"name": name, "value": to_json(value)})
