"""SMS through Africa's Talking: what is sent, and what became of it, for everything the provider and the network may say."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from africastalking.SMS import SMSService

from domain.gsm import gsm7, segments
from domain.ports import Button, Delivery, Message, Messenger, Sent
from gateways.http import Http
from gateways.messages.africastalking import LIVE, PATH, SANDBOX, AfricasTalking
from gateways.messages.pace import Pace
from tests.gateways.provider import HandClock, Provider, half, hangs_up, says, sleeps

PHONE = "+254712345678"
HELLO = Message("Paid")


def told(code: Any = 101, **changes: Any) -> dict[str, Any]:
    recipient = {"statusCode": code, "number": PHONE, "status": "Success", "cost": "KES 0.8000", "messageId": "ATPid_1", "messageParts": 1}
    return {"SMSMessageData": {"Message": "Sent to 1/1 Total Cost: KES 0.8000", "Recipients": [{**recipient, **changes}]}}


def texts(http: Http, provider: Provider, **more: Any) -> AfricasTalking:
    return AfricasTalking(http, "shop", "key-1", base=provider.url, **more)


async def sent_after(http: Http, provider: Provider, say: Any) -> Sent:
    provider.tell(PATH, say)
    return await texts(http, provider).send(PHONE, HELLO)


async def test_a_message_goes_as_a_form_with_the_key(http: Http, provider: Provider) -> None:
    provider.tell(PATH, says(told(), 201))
    messenger: Messenger = texts(http, provider, sender="PAYLOOM")
    rows = ((Button("Track", url="https://pay.example/t/1"), Button("Confirm", data="c:1")), (Button("Copy", copy="PL-7K2QD"),))
    message = Message("<b>Paid</b> — KES 2,500 &lt;ok&gt; ✅", rows, picture=b"x")
    assert await messenger.send(PHONE, message) == Sent(Delivery.SENT, "ATPid_1")
    (heard,) = provider.heard
    assert (heard.method, heard.path, heard.query) == ("POST", "/version1/messaging", "")
    assert (heard.headers["apiKey"], heard.headers["Accept"]) == ("key-1", "application/json")
    assert heard.form == {
        "username": "shop",
        "to": PHONE,
        "message": "Paid - KES 2,500 <ok>\nTrack: https://pay.example/t/1",
        "bulkSMSMode": "1",
        "enqueue": "1",
        "from": "PAYLOOM",
    }


async def test_the_official_sdk_sends_the_same(http: Http, provider: Provider) -> None:
    """Contract: fields, values, key and path are those of africastalking's own SMSService."""

    class Here(SMSService):  # type: ignore[misc]
        def _init_service(self) -> None:
            self._baseUrl = self._contentUrl = f"{provider.url}/version1"

    provider.tell(PATH, says(b'{"SMSMessageData": {"Message": "", "Recipients": []}}', 201))
    for sender in (None, "22384"):
        sdk = Here("shop", "key-1")
        await asyncio.to_thread(sdk.send, "Paid: 5 + 5 & more\n~ok", [PHONE], sender, True)
        await texts(http, provider, sender=sender or "").send(PHONE, Message("Paid: 5 + 5 &amp; more\n~ok"))
    theirs, ours, theirs_sent_as, ours_sent_as = provider.heard
    for one, other in ((theirs, ours), (theirs_sent_as, ours_sent_as)):
        assert one.form == other.form
        assert (one.method, one.path, one.query) == (other.method, other.path, other.query)
        for name in ("apiKey", "Accept", "Content-Type"):
            assert one.headers[name] == other.headers[name]


def test_live_and_sandbox_are_told_apart_by_the_username(http: Http) -> None:
    assert AfricasTalking(http, "shop", "k")._url == LIVE + PATH
    assert AfricasTalking(http, "sandbox", "k")._url == SANDBOX + PATH


@pytest.mark.parametrize(
    "code,delivery,error,wait_s",
    [
        (100, Delivery.SENT, "", 0),
        (101, Delivery.SENT, "", 0),
        (102, Delivery.SENT, "", 0),
        ("101", Delivery.SENT, "", 0),
        (401, Delivery.REFUSED, "risk_hold", 0),
        (402, Delivery.REFUSED, "invalid_sender_id", 0),
        (403, Delivery.GONE, "invalid_number", 0),
        (404, Delivery.GONE, "unsupported_number", 0),
        (405, Delivery.LATER, "insufficient_balance", 900),
        (406, Delivery.GONE, "opted_out", 0),
        (407, Delivery.REFUSED, "no_route", 0),
        (409, Delivery.GONE, "do_not_disturb", 0),
        (500, Delivery.LATER, "provider_error", 120),
        (501, Delivery.LATER, "operator_error", 120),
        (502, Delivery.LATER, "operator_rejected", 120),
        (408, Delivery.UNKNOWN, "status_408", 0),
        (None, Delivery.UNKNOWN, "status_0", 0),
        (1.5, Delivery.UNKNOWN, "status_0", 0),
        ("١٠١", Delivery.UNKNOWN, "status_0", 0),
    ],
)
async def test_every_status_of_a_recipient(
    http: Http, provider: Provider, code: Any, delivery: Delivery, error: str, wait_s: float
) -> None:
    """HTTP 201 says nothing by itself: each recipient has a status. 406 is an opt-out: nobody writes to them any more."""
    sent = await sent_after(http, provider, says(told(code), 201))
    assert (sent.delivery, sent.error, sent.retry_after_s) == (delivery, error, wait_s)
    assert sent.ref == ("ATPid_1" if delivery is Delivery.SENT else None)


@pytest.mark.parametrize("ref", ["None", "", None, 7, "two words", "x" * 101])
async def test_an_id_that_is_none_is_no_ref(http: Http, provider: Provider, ref: Any) -> None:
    assert await sent_after(http, provider, says(told(messageId=ref), 201)) == Sent(Delivery.SENT)


@pytest.mark.parametrize(
    "status,delivery,error",
    [
        (401, Delivery.REFUSED, "bad_credentials"),
        (403, Delivery.REFUSED, "bad_credentials"),
        (400, Delivery.REFUSED, "http_400"),
        (404, Delivery.REFUSED, "http_404"),
        (302, Delivery.REFUSED, "http_302"),
        (408, Delivery.UNKNOWN, "http_408"),
        (500, Delivery.UNKNOWN, "http_500"),
        (502, Delivery.UNKNOWN, "http_502"),
        (503, Delivery.UNKNOWN, "http_503"),
    ],
)
async def test_every_status_of_http(http: Http, provider: Provider, status: int, delivery: Delivery, error: str) -> None:
    """O2. Refusals are plain text (`The supplied authentication is invalid`), with no JSON to read."""
    sent = await sent_after(http, provider, says("The supplied authentication is invalid", status))
    assert sent == Sent(delivery, error=error)


@pytest.mark.parametrize(
    "after,wait_s", [(None, 30), ("7", 7), ("0", 0), ("999999", 3600), ("-5", 30), ("soon", 30), ("Sat, 21 Nov 2026 09:00:00 GMT", 30)]
)
async def test_too_many_requests_waits_for_everybody(http: Http, provider: Provider, after: str | None, wait_s: float) -> None:
    """O1: as long as was said; nothing goes to anybody before; what else the house calls is not held up."""
    clock = HandClock()
    headers = {} if after is None else {"Retry-After": after}
    provider.tell(PATH, says("slow down", 429, **headers), says(told(), 201))
    messenger = texts(http, provider, pace=Pace(clock.monotonic_s), most_wait_s=0.0)
    assert await messenger.send(PHONE, HELLO) == Sent(Delivery.LATER, retry_after_s=wait_s, error="too_many_requests")
    if wait_s:
        held = await messenger.send("+254722000111", HELLO)
        assert (held.delivery, held.error, len(provider.heard)) == (Delivery.LATER, "pace", 1)
        assert held.retry_after_s == pytest.approx(wait_s)
    clock.move(wait_s)
    assert (await messenger.send(PHONE, HELLO)).delivery is Delivery.SENT


async def test_too_many_requests_without_a_pace(http: Http, provider: Provider) -> None:
    """O1."""
    assert (await sent_after(http, provider, says("", 429))).retry_after_s == 30


async def test_retry_after_is_kept_where_the_message_may_be_out(http: Http, provider: Provider) -> None:
    """O1, O2."""
    sent = await sent_after(http, provider, says("", 503, **{"Retry-After": "20"}))
    assert sent == Sent(Delivery.UNKNOWN, retry_after_s=20, error="http_503")


@pytest.mark.parametrize("say", [hangs_up, half, sleeps], ids=["cut off", "cut off in the body", "operator slow"])
async def test_what_breaks_after_sending_is_unknown(http: Http, provider: Provider, say: Any) -> None:
    """O2: there is no key and no way to ask; the message may be out, and is marked when it is said again."""
    sent = await sent_after(http, provider, say)
    assert (sent.delivery, sent.ref, len(provider.heard)) == (Delivery.UNKNOWN, None, 1)


async def test_what_never_left_is_safe_to_send_again(http: Http) -> None:
    """O2: nobody listens there."""
    sent = await AfricasTalking(http, "shop", "k", base="http://127.0.0.1:1").send(PHONE, HELLO)
    assert sent == Sent(Delivery.LATER, retry_after_s=5, error="ConnectError")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Gateway</html>",
        b'{"SMSMessageData": {"Mess',
        b"null",
        b"[]",
        b"{}",
        b'"Sent"',
        b'{"SMSMessageData": null}',
        b'{"SMSMessageData": {"Message": "Sent to 1/1"}}',
        b'{"SMSMessageData": {"Recipients": {}}}',
        b'{"SMSMessageData": {"Recipients": [null]}}',
        b'{"SMSMessageData": {"Recipients": ["x", {}]}}',
        b'{"SMSMessageData": {"Recipients": [{"statusCode": 101}, {"statusCode": 101}]}}',
        b'{"SMSMessageData": {"Recipients": [{"statusCode": NaN}]}}',
        b'{"SMSMessageData": {}, "SMSMessageData": {}}',
        b"\xff\xfe",
    ],
)
@pytest.mark.parametrize("status", [200, 201])
async def test_a_success_that_cannot_be_read_is_unknown(http: Http, provider: Provider, body: bytes, status: int) -> None:
    """O3: neither sent nor failed."""
    assert (await sent_after(http, provider, says(body, status))).delivery is Delivery.UNKNOWN


async def test_a_success_with_another_content_type_is_read_all_the_same(http: Http, provider: Provider) -> None:
    """O3: the provider's JSON comes with and without a charset, and as text."""
    assert (await sent_after(http, provider, says(json.dumps(told()), 200))).delivery is Delivery.SENT


@pytest.mark.parametrize(
    "message,error",
    [("InvalidSenderId", "InvalidSenderId"), ("a\nb\x1b", "a b"), ("", "no_recipients"), (None, "no_recipients"), ("x" * 300, "x" * 200)],
)
async def test_no_recipients_is_a_refusal_with_its_reason(http: Http, provider: Provider, message: Any, error: str) -> None:
    body = {"SMSMessageData": {"Message": message, "Recipients": []}}
    assert await sent_after(http, provider, says(body, 201)) == Sent(Delivery.REFUSED, error=error)


async def test_our_number_is_found_among_others(http: Http, provider: Provider) -> None:
    body = told()
    body["SMSMessageData"]["Recipients"] = [{"number": "+254722000111", "statusCode": 403}, *body["SMSMessageData"]["Recipients"]]
    assert (await sent_after(http, provider, says(body, 201))).delivery is Delivery.SENT
    assert (await sent_after(http, provider, says(told(number="0712345678"), 201))).delivery is Delivery.SENT


@pytest.mark.parametrize("address", ["", "0712345678", "+254712345678,+254722000111", "+2547", "+0712345678", "PAYLOOM", "+٢٥٤٧١٢٣٤٥٦٧٨"])
async def test_only_one_whole_number_is_written_to(http: Http, provider: Provider, address: str) -> None:
    assert await texts(http, provider).send(address, HELLO) == Sent(Delivery.REFUSED, error="not_a_phone")
    assert provider.heard == []


async def test_nothing_to_say_is_not_sent(http: Http, provider: Provider) -> None:
    assert await texts(http, provider).send(PHONE, Message("🎉", picture=b"x")) == Sent(Delivery.REFUSED, error="nothing_to_say")
    assert provider.heard == []


async def test_what_was_sent_stays_as_it_is(http: Http, provider: Provider) -> None:
    messenger = texts(http, provider)
    assert await messenger.edit(PHONE, "ATPid_1", HELLO) == Sent(Delivery.REFUSED, "ATPid_1", error="cannot_be_edited")
    await messenger.strip(PHONE, "ATPid_1")
    assert provider.heard == []


async def test_a_message_waits_for_its_turn_or_comes_later(http: Http, provider: Provider) -> None:
    provider.tell(PATH, says(told(), 201))
    loop = asyncio.get_running_loop()
    messenger = texts(http, provider, pace=Pace(loop.time, chat_per_s=20.0, chat_burst=1.0), most_wait_s=0.2)
    assert [(await messenger.send(PHONE, HELLO)).delivery for _ in range(2)] == [Delivery.SENT, Delivery.SENT]
    slow = texts(http, provider, pace=Pace(loop.time, chat_per_s=0.01, chat_burst=1.0))
    assert (await slow.send(PHONE, HELLO)).delivery is Delivery.SENT
    later = await slow.send(PHONE, HELLO)
    assert (later.delivery, later.error, later.retry_after_s > 90) == (Delivery.LATER, "pace", True)


@pytest.mark.parametrize("text", ["word " * 500, "كلمة " * 500, "[€] " * 500, "🎉 كلمة " * 300, "x" * 5000])
@pytest.mark.parametrize("most", [1, 2, 4])
async def test_long_words_are_cut_and_the_address_stays(http: Http, provider: Provider, text: str, most: int) -> None:
    provider.tell(PATH, says(told(), 201))
    link = "https://pay.example/t/1"
    await texts(http, provider, most_segments=most).send(PHONE, Message(text, ((Button("Pay", url=link),),)))
    said = provider.heard[-1].form["message"]
    assert segments(said) <= most
    assert said.endswith(f"..\nPay: {link}")


async def test_an_address_that_leaves_no_room_is_cut_with_the_rest(http: Http, provider: Provider) -> None:
    provider.tell(PATH, says(told(), 201))
    await texts(http, provider, most_segments=1).send(PHONE, Message("Hello", ((Button("Pay", url="https://pay.example/" + "t" * 200),),)))
    said = provider.heard[-1].form["message"]
    assert (segments(said), said.startswith("Hello\nPay: "), said.endswith("..")) == (1, True, True)


async def test_an_address_that_is_in_the_words_is_said_once(http: Http, provider: Provider) -> None:
    provider.tell(PATH, says(told(), 201))
    link = "https://pay.example/t/1"
    await texts(http, provider).send(PHONE, Message(f"Pay here: {link}", ((Button("Pay", url=link),),)))
    await texts(http, provider).send(PHONE, Message("", ((Button("Pay", url=link),),)))
    assert [heard.form["message"] for heard in provider.heard] == [f"Pay here: {link}", f"Pay: {link}"]


async def test_arabic_stays_arabic_and_the_rest_fits_the_alphabet(http: Http, provider: Provider) -> None:
    provider.tell(PATH, says(told(), 201))
    for text in ("\u2067تم الدفع\u2069: ٢٥٠٠", "Paid “\u2068Café Đỗ\u2069” …"):
        await texts(http, provider).send(PHONE, Message(text))
    arabic, english = (heard.form["message"] for heard in provider.heard)
    assert (arabic, english) == ("تم الدفع: ٢٥٠٠", 'Paid "Café Do" ...')
    assert gsm7(english)
