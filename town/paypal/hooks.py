"""Webhooks v1: registration, signed delivery with retries, the list of events, sending again; and what a stranger sends."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import aiohttp
from aiohttp import web

from town.mishaps import seconds_of
from town.paypal.apps import App, Refusal, bad, nowhere
from town.paypal.office import Call, Office, only, text
from town.paypal.records import Json, link, stamp
from town.paypal.signing import Signer, paypals, strangers

REPLY_WITHIN_S = 8.0
RETRIES = 25
RETRY_AFTER_S = 3 * 86_400 / RETRIES
KEPT_FOR = timedelta(days=30)
MOST_URLS = 10
CERT = "CERT-360caa42-fca2a594-townpaypal"
FORGED_CERT = "CERT-00000000-00000000-stranger"


@dataclass(slots=True)
class Hook:
    id: str
    app: App
    url: str
    types: tuple[str, ...]

    def wants(self, name: str) -> bool:
        return "*" in self.types or name in self.types

    def shown(self, base: str) -> Json:
        links = [link("self", f"{base}/v1/notifications/webhooks/{self.id}")]
        return {"id": self.id, "url": self.url, "event_types": [{"name": name} for name in self.types], "links": links}


@dataclass(slots=True)
class Event:
    """`raw` is what is sent and signed. `deliveries` are the answers: a status, or None where nobody answered."""

    id: str
    app: App
    name: str
    at: datetime
    body: Json
    raw: bytes
    transmission_id: str
    deliveries: list[int | None] = field(default_factory=list)


class Hooks:
    """Between `start` and `stop` it delivers; `delay_s` is town time between a deed and its event."""

    def __init__(self, office: Office, delay_s: float) -> None:
        self._office = office
        self._delay_s = delay_s
        self._session: aiohttp.ClientSession | None = None
        self._held: Event | None = None
        self.signer: Signer | None = None
        """Signs instead of PayPal's own, when it is to go wrong."""
        self.hooks: OrderedDict[str, Hook] = OrderedDict()
        self.events: OrderedDict[str, Event] = OrderedDict()

    async def start(self) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REPLY_WITHIN_S))

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def add(self, app: App, url: str, *types: str, webhook_id: str = "") -> Hook:
        hook = Hook(webhook_id or self._office.names.id(), app, url, types or ("*",))
        self.hooks[hook.id] = hook
        return hook

    def tell(self, app: App, name: str, kind: str, resource: Json, summary: str, resource_version: str = "2.0") -> Event:
        """Write an event down and send it to every webhook of the app that wants it. Faults: webhook_never, _late, _twice, _swap."""
        office = self._office
        event_id, now = office.names.event_id(), office.now()
        body: Json = {
            "id": event_id,
            "event_version": "1.0",
            "create_time": now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z",
            "resource_type": kind,
            "event_type": name,
            "summary": summary,
            "resource": resource,
            "links": [
                link("self", f"{office.base}/v1/notifications/webhooks-events/{event_id}"),
                link("resend", f"{office.base}/v1/notifications/webhooks-events/{event_id}/resend", "POST"),
            ],
        }
        if resource_version:
            body["resource_version"] = resource_version
        event = Event(event_id, app, name, now, body, self.raw(body), office.names.transmission_id())
        self.events[event_id] = event
        while len(self.events) > office.keep:
            self.events.popitem(last=False)
        if office.fault("webhook_never"):
            return event
        if self._held is None and office.fault("webhook_swap"):
            self._held = event  # it goes out after the next one
            return event
        late = office.fault("webhook_late")
        delay_s = self._delay_s if late is None else seconds_of(late, 60.0)
        for _ in range(2 if office.fault("webhook_twice") else 1):
            self._send(event, delay_s)
        if self._held is not None:
            self._send(self._held, delay_s + 0.05)
            self._held = None
        return event

    @staticmethod
    def raw(body: Json) -> bytes:
        """What is sent and signed."""
        return json.dumps(body, separators=(",", ":")).encode()

    def _send(self, event: Event, delay_s: float) -> None:
        for hook in self.hooks.values():
            if hook.app is event.app and hook.wants(event.name):
                self._office.alarms.after(delay_s, partial(self._deliver, hook, event, RETRIES))

    async def _deliver(self, hook: Hook, event: Event, left: int) -> None:
        status = await self._post(hook.url, event.raw, self.headers(hook.id, event))
        event.deliveries.append(status)
        self._office.core.journal.add("paypal.webhook", url=hook.url, event=event.id, name=event.name, status=status)
        if (status is None or not 200 <= status < 300) and left > 0:
            self._office.alarms.after(RETRY_AFTER_S, partial(self._deliver, hook, event, left - 1))

    def headers(self, webhook_id: str, event: Event, signer: Signer | None = None, cert: str = CERT) -> dict[str, str]:
        """What stands beside an event: a retry is signed as the first was."""
        at = stamp(event.at)
        return {
            "Content-Type": "application/json",
            "PAYPAL-AUTH-ALGO": "SHA256withRSA",
            "PAYPAL-CERT-URL": f"{self._office.base}/v1/notifications/certs/{cert}",
            "PAYPAL-TRANSMISSION-ID": event.transmission_id,
            "PAYPAL-TRANSMISSION-TIME": at,
            "PAYPAL-TRANSMISSION-SIG": (signer or self.signer or paypals()).sign(event.transmission_id, at, webhook_id, event.raw),
        }

    async def forge(self, url: str, webhook_id: str, body: Json, how: str) -> int | None:
        """Send an event that PayPal did not: `how` is `unsigned`, `stranger` (another key), `body` (the signature of another body),
        `other_hook` (signed for another webhook) or `elsewhere` (a good signature, the certificate on another host)."""
        office = self._office
        event = Event(
            office.names.event_id(), next(iter(office.portal.apps.values())), "", office.now(), body, json.dumps(body).encode(),
            office.names.transmission_id(),
        )  # fmt: skip
        headers = self.headers(webhook_id, event, strangers() if how == "stranger" else None)
        if how == "unsigned":
            headers = {"Content-Type": "application/json"}
        if how == "body":
            event.raw += b" "
        if how == "other_hook":
            headers = self.headers("0OTHERWEBHOOK0000", event)
        if how == "elsewhere":
            headers["PAYPAL-CERT-URL"] = f"https://certificates.example/v1/notifications/certs/{FORGED_CERT}"
        return await self._post(url, event.raw, headers)

    async def _post(self, url: str, raw: bytes, headers: dict[str, str]) -> int | None:
        if self._session is None:
            raise RuntimeError("PayPal is not started")
        try:
            async with self._session.post(url, data=raw, headers=headers, allow_redirects=False) as response:
                await response.read()
                return response.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None

    async def certificate(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/notifications/certs/{name}, for anybody. Fault: cert_down."""
        if self._office.fault("cert_down"):
            return web.Response(status=503)
        if request.match_info["name"] != CERT:
            return web.Response(status=404)
        return web.Response(body=(self.signer or paypals()).chain, content_type="application/x-pem-file")

    async def register(self, call: Call) -> tuple[int, Json]:
        """POST /v1/notifications/webhooks."""
        only(call.body, "", "url", "event_types")
        url, types = text(call.body, "url", "", 2048, needed=True), call.body.get("event_types")
        if not isinstance(types, list) or not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in types) or not types:
            raise bad("MISSING_REQUIRED_PARAMETER", "/event_types")
        mine = [hook for hook in self.hooks.values() if hook.app is call.app]
        if any(hook.url == url for hook in mine) or len(mine) >= MOST_URLS:
            raise Refusal("INVALID_REQUEST", {"issue": "WEBHOOK_URL_ALREADY_EXISTS", "field": "/url", "location": "body"})
        return 201, self.add(call.app, url, *(one["name"] for one in types)).shown(self._office.base)

    async def list_hooks(self, call: Call) -> tuple[int, Json]:
        return 200, {"webhooks": [hook.shown(self._office.base) for hook in self.hooks.values() if hook.app is call.app]}

    async def list_events(self, call: Call) -> tuple[int, Json]:
        """GET /v1/notifications/webhooks-events: of the last 30 days, newest first, with a link to the next page."""
        query, office = call.request.query, self._office
        try:
            size, skip = int(query.get("page_size", "10")), int(query.get("skip", "0"))
            since, until = (datetime.fromisoformat(query[name]) if name in query else None for name in ("start_time", "end_time"))
        except ValueError:
            raise bad("INVALID_PARAMETER_SYNTAX", "start_time") from None
        if size < 1 or skip < 0:
            raise bad("INVALID_PARAMETER_VALUE", "page_size")
        found = [
            event
            for event in reversed(self.events.values())
            if event.app is call.app
            and office.now() - event.at < KEPT_FOR
            and (since is None or since <= event.at)
            and (until is None or event.at <= until)
            and query.get("event_type", event.name) == event.name
        ]
        page = found[skip : skip + size]
        links = [link("self", str(call.request.url))]
        if skip + size < len(found):
            links.append(link("next", str(call.request.url.update_query({"skip": str(skip + size)}))))
        return 200, {"events": [event.body for event in page], "count": len(page), "links": links}

    async def resend(self, call: Call) -> tuple[int, Json]:
        """POST /v1/notifications/webhooks-events/{id}/resend."""
        event = self.events.get(call.request.match_info["id"])
        if event is None or event.app is not call.app:
            raise nowhere()
        self._send(event, self._delay_s)
        return 202, event.body

    def shown(self) -> list[dict[str, Any]]:
        return [{"id": one.id, "name": one.name, "at": one.at.isoformat(), "deliveries": one.deliveries} for one in self.events.values()]
