"""Gateways may call back here too: `/api/v1/payments/webhook/{gateway}` hands over to the handler of the gateway's own address."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from domain.errors import NotFound
from usecases.hall import Hall
from web.api.v1 import reading, schemas
from web.api.v1.endpoint import Endpoint
from web.api.v1.problems import Unacceptable
from web.hooks import daraja, gateways


async def receive(hall: Hall, request: web.Request, address: str) -> web.StreamResponse:
    """Without its token an event is answered like one for a gateway that does not exist."""
    query: schemas.CallbackQuery = reading.query_of(request, schemas.CallbackQuery)
    name = request.match_info["gateway"]
    if name not in (daraja.GATEWAY, *gateways.SIGNED) or name not in hall.gateways:
        raise NotFound(what="gateway")
    try:
        if name in gateways.SIGNED:
            return await gateways.receive_for(request, name, query.token)
        request.match_info.update(token=query.token, kind=query.kind)
        return await daraja.receive(request)
    except web.HTTPNotFound:
        raise NotFound(what="gateway") from None
    except web.HTTPBadRequest:
        raise Unacceptable("not_authentic") from None
    except web.HTTPRequestEntityTooLarge:
        raise Unacceptable("too_large") from None


ENDPOINTS: Final = (
    Endpoint(
        "POST", "/api/v1/payments/webhook/{gateway}", "gatewayCallback", summary="A payment gateway tells what happened",
        answers={200: schemas.CallbackShown}, handler=receive, query=schemas.CallbackQuery,
        refusals=("not_authentic",),
        description="For gateways. The body is theirs, with their signature over it; Daraja signs nothing, so it needs the token of the attempt "
        "or refund. An organization's own account has a token too.",
    ),
)  # fmt: skip
