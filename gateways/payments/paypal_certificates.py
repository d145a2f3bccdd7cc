"""PayPal's signature on its events ("Integrate webhooks", self verification): certificates fetched from PayPal alone, kept, and used offline."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from domain.ports import Clock
from gateways.http import Answer, Http
from gateways.payments.paypal_wire import origin

HOSTS: Final[Mapping[str, frozenset[str]]] = {
    "https://api-m.paypal.com": frozenset({"https://api.paypal.com", "https://api-m.paypal.com"}),
    "https://api-m.sandbox.paypal.com": frozenset({"https://api.sandbox.paypal.com", "https://api-m.sandbox.paypal.com"}),
}
"""Whose certificates are believed, by where the API is; a sandbox signs nothing for the live one. With any other address: its own."""
OWNER: Final = ".paypal.com"
OLDEST: Final = timedelta(days=4)
"""PayPal sends an event again for three days, and does not say that it signs it anew."""
AHEAD: Final = timedelta(minutes=10)
KEPT: Final = 20
MISSED: Final = 100
AGAIN_AFTER: Final = timedelta(minutes=1)
"""An address that gave no certificate is not asked again sooner."""
MOST_AT_ONCE: Final = 4
LEAST_BITS: Final = 2048
_URL: Final = re.compile(r"https?://[A-Za-z0-9.:-]+(?:/[A-Za-z0-9._-]+)*/v1/notifications/certs/CERT-[A-Za-z0-9-]{1,64}", re.ASCII)
_SAID: Final = re.compile(r"[!-~]{1,100}", re.ASCII)

log = structlog.get_logger(__name__)


class Certificates:
    """Those that have been fetched, by their address. `fetch` is the only part that talks to anybody."""

    def __init__(self, http: Http, base_url: str, clock: Clock) -> None:
        self._http = http
        self._clock = clock
        self._hosts = HOSTS.get(base_url.rstrip("/"), frozenset({origin(base_url)}))
        self._kept: OrderedDict[str, x509.Certificate] = OrderedDict()
        self._missed: OrderedDict[str, datetime] = OrderedDict()
        self._lines: dict[str, asyncio.Lock] = {}

    async def fetch(self, url: str) -> None:
        """Get and keep the certificate at this address of PayPal's; an address of anybody else is not asked. Never raises."""
        if url in self._kept or not self._is_paypals(url) or (len(self._lines) >= MOST_AT_ONCE and url not in self._lines):
            return
        line = self._lines.setdefault(url, asyncio.Lock())
        try:
            async with line:
                if url not in self._kept and not self._missed_lately(url):
                    await self._get(url)
        finally:
            self._lines.pop(url, None)

    def signed(self, raw: bytes, headers: Mapping[str, str], webhook_id: str) -> bool:
        """Whether PayPal signed this body for this webhook, lately. An empty `webhook_id` is nobody's: nothing is signed for it."""
        said = {name: headers.get(f"paypal-{name}", "") for name in ("transmission-id", "transmission-time", "cert-url", "auth-algo")}
        certificate = self._kept.get(said["cert-url"])
        if not _SAID.fullmatch(webhook_id) or not _SAID.fullmatch(said["transmission-id"]) or certificate is None:
            return False
        if said["auth-algo"] != "SHA256withRSA" or not self._is_lately(said["transmission-time"]) or not self._is_valid(certificate):
            return False
        message = f"{said['transmission-id']}|{said['transmission-time']}|{webhook_id}|{zlib.crc32(raw)}"
        key = certificate.public_key()
        try:
            signature = base64.b64decode(headers.get("paypal-transmission-sig", ""), validate=True)
            assert isinstance(key, rsa.RSAPublicKey)
            key.verify(signature, message.encode(), padding.PKCS1v15(), SHA256())
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True

    def _is_paypals(self, url: str) -> bool:
        return _URL.fullmatch(url) is not None and origin(url) in self._hosts

    def _missed_lately(self, url: str) -> bool:
        missed = self._missed.get(url)
        return missed is not None and timedelta(0) <= self._clock.now() - missed < AGAIN_AFTER

    async def _get(self, url: str) -> None:
        answer = await self._http.call("GET", url)
        certificate = self._read(answer.body) if isinstance(answer, Answer) and answer.status == 200 else None
        if certificate is None:
            log.warning("paypal_certificate_missing", why="an event named a certificate that could not be had, so it is not believed")
            self._missed[url] = self._clock.now()
            while len(self._missed) > MISSED:
                self._missed.popitem(last=False)
            return
        self._kept[url] = certificate
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def _read(self, pem: bytes) -> x509.Certificate | None:
        """The first of the chain, if it is valid now, PayPal's, of RSA, and every one in it was issued by the next."""
        try:
            chain = x509.load_pem_x509_certificates(pem)
            for issued, issuer in pairwise(chain):
                issued.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            return None
        leaf = chain[0]
        key = leaf.public_key()
        names = [str(one.value) for one in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        fits = isinstance(key, rsa.RSAPublicKey) and key.key_size >= LEAST_BITS and any(name.endswith(OWNER) for name in names)
        return leaf if fits and all(self._is_valid(one) for one in chain) else None

    def _is_valid(self, certificate: x509.Certificate) -> bool:
        return certificate.not_valid_before_utc <= self._clock.now() <= certificate.not_valid_after_utc

    def _is_lately(self, text: str) -> bool:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            return False
        return at.tzinfo is not None and -AHEAD <= self._clock.now() - at <= OLDEST
