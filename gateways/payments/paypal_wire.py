"""PayPal's REST interface: credentials, the token, one call and what its answer means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from domain.payment import Outcome, Reply, Unreadable
from domain.ports import Clock
from gateways.http import MOST_BYTES, Answer, Http, NotSent, Unknown, read_json
from gateways.payments.daraja_token import NoToken, TokenShelf

FIELDS: Final = ("client_id", "client_secret", "webhook_id", "merchant_id")
LATER_S: Final = 5
BUSY_S: Final = 30
LONGEST_WAIT_S: Final = 3600
_IN_PROGRESS: Final = (408, 409)
"""The same request is being carried out at this moment, or was cut off in the middle."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Account:
    """Whose money it is. `merchant_id`, if given, is the payee that every order has to name."""

    client_id: str
    client_secret: str = field(repr=False)
    merchant_id: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """PayPal said no: nothing was done. `issues` are the codes of its details, and its name last."""

    status: int
    issues: tuple[str, ...]
    debug_id: str


@dataclass(frozen=True, slots=True)
class Busy:
    """429: not looked at."""

    after_s: int


Said = Mapping[str, Any] | Refused | Busy | NotSent | Unknown | NoToken


def read_account(credentials: Mapping[str, str]) -> Account | None:
    """None when what every call needs is missing, or could not be sent."""
    client_id, secret = credentials.get("client_id", "").strip(), credentials.get("client_secret", "").strip()
    if not client_id or not secret or ":" in client_id or not (client_id + secret).isascii() or not (client_id + secret).isprintable():
        return None
    return Account(client_id, secret, credentials.get("merchant_id", "").strip())


class Wire:
    """`base_url` is where PayPal answers; an answer is read whole or not at all."""

    def __init__(self, http: Http, base_url: str, clock: Clock) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._tokens = TokenShelf(http, self._base_url, clock, "/v1/oauth2/token", {"grant_type": "client_credentials"})

    async def aclose(self) -> None:
        await self._tokens.aclose()

    async def token(self, account: Account) -> str | None:
        """None when PayPal gives a token, else the words key of why not."""
        token = await self._tokens.get(account.client_id, account.client_secret)
        return token.why if isinstance(token, NoToken) else None

    async def call(
        self,
        account: Account,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        key: str | None = None,
        limit: int = 256 << 10,
    ) -> Said:
        """One call; a refused token is replaced and the call made once more, for it was refused before anything was done."""
        for _ in range(2):
            token = await self._tokens.get(account.client_id, account.client_secret)
            if isinstance(token, NoToken):
                return token
            headers = {"Authorization": f"Bearer {token.value}", "Prefer": "return=representation", "Accept": "application/json"}
            if key is not None:
                headers["PayPal-Request-Id"] = key
            answer = await self._http.call(method, self._base_url + path, headers=headers, body=body)
            if not isinstance(answer, Answer) or answer.status != 401:
                return _understand(answer, min(limit, MOST_BYTES))
            self._tokens.drop(account.client_id, account.client_secret, token)
        return NotSent("InvalidToken")


def _understand(answer: Answer | NotSent | Unknown, limit: int) -> Said:
    """2xx with an object is what PayPal did; a 4xx in its own shape is a refusal; anything else says nothing of what was done."""
    if not isinstance(answer, Answer):
        return answer
    if answer.status == 429:
        wait = answer.headers.get("retry-after", "")
        return Busy(max(1, min(int(wait), LONGEST_WAIT_S)) if wait.isascii() and wait.isdigit() and len(wait) <= 6 else BUSY_S)
    try:
        said = read_json(answer.body, limit)
    except Unreadable:
        return Unknown(f"Status{answer.status}")
    if answer.status in (200, 201):
        return said
    if 400 <= answer.status < 500 and answer.status not in _IN_PROGRESS and isinstance(said.get("name"), str):
        details = said.get("details")
        codes = [one.get("issue") for one in details if isinstance(one, dict)] if isinstance(details, list) else []
        debug_id = said.get("debug_id")
        refused = Refused(
            answer.status, (*(code for code in codes if isinstance(code, str)), said["name"]), debug_id if isinstance(debug_id, str) else ""
        )
        log.info("paypal_refused", status=answer.status, issues=refused.issues, debug_id=refused.debug_id)
        return refused
    return Unknown(f"Status{answer.status}")


def failed(said: Busy | NotSent | Unknown | NoToken) -> Reply:
    """A call that got no word of PayPal about the thing itself."""
    match said:
        case Unknown():
            return Reply(Outcome.UNKNOWN, result="unknown")
        case NoToken(why="configuration"):
            return Reply(Outcome.DECLINED, result="configuration")
        case Busy(after_s):
            return Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=after_s)
        case NotSent() | NoToken():
            return Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=LATER_S)


def origin(url: str) -> str:
    """`https://host` or `http://host:port`; empty for what is no address, or has a user in it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        return ""
    return f"{parts.scheme}://{parts.hostname}" + ("" if port is None else f":{port}")
