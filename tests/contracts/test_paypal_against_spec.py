"""What we send to PayPal and what the town answers in its place, against PayPal's own OpenAPI documents."""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncIterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from openapi_schema_validator import OAS30ReadValidator, OAS30WriteValidator

from gateways.http import Answer, Http, Result
from gateways.payments.paypal_codes import CAPTURE_STATUS, PAYMENT, REFUND, REFUND_STATUS
from gateways.payments.paypal_events import EVENT_TYPES
from tests.gateways.paypal_ground import CREDENTIALS, Ground, paypal_ground

Json = dict[str, Any]

FOLDER = Path(os.environ.get("PAYLOOM_SPECS") or Path(__file__).parents[2].parent / "shared" / "specs")
ORDERS, PAYMENTS, WEBHOOKS = (
    FOLDER / f"paypal-{name}.json" for name in ("checkout_orders_v2", "payments_payment_v2", "notifications_webhooks_v1")
)
pytestmark = pytest.mark.skipif(
    not (ORDERS.is_file() and PAYMENTS.is_file() and WEBHOOKS.is_file()),
    reason=f"PayPal's specifications are not in {FOLDER}; PAYLOOM_SPECS says where they are.",
)


@cache
def spec(path: Path) -> Json:
    loaded: Json = json.loads(path.read_text("utf-8"))
    return loaded


def problems(path: Path, schema: Json, value: object, *, sent: bool = False) -> list[str]:
    """What is wrong with it: by the schema, and names that no schema of PayPal knows."""
    whole = {**schema, "components": spec(path)["components"]}
    validator = (OAS30WriteValidator if sent else OAS30ReadValidator)(whole)
    return [f"{list(one.absolute_path)}: {one.message[:200]}" for one in validator.iter_errors(value)] + strange(path, schema, value, "")


def strange(path: Path, schema: Mapping[str, Any], value: object, where: str) -> list[str]:
    """Fields that the schema does not name: PayPal's objects are open, so the validator does not tell."""
    if isinstance(value, list):
        return [one for item in value for one in strange(path, _resolved(path, schema).get("items", {}), item, f"{where}[]")]
    if not isinstance(value, dict):
        return []
    known = _fields(path, schema)
    if not known:
        return []
    found = [f"{where}: PayPal knows no {name}" for name in value if name not in known]
    return found + [one for name, item in value.items() if name in known for one in strange(path, known[name], item, f"{where}.{name}")]


def _resolved(path: Path, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = spec(path)["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _fields(path: Path, schema: Mapping[str, Any]) -> dict[str, Any]:
    plain = _resolved(path, schema)
    fields = dict(plain.get("properties", {}))
    for part in (*plain.get("allOf", ()), *plain.get("anyOf", ()), *plain.get("oneOf", ())):
        fields |= _fields(path, part)
    return fields


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def issues(path: Path, where: str, status: str) -> set[str]:
    """Every issue code that PayPal documents for a POST."""
    text = json.dumps(spec(path)["paths"][where]["post"]["responses"][status])
    names = {name for name in re.findall(r"schemas/([\w.\-]+)", text) if not name.startswith("error_")}
    found: set[str] = set()
    for name in names:
        found |= set(re.findall(r'"issue": \{[^{}]*"enum": \["([A-Z_0-9]+)"', json.dumps(spec(path)["components"]["schemas"][name])))
    return found


@pytest.mark.parametrize(
    ("path", "where", "status", "table"),
    [
        (ORDERS, "/v2/checkout/orders", "400", PAYMENT),
        (ORDERS, "/v2/checkout/orders", "422", PAYMENT),
        (ORDERS, "/v2/checkout/orders/{id}/capture", "400", PAYMENT),
        (ORDERS, "/v2/checkout/orders/{id}/capture", "403", PAYMENT),
        (ORDERS, "/v2/checkout/orders/{id}/capture", "422", PAYMENT),
        (PAYMENTS, "/v2/payments/captures/{capture_id}/refund", "400", REFUND),
        (PAYMENTS, "/v2/payments/captures/{capture_id}/refund", "403", REFUND),
        (PAYMENTS, "/v2/payments/captures/{capture_id}/refund", "422", REFUND),
    ],
)
def test_every_documented_issue_has_a_meaning(path: Path, where: str, status: str, table: Mapping[str, object]) -> None:
    known = issues(path, where, status)
    assert known, "the document says none, or says it in another way"
    assert not known - set(table)


def test_every_documented_status_has_a_meaning() -> None:
    schemas = spec(PAYMENTS)["components"]["schemas"]
    assert set(schemas["capture_status"]["properties"]["status"]["enum"]) == set(CAPTURE_STATUS)
    assert set(schemas["refund_status"]["properties"]["status"]["enum"]) == set(REFUND_STATUS)


Heard = list[tuple[str, str, Any, Mapping[str, str], Answer]]


class Listening(Http):
    """Writes down everything that was sent, and answered."""

    def __init__(self) -> None:
        super().__init__(read_timeout_s=5.0)
        self.heard: Heard = []

    async def call(self, method: str, url: str, **more: Any) -> Result:
        answer = await super().call(method, url, **more)
        path = url.partition("/town/paypal")[2].partition("?")[0]
        if isinstance(answer, Answer) and path.startswith(("/v2/", "/v1/notifications/webhooks")):
            self.heard.append((method, path, more.get("body"), more.get("headers") or {}, answer))
        return answer


@pytest.fixture
def line() -> Listening:
    return Listening()


@pytest.fixture
def heard(line: Listening) -> Heard:
    return line.heard


@pytest_asyncio.fixture
async def ground(line: Listening) -> AsyncIterator[Ground]:
    async with paypal_ground(http=line) as made:
        yield made


REQUESTS = {
    r"/v2/checkout/orders": (ORDERS, "order_request"),
    r"/v2/checkout/orders/\w+/capture": (ORDERS, "order_capture_request"),
    r"/v2/payments/captures/\w+/refund": (PAYMENTS, "refund_request"),
}
ANSWERS = {
    r"/v2/checkout/orders(/\w+(/capture)?)?": (ORDERS, "order"),
    r"/v2/payments/captures/\w+/refund": (PAYMENTS, "refund"),
    r"/v2/payments/captures/\w+": (PAYMENTS, "capture-2"),
    r"/v1/notifications/webhooks-events": (WEBHOOKS, "EventList"),
}
ERRORS = {400: "error_400", 401: "error_401", 403: "error_403", 404: "error_404", 422: "error_422", 500: "error_500"}


def check(heard: Heard) -> None:
    for method, path, body, headers, answer in heard:
        at = f"{method} {path} {answer.status}"
        if body is not None:
            document, name = next(found for shape, found in REQUESTS.items() if re.fullmatch(shape, path))
            assert problems(document, ref(name), body, sent=True) == [], at
            assert 1 <= len(headers["PayPal-Request-Id"]) <= 108, at
        said = json.loads(answer.body)
        document, name = next(found for shape, found in ANSWERS.items() if re.fullmatch(shape, path))
        name = name if answer.status < 400 else ERRORS[answer.status]
        assert problems(document, ref(name), said) == [], at


async def test_a_payment_with_its_refunds(ground: Ground, heard: Heard) -> None:
    since = ground.clock.now()
    for amount, currency in ((2000, "USD"), (5, "EUR"), (10**12, "GBP")):
        attempt = await ground.start(amount, currency, language="ar", description="شاي و Tea", reference="PL-7K2QD")
        await ground.fetch(attempt)
        ground.pay(attempt)
        receipt = (await ground.fetch(attempt)).receipt
        assert receipt is not None
        await ground.refund(attempt, receipt, 1, 1)
        await ground.refund(attempt, receipt, None, 2)
        await ground.refund(attempt, receipt, amount - 1, 3)
        await ground.refund(attempt, receipt, None, 4)
    await ground.gateway.records(since, ground.clock.now(), CREDENTIALS)
    check(heard)
    assert {method + path.partition("/orders/")[1] for method, path, *_ in heard} >= {"POST", "GET/orders/", "POST/orders/", "GET"}


async def test_what_goes_wrong(ground: Ground, heard: Heard) -> None:
    for fault in ("forbidden", "error_500", "expire_token"):
        ground.fault(fault)
        await ground.gateway.start(ground.ask())
    for funding in ("review", "declined_card"):
        attempt = await ground.start()
        ground.pay(attempt, funding)
        await ground.fetch(attempt)
    ground.fault("capture_issue", issue="PAYER_CANNOT_PAY")
    attempt = await ground.start()
    await ground.refund(attempt, "3C679366HH908993F")
    ground.pay(attempt)
    await ground.fetch(attempt)
    check(heard)
    assert {answer.status for *_, answer in heard} >= {200, 201, 401, 403, 404, 422, 500}


async def test_events(ground: Ground) -> None:
    attempt, receipt = await ground.paid()
    await ground.refund(attempt, receipt, 500)
    case = ground.charge_back(receipt)
    ground.end_chargeback(case, won=True)
    ground.alone.paypal.reverse(receipt)
    await ground.hears("PAYMENT.CAPTURE.REVERSED")
    await ground.hears("CUSTOMER.DISPUTE.RESOLVED")
    shapes = {"checkout-order": (ORDERS, "order"), "capture": (PAYMENTS, "capture-2"), "refund": (PAYMENTS, "refund")}
    for told in ground.told:
        event = json.loads(told.raw)
        assert event["event_type"] in EVENT_TYPES
        assert problems(WEBHOOKS, ref("event"), event | {"resource": {}}) == [], event["event_type"]
        if event["resource_type"] in shapes:
            document, name = shapes[event["resource_type"]]
            assert problems(document, ref(name), event["resource"]) == [], event["event_type"]
    assert len({json.loads(told.raw)["event_type"] for told in ground.told}) == 6


def test_the_check_can_fail() -> None:
    wrong = {"intent": "CAPTURE", "purchase_units": [{"amount": {"currency_code": "USD", "value": "1,00"}, "surprise": 1}]}
    found = problems(ORDERS, ref("order_request"), wrong, sent=True)
    assert any("1,00" in one for one in found) and any("knows no surprise" in one for one in found)
