"""Seals: each closes a stretch of the audit trail, so that what was cut off at its end, or taken out of it, is missed."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TrailSeal:
    """The n-th seal: over the `count` records after the seal before it, up to and including `upto_id`. `previous` is that seal's mark."""

    n: int
    upto_id: int
    count: int
    at: datetime
    previous: str
    mark: str


def seal_mark(key: bytes, seal: TrailSeal, marks: Iterable[str]) -> str:
    """The keyed digest of a seal: 64 hex characters over what it says and the marks of its records, in the order of their ids."""
    said = [seal.n, seal.upto_id, seal.count, round(seal.at.timestamp() * 1_000_000), seal.previous]
    digest = hmac.new(key, b"seal:" + json.dumps(said, separators=(",", ":")).encode(), hashlib.sha256)
    for mark in marks:
        digest.update(mark.encode())
    return digest.hexdigest()
