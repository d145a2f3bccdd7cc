"""What each address of the API does. A desk gets checked parameters and gives the object to show; it raises Refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from town.alarms import Alarms
from town.core import Core
from town.stripe import shapes
from town.stripe.asked import SESSION, make_session
from town.stripe.books import Account, Endpoint
from town.stripe.forms import Refusal, Schema
from town.stripe.gate import PROVIDER, Call, expanded
from town.stripe.shapes import Json

EXPAND: Schema = {"expand": "texts"}
PAGING: Schema = {"limit": "integer", "starting_after": "text", "ending_before": "text", "created": "span", "expand": "texts"}
REFUND: Schema = {
    "payment_intent": "text", "charge": "text", "amount": "integer", "reason": "text", "metadata": "map", "expand": "texts",
}  # fmt: skip
ENDPOINT: Schema = {"url!": "url", "enabled_events!": "texts", "api_version": "text", "description": "text", "metadata": "map"}
_LISTS: Mapping[str, tuple[str, Schema]] = {
    "checkout/sessions": ("sessions", {"payment_intent": "text", "status": "text"}),
    "payment_intents": ("intents", {}),
    "charges": ("charges", {"payment_intent": "text"}),
    "refunds": ("refunds", {"payment_intent": "text", "charge": "text"}),
    "disputes": ("disputes", {"payment_intent": "text", "charge": "text"}),
    "events": ("events", {"type": "text", "types": "texts"}),
    "balance_transactions": ("transactions", {"type": "text", "currency": "text", "source": "text"}),
}
_KINDS = {"sessions": "checkout.session", "intents": "payment_intent", "transactions": "balance_transaction"}

Row = tuple[str, str, Callable[[Call], Json], Schema]


class Desks:
    """All of them; `rows()` is the table of routes."""

    def __init__(self, core: Core, alarms: Alarms) -> None:
        self._core = core
        self._alarms = alarms

    def rows(self) -> list[Row]:
        rows: list[Row] = [
            ("POST", "/v1/checkout/sessions", self.create_session, SESSION),
            ("POST", "/v1/checkout/sessions/{id}/expire", self.expire_session, EXPAND),
            ("GET", "/v1/checkout/sessions/{id}/line_items", self.line_items, PAGING),
            ("POST", "/v1/refunds", self.create_refund, REFUND),
            ("POST", "/v1/disputes/{id}/close", self.close_dispute, EXPAND),
            ("GET", "/v1/balance", lambda call: shapes.balance(call.account.balance(), call.account.live), EXPAND),
            ("POST", "/v1/webhook_endpoints", self.create_endpoint, ENDPOINT),
            ("GET", "/v1/webhook_endpoints", self.endpoints, PAGING),
        ]
        for path, (name, filters) in _LISTS.items():
            rows.append(("GET", f"/v1/{path}", self._lister(path, name, filters), {**PAGING, **filters}))
            rows.append(("GET", f"/v1/{path}/{{id}}", self._getter(name), EXPAND))
        return rows

    def create_session(self, call: Call) -> Json:
        """Its page is beside the API; it ends by itself when its time has come."""
        session = make_session(call.account, call.asked, f"{call.base}/pay")
        self.end_in_time(call.account, session)
        return _shown(call, session)

    def end_in_time(self, account: Account, session: Json) -> None:
        async def end() -> None:
            if session["status"] == "open":
                account.expire(session)

        self._alarms.at(datetime.fromtimestamp(session["expires_at"], UTC), end)

    def expire_session(self, call: Call) -> Json:
        session = _found(call.account.sessions, call.path["id"], "checkout.session")
        if session["status"] != "open":
            raise Refusal(
                400,
                f'Only Checkout Sessions with a status in ["open"] can be expired. This Session has a status of {session["status"]}.',
                stored=True,
            )
        call.account.expire(session)
        return _shown(call, session)

    def line_items(self, call: Call) -> Json:
        _found(call.account.sessions, call.path["id"], "checkout.session")
        return shapes.a_list(f"/v1/checkout/sessions/{call.path['id']}/line_items", call.account.lines[call.path["id"]], False)

    def create_refund(self, call: Call) -> Json:
        """Several refunds of one charge, up to what it was."""
        asked, account = call.asked, call.account
        if ("payment_intent" in asked) is ("charge" in asked):
            raise Refusal(400, "One of the following params should be provided for this request: payment_intent or charge.")
        if "payment_intent" in asked:
            intent = _found(account.intents, asked["payment_intent"], "payment_intent")
            if intent["latest_charge"] is None:
                raise Refusal(400, f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.", stored=True)
            charge = account.charges[intent["latest_charge"]]
        else:
            charge = _found(account.charges, asked["charge"], "charge")
        if asked.get("reason") not in (None, "duplicate", "fraudulent", "requested_by_customer"):
            raise Refusal(400, "Invalid reason: must be one of duplicate, fraudulent, or requested_by_customer", param="reason")
        status, fate = "succeeded", self._core.faults.take(PROVIDER, "refund_pending", "refund_fails", "refund_action")
        if fate is not None:
            status = {"refund_pending": "pending", "refund_fails": "failed"}.get(fate.fault, "requires_action")
        refund = account.refund(
            charge, asked.get("amount"), "pending" if status == "failed" else status,
            metadata=asked.get("metadata", {}), reason=asked.get("reason"),
        )  # fmt: skip
        if status == "failed":
            account.settle_refund(refund["id"], "failed", str(fate.detail.get("reason", "unknown")) if fate else "unknown")
        return _shown(call, refund)

    def close_dispute(self, call: Call) -> Json:
        """The merchant gives in: lost."""
        dispute = _found(call.account.disputes, call.path["id"], "dispute")
        return _shown(call, call.account.close_dispute(dispute["id"], won=False))

    def create_endpoint(self, call: Call) -> Json:
        account = call.account
        endpoint = Endpoint(account.name("we"), call.asked["url"], account.name("whsec", 32), tuple(call.asked["enabled_events"]))
        account.endpoints.append(endpoint)
        return {**endpoint.shown(account.live, account.now()), "secret": endpoint.secret}

    def endpoints(self, call: Call) -> Json:
        shown = [one.shown(call.account.live, call.account.now()) for one in call.account.endpoints]
        return shapes.a_list("/v1/webhook_endpoints", shown, False)

    def _getter(self, name: str) -> Callable[[Call], Json]:
        kind = _KINDS.get(name, name.rstrip("s"))

        def get(call: Call) -> Json:
            found = _found(getattr(call.account, name), call.path["id"], kind)
            if name == "sessions" and found["status"] == "open" and found["expires_at"] <= call.account.now():
                call.account.expire(found)
            return _shown(call, found)

        return get

    def _lister(self, path: str, name: str, filters: Schema) -> Callable[[Call], Json]:
        def get(call: Call) -> Json:
            things: list[Json] = list(reversed(getattr(call.account, name).values()))
            kept = [one for one in things if _matches(one, call.asked, filters)]
            page, more = _page(kept, call.asked)
            return _shown(call, shapes.a_list(f"/v1/{path}", page, more))

        return get


def _found(things: Mapping[str, Json], name: str, kind: str) -> Json:
    if name not in things:
        raise Refusal(404, f"No such {kind}: '{name}'", code="resource_missing", param="id")
    return things[name]


def _matches(one: Json, asked: Json, filters: Schema) -> bool:
    span = asked.get("created", {})
    created = one["created"]
    span = {"gte": span, "lte": span} if isinstance(span, int) else span
    if created < span.get("gte", created) or created > span.get("lte", created):
        return False
    if created <= span.get("gt", created - 1) or created >= span.get("lt", created + 1):
        return False
    if "types" in asked and one["type"] not in asked["types"]:
        return False
    return all(one.get(name) == asked[name] for name in filters if name in asked and name != "types")


def _page(things: list[Json], asked: Json) -> tuple[list[Json], bool]:
    """Newest first; the page after, or before, an id."""
    limit = asked.get("limit", 10)
    if not 1 <= limit <= 100:
        raise Refusal(400, f"This value must be between 1 and 100 (it was {limit}).", param="limit")
    ids = [one["id"] for one in things]
    for name in ("starting_after", "ending_before"):
        if name in asked and asked[name] not in ids:
            raise Refusal(400, f"No such object: '{asked[name]}'", code="resource_missing", param=name)
    if "ending_before" in asked:
        before = things[: ids.index(asked["ending_before"])]
        return before[-limit:], len(before) > limit
    left = things[ids.index(asked["starting_after"]) + 1 :] if "starting_after" in asked else things
    return left[:limit], len(left) > limit


def _shown(call: Call, thing: Json) -> Json:
    """A copy with what was asked to be expanded."""
    account = call.account
    finders: dict[str, Callable[[str], Any]] = {
        "payment_intent": account.intents.get,
        "latest_charge": account.charges.get,
        "charge": account.charges.get,
        "balance_transaction": account.transactions.get,
        "source": lambda name: account.charges.get(name) or account.refunds.get(name) or account.disputes.get(name),
    }
    shown = dict(thing)
    for path in call.asked.get("expand", []):
        expanded(shown, path, finders)
    return shown
