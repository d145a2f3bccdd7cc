"""Addresses of people's mailboxes: read without guessing, kept in one spelling."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from domain.errors import BadInput

MOST_ADDRESS: Final = 254
"""RFC 5321: what fits into a path, less its brackets."""
_LOCAL: Final = re.compile(r"[^\s\x00-\x20\x7f<>()\[\]\\,;:@\"]{1,64}")
_HOST: Final = re.compile(r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z][a-z0-9-]{0,61}[a-z0-9])")


def read_address(text: str) -> str:
    """One bare address in the spelling it is kept in: lower case, the domain as DNS knows it. Nothing is corrected.

    Every mail server that people use reads an address in either case; two spellings of one mailbox would be two people, and twice the letters.
    Raises BadInput(email): empty, too_long, not_an_address.
    """
    typed = unicodedata.normalize("NFC", text.strip().strip("\u200e\u200f\u2066\u2067\u2068\u2069").removeprefix("mailto:"))
    if not typed:
        raise BadInput("email", "empty")
    local, at, domain = typed.lower().rpartition("@")
    host = _as_dns_knows(domain)
    if not at or not _LOCAL.fullmatch(local) or local.startswith(".") or local.endswith(".") or ".." in local or not _HOST.fullmatch(host):
        raise BadInput("email", "not_an_address")
    if any(unicodedata.category(char) in {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"} for char in local):
        raise BadInput("email", "not_an_address")
    if len(f"{local}@{host}".encode()) > MOST_ADDRESS:
        raise BadInput("email", "too_long", limit=MOST_ADDRESS)
    return f"{local}@{host}"


def hidden(address: str) -> str:
    """Enough to know one's own by, too little to write to: `a•••@example.com`."""
    local, _, host = address.rpartition("@")
    return f"{local[:1]}•••@{host}"


def _as_dns_knows(domain: str) -> str:
    """Empty when it is no domain."""
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return ""
