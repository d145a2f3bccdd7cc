"""Every refusal as an RFC 9457 problem document: one table from the fact's code to its status and words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from domain.errors import BadInput, DomainError, LimitReached, NotForSale

MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    status: int
    title: str
    description: str


KINDS: Final[Mapping[str, Kind]] = {
    "bad_input": Kind(
        400, title="Some input cannot be used", description="Each entry of `errors` names a field and what is wrong with it."
    ),
    "unreadable": Kind(400, title="The body is not readable JSON", description="Send one JSON object in UTF-8, without duplicate names."),
    "not_authentic": Kind(400, title="The event is not signed as it should be", description="For gateways: nothing of it was looked at."),
    "idempotency_key": Kind(
        400,
        title="An Idempotency-Key is needed",
        description="Send a fresh unguessable value, such as a UUID, and the same one when you repeat the request.",
    ),
    "not_recognized": Kind(
        401, title="The bearer is not recognized", description="Send `Authorization: Bearer` with a key that is in force."
    ),
    "not_found": Kind(404, title="There is no such thing", description="Or it is not yours to see, or not yours to do this with."),
    "no_such_method": Kind(405, title="Not with this method", description="The `Allow` header lists the methods of this address."),
    "illegal_transition": Kind(
        409, title="Not in its present state", description="`facts` says from which state to which state there is no way."
    ),
    "not_for_sale": Kind(409, title="It cannot be bought now", description="`reason` says why, for example sold_out, few_left or paid."),
    "not_proved_yet": Kind(
        409, title="The payment is not confirmed yet", description="The payment provider has not confirmed it. Try again in a minute."
    ),
    "gone": Kind(410, title="It is not for sale any more", description="`reason` is expired, used or inactive."),
    "too_large": Kind(413, title="The body is too large", description="A request body has at most 65,536 bytes."),
    "not_json": Kind(415, title="The body has to be JSON", description="Send `Content-Type: application/json`."),
    "cannot_pay": Kind(
        422, title="It cannot be paid this way", description="`reason` says why, for example cents, too_large or not_configured."
    ),
    "key_reused": Kind(
        422, title="This Idempotency-Key was used", description="It came with another request before. Use a fresh key for a new request."
    ),
    "wrong_code": Kind(422, title="That is not the delivery code", description="The try is counted. After five of them codes are refused."),
    "limit_reached": Kind(
        429, title="Too many of these", description="`Retry-After` says after how many seconds it works again, if it does."
    ),
    "refused": Kind(409, title="That is not possible now", description="The rules do not allow it."),
    "stale": Kind(503, title="Somebody else is changing this", description="Nothing was done. Try again with the same Idempotency-Key."),
}
_GONE: Final = frozenset({"expired", "used", "inactive"})
_TOLD: Final = ("limit", "left", "options", "method", "currency", "expected", "life", "source", "target")
"""What of a fact's values is told; for a thing that does not exist, none."""


class Unacceptable(Exception):
    """A request that the door itself refuses, before anybody is asked."""

    def __init__(self, code: str, *, allow: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.allow = allow


class Invalid(Exception):
    """Fields that cannot be used: (name, reason)."""

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__("bad_input")
        self.errors = errors


def of_refusal(refusal: DomainError, now: datetime, request_id: str, docs_url: str) -> web.Response:
    code = refusal.code if refusal.code in KINDS else "refused"
    if code == "not_found":
        return problem(code, request_id, docs_url)
    if isinstance(refusal, NotForSale) and refusal.facts.get("reason") in _GONE:
        code = "gone"
    told = {name: _plain(refusal.facts[name]) for name in _TOLD if name in refusal.facts}
    more: dict[str, Any] = {}
    if isinstance(refusal, BadInput):
        more["errors"] = [{"field": refusal.field, "reason": refusal.reason, "facts": told}]
    else:
        if "reason" in refusal.facts:
            more["reason"] = str(refusal.facts["reason"])
        if told:
            more["facts"] = told
    headers = {}
    if isinstance(refusal, LimitReached) and isinstance(refusal.facts.get("retry_at"), datetime):
        headers["Retry-After"] = str(max(1, -int((now - refusal.facts["retry_at"]).total_seconds() // 1)))
    elif code == "stale":
        headers["Retry-After"] = "1"
    return problem(code, request_id, docs_url, headers=headers, **more)


def of_invalid(invalid: Invalid, request_id: str, docs_url: str) -> web.Response:
    errors = [{"field": field, "reason": reason, "facts": {}} for field, reason in invalid.errors]
    return problem("bad_input", request_id, docs_url, errors=errors)


def problem(code: str, request_id: str, docs_url: str, headers: Mapping[str, str] | None = None, **more: Any) -> web.Response:
    """`more`: errors, reason, facts."""
    kind = KINDS[code]
    body = {"type": f"{docs_url}#{code}", "title": kind.title, "status": kind.status, "detail": kind.description, "code": code, **more}
    if request_id:
        body["request_id"] = request_id
    sent = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {})}
    if kind.status == 401:
        sent["WWW-Authenticate"] = 'Bearer realm="payloom"'
    return web.Response(status=kind.status, body=json.dumps(body).encode(), content_type=MEDIA_TYPE, headers=sent)


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str) else [one if isinstance(one, int) else str(one) for one in value]
