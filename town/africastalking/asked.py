"""Reading what the customer asks and writing what it is answered: form or JSON in, JSON or XML out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from aiohttp import web

from town.africastalking.office import Refusal

_ITEMS = {"Recipients": "Recipient", "Messages": "Message"}


async def fields_of(request: web.Request) -> dict[str, Any]:
    """The fields of the body; a form's are texts. Refuses a body that is neither form nor JSON object."""
    if request.content_type == "application/json":
        try:
            body = json.loads(await request.read())
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Refusal(400, "The request content was malformed")
        return body
    if request.content_type in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    raise Refusal(415, "The request's Content-Type is not supported")


def needed(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise Refusal(400, f"Request is missing required form field '{name}'")
    return value


def answer(request: web.Request, body: Mapping[str, Any], status: int = 200) -> web.Response:
    """JSON for those who accept it, else XML. The content type is bare: the official client compares it whole."""
    if "json" in request.headers.get("Accept", ""):
        return web.Response(body=json.dumps(body).encode(), status=status, content_type="application/json")
    text = f'<?xml version="1.0" encoding="UTF-8"?><AfricasTalkingResponse>{_xml(body)}</AfricasTalkingResponse>'
    return web.Response(body=text.encode(), status=status, content_type="application/xml")


def _xml(value: Any, item: str = "") -> str:
    if isinstance(value, Mapping):
        return "".join(f"<{name}>{_xml(inner, _ITEMS.get(name, 'Item'))}</{name}>" for name, inner in value.items())
    if isinstance(value, list):
        return "".join(f"<{item}>{_xml(inner)}</{item}>" for inner in value)
    return escape(str(value))
