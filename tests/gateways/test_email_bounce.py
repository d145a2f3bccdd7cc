"""What comes back: delivery reports as real servers write them (RFC 3464), and whatever else may lie in that mailbox."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.ports import Delivery
from gateways.messages.email import Mail, read_bounce
from gateways.messages.email_bounce import unxtext, xtext
from tests.gateways.email_ground import NOON, SENDER, ALetter
from tests.gateways.provider import HandClock
from town.core import Core, Fault
from town.mail import MailServer
from town.mail.bounces import bounce

AMINA = "amina@example.com"
LETTER = b"From: PayLoom <no-reply@pay.example>\r\nTo: amina@example.com\r\nMessage-ID: <abc123@pay.example>\r\nSubject: x\r\n\r\nhello\r\n"
POSTFIX = b"""Return-Path: <>
From: MAILER-DAEMON@mx.example.org (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: no-reply@pay.example
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4XyZ.1792345678/mx.example.org"

This is a MIME-encapsulated message.

--4XyZ.1792345678/mx.example.org
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--4XyZ.1792345678/mx.example.org
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
X-Postfix-Queue-ID: 4XyZ
Arrival-Date: Sat, 21 Nov 2026 09:00:05 +0000 (UTC)

Final-Recipient: rfc822; amina@example.com
Original-Recipient: rfc822;Amina@example.com
Action: failed
Status: 5.1.1
Remote-MTA: dns; mail.example.com
Diagnostic-Code: smtp; 550 5.1.1 <amina@example.com>: Recipient address
    rejected: User unknown

--4XyZ.1792345678/mx.example.org
Content-Description: Undelivered Message
Content-Type: message/rfc822

Message-ID: <abc123@pay.example>
Subject: Paid

hello

--4XyZ.1792345678/mx.example.org--
"""


def test_a_report_of_postfix() -> None:
    found = read_bounce(POSTFIX)
    assert found is not None
    assert (found.address, found.message_id, found.permanent, found.status) == ("Amina@example.com", "abc123@pay.example", True, "5.1.1")
    assert found.said == "smtp; 550 5.1.1 <amina@example.com>: Recipient address rejected: User unknown"
    assert read_bounce(POSTFIX.replace(b"\n", b"\r\n")) == found


@pytest.mark.parametrize(
    "status, permanent", [("5.1.1", True), ("5.1.2", True), ("5.7.1", True), ("5.2.2", False), ("4.4.1", False), ("4.2.2", False)]
)
def test_permanent_or_passing(status: str, permanent: bool) -> None:
    """A full mailbox and a late letter pass; everything else of class 5 does not."""
    found = read_bounce(bounce(LETTER, "no-reply@pay.example", AMINA, NOON, status=status, envelope_id="abc123@pay.example"))
    assert found is not None
    assert (found.permanent, found.status, found.address) == (permanent, status, AMINA)
    assert found.message_id == found.envelope_id == "abc123@pay.example"


def test_the_code_may_stand_in_the_diagnosis_only() -> None:
    found = read_bounce(POSTFIX.replace(b"Status: 5.1.1\n", b""))
    assert found is not None and found.permanent and found.status == "5.1.1"
    found = read_bounce(POSTFIX.replace(b"5.1.1", b"").replace(b"Status: \n", b""))
    assert found is not None and not found.permanent, "what nobody says is not permanent"


@pytest.mark.parametrize("action", [b"delivered", b"relayed", b"expanded", b"", b"made up"])
def test_what_did_not_fail_is_no_bounce(action: bytes) -> None:
    assert read_bounce(POSTFIX.replace(b"Action: failed", b"Action: " + action)) is None


def test_other_mail_is_no_bounce() -> None:
    reply = EmailMessage()
    reply["Subject"] = "Undelivered Mail Returned to Sender"
    reply.set_content("Status: 5.1.1\nFinal-Recipient: rfc822; amina@example.com\nAction: failed")
    for raw in (b"", b"\r\n", LETTER, reply.as_bytes(), POSTFIX.replace(b"delivery-status;", b"feedback-report;"), POSTFIX[:700]):
        assert read_bounce(raw) is None


def test_a_report_without_our_letter_has_no_id() -> None:
    found = read_bounce(POSTFIX.replace(b"Message-ID: <abc123@pay.example>\n", b""))
    assert found is not None and found.message_id == ""


@settings(max_examples=300, deadline=timedelta(seconds=2))
@given(st.integers(0, len(POSTFIX)), st.integers(0, 200), st.binary(max_size=60))
def test_damaged_reports_raise_nothing(at: int, length: int, other: bytes) -> None:
    """C17: whatever lies in the mailbox, the reader lives."""
    read_bounce(POSTFIX[:at] + other + POSTFIX[at + length :])


@given(st.text(max_size=60))
def test_xtext_there_and_back(text: str) -> None:
    """RFC 3461, 4: printable ASCII without spaces, whatever it stands for."""
    assert unxtext(xtext(text)) == text
    assert all("!" <= char <= "~" for char in xtext(text)) and "=" not in xtext(text)


async def test_a_letter_of_ours_comes_back() -> None:
    """Taken by the server, refused by the next: the report names the address and the id that the letter was SENT with."""
    came: asyncio.Queue[bytes] = asyncio.Queue()
    core = Core(1)
    town = MailServer(core, bounced=came.put)
    await town.start()
    try:
        core.faults.plant(Fault("mail", "bounce", 1, {"status": "5.1.1"}))
        sent = await Mail(town.url, SENDER, HandClock(NOON)).send(AMINA, ALetter(), "k")
        assert sent.delivery is Delivery.SENT and sent.ref is not None
        found = read_bounce(await asyncio.wait_for(came.get(), 5))
    finally:
        await town.stop()
    assert found is not None
    assert (found.address, f"<{found.message_id}>", found.permanent) == (AMINA, sent.ref, True)
    assert found.envelope_id == found.message_id
    assert town.letters(AMINA) == []
