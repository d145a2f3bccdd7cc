"""What those who run the house ask: is it alive, can it take money, how is it doing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

Readiness = Callable[[], Awaitable[str | None]]
"""None when ready, else in a word what is missing. Raising means not ready as well."""

CHECK_S: Final = 3.0
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_log = structlog.get_logger("ops")


class Metrics:
    """The numbers of this process, in a registry of its own. `gauges` are asked when somebody looks: name -> (help, function)."""

    def __init__(self, gauges: Mapping[str, tuple[str, Callable[[], float]]] | None = None) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "payloom_requests", documentation="Requests answered", labelnames=["route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "payloom_request_seconds", documentation="Time to the answer", labelnames=["route"], registry=self.registry, buckets=_BUCKETS
        )
        self.events = Counter(
            "payloom_provider_events",
            documentation="Provider events by what became of them",
            labelnames=["gateway", "kind", "result"],
            registry=self.registry,
        )
        self.refused = Counter(
            "payloom_provider_events_refused",
            documentation="Calls to a callback address that were not believed",
            labelnames=["gateway", "why"],
            registry=self.registry,
        )
        self._known: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        for name, (about, ask) in (gauges or {}).items():
            Gauge(name, about, registry=self.registry).set_function(ask)

    def answered(self, route: str, status: int, seconds: float) -> None:
        pair = self._known.get((route, status))
        if pair is None:
            pair = self._known[route, status] = (self._requests.labels(route, str(status)), self._seconds.labels(route))
        pair[0].inc()
        pair[1].observe(seconds)


async def alive(request: web.Request) -> web.Response:
    """GET /healthz: the process answers."""
    return web.json_response({"status": "alive"}, headers={"Cache-Control": "no-store"})


def ready(checks: Mapping[str, Readiness]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """GET /readyz: every check passes, so money can be taken; 503 with the names of what does not."""

    async def ask(name: str, check: Readiness) -> tuple[str, str | None]:
        try:
            async with asyncio.timeout(CHECK_S):
                return name, await check()
        except Exception:  # noqa: BLE001 - whatever goes wrong here is the answer
            _log.warning("not_ready", check=name, exc_info=True)
            return name, "failed"

    async def handler(request: web.Request) -> web.Response:
        found = dict(await asyncio.gather(*(ask(name, check) for name, check in checks.items())))
        fine = all(why is None for why in found.values())
        body = {"status": "ready" if fine else "not ready", "checks": {name: why or "ok" for name, why in found.items()}}
        return web.json_response(body, status=200 if fine else 503, headers={"Cache-Control": "no-store"})

    return handler


def metrics(kept: Metrics, look: Callable[[], Awaitable[None]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """GET /metrics: Prometheus text. Keep it from the public at the proxy. `look` brings up to date what is not counted in this process."""

    async def handler(request: web.Request) -> web.Response:
        await look()
        return web.Response(
            body=generate_latest(kept.registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4, "Cache-Control": "no-store"}
        )

    return handler
