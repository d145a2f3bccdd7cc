"""Buying: a checkout with its first prompt, another try, and how the payment stands. Open to everybody; what follows needs its token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from domain.errors import NotFound
from domain.ids import AttemptId, CheckoutId, PaymentId
from domain.payment import Attempt, Method
from domain.phone import read_phone
from domain.ports import Unit
from domain.tokens import Purpose
from usecases import payments, views
from usecases.api_keys import Caller
from usecases.checkouts import NewCheckout
from usecases.hall import Hall
from web.api.v1 import schemas
from web.api.v1.endpoint import Call, Done, Endpoint
from web.api.v1.links import amount, check_lookups, code_in, count_miss, shown


def _buy(unit: Unit, caller: Caller, call: Call) -> Done:
    body: schemas.PurchaseBody = call.body
    check_lookups(unit, call.address)
    new = NewCheckout(
        key=call.once,
        link_code=code_in(call),
        quantity=body.quantity,
        name=body.name,
        address=body.address,
        note=body.note,
        phone=read_phone(body.phone, unit.house.country) if body.phone is not None else None,
        language=str(body.language),
        source="api",
    )
    return _begun(unit, payments.buy(unit, new, body.method, call.hall.abilities, call.address))


def _process(unit: Unit, caller: Caller, call: Call) -> Done:
    body: schemas.ProcessBody = call.body
    checkout_id = call.hall.tokens.read(Purpose.PAY, body.checkout)
    if checkout_id is None:
        raise NotFound(what="checkout")
    phone = read_phone(body.phone, unit.house.country) if body.phone is not None else None
    new = payments.NewAttempt(call.once, CheckoutId(checkout_id), body.method, phone, "api", call.address)
    return _begun(unit, payments.open_attempt(unit, new, call.hall.abilities))


def _begun(unit: Unit, attempt: Attempt) -> Done:
    """Ids, from which tokens are made when the answer is shown: what is kept of it opens nothing."""
    checkout = unit.checkouts.get(attempt.checkout_id)
    return Done(
        202,
        {
            "checkout_id": checkout.id,
            "payment_id": attempt.payment_id,
            "attempt_id": attempt.id,
            "checkout": checkout.number,
            "amount": amount(checkout.total).model_dump(mode="json"),
            "expires_at": checkout.expires_at.isoformat(),
            "method": str(unit.payments.get(attempt.payment_id).method),
        },
    )


def _show_begun(hall: Hall, kept: Mapping[str, Any]) -> Mapping[str, Any]:
    checkout = hall.tokens.make(Purpose.PAY, kept["checkout_id"])
    payment = hall.tokens.make(Purpose.PAYMENT, kept["payment_id"])
    return schemas.PurchaseShown(
        checkout=kept["checkout"],
        checkout_token=checkout,
        payment=payment,
        pay_url=f"{hall.house.base_url}/pay/{checkout}",
        status_url=f"{hall.house.base_url}/api/v1/payments/{payment}/status",
        amount=schemas.Amount(**kept["amount"]),
        expires_at=kept["expires_at"],
        next=_next(kept.get("method", Method.MPESA), f"{hall.house.base_url}/pay/{checkout}"),
    ).model_dump(mode="json")


def _next(method: str, pay_url: str) -> schemas.NextStep:
    """Our own page leads on to the gateway's as soon as that is there, so that no answer waits for a gateway."""
    return schemas.NextStep(type="prompt") if method == Method.MPESA else schemas.NextStep(type="redirect", url=f"{pay_url}/go")


def _send(hall: Hall, kept: Mapping[str, Any]) -> None:
    hall.spawn(payments.send_attempt(hall.store, hall.gateways, AttemptId(kept["attempt_id"])))


def _status(unit: Unit, caller: Caller, call: Call) -> Done:
    payment_id = call.hall.tokens.read(Purpose.PAYMENT, call.path["id"])
    if payment_id is None:
        raise NotFound(what="payment")
    payment = unit.payments.get(PaymentId(payment_id))
    view = views.pay_page(unit, payment.checkout_id)
    order, attempt = None, view.attempt
    if view.order is not None and view.order_token is not None:
        url = f"{call.hall.house.base_url}/track/{view.order_token}"
        order = schemas.PaidOrder(number=view.order.number, track_url=url, track_token=view.order_token)
    return shown(
        200,
        schemas.PaymentShown(
            id=call.path["id"].lower(),
            status=payment.state,
            method=payment.method,
            amount=amount(payment.money),
            checkout=view.checkout.number,
            checkout_state=view.checkout.state,
            result=attempt.result if attempt is not None else None,
            receipt=attempt.receipt if attempt is not None else None,
            refund=view.refund.state if view.refund is not None else None,
            seller_decides_by=waits.decide_by if (waits := views.undecided(view)) is not None else None,
            order=order,
        ),
    )


ENDPOINTS: Final = (
    Endpoint(
        "POST", "/api/v1/links/{code}/purchase", "purchase", summary="Buy: begin a checkout and a payment",
        answers={202: schemas.PurchaseShown}, work=_buy, body=schemas.PurchaseBody, show=_show_begun, after=_send, on_miss=count_miss,
        refusals=("not_for_sale", "gone", "cannot_pay", "limit_reached"),
        description="Open to everybody. M-Pesa asks on the phone within seconds; for every other method send the payer to `next.url`. Follow it at "
        "`status_url`.",
    ),
    Endpoint(
        "POST", "/api/v1/payments/process", "processPayment", summary="Try again to pay for a checkout",
        answers={202: schemas.PurchaseShown}, work=_process, body=schemas.ProcessBody, show=_show_begun, after=_send,
        refusals=("not_for_sale", "gone", "cannot_pay", "limit_reached", "illegal_transition"),
        description="For whoever has the token of the checkout. While a prompt is live no second one is sent.",
    ),
    Endpoint(
        "GET", "/api/v1/payments/{id}/status", "paymentStatus", summary="How a payment stands",
        answers={200: schemas.PaymentShown}, work=_status, description="For whoever has the token of the payment.",
    ),
)  # fmt: skip
