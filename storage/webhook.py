"""Webhook endpoints, events and deliveries as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, case, exists, func, select, update

from domain.ids import OrganizationId, WebhookDeliveryId, WebhookEndpointId, WebhookEventId
from domain.webhook import DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookEvent
from storage.ahead import LISTENING
from storage.mapping import Mapper, Repository, save_value, to_us
from storage.statements import Session, Sql, insert_into, insert_unless_there, save_version, select_by
from storage.tables import webhook_deliveries, webhook_endpoints, webhook_events

_ENDPOINT, _EVENT = Mapper(webhook_endpoints, WebhookEndpoint), Mapper(webhook_events, WebhookEvent)
_ADD_ENDPOINT, _SAVE_ENDPOINT = insert_into(webhook_endpoints), save_version(webhook_endpoints, "id")
_GET_ENDPOINT, _GET_EVENT = select_by(webhook_endpoints, "id"), select_by(webhook_events, "id")
_ADD_EVENT = insert_unless_there(webhook_events)
_KEPT = select(webhook_endpoints).where(webhook_endpoints.c.state != "DELETED")
_ENDPOINTS = Sql(_KEPT.where(webhook_endpoints.c.organization_id == bindparam("organization_id")).order_by(webhook_endpoints.c.id))
_EVERY_ENDPOINT = Sql(_KEPT.order_by(webhook_endpoints.c.organization_id, webhook_endpoints.c.id))

_OF_ENDPOINT = webhook_deliveries.c.endpoint_id == bindparam("endpoint_id")
_DELIVERIES = Sql(
    select(webhook_deliveries)
    .where(_OF_ENDPOINT, webhook_deliveries.c.id < bindparam("before"))
    .order_by(webhook_deliveries.c.id.desc())
    .limit(bindparam("most"))
)
_FAILED = Sql(
    select(webhook_deliveries)
    .where(
        _OF_ENDPOINT, webhook_deliveries.c.state == "FAILED", webhook_deliveries.c.created_at >= bindparam("since"),
        webhook_deliveries.c.created_at < bindparam("until"),
    )
    .order_by(webhook_deliveries.c.id)
    .limit(bindparam("most"))
)  # fmt: skip
_NEWEST = 2**63 - 1


def _claim(dialect: str) -> Any:
    """Endpoints whose turn it is, those tried longest ago first, so that none is left waiting by others; of each the oldest due delivery."""
    endpoint, wanted, under_way = webhook_endpoints, webhook_deliveries.alias("wanted"), webhook_deliveries.alias("under_way")
    unsent = ("PENDING", "SENDING")

    def due(table: Any) -> Any:
        return and_(table.c.state.in_(unsent), table.c.act_at <= bindparam("now"))

    turn = (
        select(endpoint.c.id)
        .where(
            endpoint.c.state == "ENABLED",
            exists().where(wanted.c.endpoint_id == endpoint.c.id, due(wanted)),
            ~exists().where(
                under_way.c.endpoint_id == endpoint.c.id, under_way.c.state == "SENDING", under_way.c.act_at > bindparam("now")
            ),
        )
        .order_by(func.coalesce(endpoint.c.tried_at, 0), endpoint.c.id)
        .limit(bindparam("most"))
    )
    if dialect == "postgresql":
        # The lock is on the endpoint, so that two workers never have the same one; it lets the foreign keys of new deliveries through.
        turn = turn.with_for_update(skip_locked=True, key_share=True)
    free = turn.cte("free")
    oldest = webhook_deliveries.alias("oldest")
    first = (
        select(oldest.c.id)
        .where(oldest.c.endpoint_id == free.c.id, due(oldest))
        .order_by(oldest.c.act_at, oldest.c.id)
        .limit(1)
        .correlate(free)
        .scalar_subquery()
    )
    return (
        update(webhook_deliveries)
        .where(webhook_deliveries.c.id.in_(select(first).select_from(free)), due(webhook_deliveries))
        .values(
            {
                webhook_deliveries.c.state: DeliveryState.SENDING.value,
                # Whoever was sending it never came back: it may have arrived.
                webhook_deliveries.c.error: case((webhook_deliveries.c.state == "SENDING", "unknown"), else_=webhook_deliveries.c.error),
                "act_at": bindparam("until"),
                "tries": webhook_deliveries.c.tries + 1,
                "version": webhook_deliveries.c.version + 1,
            }
        )
        .returning(*webhook_deliveries.columns)
    )


_CLAIM = Sql(_claim)
_END: dict[Any, Any] = {
    webhook_deliveries.c.state: DeliveryState.FAILED.value,
    "error": bindparam("why"),
    "act_at": bindparam("now"),
    "version": webhook_deliveries.c.version + 1,
}
_PARK = Sql(update(webhook_deliveries).where(webhook_deliveries.c.id == bindparam("id_")).values(_END))
_FAIL_WAITING = Sql(
    update(webhook_deliveries)
    .where(webhook_deliveries.c.endpoint_id == bindparam("endpoint_was"), webhook_deliveries.c.state == "PENDING")
    .values(_END)
)


class _Deliveries(Repository[WebhookDelivery]):
    mapper = Mapper(webhook_deliveries, WebhookDelivery)


class WebhookRows:
    def __init__(self, session: Session) -> None:
        self.session = session
        self._deliveries = _Deliveries(session)

    def listening(self, organization_id: OrganizationId) -> Sequence[WebhookEndpoint]:
        return self._endpoints(LISTENING, organization_id=organization_id)

    def endpoint(self, endpoint_id: WebhookEndpointId) -> WebhookEndpoint | None:
        found = self._endpoints(_GET_ENDPOINT, id=endpoint_id)
        return found[0] if found else None

    def endpoints(self, organization_id: OrganizationId) -> Sequence[WebhookEndpoint]:
        return self._endpoints(_ENDPOINTS, organization_id=organization_id)

    def every_endpoint(self) -> Sequence[WebhookEndpoint]:
        return self._endpoints(_EVERY_ENDPOINT)

    def _endpoints(self, sql: Sql, **params: Any) -> list[WebhookEndpoint]:
        return [_ENDPOINT.read(row) for row in self.session.run(sql, **params).fetchall()]

    def add_endpoint(self, endpoint: WebhookEndpoint) -> None:
        self.session.later(_ADD_ENDPOINT, _ENDPOINT.row(endpoint))

    def save_endpoint(self, endpoint: WebhookEndpoint) -> WebhookEndpoint:
        return save_value(self.session, _ENDPOINT, _SAVE_ENDPOINT, endpoint, "id")

    def add_event(self, event: WebhookEvent) -> bool:
        return self.session.run(_ADD_EVENT, **_EVENT.row(event)).rowcount == 1

    def event(self, event_id: WebhookEventId) -> WebhookEvent:
        return _EVENT.read(self.session.run(_GET_EVENT, id=event_id).fetchone())

    def add_delivery(self, delivery: WebhookDelivery) -> None:
        self._deliveries.add(delivery)

    def delivery(self, delivery_id: WebhookDeliveryId) -> WebhookDelivery | None:
        return self._deliveries.one(_Deliveries.GET, id=delivery_id)

    def save_delivery(self, delivery: WebhookDelivery) -> WebhookDelivery:
        return self._deliveries.save(delivery)

    def deliveries(self, endpoint_id: WebhookEndpointId, before: WebhookDeliveryId | None, limit: int) -> Sequence[WebhookDelivery]:
        return self._deliveries.all(_DELIVERIES, endpoint_id=endpoint_id, before=_NEWEST if before is None else before, most=limit)

    def failed(self, endpoint_id: WebhookEndpointId, since: datetime, until: datetime, limit: int) -> Sequence[WebhookDelivery]:
        return self._deliveries.all(_FAILED, endpoint_id=endpoint_id, since=to_us(since), until=to_us(until), most=limit)

    def claim(self, now: datetime, until: datetime, limit: int) -> Sequence[WebhookDelivery]:
        found, damaged = self._deliveries.readable(_CLAIM, now=to_us(now), until=to_us(until), most=limit)
        for delivery_id in damaged:
            self.session.run(_PARK, id_=delivery_id, why="unreadable", now=to_us(now))
        return found

    def fail_waiting(self, endpoint_id: WebhookEndpointId, error: str, now: datetime) -> None:
        self.session.run(_FAIL_WAITING, endpoint_was=endpoint_id, why=error, now=to_us(now))
