"""Webhooks: where an organization wants to be told, the log of what was sent there, and sending it again. For owners."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from domain.errors import NotFound
from domain.ids import WebhookDeliveryId, WebhookEndpointId
from domain.ports import Unit
from domain.webhook import DeliveryState, WebhookDelivery, WebhookEndpoint, event_name
from usecases import webhooks
from usecases.api_keys import Caller
from web.api.v1 import schemas, webhook_shapes
from web.api.v1.endpoint import Call, Done, Endpoint, Who
from web.api.v1.links import shown

_NAME: Final = re.compile(r"(we|dlv)_([0-7]?[0-9a-f]{1,15})", re.ASCII)


def _number(text: str, kind: str) -> int:
    found = _NAME.fullmatch(text)
    if found is None or found[1] != kind:
        raise NotFound(what="webhook")
    return int(found[2], 16)


def _endpoint_id(call: Call) -> WebhookEndpointId:
    return WebhookEndpointId(_number(call.path["webhook"], "we"))


def _webhook(unit: Unit, endpoint: WebhookEndpoint) -> webhook_shapes.WebhookShown:
    overlaps = endpoint.before_until is not None and unit.now < endpoint.before_until
    return webhook_shapes.WebhookShown(
        id=f"we_{endpoint.id:x}",
        url=endpoint.url,
        types=list(endpoint.types),
        state=endpoint.state,
        off_why=endpoint.off_why,
        failing_since=endpoint.failing_since,
        old_secret_until=endpoint.before_until if overlaps else None,
        created_at=endpoint.created_at,
    )


def _delivery(delivery: WebhookDelivery) -> webhook_shapes.DeliveryShown:
    return webhook_shapes.DeliveryShown(
        id=f"dlv_{delivery.id:x}",
        event=event_name(delivery.event_id),
        type=delivery.type,
        state=delivery.state,
        tries=delivery.tries,
        status=delivery.status,
        error=delivery.error,
        answer=delivery.answer,
        took_ms=delivery.took_ms,
        created_at=delivery.created_at,
        tried_at=delivery.tried_at,
        next_try_at=delivery.act_at if delivery.state is DeliveryState.PENDING else None,
    )


def _with_secret(unit: Unit, status: int, endpoint: WebhookEndpoint) -> Done:
    """What is kept of the answer names the secret and does not hold it."""
    content = {"webhook": _webhook(unit, endpoint).model_dump(mode="json"), "endpoint_id": endpoint.id, "secret_no": endpoint.secret_no}
    return Done(status, content)


def _reveal(unit: Unit, kept: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"webhook": kept["webhook"], "secret": webhooks.secret_of(unit, kept["endpoint_id"], kept["secret_no"])}


def _create(unit: Unit, caller: Caller, call: Call) -> Done:
    body: webhook_shapes.NewWebhookBody = call.body
    return _with_secret(unit, 201, webhooks.make_endpoint(unit, caller.actor, body.url, body.types))


def _list(unit: Unit, caller: Caller, call: Call) -> Done:
    found = webhooks.my_endpoints(unit, caller.actor)
    return shown(200, webhook_shapes.WebhooksShown(webhooks=[_webhook(unit, endpoint) for endpoint in found]))


def _get(unit: Unit, caller: Caller, call: Call) -> Done:
    return shown(200, _webhook(unit, webhooks.own_endpoint(unit, caller.actor, _endpoint_id(call))))


def _change(unit: Unit, caller: Caller, call: Call) -> Done:
    body: webhook_shapes.WebhookChanges = call.body
    changes: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}
    return shown(200, _webhook(unit, webhooks.change_endpoint(unit, caller.actor, _endpoint_id(call), **changes)))


def _delete(unit: Unit, caller: Caller, call: Call) -> Done:
    return shown(200, _webhook(unit, webhooks.delete_endpoint(unit, caller.actor, _endpoint_id(call))))


def _rotate(unit: Unit, caller: Caller, call: Call) -> Done:
    return _with_secret(unit, 200, webhooks.rotate_secret(unit, caller.actor, _endpoint_id(call)))


def _test(unit: Unit, caller: Caller, call: Call) -> Done:
    return shown(202, _delivery(webhooks.ping(unit, caller.actor, _endpoint_id(call), call.once)))


def _log(unit: Unit, caller: Caller, call: Call) -> Done:
    page: webhook_shapes.DeliveryPage = call.query
    before = WebhookDeliveryId(int(page.cursor, 16)) if page.cursor is not None else None
    rows = webhooks.deliveries(unit, caller.actor, _endpoint_id(call), before, page.limit + 1)
    found = rows[: page.limit]
    cursor = f"{found[-1].id:x}" if len(rows) > page.limit else None
    return shown(200, webhook_shapes.DeliveriesShown(deliveries=[_delivery(one) for one in found], next_cursor=cursor))


def _replay(unit: Unit, caller: Caller, call: Call) -> Done:
    delivery_id = WebhookDeliveryId(_number(call.path["delivery"], "dlv"))
    return shown(202, _delivery(webhooks.replay_delivery(unit, caller.actor, delivery_id)))


def _replay_failed(unit: Unit, caller: Caller, call: Call) -> Done:
    body: webhook_shapes.ReplayBody = call.body
    count = webhooks.replay_failed(unit, caller.actor, _endpoint_id(call), body.since, body.until or unit.now)
    return shown(202, webhook_shapes.ReplayedShown(replayed=count))


_NOTHING: Final[dict[str, Any]] = {"body": schemas.Nothing, "body_optional": True}
ENDPOINTS: Final = (
    Endpoint(
        "POST", "/api/v1/webhooks", "createWebhook", summary="Be told of what happens", answers={201: webhook_shapes.WebhookWithSecret},
        work=_create, reveal=_reveal, who=Who.BEARER, body=webhook_shapes.NewWebhookBody, refusals=("limit_reached",),
        description="Owners. At most five. The secret is shown this once; docs/webhooks.md says how to verify with it.",
    ),
    Endpoint(
        "GET", "/api/v1/webhooks", "listWebhooks", summary="List your webhooks", answers={200: webhook_shapes.WebhooksShown}, work=_list,
        who=Who.BEARER, description="Owners. Without their secrets.",
    ),
    Endpoint(
        "GET", "/api/v1/webhooks/{webhook}", "getWebhook", summary="Look at a webhook", answers={200: webhook_shapes.WebhookShown}, work=_get,
        who=Who.BEARER, description="Owners.",
    ),
    Endpoint(
        "PATCH", "/api/v1/webhooks/{webhook}", "changeWebhook", summary="Change a webhook, or switch it off and on",
        answers={200: webhook_shapes.WebhookShown}, work=_change, who=Who.BEARER, body=webhook_shapes.WebhookChanges,
        description="Owners. Switched off, what waits for it fails and can be replayed; what happens meanwhile is not sent later.",
    ),
    Endpoint(
        "DELETE", "/api/v1/webhooks/{webhook}", "deleteWebhook", summary="Delete a webhook", answers={200: webhook_shapes.WebhookShown},
        work=_delete, who=Who.BEARER, description="Owners. For good.",
    ),
    Endpoint(
        "POST", "/api/v1/webhooks/{webhook}/rotate", "rotateWebhookSecret", summary="Make a new secret",
        answers={200: webhook_shapes.WebhookWithSecret}, work=_rotate, reveal=_reveal, who=Who.BEARER, **_NOTHING,
        description="Owners. For a day every request is signed with both, the new one first.",
    ),
    Endpoint(
        "POST", "/api/v1/webhooks/{webhook}/test", "testWebhook", summary="Send a ping", answers={202: webhook_shapes.DeliveryShown}, work=_test,
        who=Who.BEARER, **_NOTHING, description="Owners. What came of it stands in the log.",
    ),
    Endpoint(
        "GET", "/api/v1/webhooks/{webhook}/deliveries", "listDeliveries", summary="The log of a webhook, newest first",
        answers={200: webhook_shapes.DeliveriesShown}, work=_log, who=Who.BEARER, query=webhook_shapes.DeliveryPage,
        description="Owners. Ask again with `next_cursor` until it is null.",
    ),
    Endpoint(
        "POST", "/api/v1/webhooks/deliveries/{delivery}/replay", "replayDelivery", summary="Send one again",
        answers={202: webhook_shapes.DeliveryShown}, work=_replay, who=Who.BEARER, **_NOTHING,
        description="Owners. With the same `webhook-id`, also when it had arrived.",
    ),
    Endpoint(
        "POST", "/api/v1/webhooks/{webhook}/replay", "replayFailed", summary="Send again what failed",
        answers={202: webhook_shapes.ReplayedShown}, work=_replay_failed, who=Who.BEARER, body=webhook_shapes.ReplayBody,
        description="Owners.",
    ),
)  # fmt: skip
