"""Callbacks of Daraja: what each shape means, and that no body at all can do more than be Unreadable."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.money import Money
from domain.payment import Notice, Outcome, Proof, Unreadable
from gateways.payments.daraja_codes import REVERSAL, STK, WORDS
from gateways.payments.daraja_notice import KINDS, read_notice

PAID_ITEMS: list[dict[str, Any]] = [
    {"Name": "Amount", "Value": 250.00},
    {"Name": "MpesaReceiptNumber", "Value": "TJ22T8IYOU"},
    {"Name": "Balance"},
    {"Name": "TransactionDate", "Value": 20261219102115},
    {"Name": "PhoneNumber", "Value": 254700000001},
]


def stk(code: object = 0, items: object = None, **changed: object) -> bytes:
    """The documented callback; without `items` there is no CallbackMetadata."""
    inner: dict[str, object] = {
        "MerchantRequestID": "29115-34620561-1",
        "CheckoutRequestID": "ws_CO_191220261020363925",
        "ResultCode": code,
        "ResultDesc": "x",
        **changed,
    }
    if items is not None:
        inner["CallbackMetadata"] = {"Item": items}
    return json.dumps({"Body": {"stkCallback": inner}}).encode()


def reversal(code: object = 0, **changed: object) -> bytes:
    inner = {
        "ResultType": 0,
        "ResultCode": code,
        "ResultDesc": "x",
        "OriginatorConversationID": "1-2-3",
        "ConversationID": "AG_20261121_0123",
        "TransactionID": "SG632NMUAB",
        "ResultParameters": {
            "ResultParameter": [
                {"Key": "DebitAccountBalance"},
                {"Key": "Amount", "Value": 1200},
                {"Key": "OriginalTransactionID", "Value": "TJ22T8IYOU"},
            ]
        },
        **changed,
    }
    return json.dumps({"Result": inner}).encode()


def with_amount(amount: str) -> bytes:
    """The amount as it stands, JSON or not."""
    return stk(0, [{"Name": "Amount", "Value": "@"}, PAID_ITEMS[1]]).replace(b'"@"', amount.encode())


def test_a_paid_callback() -> None:
    assert read_notice("stk", stk(0, PAID_ITEMS)) == Notice(
        gateway="daraja",
        event_key="stk:ws_CO_191220261020363925:0:TJ22T8IYOU:25000",
        kind="stk",
        outcome=Outcome.SUCCEEDED,
        proof=Proof.HINT,
        ref="ws_CO_191220261020363925",
        receipt="TJ22T8IYOU",
        money=Money(250_00, "KES"),
        result="paid",
        facts={"code": "0", "merchant_request_id": "29115-34620561-1", "payer_ends": "001"},
    )


@pytest.mark.parametrize("code", sorted(STK))
def test_every_result_code_as_number_and_as_text(code: str) -> None:
    """O5."""
    for value in {code, int(code) if code.isdigit() else code}:
        notice = read_notice("stk", stk(value))
        assert (notice.outcome, notice.result, notice.facts["code"]) == (*STK[code], code)
        assert (notice.money, notice.receipt) == (None, None)
        assert notice.result in WORDS


@pytest.mark.parametrize("code", [12345, "00", "0.0", "SFC_IC9999", -1, 10**30])
def test_a_code_nobody_knows_ends_nothing(code: object) -> None:
    """C16."""
    assert (read_notice("stk", stk(code)).outcome, read_notice("stk", stk(code)).result) == (Outcome.UNKNOWN, "unknown")


@pytest.mark.parametrize("code", [None, True, 0.0, "", " ", [], {}, "0 0", "x" * 33, "٠"])
def test_a_code_that_is_none_is_unreadable(code: object) -> None:
    """C17."""
    with pytest.raises(Unreadable):
        read_notice("stk", stk(code))


def test_items_are_read_by_name_in_any_order_and_may_be_missing() -> None:
    """C16."""
    whole = read_notice("stk", stk(0, PAID_ITEMS))
    assert read_notice("stk", stk(0, [*reversed(PAID_ITEMS), {"Name": "New", "Value": {"a": []}}, {}, "odd", {"Name": 5}])) == whole
    nothing: list[object] = [None, [], {}, "x", [{"Name": "Amount"}], [{"Name": "Amount", "Value": None}]]
    for items in nothing:
        notice = read_notice("stk", stk(0, items))
        assert (notice.outcome, notice.money, notice.receipt) == (Outcome.SUCCEEDED, None, None)
    assert read_notice("stk", stk(0, PAID_ITEMS[0])).money == Money(250_00, "KES")


@pytest.mark.parametrize(
    "phone,facts", [("2547 ***** 126", "126"), ("254700000001", "001"), ("", None), (None, None), (12, None), ("*" * 12, None)]
)
def test_a_masked_phone_is_no_problem(phone: object, facts: str | None) -> None:
    notice = read_notice("stk", stk(0, [*PAID_ITEMS[:2], {"Name": "PhoneNumber", "Value": phone}]))
    assert notice.facts.get("payer_ends") == facts
    assert notice.outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    "amount,minor",
    [("250", 250_00), ("250.0", 250_00), ("250.00", 250_00), ("250.5", 250_50), ('"250.00"', 250_00), ("0", 0), ("0.01", 1), ("2.50", 250),
     ("9999999999999", 9999999999999_00)],
)  # fmt: skip
def test_an_amount_is_read_exactly(amount: str, minor: int) -> None:
    """C8: the exponent never slips."""
    assert read_notice("stk", with_amount(amount)).money == Money(minor, "KES")


@pytest.mark.parametrize(
    "amount",
    ["-1", "1e3", "1e999", "NaN", "Infinity", "-Infinity", "1" + "0" * 30, '"1,000"', '"٢٥٠"', '"+1"', '" "', "250.001", "true", "[]",
     "{}", '"0x10"', '"1_000"', '"NaN"', "01", ".5", "1" * 5000],
)  # fmt: skip
def test_an_amount_that_is_not_plain_is_unreadable(amount: str) -> None:
    """C17."""
    with pytest.raises(Unreadable):
        read_notice("stk", with_amount(amount))


@pytest.mark.parametrize("receipt", ["TJ22 T8IYOU", "'; drop", "é", [], {}, True, "x" * 33, 10**50])
def test_a_receipt_that_is_none_is_unreadable(receipt: object) -> None:
    with pytest.raises(Unreadable):
        read_notice("stk", stk(0, [{"Name": "MpesaReceiptNumber", "Value": receipt}]))


def test_one_receipt_in_two_spellings_is_one() -> None:
    items = [{"Name": "MpesaReceiptNumber", "Value": " tj22t8iyou "}, PAID_ITEMS[0]]
    assert read_notice("stk", stk(0, items)).event_key == read_notice("stk", stk(0, PAID_ITEMS)).event_key


def test_an_item_told_twice_differently_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        read_notice("stk", stk(0, [*PAID_ITEMS, {"Name": "Amount", "Value": 1}]))
    assert read_notice("stk", stk(0, [*PAID_ITEMS, PAID_ITEMS[0]])).money == Money(250_00, "KES")


def test_the_same_event_has_the_same_key_and_another_has_another() -> None:
    bodies = [
        stk(0, PAID_ITEMS),
        stk(0),
        stk(1032),
        stk(0, PAID_ITEMS, CheckoutRequestID="ws_CO_2"),
        with_amount("250.01"),
        with_amount("1"),
    ]
    keys = [read_notice("stk", body).event_key for body in bodies]
    assert len(set(keys)) == len(bodies)
    assert read_notice("stk", stk(0, PAID_ITEMS, ResultDesc="other words")).event_key == keys[0]
    long = read_notice("stk", stk("C" * 32, [{"Name": "MpesaReceiptNumber", "Value": "R" * 32}], CheckoutRequestID="w" * 100)).event_key
    assert len(long) < 100


@pytest.mark.parametrize("code", sorted(REVERSAL))
def test_every_result_of_a_reversal(code: str) -> None:
    notice = read_notice("reversal", reversal(code))
    assert (notice.outcome, notice.result, notice.ref, notice.receipt) == (*REVERSAL[code], "AG_20261121_0123", "SG632NMUAB")
    assert notice.money == Money(1200_00, "KES")
    assert notice.facts == {"code": code, "original_receipt": "TJ22T8IYOU", "originator_conversation_id": "1-2-3"}
    late = read_notice("reversal-late", reversal(code))
    assert (late.outcome, late.result) == (Outcome.UNKNOWN, "try_later")
    assert late.event_key != notice.event_key


@pytest.mark.parametrize("code", [17, 26, "26", 777])
def test_a_reversal_that_may_have_happened_is_unknown(code: object) -> None:
    """O9."""
    assert read_notice("reversal", reversal(code)).outcome is Outcome.UNKNOWN


def test_a_failed_reversal_has_no_parameters_and_a_single_one_is_no_list() -> None:
    bare = read_notice("reversal", reversal(1, ResultParameters=None, TransactionID=""))
    assert (bare.outcome, bare.money, bare.receipt) == (Outcome.DECLINED, None, None)
    single = reversal(0, ResultParameters={"ResultParameter": {"Key": "Amount", "Value": "5.00"}}, ReferenceData={"ReferenceItem": []})
    assert read_notice("reversal", single).money == Money(5_00, "KES")


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{}", b"[]", b"null", b"<html></html>", b'{"Body":null}', b'{"Body":{"stkCallback":[]}}', stk(0)[:-10], b"\xff\xfe", b"\0",
        stk(0, PAID_ITEMS, CheckoutRequestID=None), stk(0, PAID_ITEMS, CheckoutRequestID=""), stk(0, PAID_ITEMS, CheckoutRequestID="a b"),
        stk(0, PAID_ITEMS, CheckoutRequestID="w" * 101), stk(0, PAID_ITEMS, CheckoutRequestID=5), stk(0, PAID_ITEMS, X="\0"),
        stk(0, PAID_ITEMS, X="x" * 70_000), stk(0, PAID_ITEMS, X="\ud800"), b'{"Body":{},"Body":{}}', reversal(0),
        reversal(0, ConversationID=None), b'{"Result":{"Result":' + b'{"a":' * 5000 + b"1" + b"}" * 5002,
    ],
)  # fmt: skip
def test_a_body_that_is_none_of_daraja_is_unreadable(raw: bytes) -> None:
    """C17."""
    with pytest.raises(Unreadable):
        read_notice("stk", raw)


@pytest.mark.parametrize("kind", ["", "c2b", "STK", "reversal/late"])
def test_a_kind_nobody_knows_is_unreadable(kind: str) -> None:
    """C16."""
    with pytest.raises(Unreadable):
        read_notice(kind, stk(0, PAID_ITEMS))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(["Amount", "MpesaReceiptNumber", "PhoneNumber", "Balance", "TransactionDate"]) | st.text()
thrown = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
ITEMS = st.lists(st.fixed_dictionaries({"Name": NAMES}, optional={"Value": JSON}) | JSON)


def never_worse_than_unreadable(kind: str, raw: bytes) -> None:
    try:
        notice = read_notice(kind, raw)
    except Unreadable:
        return
    assert notice.proof is Proof.HINT
    assert len(notice.event_key) <= 160
    assert notice.event_key.isascii()
    assert notice.money is None or notice.money.amount_minor >= 0
    assert read_notice(kind, raw) == notice


@thrown
@given(st.sampled_from(sorted(KINDS)), st.binary())
def test_any_bytes_are_a_notice_or_unreadable(kind: str, raw: bytes) -> None:
    """C17."""
    never_worse_than_unreadable(kind, raw)


@thrown
@given(st.sampled_from(sorted(KINDS)), JSON)
def test_any_json_is_a_notice_or_unreadable(kind: str, body: Any) -> None:
    """C17."""
    never_worse_than_unreadable(kind, json.dumps(body).encode())


@thrown
@given(
    JSON | st.sampled_from([0, 1032, "0"]), ITEMS | JSON, st.dictionaries(st.sampled_from(["CheckoutRequestID", "MerchantRequestID"]), JSON)
)
def test_any_callback_of_the_right_shape_is_a_notice_or_unreadable(code: Any, items: Any, changed: dict[str, Any]) -> None:
    """C17."""
    never_worse_than_unreadable("stk", stk(code, items, **changed))


@thrown
@given(st.integers(0, len(stk(0, PAID_ITEMS)) - 1), st.binary(max_size=3))
def test_a_damaged_callback_is_a_notice_or_unreadable(place: int, damage: bytes) -> None:
    """C17."""
    raw = stk(0, PAID_ITEMS)
    never_worse_than_unreadable("stk", raw[:place] + damage + raw[place + len(damage) :])
    never_worse_than_unreadable("stk", raw[:place])
