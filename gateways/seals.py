"""Back room: sealed secrets at rest. AES-256-GCM envelopes: each text has a key of its own, which is locked with a key of the ring.

Form: `1.<key id>.<locked data key>.<locked text>`, base64url without padding. The context is authenticated with both, never stored.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_FORM: Final = "1"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class CannotOpen(ValueError):
    """Not sealed by us, for another context, changed, or with a key that left the ring. Says nothing of the contents."""


class AesSeals:
    """`keys` are base64 of 32 bytes each; the first one seals, all of them open. Raises ValueError for a ring that cannot be used."""

    def __init__(self, keys: Sequence[str]) -> None:
        raw = [_key(text) for text in keys]
        if not raw:
            raise ValueError("no key to seal with")
        self._first = _key_id(raw[0])
        self._ring = {_key_id(key): AESGCM(key) for key in raw}

    def seal(self, clear: str, context: str) -> str:
        data_key = AESGCM.generate_key(_KEY_BYTES * 8)
        return self._write(data_key, _lock(AESGCM(data_key), clear.encode(), b"text", context), context)

    def open(self, sealed: str, context: str) -> str:
        data_key, body = self._read(sealed, context)
        return _unlock(AESGCM(data_key), body, b"text", context).decode()

    def rotate(self, sealed: str, context: str) -> str:
        """The same, under the first key of the ring; what is under it already comes back as it is. Checked whole before it is written."""
        data_key, body = self._read(sealed, context)
        _unlock(AESGCM(data_key), body, b"text", context)
        return sealed if sealed.split(".")[1] == self._first else self._write(data_key, body, context)

    def _write(self, data_key: bytes, body: bytes, context: str) -> str:
        locked = _lock(self._ring[self._first], data_key, b"key", context)
        return ".".join((_FORM, self._first, _write64(locked), _write64(body)))

    def _read(self, sealed: str, context: str) -> tuple[bytes, bytes]:
        parts = sealed.split(".")
        if len(parts) != 4 or parts[0] != _FORM or parts[1] not in self._ring:
            raise CannotOpen
        locked, body = _read64(parts[2]), _read64(parts[3])
        data_key = _unlock(self._ring[parts[1]], locked, b"key", context)
        if len(data_key) != _KEY_BYTES:
            raise CannotOpen
        return data_key, body


def _key(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a sealing key is base64") from None
    if len(raw) != _KEY_BYTES or len(set(raw)) < 8:
        raise ValueError("a sealing key is 32 random bytes")
    return raw


def _key_id(key: bytes) -> str:
    """Eight hex digits that tell the keys of a ring apart and nothing of the key."""
    return hashlib.sha256(b"payloom sealing key\0" + key).hexdigest()[:8]


def _lock(cipher: AESGCM, clear: bytes, purpose: bytes, context: str) -> bytes:
    # The library's own generator: a nonce must never repeat, not even in a simulation that repeats its dice.
    nonce = AESGCM.generate_key(128)[:_NONCE_BYTES]
    return nonce + cipher.encrypt(nonce, clear, purpose + b"\0" + context.encode())


def _unlock(cipher: AESGCM, locked: bytes, purpose: bytes, context: str) -> bytes:
    if len(locked) < _NONCE_BYTES + 16:
        raise CannotOpen
    try:
        return cipher.decrypt(locked[:_NONCE_BYTES], locked[_NONCE_BYTES:], purpose + b"\0" + context.encode())
    except InvalidTag:
        raise CannotOpen from None


def _write64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _read64(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise CannotOpen from None
