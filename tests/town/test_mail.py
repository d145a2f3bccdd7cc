"""The town's mail server as any SMTP client meets it, its inboxes, and what its page may show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from email.message import EmailMessage

import aiosmtplib
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from town.core import Core, Fault
from town.mail import MailServer

AMINA = "amina@example.com"
RUDE = '<!doctype html><html><head><title>x</title></head><body><a href="https://pay.example/t?a=1&amp;b=2">Open</a><script>alert(1)</script></body></html>'


def a_letter(to: str = AMINA, message_id: str = "<1@pay.example>") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = "PayLoom <no-reply@pay.example>", to, "طلب 4821", message_id
    mail.set_content("Open https://pay.example/plain, please.\n")
    mail.add_alternative(RUDE, subtype="html")
    return mail


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    server = MailServer(Core(1))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def page(mail: MailServer) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    application = web.Application()
    application.add_routes(mail.routes())
    async with TestClient(TestServer(application)) as client:
        yield client


async def post(mail: MailServer, letter: EmailMessage, user: str = "town", password: str = "town-mail") -> None:
    await aiosmtplib.send(letter, hostname="127.0.0.1", port=mail.port, username=user, password=password, start_tls=False, timeout=5)


@pytest.mark.parametrize("mechanism", ["plain", "login"])
async def test_both_ways_to_log_in(mail: MailServer, mechanism: str) -> None:
    for password, fits in (("town-mail", True), ("wrong", False)):
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=mail.port, start_tls=False, timeout=5) as client:
            await client.ehlo()
            log_in = client.auth_plain if mechanism == "plain" else client.auth_login
            if fits:
                assert (await log_in("town", password)).code == 235
            else:
                with pytest.raises(aiosmtplib.SMTPAuthenticationError) as refused:
                    await log_in("town", password)
                assert refused.value.code == 535


async def test_nothing_without_logging_in(mail: MailServer) -> None:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=mail.port, start_tls=False, timeout=5) as client:
        with pytest.raises(aiosmtplib.SMTPSenderRefused) as refused:
            await client.mail("a@example.com")
    assert refused.value.code == 530


async def test_an_inbox(mail: MailServer, page: TestClient[web.Request, web.Application]) -> None:
    await post(mail, a_letter())
    await post(mail, a_letter(message_id="<2@pay.example>"))
    await post(mail, a_letter("Other@example.com"))
    found = await (await page.get(f"/town/api/mail/{AMINA.upper()}")).json()
    assert [letter["number"] for letter in found] == [1, 2]
    first = found[0]
    assert (first["subject"], first["from"], first["to"]) == ("طلب 4821", "PayLoom <no-reply@pay.example>", AMINA)
    assert first["text"].startswith("Open https") and first["html"].strip() == RUDE
    assert first["links"] == ["https://pay.example/t?a=1&b=2", "https://pay.example/plain"]
    assert first["headers"]["MIME-Version"] == "1.0"
    assert mail.state()["inboxes"] == {AMINA: 2, "other@example.com": 1}
    assert await (await page.get("/town/api/mail/nobody@example.com")).json() == []


async def test_a_letter_is_shown_as_an_inbox_shows_it(mail: MailServer, page: TestClient[web.Request, web.Application]) -> None:
    """W6: no script runs, nothing is loaded, links open beside it."""
    await post(mail, a_letter())
    shown = await page.get(f"/town/api/mail/{AMINA}/1.html")
    assert shown.status == 200 and shown.content_type == "text/html"
    rules = shown.headers["Content-Security-Policy"]
    assert "default-src 'none'" in rules and "allow-scripts" not in rules and rules.startswith("sandbox allow-popups")
    assert '<head><base target="_blank">' in await shown.text()
    for nowhere in (f"/town/api/mail/{AMINA}/2.html", "/town/api/mail/b@example.com/1.html"):
        assert (await page.get(nowhere)).status == 404


async def test_the_journal(mail: MailServer) -> None:
    core = mail._core
    await post(mail, a_letter())
    core.faults.plant(Fault("mail", "unknown", 1))
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
        await post(mail, a_letter())
    kinds = [(event["kind"], event["to"]) for event in core.journal.since(0)]
    assert kinds == [("mail.letter", AMINA), ("mail.refused", [AMINA])]


async def test_bounces(mail: MailServer) -> None:
    """The sender decides whether it wants to know (RFC 3461), and a receiver that fails does not harm the town."""
    came: asyncio.Queue[bytes] = asyncio.Queue()
    core, mail.bounced = mail._core, came.put
    core.faults.plant(Fault("mail", "bounce", 1, {"status": "5.2.2"}))
    await post(mail, a_letter())
    report = await asyncio.wait_for(came.get(), 5)
    assert b"Status: 5.2.2" in report and b"report-type=delivery-status" in report and b"\r\nMessage-ID: <1@pay.example>" in report
    assert mail.letters(AMINA) == []
    core.faults.plant(Fault("mail", "bounce", 1))
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=mail.port, start_tls=False, username="town", password="town-mail") as client:
        await client.mail("a@example.com")
        await client.rcpt(AMINA, options=["NOTIFY=NEVER"])
        await client.data(a_letter().as_bytes())
    assert came.empty()

    async def broken(raw: bytes) -> None:
        raise RuntimeError("receiver")

    mail.bounced = broken
    core.faults.plant(Fault("mail", "bounce", 1))
    await post(mail, a_letter())
    async with asyncio.timeout(5):
        while not any(event["kind"] == "mail.bounce_failed" for event in core.journal.since(0)):
            await core.journal.wait(1)


async def test_it_ends_and_begins_again(mail: MailServer) -> None:
    """Also while somebody hangs; the port is given back."""
    mail._core.faults.plant(Fault("mail", "hang", 1, {"where": "sender"}))
    task = asyncio.create_task(post(mail, a_letter()))
    assert await mail._core.journal.wait(5)
    await mail.stop()
    with pytest.raises(aiosmtplib.SMTPException):
        await task
    await mail.stop()
    with pytest.raises((aiosmtplib.SMTPException, OSError)):
        await post(mail, a_letter())
    await mail.start()
    await post(mail, a_letter())
    assert len(mail.letters(AMINA)) == 1


async def test_a_wanted_port() -> None:
    first = MailServer(Core(1))
    await first.start()
    await first.stop()
    second = MailServer(Core(1), first.port)
    await second.start()
    assert second.port == first.port and second.url == f"smtp+plain://town:town-mail@127.0.0.1:{first.port}"
    await second.stop()
