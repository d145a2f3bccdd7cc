"""Bot API calls over aiohttp, against a loopback that says what Telegram has been seen to say."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import pytest
import pytest_asyncio
from telegram import Bot, InputMediaPhoto
from telegram.error import NetworkError, TelegramError, TimedOut

from domain.ports import Delivery, Message
from gateways.messages.telegram import TelegramMessenger
from gateways.telegram_transport import MOST_BYTES, AiohttpRequest, NotConnected
from tests.gateways.provider import Provider, Say, half, hangs_up, says, sleeps

SECRET = "123456789:AAsecret"
OK = {"message_id": 7, "date": 1, "chat": {"id": 5, "type": "private"}, "text": "x"}


def refused(code: int, description: str, **parameters: Any) -> Say:
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    return says({**body, "parameters": parameters} if parameters else body, code)


@pytest_asyncio.fixture
async def bot(provider: Provider) -> AsyncIterator[Bot]:
    me = {"id": 123456789, "is_bot": True, "first_name": "PayLoom", "username": "payloom_bot"}
    provider.tell(f"/bot{SECRET}/getMe", says({"ok": True, "result": me}))
    made = Bot(SECRET, base_url=f"{provider.url}/bot", base_file_url=f"{provider.url}/file/bot", request=AiohttpRequest(read_timeout_s=0.4))
    await made.initialize()
    yield made
    await made.shutdown()


@pytest_asyncio.fixture
async def transport() -> AsyncIterator[AiohttpRequest]:
    made = AiohttpRequest(connect_timeout_s=1.0, read_timeout_s=None)
    await made.initialize()
    yield made
    await made.shutdown()


def sending(provider: Provider, *lines: Say) -> None:
    provider.tell(f"/bot{SECRET}/sendMessage", *lines)


@pytest.mark.parametrize(
    "say,delivery,wait_s",
    [
        (refused(403, "Forbidden: bot was blocked by the user"), Delivery.GONE, 0),
        (refused(403, "Forbidden: user is deactivated"), Delivery.GONE, 0),
        (refused(403, "Forbidden: bot can't initiate conversation with a user"), Delivery.GONE, 0),
        (refused(400, "Bad Request: chat not found"), Delivery.GONE, 0),
        (refused(400, "Bad Request: PEER_ID_INVALID"), Delivery.GONE, 0),
        (refused(400, "Bad Request: BUTTON_DATA_INVALID"), Delivery.REFUSED, 0),
        (refused(400, "Bad Request: message text is empty"), Delivery.REFUSED, 0),
        (refused(413, "Request Entity Too Large"), Delivery.REFUSED, 0),
        (refused(401, "Unauthorized"), Delivery.LATER, 60),
        (refused(404, "Not Found"), Delivery.LATER, 60),
        (refused(409, "Conflict: terminated by other getUpdates request"), Delivery.LATER, 60),
        (refused(429, "Too Many Requests: retry after 5", retry_after=5), Delivery.LATER, 5),
        (says("<html>Too many</html>", 429), Delivery.LATER, 1),
        (refused(429, "Too Many Requests", retry_after=10**9), Delivery.LATER, 86_400),
        (refused(500, "Internal Server Error"), Delivery.UNKNOWN, 0),
        (says("<html>Bad Gateway</html>", 502), Delivery.UNKNOWN, 0),
        (says("<html>"), Delivery.UNKNOWN, 0),
        (says(b""), Delivery.UNKNOWN, 0),
        (says([]), Delivery.UNKNOWN, 0),
        (says({"ok": True}), Delivery.UNKNOWN, 0),
        (says({"ok": True, "result": {"message_id": "seven"}}), Delivery.UNKNOWN, 0),
        (says({"ok": True, "result": {"message_id": 7}}), Delivery.SENT, 0),
        (says({"ok": True, "result": {**OK, "date": 1_700_000_000_000, "link_preview_options": "{}"}}), Delivery.SENT, 0),
        (says({"ok": False, "error_code": 403, "description": "x"}), Delivery.GONE, 0),
        (says({"message": "API method 'sendMessage' is not supported."}, 500), Delivery.LATER, 60),
        (says({"ok": True, "result": 5}), Delivery.UNKNOWN, 0),
        (says(b'{"ok":true,"result":{"mess'), Delivery.UNKNOWN, 0),
        (says(b"x" * (MOST_BYTES + 1)), Delivery.UNKNOWN, 0),
        (says("", 302, Location="/elsewhere"), Delivery.UNKNOWN, 0),
        (hangs_up, Delivery.UNKNOWN, 0),
        (half, Delivery.UNKNOWN, 0),
        (sleeps, Delivery.UNKNOWN, 0),
        (says({"ok": True, "result": OK}), Delivery.SENT, 0),
    ],
)
async def test_what_an_answer_means(
    provider: Provider, bot: Bot, caplog: pytest.LogCaptureFixture, say: Say, delivery: Delivery, wait_s: float
) -> None:
    """O1, O2, O3, T1: and the token is nowhere to be read."""
    sending(provider, say)
    caplog.set_level("DEBUG", "aiohttp")
    sent = await TelegramMessenger(bot).send("5", Message("x"))
    assert (sent.delivery, sent.retry_after_s) == (delivery, wait_s)
    assert "AAsecret" not in sent.error + caplog.text
    assert len(sent.error) <= 200
    assert len(provider.at(f"/bot{SECRET}/sendMessage")) == 1


async def test_a_group_that_moved_is_followed_once(provider: Provider, bot: Bot) -> None:
    """T1."""
    moved = refused(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1005)
    sending(provider, moved, says({"ok": True, "result": OK}))
    sent = await TelegramMessenger(bot).send("-5", Message("x"))
    assert (sent.delivery, sent.ref, sent.error) == (Delivery.SENT, "t:7", "migrated:-1005")
    assert [heard.form["chat_id"] for heard in provider.at(f"/bot{SECRET}/sendMessage")] == ["-5", "-1005"]
    sending(provider, moved)
    assert (await TelegramMessenger(bot).send("-5", Message("x"))).delivery is Delivery.REFUSED


async def test_a_forgotten_file_is_uploaded_again(provider: Provider, bot: Bot) -> None:
    photo = {"file_id": "F1", "file_unique_id": "U", "width": 1, "height": 1}
    done = says({"ok": True, "result": {**OK, "photo": [photo]}})
    provider.tell(f"/bot{SECRET}/sendPhoto", done, refused(400, "Bad Request: wrong file identifier/HTTP URL specified"), done)
    messenger = TelegramMessenger(bot)
    for _ in range(3):
        assert (await messenger.send("5", Message("<b>x</b>", picture=b"\x89PNG1"))).ref == "p:7"
    sent = [heard.form["photo"] for heard in provider.at(f"/bot{SECRET}/sendPhoto")]
    assert sent == [b"\x89PNG1", "F1", b"\x89PNG1", "F1"]
    first = provider.at(f"/bot{SECRET}/sendPhoto")[0]
    assert (first.form["caption"], first.form["parse_mode"], first.form["chat_id"]) == ("<b>x</b>", "HTML", "5")


async def test_several_files_and_other_letters_go_in_one_form(provider: Provider, bot: Bot) -> None:
    provider.tell(f"/bot{SECRET}/sendMediaGroup", says({"ok": True, "result": [OK, OK]}))
    album = [InputMediaPhoto(BytesIO(b"\x89PNG1"), caption="طلب"), InputMediaPhoto(b"\x89PNG2", filename='a"b؟.png')]
    assert len(await bot.send_media_group(5, album)) == 2
    form = provider.heard[-1].form
    media = json.loads(form["media"])
    assert [form[item["media"].removeprefix("attach://")] for item in media] == [b"\x89PNG1", b"\x89PNG2"]
    assert media[0]["caption"] == "طلب"


async def test_a_file_comes_down(provider: Provider, bot: Bot) -> None:
    provider.tell(f"/bot{SECRET}/getFile", says({"ok": True, "result": {"file_id": "F", "file_unique_id": "U", "file_path": "a/b.jpg"}}))
    provider.tell(f"/file/bot{SECRET}/a/b.jpg", says(b"\xff" * (5 << 20)))
    file = await bot.get_file("F")
    assert len(await file.download_as_bytearray()) == 5 << 20


async def test_without_a_connection_nothing_was_sent() -> None:
    """O2."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{closed.getsockname()[1]}/bot"
        transport = AiohttpRequest()
        bot = Bot(SECRET, base_url=base, request=transport)
        await transport.initialize()
        sent = await TelegramMessenger(bot).send("5", Message("x"))
        await transport.shutdown()
    assert (sent.delivery, sent.retry_after_s) == (Delivery.LATER, 2)
    with pytest.raises(NotConnected):
        await bot.send_message(5, "x")


@pytest.mark.parametrize("url", ["http://no-such-host.invalid/bot1:AAsecret/x", "http://[broken/bot1:AAsecret", "nonsense:AAsecret"])
async def test_no_address_is_in_an_exception(transport: AiohttpRequest, url: str) -> None:
    with pytest.raises(NotConnected) as problem:
        await transport.do_request(url, "POST")
    assert "AAsecret" not in str(problem.value)
    assert problem.value.__suppress_context__


async def test_times_may_be_given_for_one_call(provider: Provider, transport: AiohttpRequest) -> None:
    provider.tell("/x", sleeps)
    assert transport.read_timeout is None
    with pytest.raises(TimedOut):
        await transport.do_request(f"{provider.url}/x", "POST", read_timeout=0.1)
    await transport.shutdown()
    await transport.shutdown()
    await transport.initialize()
    provider.tell("/x", says({"ok": True}))
    assert await transport.do_request(f"{provider.url}/x", "GET") == (200, b'{"ok": true}')


def test_an_answer_that_is_no_object_is_an_error_and_not_a_crash() -> None:
    for body in (b"", b"[", b"[]", b"1", b"[" * 100_000):
        with pytest.raises(TelegramError):
            AiohttpRequest.parse_json_payload(body)
    assert issubclass(NotConnected, NetworkError)
