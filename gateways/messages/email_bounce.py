"""Reads what comes back: delivery reports of RFC 3464. They can be forged; only an unguessable `message_id` of ours proves one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from typing import Final

MOST_BYTES: Final = 256 * 1024
_MOST_PARTS: Final = 20
_STATUS: Final = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_ID: Final = re.compile(r"<([^<>\s@]{1,200}@[^<>\s@]{1,200})>")


@dataclass(frozen=True, slots=True)
class Bounce:
    """A letter of ours that did not arrive. Both ids are what stands between `<` and `>` of the Message-ID, empty where the report names none.

    Permanent: there is no such mailbox, or it takes nothing from us. Passing: full, or only late so far.
    """

    address: str
    message_id: str
    envelope_id: str
    permanent: bool
    status: str = ""
    said: str = ""


def read_bounce(raw: bytes) -> Bounce | None:
    """The first address of a delivery report that was not reached; None for every other mail, and for a report of success. Raises nothing."""
    try:
        return _read(message_from_bytes(raw[:MOST_BYTES]))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None  # Python's parser was given something that no mail program writes


def _read(mail: Message) -> Bounce | None:
    if mail.get_content_type() != "multipart/report" or str(mail.get_param("report-type", "")).lower() != "delivery-status":
        return None
    parts = [part for part, _ in zip(mail.walk(), range(_MOST_PARTS * 4), strict=False)]
    report = next((part for part in parts if part.get_content_type() == "message/delivery-status"), None)
    if report is None:
        return None
    blocks = _blocks(report)
    first = next((block for block in blocks if "final-recipient" in block or "original-recipient" in block), None)
    failed = next((block for block in blocks if block.get("action", "").lower() in ("failed", "delayed")), None)
    if first is None or failed is None:
        return None
    status = _STATUS.search(failed.get("status", "")) or _STATUS.search(failed.get("diagnostic-code", ""))
    late = failed["action"].lower() == "delayed"
    full = status is not None and status.groups()[1:] == ("2", "2")
    return Bounce(
        address=_address(failed.get("original-recipient") or failed.get("final-recipient", "")),
        message_id=_message_id(parts, report),
        envelope_id=unxtext(blocks[0].get("original-envelope-id", "")).strip("<> "),
        permanent=not late and not full and status is not None and status.group(1) == "5",
        status=status.group() if status else "",
        said=_line(failed.get("diagnostic-code", "")),
    )


def _blocks(report: Message) -> list[dict[str, str]]:
    """The groups of fields: the first is about the letter, each other one about a recipient (RFC 3464, 2.1)."""
    payload = report.get_payload()
    groups = [one for one in payload if isinstance(one, Message)] if isinstance(payload, list) else []
    return [{name.lower(): str(value).strip() for name, value in group.items()} for group in groups[:_MOST_PARTS]] or [{}]


def _message_id(parts: list[Message], report: Message) -> str:
    """From the headers that came back; they are a part of their own (`text/rfc822-headers`), or those of the returned letter."""
    for text in _returned(parts, report):
        found = _ID.search(text)
        if found:
            return found.group(1)
    return ""


def _returned(parts: list[Message], report: Message) -> Iterator[str]:
    for part in parts[parts.index(report) :]:
        kind, payload = part.get_content_type(), part.get_payload()
        if kind == "text/rfc822-headers":
            body = part.get_payload(decode=True)
            text = body.decode("utf-8", "replace") if isinstance(body, bytes) else ""
            line = re.search(r"(?im)^message-id:\s*(\S+)", text)
            yield line.group(1) if line else ""
        elif kind in ("message/rfc822", "message/rfc822-headers") and isinstance(payload, list) and isinstance(payload[0], Message):
            yield str(payload[0].get("Message-ID", ""))


def _address(field: str) -> str:
    """`rfc822; amina@example.com`."""
    return _line(field.partition(";")[2] or field).strip("<> ")


def _line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:200]


def xtext(text: str) -> str:
    """RFC 3461, 4: printable ASCII but `+` and `=`; everything else as `+41`."""
    return "".join(chr(byte) if 33 <= byte <= 126 and byte not in b"+=" else f"+{byte:02X}" for byte in text.encode())


def unxtext(text: str) -> str:
    return re.sub(rb"\+([0-9A-F]{2})", lambda found: bytes([int(found.group(1), 16)]), text.encode()).decode("utf-8", "replace")
