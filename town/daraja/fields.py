"""Daraja's rules for the fields of a request: each reader returns the value or raises the 400.002.02 that names the field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from town.daraja.apps import App, Refusal

FORBIDDEN_WORDS = ("mpesa", "safaricom", "exe", "exec", "cmd", "sql", "query")
"""Refused anywhere in an address. Whether the real check minds case is not known; this one does not (the stricter reading)."""
BLOCKED_HOSTS = ("ngrok", "mockbin", "requestbin")
LARGEST_KES = 250_000
Body = Mapping[str, Any]


def bad(field: str) -> Refusal:
    return Refusal(400, "400.002.02", f"Bad Request - Invalid {field}")


def text(body: Body, field: str, pattern: str) -> str:
    """A string or whole number that fits `pattern` whole."""
    value = body.get(field)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
        raise bad(field)
    return value


def words(body: Body, field: str, least: int, most: int) -> str:
    """Free text; a field that may be empty (`least` 0) may also be left out."""
    value = body.get(field, "" if least == 0 else None)
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise bad(field)
    return value


def amount(body: Body, field: str = "Amount", least: int = 1) -> int:
    """Whole KES, string or number; decimals are refused, even `10.0`."""
    value = int(text(body, field, r"\d{1,9}"))
    if not least <= value <= LARGEST_KES:
        raise bad(field)
    return value


def msisdn(body: Body, field: str) -> str:
    return text(body, field, r"254[17]\d{8}")


def short_code(body: Body, field: str) -> str:
    return text(body, field, r"\d{5,7}")


def address(body: Body, field: str, https_only: bool = False) -> str:
    """A callback address: absolute, lower-case host, none of the forbidden words, no tunnel or bin host."""
    value = body.get(field)
    if not isinstance(value, str) or len(value) > 2000 or re.search(r"\s", value):
        raise bad(field)
    try:
        parts = urlsplit(value)
        host = parts.netloc.rpartition("@")[2].partition(":")[0]
        _ = parts.port
    except ValueError:
        raise bad(field) from None
    if parts.scheme not in (("https",) if https_only else ("https", "http")) or not host or host != host.lower():
        raise bad(field)
    lowered = value.lower()
    if any(word in lowered for word in FORBIDDEN_WORDS) or any(word in host for word in BLOCKED_HOSTS):
        raise bad(field)
    return value


def timestamp(body: Body, field: str = "Timestamp") -> str:
    """`YYYYMMDDHHmmss`, a real date and time."""
    value = text(body, field, r"\d{14}")
    try:
        datetime.strptime(f"{value}+0300", "%Y%m%d%H%M%S%z")
    except ValueError:
        raise bad(field) from None
    return value


def one_of(body: Body, field: str, allowed: tuple[str, ...]) -> str:
    value = body.get(field)
    if not isinstance(value, str) or value not in allowed:
        raise bad(field)
    return value


def password(body: Body, app: App) -> None:
    """BusinessShortCode, Timestamp and Password together; not this app's merchant, or a Password that does not fit: 500.001.1001."""
    code = short_code(body, "BusinessShortCode")
    stamp = timestamp(body)
    given = body.get("Password")
    if not isinstance(given, str) or not given:
        raise bad("Password")
    if code != app.short_code:
        raise Refusal(500, "500.001.1001", "Merchant does not exist")
    if not given.isascii() or not app.password_fits(given, stamp):
        raise Refusal(500, "500.001.1001", "Wrong credentials")
