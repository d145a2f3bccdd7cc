"""Letters as the town keeps and shows them: parsed once, by address, the oldest dropped first."""

from __future__ import annotations

import base64
import html
import json
import re
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from pathlib import Path
from typing import Any

LETTERS_KEPT = 200
ADDRESSES_KEPT = 1000
_HREF = re.compile(r"""<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s<>\"')\]]+")


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter in one inbox. `again`: this inbox had a letter with the same Message-ID before (many receivers would drop this one).

    `came_from` and `envelope_id` are the envelope's: where a report about it goes, and what it names.
    """

    number: int
    at: datetime
    to: str
    sender: str
    subject: str
    text: str
    html: str
    links: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    message_id: str
    again: bool
    raw: bytes
    came_from: str = ""
    envelope_id: str = ""

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    def shown(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "at": self.at.isoformat(),
            "to": self.to,
            "from": self.sender,
            "subject": self.subject,
            "text": self.text,
            "html": self.html,
            "links": list(self.links),
            "headers": dict(self.headers),
            "message_id": self.message_id,
            "again": self.again,
            "size_bytes": len(self.raw),
        }


class Inboxes:
    def __init__(self) -> None:
        self._by_address: OrderedDict[str, deque[Letter]] = OrderedDict()
        self._number = 0

    def put(self, address: str, raw: bytes, at: datetime, came_from: str = "", envelope_id: str = "") -> Letter:
        """Parse a letter and lay it into an inbox."""
        inbox = self._by_address.setdefault(address.lower(), deque(maxlen=LETTERS_KEPT))
        self._by_address.move_to_end(address.lower())
        while len(self._by_address) > ADDRESSES_KEPT:
            self._by_address.popitem(last=False)
        self._number += 1
        mail: EmailMessage = message_from_bytes(raw, policy=policy.default)
        headers = tuple((name, str(value)) for name, value in mail.items())
        own = {name.lower(): value for name, value in headers}
        text, markup = _body(mail, "plain"), _body(mail, "html")
        message_id = own.get("message-id", "").strip()
        letter = Letter(
            number=self._number, at=at, to=address, sender=own.get("from", ""), subject=own.get("subject", ""), text=text, html=markup,
            links=_links(text, markup), headers=headers, message_id=message_id,
            again=bool(message_id) and any(other.message_id == message_id for other in inbox), raw=raw,
            came_from=came_from, envelope_id=envelope_id,
        )  # fmt: skip
        inbox.append(letter)
        return letter

    def of(self, address: str) -> list[Letter]:
        """Oldest first."""
        return list(self._by_address.get(address.lower(), ()))

    def newest(self, count: int) -> list[Letter]:
        """Of all inboxes, newest first."""
        letters = [letter for inbox in self._by_address.values() for letter in inbox]
        return sorted(letters, key=lambda letter: letter.number, reverse=True)[:count]

    def find(self, number: int) -> Letter | None:
        return next((letter for inbox in self._by_address.values() for letter in inbox if letter.number == number), None)

    def save(self, path: Path) -> None:
        kept = [
            {
                "to": letter.to, "at": letter.at.isoformat(), "from": letter.came_from, "envelope_id": letter.envelope_id,
                "raw": base64.b64encode(letter.raw).decode(),
            }
            for letter in reversed(self.newest(LETTERS_KEPT))
        ]  # fmt: skip
        beside = path.with_suffix(".new")
        beside.write_text(json.dumps(kept))
        beside.replace(path)

    def load(self, path: Path) -> None:
        """Nothing happens when there is no such file, or one that was cut off."""
        try:
            kept = json.loads(path.read_text())
            for one in kept:
                self.put(one["to"], base64.b64decode(one["raw"]), datetime.fromisoformat(one["at"]), one["from"], one["envelope_id"])
        except (OSError, ValueError, KeyError, TypeError):
            return

    def addresses(self) -> dict[str, int]:
        return {address: len(inbox) for address, inbox in self._by_address.items()}


def _body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    if part is None:
        return ""
    content = part.get_content()
    return content.replace("\r\n", "\n") if isinstance(content, str) else ""


def _links(text: str, markup: str) -> tuple[str, ...]:
    """Every address of the web in the letter, each once: those that can be tapped first."""
    tapped = [html.unescape(one or other) for one, other in _HREF.findall(markup)]
    return tuple(dict.fromkeys([*tapped, *(url.rstrip(".,;:!?،؛؟") for url in _URL.findall(text))]))


def id_of(raw: bytes) -> str:
    """The Message-ID of a letter that was not kept."""
    mail: Message = message_from_bytes(raw)
    return str(mail.get("Message-ID", ""))
