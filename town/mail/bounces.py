"""Writes the letter that comes back: a delivery report as a real server makes it (RFC 3464, RFC 3462)."""

from __future__ import annotations

from datetime import datetime
from email import message_from_bytes
from email.utils import format_datetime

SAID = {
    "5.1.1": "550 5.1.1 The email account that you tried to reach does not exist",
    "5.2.2": "552 5.2.2 The recipient's inbox is out of storage space",
    "5.7.1": "554 5.7.1 Message refused by local policy",
    "4.4.1": "451 4.4.1 No answer from host",
}
HOST = "mail.town.test"


def bounce(raw: bytes, sender: str, address: str, at: datetime, *, status: str = "5.1.1", envelope_id: str = "", mark: str = "0") -> bytes:
    """A report about `address` for `sender`. A status 4.x.x says that it is late, and is still being tried."""
    late = status.startswith("4")
    said = SAID.get(status, f"{'451' if late else '550'} {status} Not delivered")
    head = raw.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("utf-8", "replace")
    subject = str(message_from_bytes(raw).get("Subject", ""))
    line = f"report-{mark}"
    about = [
        f"Reporting-MTA: dns; {HOST}",
        *([f"Original-Envelope-Id: {envelope_id}"] if envelope_id else []),
        f"Arrival-Date: {format_datetime(at)}",
        "",
        *([f"Original-Recipient: rfc822; {address}"] if envelope_id else []),
        f"Final-Recipient: rfc822; {address}",
        f"Action: {'delayed' if late else 'failed'}",
        f"Status: {status}",
        f"Remote-MTA: dns; {HOST}",
        f"Diagnostic-Code: smtp; {said}",
    ]
    words = [
        f"Your message to {address} {'has not been delivered yet' if late else 'could not be delivered'}.",
        f"Subject: {subject}",
        said,
    ]
    text = [
        f"From: Mail Delivery System <mailer-daemon@{HOST}>",
        f"To: {sender}",
        "Subject: " + ("Delivery Status Notification (Delay)" if late else "Undelivered Mail Returned to Sender"),
        f"Date: {format_datetime(at)}",
        f"Message-ID: <{mark}@{HOST}>",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{line}"',
        "",
        *(f"--{line}", "Content-Type: text/plain; charset=utf-8", "", *words, ""),
        *(f"--{line}", "Content-Type: message/delivery-status", "", *about, ""),
        *(f"--{line}", "Content-Type: text/rfc822-headers", "", head, ""),
        f"--{line}--",
        "",
    ]
    return "\r\n".join(text).replace("\r\n", "\n").replace("\n", "\r\n").encode()
