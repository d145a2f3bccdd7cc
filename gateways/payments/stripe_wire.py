"""Back room: the official package over our one HTTP client, so that its calls keep our time and size limits, and no call is sent twice.

The package gives its exceptions for what Stripe says; what never left and what was lost on the way have their own here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import stripe

from domain.payment import Outcome, Reply, Unreadable
from gateways.http import MOST_BYTES, Answer, Http, NotSent, read_json
from gateways.payments.stripe_codes import declined, refused

VERSION: Final = "2026-10-28.endive"
"""The version of the API all requests and the webhook endpoint are made with."""
_LATER_S: Final = 5
_HEADERS_READ: Final = ("request-id", "retry-after")


class NeverLeft(stripe.StripeError):
    """Certainly nothing reached Stripe."""


class Lost(stripe.StripeError):
    """It may have reached Stripe, and what came back is nothing, half, or rubbish."""


class Wire(stripe.HTTPClient):
    """What the package sends with. Telemetry stays at home: neither the headers that describe us nor a file of ours are made."""

    name = "payloom"

    def __init__(self, http: Http) -> None:
        super().__init__()
        self._http = http
        stripe.enable_telemetry = False

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        ours = {name: value for name, value in headers.items() if not name.startswith("X-Stripe-Client-")}
        content = post_data.encode() if isinstance(post_data, str) else None
        result = await self._http.call(method.upper(), url, headers=ours, content=content)
        if isinstance(result, NotSent):
            raise NeverLeft(result.why)
        if not isinstance(result, Answer):
            raise Lost(result.why)
        return _checked(result), result.status, {name: result.headers[name] for name in _HEADERS_READ if name in result.headers}

    async def close_async(self) -> None:
        """The client belongs to whoever made it."""


def client(wire: Wire, base_url: str, secret_key: str) -> stripe.StripeClient:
    """Cheap: made for each call, with the key of whose money it is. It never tries again: that is decided by who asks."""
    return stripe.StripeClient(
        secret_key, stripe_version=VERSION, base_addresses={"api": base_url}, max_network_retries=0, http_client=wire
    )


def _checked(answer: Answer) -> bytes:
    """A body that the package can be given: an object, and for what is no success one with an `error` object.

    A success that is none of ours is no success: it may have been done, or be somebody else's page.
    """
    try:
        said = read_json(answer.body, MOST_BYTES)
    except Unreadable as problem:
        if 200 <= answer.status < 300:
            raise Lost(f"status {answer.status} with rubbish: {problem}") from None
        said = {}
    if 200 <= answer.status < 300:
        return answer.body
    error = said.get("error")
    known = error if isinstance(error, dict) else {}
    texts = {name: value for name, value in known.items() if isinstance(value, str)}
    return json.dumps({"error": texts}).encode()


def failed(problem: stripe.StripeError) -> Reply:
    """What an exception of the package says of a call that changes something."""
    body = problem.json_body if isinstance(problem.json_body, dict) else {}
    error: Mapping[str, str] = body.get("error", {})
    code, kind = error.get("code"), error.get("type")
    match problem:
        case NeverLeft():
            return Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=_LATER_S)
        case stripe.RateLimitError():
            return Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=_wait_s(problem))
        case stripe.AuthenticationError() | stripe.PermissionError():
            return Reply(Outcome.DECLINED, result="configuration")
        case stripe.CardError():
            return Reply(Outcome.DECLINED, result=declined(error.get("decline_code"), code))
        case stripe.InvalidRequestError() if kind not in ("api_error", "idempotency_error"):
            return Reply(Outcome.DECLINED, result=refused(code, error.get("param")))
        case _:
            # api_error, a key in use (409) or used for something else, a page in between: it may have been done.
            return Reply(Outcome.UNKNOWN, result="unknown")


def _wait_s(problem: stripe.StripeError) -> int:
    told = (problem.headers or {}).get("retry-after", "")
    return min(max(int(told), 1), 3600) if told.isascii() and told.isdigit() and len(told) <= 6 else _LATER_S
