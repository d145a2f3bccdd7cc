"""Stripe's events offline: signatures, what each type means, and that no body at all can do more than be Unreadable."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ids import AttemptId, RefundId
from domain.money import Money
from domain.payment import About, Outcome, Proof, Unreadable
from gateways.http import CALLBACK_BYTES, Http
from gateways.payments.stripe import LIVE, Stripe
from gateways.payments.stripe_codes import DECLINES, DISPUTES, REFUNDS, WORDS
from gateways.payments.stripe_events import EVENTS
from tests.gateways.provider import NOON, HandClock
from tests.gateways.stripe_ground import KEYS, KIND

SUCCEEDED, PENDING, DECLINED, UNKNOWN = Outcome.SUCCEEDED, Outcome.PENDING, Outcome.DECLINED, Outcome.UNKNOWN
SESSION: dict[str, Any] = {
    "id": "cs_test_a1", "object": "checkout.session", "status": "complete", "payment_status": "paid", "amount_total": 25000,
    "currency": "kes", "payment_intent": "pi_1", "client_reference_id": "7", "metadata": {"payloom_attempt": "7"}, "livemode": False,
    "url": None, "customer_details": {"email": "a@example.com"},
}  # fmt: skip
REFUND: dict[str, Any] = {
    "id": "re_1", "object": "refund", "status": "succeeded", "amount": 1000, "currency": "kes", "payment_intent": "pi_1",
    "charge": "ch_1", "metadata": {"payloom_attempt": "7", "payloom_refund": "9"},
}  # fmt: skip
DISPUTE: dict[str, Any] = {
    "id": "du_1", "object": "dispute", "status": "needs_response", "amount": 25000, "currency": "kes", "payment_intent": "pi_1",
    "charge": "ch_1", "reason": "fraudulent", "metadata": {}, "livemode": False,
}  # fmt: skip


@pytest.fixture
def gateway(http: Http, clock: HandClock) -> Stripe:
    return Stripe(http, LIVE, clock)


def event(kind: str, thing: object, **changed: Any) -> bytes:
    body = {
        "id": "evt_1", "object": "event", "api_version": "2026-10-28.endive", "created": 1792345678, "livemode": False,
        "pending_webhooks": 1, "request": {"id": "req_1", "idempotency_key": "k"}, "type": kind, "data": {"object": thing}, **changed,
    }  # fmt: skip
    return json.dumps(body, indent=2).encode()


PAID = event("checkout.session.completed", SESSION)


def proof(raw: bytes, secret: str = KEYS["webhook_secret"], after_s: float = 0, at: str = "") -> str:
    at = at or str(int((NOON + timedelta(seconds=after_s)).timestamp()))
    return f"t={at},v1=" + hmac.new(secret.encode(), at.encode() + b"." + raw, hashlib.sha256).hexdigest()


def believed(gateway: Stripe, raw: bytes, header: str, kind: str = KIND, **changed: str) -> bool:
    return gateway.authentic(kind, raw, {"stripe-signature": header}, "127.0.0.1", {**KEYS, **changed})


# --- signatures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after_s", [0, 300, -300, 299])
def test_a_genuine_signature_near_our_time(gateway: Stripe, after_s: float) -> None:
    """C6."""
    assert believed(gateway, PAID, proof(PAID, after_s=after_s))


@pytest.mark.parametrize("after_s", [-301, -86400, 301, 600])
def test_a_genuine_signature_of_another_time(gateway: Stripe, after_s: float) -> None:
    """C6."""
    assert not believed(gateway, PAID, proof(PAID, after_s=after_s))


def test_bodies_and_secrets_must_fit(gateway: Stripe) -> None:
    """C5."""
    assert not believed(gateway, PAID + b" ", proof(PAID))
    assert not believed(gateway, PAID, proof(PAID, "whsec_other"))
    assert not gateway.authentic(KIND, PAID, {}, "", KEYS)
    assert not believed(gateway, PAID, proof(PAID), kind="other")
    big = PAID + b" " * CALLBACK_BYTES
    assert not believed(gateway, big, proof(big))


def test_an_empty_secret_believes_nobody(gateway: Stripe) -> None:
    """C5."""
    assert not believed(gateway, PAID, proof(PAID, ""), webhook_secret="", webhook_secret_before=" ")
    assert not gateway.authentic(KIND, PAID, {"stripe-signature": proof(PAID, "")}, "", {"secret_key": KEYS["secret_key"]})
    assert not believed(gateway, PAID, proof(PAID), secret_key="")


def test_both_secrets_count_while_one_is_rolled_and_only_then(gateway: Stripe) -> None:
    """C20."""
    old = proof(PAID, "whsec_old")
    assert not believed(gateway, PAID, old)
    assert believed(gateway, PAID, old, webhook_secret_before="whsec_old")
    assert believed(gateway, PAID, proof(PAID), webhook_secret_before="whsec_old")


def test_one_good_signature_among_several_is_enough(gateway: Stripe) -> None:
    time, _, good = proof(PAID).partition(",")
    assert believed(gateway, PAID, f"{time},v1={'0' * 64},{good},v0={'1' * 64}")
    assert believed(gateway, PAID, f"{time}, {good}")


@pytest.mark.parametrize("header", ["", "t=", "v1=", "t=1,v1=a", "t=x,v1={good}", "{good}", "t={t},v0={hex}", "t={t},t={t},v1={hex}", "t={t},v1={HEX}", "t={t},v1=", "=,=,,"])  # fmt: skip
def test_a_header_that_is_none(gateway: Stripe, header: str) -> None:
    """C5, C17."""
    time, good = proof(PAID).removeprefix("t=").split(",v1=")
    text = header.replace("{t}", time).replace("{good}", good).replace("{hex}", good).replace("{HEX}", good.upper())
    assert not believed(gateway, PAID, text)


@given(st.text(max_size=200))
def test_no_header_at_all_is_a_proof_by_chance(header: str) -> None:
    """C5."""
    assert not believed(Stripe(None, LIVE, HandClock()), PAID, header)  # type: ignore[arg-type]  # offline


def test_an_event_of_the_other_mode_is_not_ours(gateway: Stripe) -> None:
    live = event("checkout.session.completed", {**SESSION, "livemode": True}, livemode=True)
    assert not believed(gateway, live, proof(live))
    assert believed(gateway, live, proof(live), secret_key="sk_live_0000")
    assert not believed(gateway, PAID, proof(PAID), secret_key="rk_live_0000")
    assert believed(gateway, b"<html>", proof(b"<html>"))  # signed by Stripe, whatever it is: it is stored, and unreadable


# --- meanings ---------------------------------------------------------------------------------------------------------


def test_a_paid_session(gateway: Stripe) -> None:
    notice = gateway.parse(KIND, PAID, {})
    assert (notice.gateway, notice.event_key, notice.kind, notice.proof, notice.about) == (
        "stripe",
        "evt_1",
        KIND,
        Proof.PROOF,
        About.PAYMENT,
    )
    assert (notice.outcome, notice.result, notice.attempt_id, notice.ref) == (SUCCEEDED, "paid", AttemptId(7), "cs_test_a1")
    assert (notice.receipt, notice.money) == ("pi_1", Money(250_00, "KES"))
    assert notice.facts == {
        "type": "checkout.session.completed", "livemode": False, "amount": 25000, "currency": "KES", "payment_status": "paid",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "payment_status", "outcome"),
    [
        ("complete", "unpaid", PENDING),
        ("open", "unpaid", PENDING),
        ("expired", "unpaid", DECLINED),
        ("expired", "paid", SUCCEEDED),
        ("complete", "no_payment_required", UNKNOWN),
        ("complete", "new_word", UNKNOWN),
        ("new_word", "unpaid", UNKNOWN),
    ],
)
def test_only_the_payments_own_status_is_believed(gateway: Stripe, status: str, payment_status: str, outcome: Outcome) -> None:
    raw = event("checkout.session.completed", {**SESSION, "status": status, "payment_status": payment_status})
    assert gateway.parse(KIND, raw, {}).outcome is outcome


@pytest.mark.parametrize(
    ("amount", "currency"), [(24999, "kes"), (25001, "kes"), (250, "kes"), (0, "kes"), (-25000, "kes"), (25000, "usd")]
)
def test_amount_and_currency_are_told_as_they_are(gateway: Stripe, amount: int, currency: str) -> None:
    """C8, C9: settlement compares."""
    notice = gateway.parse(KIND, event("checkout.session.completed", {**SESSION, "amount_total": amount, "currency": currency}), {})
    assert (notice.outcome, notice.money) == (SUCCEEDED, Money(amount, currency.upper()))


@pytest.mark.parametrize("currency", ["xyz", "isk", "ugx"])
def test_a_currency_that_is_not_ours_is_no_payment(gateway: Stripe, currency: str) -> None:
    """C16."""
    notice = gateway.parse(KIND, event("checkout.session.completed", {**SESSION, "currency": currency}), {})
    assert (notice.outcome, notice.money, notice.result) == (UNKNOWN, None, "currency_refused")
    assert (notice.facts["amount"], notice.facts["currency"]) == (25000, currency.upper())


def test_an_event_of_a_connected_account_is_nobodys(gateway: Stripe) -> None:
    """C10."""
    notice = gateway.parse(KIND, event("checkout.session.completed", SESSION, account="acct_1"), {})
    assert (notice.outcome, notice.payee, notice.attempt_id, notice.result) == (UNKNOWN, "acct_1", None, "other_account")


@pytest.mark.parametrize("metadata", [{}, None, [], {"payloom_attempt": 7}, {"payloom_attempt": "07"}, {"payloom_attempt": "-7"}, {"payloom_attempt": "٧"}, {"payloom_attempt": "7" * 20}])  # fmt: skip
def test_whose_it_is_is_read_from_what_we_sent_and_nothing_else(gateway: Stripe, metadata: object) -> None:
    """C17."""
    raw = event("checkout.session.completed", {**SESSION, "metadata": metadata, "client_reference_id": None})
    assert gateway.parse(KIND, raw, {}).attempt_id is None
    raw = event("checkout.session.completed", {**SESSION, "metadata": metadata})
    assert gateway.parse(KIND, raw, {}).attempt_id == AttemptId(7)


@pytest.mark.parametrize("code", [*sorted(DECLINES), "stolen_card", "new_code", None])
def test_every_decline_leaves_the_page_open(gateway: Stripe, code: str | None) -> None:
    intent = {"id": "pi_1", "object": "payment_intent", "status": "requires_payment_method", "metadata": {"payloom_attempt": "7"}}
    for error in ({"code": "card_declined", "decline_code": code}, {"code": code}, None):
        notice = gateway.parse(KIND, event("payment_intent.payment_failed", {**intent, "last_payment_error": error}), {})
        words = DECLINES.get(code or "", "card_declined") if error else "card_declined"
        assert (notice.outcome, notice.result, notice.attempt_id, notice.money) == (PENDING, words, AttemptId(7), None)
        assert notice.result in WORDS


@pytest.mark.parametrize("kind", ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"])
@pytest.mark.parametrize("status", [*sorted(REFUNDS), "new_word"])
def test_a_refund_is_what_its_status_says(gateway: Stripe, kind: str, status: str) -> None:
    """C3: whichever event tells it."""
    notice = gateway.parse(KIND, event(kind, {**REFUND, "status": status}), {})
    assert (notice.outcome, notice.result) == REFUNDS.get(status, (UNKNOWN, "unknown"))
    assert (notice.about, notice.refund_id, notice.refund_ref, notice.receipt) == (About.REFUND, RefundId(9), "re_1", "pi_1")
    assert (notice.attempt_id, notice.money) == (AttemptId(7), Money(10_00, "KES"))


def test_a_refund_that_somebody_made_by_hand_names_the_receipt_only(gateway: Stripe) -> None:
    notice = gateway.parse(KIND, event("refund.created", {**REFUND, "metadata": {}}), {})
    assert (notice.refund_id, notice.attempt_id, notice.receipt) == (None, None, "pi_1")


def test_the_sum_of_what_went_back_decides_nothing(gateway: Stripe) -> None:
    charge = {"id": "ch_1", "object": "charge", "amount": 25000, "amount_refunded": 1000, "currency": "kes", "refunded": False, "payment_intent": "pi_1", "metadata": {"payloom_attempt": "7"}}  # fmt: skip
    notice = gateway.parse(KIND, event("charge.refunded", charge), {})
    assert (notice.about, notice.outcome, notice.refund_id, notice.receipt) == (About.REFUND, UNKNOWN, None, "pi_1")
    assert (notice.facts["amount_refunded"], notice.facts["refunded"]) == (1000, False)


@pytest.mark.parametrize("kind", [kind for kind in EVENTS if kind.startswith("charge.dispute.")])
@pytest.mark.parametrize("status", [*sorted(DISPUTES), "new_word"])
def test_a_dispute_is_what_its_status_says(gateway: Stripe, kind: str, status: str) -> None:
    """C3, C18: out of order, the last status stands in every event."""
    notice = gateway.parse(KIND, event(kind, {**DISPUTE, "status": status}), {})
    assert (notice.outcome, notice.result) == DISPUTES.get(status, (UNKNOWN, "unknown"))
    assert (notice.about, notice.refund_ref, notice.receipt, notice.money) == (About.CHARGEBACK, "du_1", "pi_1", Money(250_00, "KES"))
    assert notice.facts["status"] == status


@pytest.mark.parametrize("kind", ["customer.created", "payment_intent.succeeded", "payout.paid", "something.new", "charge.dispute.new"])
def test_an_event_that_means_nothing_is_kept_and_means_nothing(gateway: Stripe, kind: str) -> None:
    """C16."""
    notice = gateway.parse(KIND, event(kind, {"id": "x", "object": "y"}, extra={"a": [1]}), {})
    assert (notice.outcome, notice.attempt_id, notice.ref, notice.facts["type"]) == (UNKNOWN, None, None, kind)


def test_every_event_we_subscribe_to_is_understood(gateway: Stripe) -> None:
    for kind in EVENTS:
        with pytest.raises(Unreadable):
            gateway.parse(KIND, event(kind, {"object": "something.else"}), {})


# --- rubbish ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"object": "v2.core.event"}, {"id": "x"}, {"id": None}, {"id": "evt_\u0000"}, {"type": "A B"}, {"type": 5}, {"data": []},
        {"data": {"object": []}}, {"livemode": "false"}, {"livemode": None},
    ],
)  # fmt: skip
def test_an_envelope_that_is_none(gateway: Stripe, changed: dict[str, Any]) -> None:
    """C17."""
    with pytest.raises(Unreadable):
        gateway.parse(KIND, event("checkout.session.completed", SESSION, **changed), {})


@pytest.mark.parametrize(
    "amount", ["25000", "NaN", "Infinity", "1e999", "250.00", "25000.0", "1" + "0" * 30, "true", "null", '"25,000"', '"٢٥٠"']
)
def test_an_amount_that_is_none(gateway: Stripe, amount: str) -> None:
    """C17: whole numbers of minor units only."""
    raw = PAID.replace(b'"amount_total": 25000', f'"amount_total": {amount}'.encode())
    if amount == "25000":
        assert gateway.parse(KIND, raw, {}).money == Money(250_00, "KES")
    else:
        with pytest.raises(Unreadable):
            gateway.parse(KIND, raw, {})


@pytest.mark.parametrize("changed", [{"id": "../x"}, {"id": 5}, {"payment_intent": "p i"}, {"payment_intent": {"id": 5}}, {"payment_intent": 5}, {"currency": "ke"}, {"currency": None}, {"status": None}, {"payment_status": []}, {"livemode": 1}])  # fmt: skip
def test_a_session_that_is_none(gateway: Stripe, changed: dict[str, Any]) -> None:
    """C17."""
    with pytest.raises(Unreadable):
        gateway.parse(KIND, event("checkout.session.completed", {**SESSION, **changed}), {})


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", PAID[:-20], b"<html>", b"\xff", PAID.replace(b'"id": "evt_1"', b'"id": "evt_1", "id": "evt_2"')])  # fmt: skip
def test_a_body_that_is_none(gateway: Stripe, raw: bytes) -> None:
    """C17."""
    with pytest.raises(Unreadable):
        gateway.parse(KIND, raw, {})
    with pytest.raises(Unreadable):
        gateway.parse("other", PAID, {})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*SESSION, *REFUND, "x"]), inner, max_size=6),
    max_leaves=12,
)


@given(st.sampled_from([*EVENTS, "x"]), st.sampled_from([SESSION, REFUND, DISPUTE]), st.dictionaries(st.sampled_from([*SESSION, *REFUND]), _JSON, max_size=3))  # fmt: skip
def test_whatever_stands_in_it_nothing_but_unreadable_comes_out(kind: str, thing: dict[str, Any], changed: dict[str, Any]) -> None:
    """C17."""
    raw = event(kind, {**thing, **changed})
    try:
        notice = Stripe(None, LIVE, HandClock()).parse(KIND, raw, {})  # type: ignore[arg-type]  # offline
    except Unreadable:
        return
    assert notice.result in WORDS | {"currency_refused"}
    assert notice.outcome is not SUCCEEDED or notice.about is not About.PAYMENT or notice.money is not None
