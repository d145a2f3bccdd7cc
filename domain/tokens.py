"""Unguessable addresses without a lookup table: an id with a 128-bit keyed mark (docs/decisions/0004-derived-tokens.md)."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

_ID_BYTES: Final = 8
_MARK_BYTES: Final = 16
_LENGTH: Final = 2 * (_ID_BYTES + _MARK_BYTES)
"""Lower-case hex: Daraja refuses addresses in which words such as `exec` or `sql` happen to be spelled, and hex cannot spell them."""


class Purpose(StrEnum):
    """A token of one purpose opens nothing of another."""

    PAY = "pay"
    TRACK = "track"
    ATTEMPT = "attempt"
    REFUND = "refund"
    PAYMENT = "payment"
    FOLLOW = "follow"
    FILE = "file"
    SETTINGS = "settings"
    LETTER = "letter"
    MAIL = "mail"
    BY_HAND = "by_hand"
    LOOKUP = "lookup"
    GROUP = "group"
    GROUP_STARTER = "group_starter"


class Tokens:
    """Makes and reads tokens. The first key writes, every key reads, so that keys can be rotated with an overlap."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) < 16 for key in keys):
            raise ValueError("a token key needs at least 16 bytes")
        self._keys = tuple(keys)

    def make(self, purpose: Purpose, number: int) -> str:
        """48 hex digits for a 63-bit id."""
        body = number.to_bytes(_ID_BYTES, "big")
        return (body + self._mark(self._keys[0], purpose, body)).hex()

    def read(self, purpose: Purpose, token: str) -> int | None:
        """The id, or None for anything that we did not make for this purpose. Compared in constant time."""
        if len(token) != _LENGTH:
            return None
        try:
            raw = bytes.fromhex(token)
        except ValueError:
            return None
        body, mark = raw[:_ID_BYTES], raw[_ID_BYTES:]
        genuine = [hmac.compare_digest(mark, self._mark(key, purpose, body)) for key in self._keys]
        return int.from_bytes(body, "big") if any(genuine) else None

    def digest(self, text: str) -> str:
        """What is stored of a short secret, in hex: without a key of ours nobody can try all there are."""
        return self.digests(text)[0]

    def digests(self, text: str) -> tuple[str, ...]:
        """The same under every key, the one that writes first: whatever of these is stored was made from this text."""
        return tuple(hmac.digest(key, b"digest\0" + text.encode(), "sha256").hex() for key in self._keys)

    def matches(self, text: str, digest: str) -> bool:
        """Whether `digest` was made from this text, by any key. Compared in constant time."""
        genuine = [hmac.compare_digest(digest.encode(), ours.encode()) for ours in self.digests(text)]
        return any(genuine)

    @staticmethod
    def _mark(key: bytes, purpose: Purpose, body: bytes) -> bytes:
        return hmac.digest(key, purpose.encode() + b"\0" + body, "sha256")[:_MARK_BYTES]
