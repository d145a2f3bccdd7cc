"""The REST apps of PayPal's dashboard: their keys, tokens, merchants; PayPal's refusals; the identifiers it makes up."""

from __future__ import annotations

import base64
import binascii
import hmac
import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from town.core import Clock
from town.phones import NoSuchThing

TOKEN_LIFE_S = 32_400
"""Documented life of an access token: nine hours."""
_MESSAGES = {
    "INVALID_REQUEST": (400, "Request is not well-formed, syntactically incorrect, or violates schema."),
    "AUTHENTICATION_FAILURE": (401, "Authentication failed due to missing authorization header, or invalid authentication credentials."),
    "NOT_AUTHORIZED": (403, "Authorization failed due to insufficient permissions."),
    "RESOURCE_NOT_FOUND": (404, "The specified resource does not exist."),
    "RESOURCE_CONFLICT": (409, "The server has detected a conflict while processing this request."),
    "UNSUPPORTED_MEDIA_TYPE": (415, "The server does not support the request payload's media type."),
    "UNPROCESSABLE_ENTITY": (
        422,
        "The requested action could not be performed, semantically incorrect, or failed business validation.",
    ),
    "RATE_LIMIT_REACHED": (429, "Too many requests. Blocked due to rate limiting."),
    "INTERNAL_SERVER_ERROR": (500, "An internal server error occurred."),
}


class Refusal(Exception):
    """PayPal's error reply: its name (which gives the status) and the details, each with an `issue`."""

    def __init__(self, name: str, *details: dict[str, Any], links: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(f"{name} {[one.get('issue') for one in details]}")
        self.name = name
        self.status, self.message = _MESSAGES[name]
        self.details = details
        self.links = links


class Missing(NoSuchThing):
    """It is not there, or not any more."""

    status = 404


def bad(issue: str, pointer: str, description: str = "", value: object = None) -> Refusal:
    """400: a field of the body that is missing or cannot be read."""
    detail = {"field": pointer, "location": "body", "issue": issue, "description": description or issue}
    return Refusal("INVALID_REQUEST", detail | ({} if value is None else {"value": str(value)[:100]}))


def cannot(issue: str, description: str = "", pointer: str = "", links: Sequence[dict[str, str]] = ()) -> Refusal:
    """422: understood, and not possible."""
    detail = {"issue": issue, "description": description or issue} | ({"field": pointer, "location": "body"} if pointer else {})
    return Refusal("UNPROCESSABLE_ENTITY", detail, links=links)


def nowhere() -> Refusal:
    return Refusal(
        "RESOURCE_NOT_FOUND",
        {
            "issue": "INVALID_RESOURCE_ID",
            "description": "Specified resource ID does not exist. Please check the resource ID and try again.",
        },
    )


@dataclass(slots=True)
class App:
    """One app of one merchant. Amounts in `balances` are in PayPal's smallest unit of each currency."""

    client_id: str
    secret: str
    merchant_id: str = "TWNMERCHANT22"
    email: str = "merchant@town.example"
    name: str = "PayLoom"
    balances: dict[str, int] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        return {"client_id": self.client_id, "merchant_id": self.merchant_id, "name": self.name, "balances": dict(self.balances)}


@dataclass(slots=True)
class Buyer:
    """Who can log in at the approval page."""

    email: str
    password: str
    payer_id: str
    given_name: str
    surname: str


class Portal:
    """All apps and the tokens given to them; every token lives its time, a new one ends none."""

    def __init__(self, clock: Clock, names: Names) -> None:
        self.apps: dict[str, App] = {}
        self._clock = clock
        self._names = names
        self._tokens: dict[str, tuple[App, datetime]] = {}

    def new_token(self, authorization: str) -> tuple[App, str] | None:
        """Check a Basic header; None when it is nobody's."""
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        app = self.apps.get(client_id)
        if app is None or not hmac.compare_digest(app.secret.encode(), secret.encode()):
            return None
        token = self._names.token()
        self._tokens[token] = (app, self._clock.now() + timedelta(seconds=TOKEN_LIFE_S))
        return app, token

    def end_tokens(self) -> None:
        self._tokens.clear()

    def bearer(self, authorization: str) -> App | None:
        scheme, _, token = authorization.partition(" ")
        app, until = self._tokens.get(token, (None, None)) if scheme.lower() == "bearer" else (None, None)
        return app if until is not None and self._clock.now() < until else None


class Names:
    """Makes identifiers in PayPal's shapes, repeatable by the town's seed."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance

    def id(self) -> str:
        """`5O190127TN364715T`: orders, captures and refunds alike."""
        return self._some(string.ascii_uppercase + string.digits, 17)

    def token(self) -> str:
        return "A21AA" + self._some(string.ascii_letters + string.digits + "-_", 80)

    def debug_id(self) -> str:
        return self._some("0123456789abcdef", 13)

    def event_id(self) -> str:
        return f"WH-{self.id()}-{self.id()}"

    def dispute_id(self) -> str:
        return f"PP-R-{self._some(string.ascii_uppercase, 3)}-{self._some(string.digits, 8)}"

    def transmission_id(self) -> str:
        return "-".join(self._some("0123456789abcdef", length) for length in (8, 4, 4, 4, 12))

    def _some(self, alphabet: str, length: int) -> str:
        return "".join(self._chance.choices(alphabet, k=length))
