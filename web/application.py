"""The web application: every address of this door in one literal, and what they share. Made by the builder, with everything it needs given."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Final

from aiohttp import web

from domain.order import OrderAct
from templates.words import LANGUAGES, words
from usecases.hall import Hall
from web import ops
from web.api import v1 as api
from web.bodies import READ_S
from web.door import DOOR, Door, PictureMaker, always
from web.hooks import daraja, daraja_c2b, gateways
from web.hooks import mail as mail_hook
from web.hooks.accounts import ACCOUNTS, Accounts
from web.live import HEARTBEAT_S, Live
from web.lookups import Lookups
from web.measured import PATIENCE_S, Measured
from web.middlewares import ORDINARY_BODY, edge, security_headers
from web.pages import buy, carry, check, claim, group, home, mail, pay, pictures, problem, track
from web.shelf import FRESH_S, Shelf
from web.visits import Visits

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Gauges = Mapping[str, tuple[str, Callable[[], float]]]
LARGE: Final = {"problem_tell": problem.MOST_BYTES, mail_hook.ROUTE: mail_hook.MOST_BYTES}
"""Routes that take more than an ordinary body, in bytes."""


def routes(checks: Mapping[str, ops.Readiness], kept: ops.Metrics, measured: Measured) -> list[web.AbstractRouteDef]:
    """The whole table."""
    return [
        web.get("/", home.show, name="home"),
        web.get("/find", home.find, name="find"),
        web.get("/c/{code}", carry.show, name="carry_ask"),
        web.post("/c/{code}", carry.go_on, name="carry"),
        web.get("/check", check.show, name="check_ask"),
        web.post("/check", check.look, name="check"),
        web.get("/buy/{code}", buy.show, name="buy"),
        web.post("/buy/{code}", buy.buy, name="buy_begin"),
        web.get("/pictures/{token}/{width:[0-9]{2,4}}", pictures.show, name="picture"),
        web.get("/pay/{token}", pay.show, name="pay"),
        web.get("/pay/{token}/events", pay.events, name="pay_events"),
        web.get("/pay/{token}/go", pay.go, name="pay_go"),
        web.get("/pay/{token}/back", pay.back, name="pay_back"),
        web.post("/pay/{token}/back", pay.back, name="pay_back_form"),
        web.post("/pay/{token}/retry", pay.retry, name="pay_retry"),
        web.post("/pay/{token}/cancel", pay.cancel, name="pay_cancel"),
        web.get("/track/{token}", track.show, name="track"),
        web.get("/track/{token}/events", track.events, name="track_events"),
        web.get("/track/{token}/confirm", track.ask("ask.html", OrderAct.CONFIRM), name="confirm_ask"),
        web.post("/track/{token}/confirm", track.confirm, name="confirm"),
        web.get("/track/{token}/cancel", track.ask("ask.html", OrderAct.CANCEL), name="cancel_ask"),
        web.post("/track/{token}/cancel", track.cancel, name="cancel"),
        web.get("/track/{token}/withdraw", track.ask("ask.html", OrderAct.WITHDRAW), name="withdraw_ask"),
        web.post("/track/{token}/withdraw", track.withdraw, name="withdraw"),
        web.get("/track/{token}/problem", problem.show, name="problem"),
        web.post("/track/{token}/problem", problem.tell, name="problem_tell"),
        web.post("/track/{token}/mail", mail.ask, name="mail_ask"),
        web.post("/track/{token}/mail/code", mail.confirm, name="mail_confirm"),
        web.get("/mail/stop/{token}", mail.wishes, name="mail_wishes"),
        web.post("/mail/stop/{token}", mail.stop, name="mail_stop"),
        web.get("/download/{token}", track.download, name="download"),
        web.post("/callbacks/daraja/{token}/{kind}", daraja.receive, name="daraja"),
        *gateways.routes(),
        *daraja_c2b.routes(),
        *claim.routes(),
        *group.routes(),
        web.get("/healthz", ops.alive, name="healthz"),
        web.get("/readyz", ops.ready(checks), name="readyz"),
        web.get("/metrics", ops.metrics(kept, measured.look), name="metrics"),
    ]


def application(
    hall: Hall,
    *,
    new_key: Callable[[], str],
    extra_routes: Sequence[web.AbstractRouteDef] = (),
    phone_routes: Sequence[web.AbstractRouteDef] = (),
    mail_routes: Sequence[web.AbstractRouteDef] = (),
    telegram_webhook: Handler | None = None,
    trusted_proxies: frozenset[str] = frozenset(),
    pictures: PictureMaker | None = None,
    unavailable: tuple[type[Exception], ...] = (),
    readiness: Mapping[str, ops.Readiness] | None = None,
    gauges: Gauges | None = None,
    heartbeat_s: float = HEARTBEAT_S,
    fresh_s: float = FRESH_S,
    body_s: float = READ_S,
    patience_s: float = PATIENCE_S,
) -> web.Application:
    """The application, not yet running.

    `new_key` gives 32 unguessable lower-case hex digits. `extra_routes` belong to somebody else (the town): no policy, origin check or body limit
    of ours is put on them. `unavailable` are the errors that mean the database cannot be used now (503). `readiness` are the checks of /readyz,
    `gauges` more numbers for /metrics. `trusted_proxies` are addresses whose X-Forwarded-For is believed. A body has `body_s` seconds to arrive,
    the database `patience_s` to be measured for /metrics.
    """
    kept, measured = ops.Metrics(gauges), Measured(hall, patience_s)
    kept.registry.register(measured)
    headers = always(https=hall.house.base_url.startswith("https:"))
    spoken = {language: words(language) for language in LANGUAGES}
    shelf = Shelf(hall, buy.make_page(hall.house.base_url.rstrip("/"), spoken), fresh_s)
    door = Door(hall, shelf, Visits(hall.store), Live(hall.bell, heartbeat_s), kept, new_key, pictures, trusted_proxies, body_s, headers)
    app = web.Application(client_max_size=ORDINARY_BODY)
    app[DOOR], app[buy.LOOKUPS], app[ACCOUNTS] = door, Lookups(hall), Accounts(hall)
    app.add_routes(routes(readiness or {}, kept, measured))
    app.add_routes(api.routes(hall))
    app.add_routes(phone_routes)
    app.add_routes(mail_routes)
    if telegram_webhook is not None:
        app.add_routes([web.post("/telegram/{secret}", telegram_webhook, name="telegram")])
    foreign = frozenset(app.add_routes(extra_routes))
    app.middlewares.append(edge(door, foreign, LARGE, unavailable))
    app.on_response_prepare.append(security_headers(foreign, headers))
    app.on_shutdown.append(_stop_streams)
    app.cleanup_ctx.append(_running)
    return app


async def _running(app: web.Application) -> AsyncIterator[None]:
    door = app[DOOR]
    door.shelf.start()
    door.live.start()
    app[ACCOUNTS].start()
    await door.visits.start()
    yield
    app[ACCOUNTS].stop()
    door.shelf.stop()
    await door.visits.stop()


async def _stop_streams(app: web.Application) -> None:
    app[DOOR].live.stop()
