"""What Moyasar takes in a request: each field read, or the refusal that names it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from town.moyasar.books import Account, Json, Refusal, invalid

EVENTS = (
    "payment_paid", "payment_failed", "payment_refunded", "payment_voided", "payment_authorized", "payment_captured", "payment_verified",
    "payment_abandoned", "card_auth_authenticated", "card_auth_failed",
)  # fmt: skip
_INVOICE = {"amount", "currency", "description", "callback_url", "success_url", "back_url", "expired_at", "metadata"}
_HOOK = {"url", "http_method", "shared_secret", "events"}


def known(body: Mapping[str, Any], names: set[str]) -> None:
    strange = {name: "is not allowed" for name in body if name not in names}
    if strange:
        raise invalid(**strange)


def invoice(body: Json, account: Account) -> Json:
    known(body, _INVOICE)
    amount(body, least=100)
    currency = body.get("currency", "SAR")
    if currency not in account.currencies:
        raise invalid(currency="is not enabled for this account")
    if not isinstance(body.get("description"), str) or not body["description"].strip():
        raise invalid(description="can't be blank")
    for name in ("callback_url", "success_url", "back_url"):
        if body.get(name) is not None:
            address(body, name)
    if body.get("expired_at") is not None:
        moment(body, "expired_at")
    metadata(body)
    return body


def metadata(body: Json) -> None:
    found = body.get("metadata")
    flat = isinstance(found, dict) and len(found) <= 30 and all(isinstance(value, str) and len(value) <= 500 for value in found.values())
    if found is not None and not flat:
        raise invalid(metadata="must be a flat object of strings")


def amount(body: Json, least: int = 1) -> int:
    value = body.get("amount")
    if type(value) is not int:
        raise invalid(amount="must be an integer")
    if value < least:
        raise invalid(amount=f"must be greater than {least - 1}")
    return value


def address(body: Json, name: str) -> str:
    value = body.get(name)
    try:
        parts = urlsplit(value) if isinstance(value, str) and not re.search(r"\s", value) else None
        _ = parts.port if parts else None
    except ValueError:
        parts = None
    if not isinstance(value, str) or parts is None or parts.scheme not in ("https", "http") or not parts.hostname:
        raise invalid(**{name: "is not a valid URL"})
    return value


def moment(body: Json, name: str) -> None:
    """A date and time; a date alone would mean its first minute. Kept with its zone."""
    try:
        at = datetime.fromisoformat(str(body[name]))
    except ValueError:
        raise invalid(**{name: "is not a valid date"}) from None
    body[name] = (at if at.tzinfo else datetime.fromisoformat(f"{at.isoformat()}+00:00")).isoformat()


def webhook(body: Json) -> Json:
    known(body, _HOOK)
    address(body, "url")
    if body.get("http_method") not in ("post", "put", "patch"):
        raise invalid(http_method="is not included in the list")
    if not isinstance(body.get("shared_secret"), str) or not body["shared_secret"]:
        raise invalid(shared_secret="can't be blank")
    events = body.get("events", list(EVENTS))
    if not isinstance(events, list) or any(event not in EVENTS for event in events):
        raise invalid(events="is not included in the list")
    return {"http_method": body["http_method"], "url": body["url"], "events": events, "_secret": body["shared_secret"]}


def page_number(query: Mapping[str, str]) -> int:
    value = query.get("page", "1")
    if not (value.isascii() and value.isdigit() and 0 < int(value[:9]) < 10**6):
        raise invalid(page="is invalid")
    return int(value)


def paged(name: str, things: list[Json], number: int, size: int) -> Json:
    pages = max(1, -(-len(things) // size))
    meta = {
        "current_page": number, "next_page": number + 1 if number < pages else None, "prev_page": number - 1 if number > 1 else None,
        "total_pages": pages, "total_count": len(things),
    }  # fmt: skip
    return {name: things[(number - 1) * size : number * size], "meta": meta}


def chosen(query: Mapping[str, str], things: list[Json]) -> list[Json]:
    """The payments that a list asks for."""
    allowed = {"page", "id", "status", "created[gt]", "created[lt]", "card_last_digits", "receipt_no"}
    if strange := [name for name in query if name not in allowed]:
        raise invalid(**dict.fromkeys(strange, "is not allowed"))
    for name in ("id", "status"):
        if name in query:
            things = [thing for thing in things if thing[name] == query[name]]
    bounds = {}
    for name in ("created[gt]", "created[lt]"):
        if name in query:
            try:
                bounds[name] = datetime.fromisoformat(query[name])
            except ValueError:
                raise Refusal(400, "invalid_request_error", f"{name} is not a date") from None
    after, before = bounds.get("created[gt]"), bounds.get("created[lt]")
    found = [(thing, datetime.fromisoformat(thing["created_at"])) for thing in things]
    return [thing for thing, at in found if (after is None or at > after) and (before is None or at < before)]
