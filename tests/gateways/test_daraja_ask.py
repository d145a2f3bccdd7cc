"""The STK query and the reversal: what is sent, what an answer means; whose callbacks are looked at."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import structlog

from domain.payment import Outcome, Reply
from gateways.http import Http
from gateways.payments.daraja import SANDBOX, SOURCE_IPS, Daraja
from gateways.payments.daraja_codes import REVERSAL, STK, WORDS
from tests.gateways.provider import KEYS, TOKEN, HandClock, Provider, Say, a_refund, an_attempt, error, half, hangs_up, says, sleeps

ASK, REVERSE = "/mpesa/stkpushquery/v1/query", "/mpesa/reversal/v1/request"
KNOWN = {"ResponseCode": "0", "MerchantRequestID": "1", "CheckoutRequestID": "ws_CO_1", "ResultCode": "0", "ResultDesc": "x"}
ACCEPTED = {"ConversationID": "AG_1", "OriginatorConversationID": "1-2-3", "ResponseCode": "0", "ResponseDescription": "x"}


async def test_a_query_is_signed_afresh(provider: Provider, daraja: Daraja, clock: HandClock) -> None:
    provider.tell(ASK, says(KNOWN))
    clock.move(60)
    assert await daraja.fetch(an_attempt(), KEYS) == Reply(Outcome.SUCCEEDED, "ws_CO_1", "paid")
    assert provider.heard[-1].json() == {
        "BusinessShortCode": "174379",
        "Password": base64.b64encode(f"174379{KEYS['passkey']}20261121120105".encode()).decode(),
        "Timestamp": "20261121120105",
        "CheckoutRequestID": "ws_CO_1",
    }


@pytest.mark.parametrize("code", sorted(STK))
@pytest.mark.parametrize("kind", [str, lambda code: int(code) if code.isdigit() else code])
async def test_every_result_code_of_a_query(provider: Provider, daraja: Daraja, code: str, kind: Any) -> None:
    """O5: strings and numbers."""
    provider.tell(ASK, says({**KNOWN, "ResultCode": kind(code)}))
    outcome, words = STK[code]
    assert await daraja.fetch(an_attempt(), KEYS) == Reply(outcome, "ws_CO_1", words)
    assert outcome is not Outcome.UNKNOWN
    assert words in WORDS


@pytest.mark.parametrize(
    "say,reply",
    [
        (says({**KNOWN, "ResultCode": "4999"}), Reply(Outcome.PENDING, "ws_CO_1", "waiting")),
        (error("500.001.1001", "The transaction is being processed"), Reply(Outcome.PENDING, "ws_CO_1", "waiting")),
        (error("500.001.1001", "The transaction is being processed", 200), Reply(Outcome.PENDING, "ws_CO_1", "waiting")),
        (error("500.001.1001", ""), Reply(Outcome.UNKNOWN, "ws_CO_1", "unknown")),
        (error("500.001.1001", "Unable to lock subscriber"), Reply(Outcome.UNKNOWN, "ws_CO_1", "unknown")),
        (error("500.001.1001", "Wrong credentials"), Reply(Outcome.UNKNOWN, "ws_CO_1", "configuration")),
        (error("400.002.02", "Bad Request - Invalid CheckoutRequestID"), Reply(Outcome.UNKNOWN, "ws_CO_1", "configuration")),
        (error("500.003.02", "System is busy"), Reply(Outcome.UNKNOWN, "ws_CO_1", "try_later", 5)),
        (says({}, 429, **{"Retry-After": "9"}), Reply(Outcome.UNKNOWN, "ws_CO_1", "try_later", 9)),
        (says({**KNOWN, "ResultCode": "12345"}), Reply(Outcome.UNKNOWN, "ws_CO_1", "unknown")),
        (says({**KNOWN, "ResultCode": ""}), Reply(Outcome.UNKNOWN, "ws_CO_1", "unknown")),
        (says({**KNOWN, "ResultCode": None}), Reply(Outcome.UNKNOWN, "ws_CO_1", "unknown")),
        (says({**KNOWN, "ResultCode": False}), Reply(Outcome.UNKNOWN, "ws_CO_1", "unknown")),
        (says({**KNOWN, "ResponseCode": "1"}), Reply(Outcome.UNKNOWN, "ws_CO_1", "unknown")),
        (says({**KNOWN, "CheckoutRequestID": "ws_CO_2"}), Reply(Outcome.UNKNOWN, "ws_CO_1", "unknown")),
        (says({**KNOWN, "ResultCode": "1032"}, 500), Reply(Outcome.UNKNOWN, "ws_CO_1", "unknown")),
        (says("<html>"), Reply(Outcome.UNKNOWN, "ws_CO_1", "unknown")),
        (says(b'{"ResultCode":"10'), Reply(Outcome.UNKNOWN, "ws_CO_1", "unknown")),
        (says(b'{"ResponseCode":"0","ResultCode":"1032","ResultCode":"0"}'), Reply(Outcome.UNKNOWN, "ws_CO_1", "unknown")),
        (hangs_up, Reply(Outcome.UNKNOWN, "ws_CO_1", "unknown")),
        (half, Reply(Outcome.UNKNOWN, "ws_CO_1", "unknown")),
        (sleeps, Reply(Outcome.UNKNOWN, "ws_CO_1", "unknown")),
    ],
)
async def test_an_unclear_query_is_no_answer(provider: Provider, daraja: Daraja, say: Say, reply: Reply) -> None:
    """O2, O3, O12: never a refusal, never a success."""
    provider.tell(ASK, say)
    assert await daraja.fetch(an_attempt(), KEYS) == reply


async def test_what_cannot_be_asked_about_is_unknown_without_a_call(provider: Provider, daraja: Daraja) -> None:
    assert await daraja.fetch(an_attempt(None), KEYS) == Reply(Outcome.UNKNOWN, result="unknown")
    assert await daraja.fetch(an_attempt(), {}) == Reply(Outcome.UNKNOWN, "ws_CO_1", "configuration")
    assert await daraja.fetch(an_attempt(short_code="600100"), KEYS) == Reply(Outcome.UNKNOWN, "ws_CO_1", "configuration")
    assert provider.heard == []


async def test_a_reversal_says_exactly_what_the_documentation_asks(provider: Provider, daraja: Daraja) -> None:
    provider.tell(REVERSE, says(ACCEPTED))
    assert await daraja.refund(a_refund(1200_00), "TJ22T8IYOU", KEYS, TOKEN) == Reply(Outcome.PENDING, "AG_1")
    assert provider.heard[-1].json() == {
        "Initiator": "town-initiator",
        "SecurityCredential": "town-security-credential",
        "CommandID": "TransactionReversal",
        "TransactionID": "TJ22T8IYOU",
        "Amount": 1200,
        "ReceiverParty": "174379",
        "RecieverIdentifierType": "11",
        "ResultURL": f"https://shop.example/callbacks/daraja/{TOKEN}/reversal",
        "QueueTimeOutURL": f"https://shop.example/callbacks/daraja/{TOKEN}/reversal-late",
        "Remarks": "late_payment",
    }


@pytest.mark.parametrize("reason,remarks", [("", "Refund"), ("x", "x-"), ("سبب", "--"), ("a" * 200, "a" * 100)])
async def test_remarks_have_a_length_daraja_takes(provider: Provider, daraja: Daraja, reason: str, remarks: str) -> None:
    provider.tell(REVERSE, says(ACCEPTED))
    await daraja.refund(a_refund(reason=reason), "TJ22T8IYOU", KEYS, TOKEN)
    assert provider.heard[-1].json()["Remarks"] == remarks


@pytest.mark.parametrize(
    "say,reply",
    [
        (error("R000001", "The transaction has already been reversed.", 500), Reply(Outcome.SUCCEEDED, result="already_refunded")),
        (error("R000002", "The OriginalTransactionID is invalid.", 500), Reply(Outcome.DECLINED, result="not_refundable")),
        (error("R000009", "new", 500), Reply(Outcome.UNKNOWN, result="unknown")),
        (error("400.002.02", "Bad Request - Invalid TransactionID"), Reply(Outcome.DECLINED, result="configuration")),
        (error("500.003.02", "System is busy"), Reply(Outcome.NOT_SENT, None, "try_later", 5)),
        (error("500.003.1001", "Internal Server Error"), Reply(Outcome.UNKNOWN, result="unknown")),
        (says({**ACCEPTED, "ResponseCode": "21"}), Reply(Outcome.UNKNOWN, result="unknown")),
        (says({**ACCEPTED, "ConversationID": None}), Reply(Outcome.UNKNOWN, result="unknown")),
        (says("<html>"), Reply(Outcome.UNKNOWN, result="unknown")),
        (hangs_up, Reply(Outcome.UNKNOWN, result="unknown")),
        (sleeps, Reply(Outcome.UNKNOWN, result="unknown")),
    ],
)
async def test_what_an_answer_to_a_reversal_means(provider: Provider, daraja: Daraja, say: Say, reply: Reply) -> None:
    """O2, O3: money may have gone back; it is not sent a second time."""
    provider.tell(REVERSE, say)
    assert await daraja.refund(a_refund(), "TJ22T8IYOU", KEYS, TOKEN) == reply
    assert len(provider.at(REVERSE)) == 1


@pytest.mark.parametrize("missing", ["initiator", "security_credential", "passkey"])
async def test_without_its_credentials_no_reversal_leaves(provider: Provider, daraja: Daraja, missing: str) -> None:
    reply = await daraja.refund(a_refund(), "TJ22T8IYOU", {**KEYS, missing: ""}, TOKEN)
    assert reply == Reply(Outcome.DECLINED, result="configuration")
    assert (await daraja.refund(a_refund(50), "TJ22T8IYOU", KEYS, TOKEN)).result == "amount_refused"
    assert provider.heard == []


def test_a_prompt_and_a_reversal_speak_of_different_people() -> None:
    assert (STK["2001"][1], REVERSAL["2001"][1]) == ("wrong_pin", "configuration")


@pytest.mark.parametrize(
    "listed,enforced,source,believed,noted",
    [
        (None, False, "203.0.113.9", True, 0),
        (SOURCE_IPS, False, "196.201.212.69", True, 0),
        (SOURCE_IPS, False, "203.0.113.9", True, 1),
        (SOURCE_IPS, True, "203.0.113.9", False, 1),
        (SOURCE_IPS, True, "196.201.214.206", True, 0),
    ],
)
def test_where_a_callback_comes_from_is_noted(
    http: Http, clock: HandClock, listed: frozenset[str] | None, enforced: bool, source: str, believed: bool, noted: int
) -> None:
    gateway = Daraja(http, SANDBOX, clock, "https://shop.example", listed, enforce_source=enforced)
    with structlog.testing.capture_logs() as lines:
        assert gateway.authentic("stk", b"{}", {}, source, {}) is believed
        assert not gateway.authentic("other", b"{}", {}, source, {})
    assert len(lines) == noted
