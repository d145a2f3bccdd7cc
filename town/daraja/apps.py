"""The apps of Daraja's portal: their keys, short codes, tokens and the money in their accounts."""

from __future__ import annotations

import base64
import binascii
import hmac
import string
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from town.core import Clock

TOKEN_LIFE_S = 3599
"""Documented life of an access token."""
PAYBILL, BUYGOODS = "PAYBILL", "BUYGOODS"
FIRST_UTILITY_MINOR = 1_000_000_00
"""What a short code can pay out (B2C) at first: KES 1,000,000. Its Working account starts empty."""


class Refusal(Exception):
    """Daraja's error reply: HTTP status, errorCode, errorMessage."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.status = status
        self.code = code
        self.message = message


@dataclass(slots=True)
class Urls:
    """What C2B registerurl keeps."""

    confirmation: str
    validation: str
    response_type: str


@dataclass(slots=True)
class App:
    """One app on the portal, with its one short code. `working_minor` is what customers paid in, `utility_minor` what B2C pays from."""

    key: str
    secret: str
    short_code: str
    passkey: str
    kind: str = PAYBILL
    till: str = ""
    name: str = "PAYLOOM"
    initiator: str = "town-initiator"
    security_credential: str = "town-security-credential"
    external_validation: bool = False
    pulls: bool = False
    token: str = ""
    token_until: datetime | None = None
    working_minor: int = 0
    utility_minor: int = FIRST_UTILITY_MINOR
    urls: Urls | None = field(default=None)

    @property
    def party_b(self) -> str:
        """Who receives an STK payment: the till of a BUYGOODS app, else the short code."""
        return self.till if self.kind == BUYGOODS else self.short_code

    @property
    def transaction_type(self) -> str:
        return "CustomerBuyGoodsOnline" if self.kind == BUYGOODS else "CustomerPayBillOnline"

    def password_fits(self, password: str, timestamp: str) -> bool:
        expected = base64.b64encode(f"{self.short_code}{self.passkey}{timestamp}".encode())
        return hmac.compare_digest(expected, password.encode())

    def shown(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "short_code": self.short_code,
            "kind": self.kind,
            "till": self.till,
            "name": self.name,
            "initiator": self.initiator,
            "working_minor": self.working_minor,
            "utility_minor": self.utility_minor,
        }


class Portal:
    """All apps, and the tokens given to them: one token per app, a new one ends the one before."""

    def __init__(self, clock: Clock, chance: Random) -> None:
        self.apps: dict[str, App] = {}
        self._clock = clock
        self._chance = chance
        self._by_token: dict[str, App] = {}

    def add(self, app: App) -> App:
        if app.kind not in (PAYBILL, BUYGOODS):
            raise ValueError(f"kind is {PAYBILL} or {BUYGOODS}")
        if app.kind == BUYGOODS and not app.till:
            raise ValueError("a BUYGOODS app needs its till")
        if app.key in self.apps:
            self.end_token(self.apps[app.key])
        self.apps[app.key] = app
        return app

    def by_short_code(self, short_code: str) -> App | None:
        return next((app for app in self.apps.values() if app.short_code == short_code), None)

    def knows_party(self, number: str) -> bool:
        """Whether any short code or till has this number."""
        return any(number in (app.short_code, app.till) for app in self.apps.values())

    def new_token(self, authorization: str) -> App:
        """Check a Basic header and give its app a new token, which ends the old one; raises Refusal."""
        scheme, _, encoded = authorization.partition(" ")
        wrong = Refusal(400, "400.008.01", "Invalid Authentication passed")
        if scheme.lower() != "basic":
            raise wrong
        try:
            key, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise wrong from None
        app = self.apps.get(key)
        if app is None or not hmac.compare_digest(app.secret.encode(), secret.encode()):
            raise wrong
        self.end_token(app)
        app.token = "".join(self._chance.choices(string.ascii_letters + string.digits, k=28))
        app.token_until = self._clock.now() + timedelta(seconds=TOKEN_LIFE_S)
        self._by_token[app.token] = app
        return app

    def end_token(self, app: App) -> None:
        self._by_token.pop(app.token, None)
        app.token = ""

    def bearer(self, authorization: str) -> App:
        """The app of a Bearer header; raises Refusal 404.001.03 for a token that is unknown, replaced or older than its life."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Refusal(401, "401.002.01", "Error Occurred - Invalid Access Token")
        app = self._by_token.get(token.strip())
        if app is None or app.token_until is None or app.token_until <= self._clock.now():
            raise Refusal(404, "404.001.03", "Invalid Access Token")
        return app
