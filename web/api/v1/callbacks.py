"""Gateways may call back here too: `/api/v1/payments/webhook/{gateway}` hands over to the handler of the gateway's own address."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from domain.errors import NotFound
from usecases.hall import Hall
from web.api.v1 import reading, schemas
from web.api.v1.endpoint import Endpoint
from web.api.v1.problems import Unacceptable
from web.hooks import daraja


async def receive(hall: Hall, request: web.Request, address: str) -> web.StreamResponse:
    """Without its token an event is answered like one for a gateway that does not exist."""
    query: schemas.CallbackQuery = reading.query_of(request, schemas.CallbackQuery)
    if request.match_info["gateway"] != daraja.GATEWAY or daraja.GATEWAY not in hall.gateways:
        raise NotFound(what="gateway")
    request.match_info.update(token=query.token, kind=query.kind)
    try:
        return await daraja.receive(request)
    except web.HTTPNotFound:
        raise NotFound(what="gateway") from None
    except web.HTTPRequestEntityTooLarge:
        raise Unacceptable("too_large") from None


ENDPOINTS: Final = (
    Endpoint(
        "POST", "/api/v1/payments/webhook/{gateway}", "gatewayCallback", summary="A payment gateway tells what happened",
        answers={200: schemas.CallbackShown}, handler=receive, query=schemas.CallbackQuery,
        description="For gateways. The body is theirs; Daraja signs nothing, so it needs the token of the attempt or refund.",
    ),
)  # fmt: skip
