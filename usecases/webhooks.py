"""Webhooks of an organization: its endpoints, what came of each try, and sending again what did not arrive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from domain.errors import BadInput, LimitReached, NotFound
from domain.ids import OrganizationId, WebhookDeliveryId, WebhookEndpointId
from domain.ports import Unit
from domain.rights import CLOCK, LEADERS, Action, Actor, Party, require
from domain.webhook import (
    DELIVERY,
    ENDPOINT,
    GONE,
    MOST_ENDPOINTS,
    OVERLAP,
    PATIENCE,
    PING,
    TYPES,
    DeliveryState,
    EndpointState,
    Parcel,
    Tried,
    WebhookDelivery,
    WebhookEndpoint,
    event_name,
    make_secret,
    next_try,
    read_url,
    signatures,
)
from usecases.events import WEBHOOKS, send_event
from usecases.tell import tell_person

LEASE: Final = timedelta(seconds=60)
MOST_REPLAYED: Final = 1_000
PINGS_AN_HOUR: Final = ("webhook_pings_hour", 3_600, 60)
OFF: Final = "webhook_off"


def make_endpoint(unit: Unit, actor: Actor, url: str, types: Sequence[str] = ()) -> WebhookEndpoint:
    """Switched on, with a secret of its own. Raises BadInput(url, types), LimitReached(webhooks)."""
    require(actor.party, Action.CONFIGURE)
    organization_id = _scope(actor)
    url, types = read_url(url, loopback=unit.house.webhook_loopback), _known(types)
    # Saving the organization makes two who add one at the same moment wait for one another.
    unit.organizations.save(unit.organizations.get(organization_id))
    if len(unit.webhooks.endpoints(organization_id)) >= MOST_ENDPOINTS:
        raise LimitReached(limit="webhooks")
    number = WebhookEndpointId(unit.new_id())
    sealed = _new_secret(unit, organization_id, number)
    endpoint = WebhookEndpoint(number, organization_id, url, tuple(types), EndpointState.ENABLED, sealed, unit.now)
    unit.webhooks.add_endpoint(endpoint)
    _note(unit, endpoint, actor, "webhook_made")
    return endpoint


def my_endpoints(unit: Unit, actor: Actor) -> Sequence[WebhookEndpoint]:
    """Oldest first."""
    require(actor.party, Action.CONFIGURE)
    return unit.webhooks.endpoints(_scope(actor))


def own_endpoint(unit: Unit, actor: Actor, endpoint_id: WebhookEndpointId) -> WebhookEndpoint:
    """Raises NotFound for what is another's, deleted, or not theirs to configure."""
    require(actor.party, Action.ADMINISTER if actor.party is Party.ADMIN else Action.CONFIGURE)
    endpoint = unit.webhooks.endpoint(endpoint_id)
    if endpoint is None or endpoint.state is EndpointState.DELETED:
        raise NotFound(what="webhook")
    if actor.party is not Party.ADMIN and endpoint.organization_id != actor.organization_id:
        raise NotFound(what="webhook")
    return endpoint


def change_endpoint(
    unit: Unit,
    actor: Actor,
    endpoint_id: WebhookEndpointId,
    *,
    url: str | None = None,
    types: Sequence[str] | None = None,
    enabled: bool | None = None,
) -> WebhookEndpoint:
    """What is None stays. Switched off, what waits for it fails; switched on, it begins with a clean record."""
    endpoint = own_endpoint(unit, actor, endpoint_id)
    if url is not None:
        endpoint = replace(endpoint, url=read_url(url, loopback=unit.house.webhook_loopback), failing_since=None)
    if types is not None:
        endpoint = replace(endpoint, types=_known(types))
    if enabled is False:
        return switch_off(unit, endpoint, actor, "owner" if actor.party in LEADERS else "desk")
    if enabled and ENDPOINT.move(endpoint.state, EndpointState.ENABLED, actor.party):
        endpoint = replace(endpoint, state=EndpointState.ENABLED, failing_since=None, off_why="")
    _note(unit, endpoint, actor, "webhook_changed")
    unit.wake(WEBHOOKS)
    return unit.webhooks.save_endpoint(endpoint)


def delete_endpoint(unit: Unit, actor: Actor, endpoint_id: WebhookEndpointId) -> WebhookEndpoint:
    """For good, its secrets with it. What waits for it fails."""
    endpoint = own_endpoint(unit, actor, endpoint_id)
    ENDPOINT.move(endpoint.state, EndpointState.DELETED, actor.party)
    unit.webhooks.fail_waiting(endpoint.id, "deleted", unit.now)
    _note(unit, endpoint, actor, "webhook_deleted")
    return unit.webhooks.save_endpoint(replace(endpoint, state=EndpointState.DELETED, sealed="", sealed_before=None, before_until=None))


def rotate_secret(unit: Unit, actor: Actor, endpoint_id: WebhookEndpointId) -> WebhookEndpoint:
    """A new secret from now on; the one before signs beside it for a day. An older one than that ends at once."""
    endpoint = own_endpoint(unit, actor, endpoint_id)
    sealed = _new_secret(unit, endpoint.organization_id, endpoint.id)
    _note(unit, endpoint, actor, "webhook_secret_rotated")
    rotated = replace(
        endpoint, sealed=sealed, secret_no=endpoint.secret_no + 1, sealed_before=endpoint.sealed, before_until=unit.now + OVERLAP
    )
    return unit.webhooks.save_endpoint(rotated)


def secret_of(unit: Unit, endpoint_id: WebhookEndpointId, secret_no: int) -> str | None:
    """In clear, for the one answer that shows it. None when it has been followed by another, or its endpoint was deleted."""
    endpoint = unit.webhooks.endpoint(endpoint_id)
    if endpoint is None or not endpoint.sealed or endpoint.secret_no != secret_no:
        return None
    return unit.seals.open(endpoint.sealed, sealed_for(endpoint.organization_id, endpoint.id))


def sealed_for(organization_id: OrganizationId, endpoint_id: WebhookEndpointId) -> str:
    """What a secret is bound to: sealed for one owner and endpoint, it opens for no other."""
    return f"organization:{organization_id}:webhook:{endpoint_id}:secret"


def reseal_endpoint(unit: Unit, actor: Actor, endpoint_id: WebhookEndpointId, rotate: Callable[[str, str], str]) -> bool:
    """Its secrets under the newest key. False when they were already."""
    endpoint = own_endpoint(unit, actor, endpoint_id)
    context = sealed_for(endpoint.organization_id, endpoint.id)
    before = rotate(endpoint.sealed_before, context) if endpoint.sealed_before is not None else None
    resealed = replace(endpoint, sealed=rotate(endpoint.sealed, context), sealed_before=before)
    if resealed == endpoint:
        return False
    unit.webhooks.save_endpoint(resealed)
    _note(unit, endpoint, actor, "resealed")
    return True


def ping(unit: Unit, actor: Actor, endpoint_id: WebhookEndpointId, once: str) -> WebhookDelivery:
    """A harmless event, to this endpoint only, whatever types it wants. Raises BadInput(webhook, switched_off), LimitReached."""
    endpoint = own_endpoint(unit, actor, endpoint_id)
    _check_on(endpoint)
    limit, window_s, most = PINGS_AN_HOUR
    if unit.limits.count(limit, str(endpoint.organization_id), window_s, unit.now) > most:
        raise LimitReached(limit=limit, retry_at=unit.now + timedelta(seconds=window_s - int(unit.now.timestamp()) % window_s))
    sent = send_event(unit, endpoint.organization_id, PING, f"ping:{once}", {}, [endpoint])
    if sent is None:
        raise BadInput("once", "repeated")
    return sent


def deliveries(
    unit: Unit, actor: Actor, endpoint_id: WebhookEndpointId, before: WebhookDeliveryId | None, limit: int
) -> Sequence[WebhookDelivery]:
    """The log, newest first."""
    return unit.webhooks.deliveries(own_endpoint(unit, actor, endpoint_id).id, before, limit)


def replay_delivery(unit: Unit, actor: Actor, delivery_id: WebhookDeliveryId) -> WebhookDelivery:
    """Send one again, with all its tries and the same webhook-id. What is on its way already stays so."""
    delivery = unit.webhooks.delivery(delivery_id)
    if delivery is None:
        raise NotFound(what="delivery")
    endpoint = own_endpoint(unit, actor, delivery.endpoint_id)
    _check_on(endpoint)
    if delivery.state not in {DeliveryState.DELIVERED, DeliveryState.FAILED}:
        return delivery
    _note(unit, endpoint, actor, "webhook_replayed", count=1)
    return _again(unit, actor, delivery)


def replay_failed(unit: Unit, actor: Actor, endpoint_id: WebhookEndpointId, since: datetime, until: datetime) -> int:
    """Send again what failed of the events from `since` on and before `until`; how many, at most a thousand, oldest first."""
    endpoint = own_endpoint(unit, actor, endpoint_id)
    _check_on(endpoint)
    if since >= until:
        raise BadInput("since", "not_before_until")
    found = unit.webhooks.failed(endpoint.id, since, until, MOST_REPLAYED)
    for delivery in found:
        _again(unit, actor, delivery)
    if found:
        _note(unit, endpoint, actor, "webhook_replayed", count=len(found))
    return len(found)


def _again(unit: Unit, actor: Actor, delivery: WebhookDelivery) -> WebhookDelivery:
    DELIVERY.move(delivery.state, DeliveryState.PENDING, actor.party)
    unit.wake(WEBHOOKS)
    return unit.webhooks.save_delivery(replace(delivery, state=DeliveryState.PENDING, tries=0, act_at=unit.now))


def claim_parcels(unit: Unit, limit: int) -> list[Parcel]:
    """What is due, one for each endpoint, signed as of now. One whose secret cannot be opened counts as tried and does not hold up others."""
    parcels = []
    for delivery in unit.webhooks.claim(unit.now, unit.now + LEASE, limit):
        endpoint = _receiver(unit, delivery)
        body, message_id, timestamp = (
            unit.webhooks.event(delivery.event_id).body.encode(),
            event_name(delivery.event_id),
            _seconds(unit.now),
        )
        try:
            signature = signatures(_secrets(unit, endpoint), message_id, timestamp, body)
        except ValueError:
            _record(unit, delivery, endpoint, Tried(None, "secret_unreadable"))
            continue
        headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": signature}
        parcels.append(Parcel(delivery.id, delivery.version, endpoint.url, headers, body))
    return parcels


def record_try(unit: Unit, parcel: Parcel, tried: Tried) -> DeliveryState | None:
    """DELIVERED, due again, or FAILED. None when the delivery was taken from us meanwhile: whoever has it says what became of it."""
    delivery = unit.webhooks.delivery(parcel.delivery_id)
    if delivery is None or delivery.version != parcel.version:
        return None
    return _record(unit, delivery, _receiver(unit, delivery), tried)


def _receiver(unit: Unit, delivery: WebhookDelivery) -> WebhookEndpoint:
    endpoint = unit.webhooks.endpoint(delivery.endpoint_id)
    if endpoint is None:
        raise NotFound(what="webhook")
    return endpoint


def _record(unit: Unit, delivery: WebhookDelivery, endpoint: WebhookEndpoint, tried: Tried) -> DeliveryState:
    off = "gone" if tried.status == GONE else ""
    state, act_at = DeliveryState.DELIVERED, unit.now
    if not tried.arrived:
        since = endpoint.failing_since or unit.now
        off = off or ("failing" if unit.now - since >= PATIENCE else "")
        again = next_try(delivery.tries, tried, unit.now)
        ends = again is None or bool(off) or endpoint.state is not EndpointState.ENABLED
        state, act_at = (DeliveryState.FAILED, unit.now) if again is None or ends else (DeliveryState.PENDING, again)
        endpoint = replace(endpoint, failing_since=since)
    else:
        endpoint = replace(endpoint, failing_since=None)
    DELIVERY.move(delivery.state, state, CLOCK.party)
    unit.webhooks.save_delivery(
        replace(
            delivery, state=state, act_at=act_at, tried_at=unit.now, status=tried.status, took_ms=tried.took_ms, error=tried.error,
            answer=tried.answer,
        )
    )  # fmt: skip
    endpoint = replace(endpoint, tried_at=unit.now)
    if off and endpoint.state is EndpointState.ENABLED:
        switch_off(unit, endpoint, CLOCK, off)
    else:
        unit.webhooks.save_endpoint(endpoint)
    unit.wake(WEBHOOKS)
    return state


def switch_off(unit: Unit, endpoint: WebhookEndpoint, actor: Actor, why: str) -> WebhookEndpoint:
    """Nothing is sent there any more, and what waits fails. Those who lead the organization hear it, unless one of them did it."""
    if ENDPOINT.move(endpoint.state, EndpointState.DISABLED, actor.party) is None:
        return unit.webhooks.save_endpoint(endpoint)
    unit.webhooks.fail_waiting(endpoint.id, "switched_off", unit.now)
    off = unit.webhooks.save_endpoint(replace(endpoint, state=EndpointState.DISABLED, off_why=why))
    _note(unit, off, actor, "webhook_off", why=why)
    if actor.party not in LEADERS:
        for member in unit.organizations.members(off.organization_id):
            if member.party in LEADERS:
                tell_person(unit, member.person_id, OFF, f"{off.id}:{off.version}", host=host_of(off), why=why)
    return off


def _secrets(unit: Unit, endpoint: WebhookEndpoint) -> list[str]:
    sealed = [endpoint.sealed]
    if endpoint.sealed_before is not None and endpoint.before_until is not None and unit.now < endpoint.before_until:
        sealed.append(endpoint.sealed_before)
    return [unit.seals.open(one, sealed_for(endpoint.organization_id, endpoint.id)) for one in sealed]


def _new_secret(unit: Unit, organization_id: OrganizationId, endpoint_id: WebhookEndpointId) -> str:
    return unit.seals.seal(make_secret(unit.chance(256)), sealed_for(organization_id, endpoint_id))


def _known(types: Sequence[str]) -> tuple[str, ...]:
    """Each once, in the order of the table."""
    unknown = sorted(set(types) - set(TYPES.values()))
    if unknown:
        raise BadInput("types", "unknown_value", options=sorted(TYPES.values()))
    return tuple(kind for kind in TYPES.values() if kind in types)


def _check_on(endpoint: WebhookEndpoint) -> None:
    if endpoint.state is not EndpointState.ENABLED:
        raise BadInput("webhook", "switched_off")


def _scope(actor: Actor) -> OrganizationId:
    if actor.organization_id is None:
        raise NotFound(what="organization")
    return actor.organization_id


def _seconds(instant: datetime) -> int:
    return int(instant.timestamp())


def host_of(endpoint: WebhookEndpoint) -> str:
    """All of its address that is shown elsewhere: a path may hold a secret."""
    return urlsplit(endpoint.url).netloc


def _note(unit: Unit, endpoint: WebhookEndpoint, actor: Actor, action: str, **data: object) -> None:
    facts = {"webhook": endpoint.id, "host": host_of(endpoint), **data}
    unit.trail.add(f"organization:{endpoint.organization_id}", actor, action, **facts)
