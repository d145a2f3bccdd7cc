"""The certificate with which PayPal signs its events, and a stranger's that looks like it."""

from __future__ import annotations

import base64
import zlib
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

COMMON_NAME = "messageverificationcerts.paypal.com"


class Signer:
    """A key and the chain of its certificate, good from 2020 for a hundred years, so that a moved clock does not end it."""

    def __init__(self, common_name: str = COMMON_NAME) -> None:
        root_key, self._key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
        root = _certificate("Town Root", "Town Root", root_key, root_key)
        leaf = _certificate(common_name, "Town Root", self._key, root_key)
        self.chain = leaf.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM)

    def sign(self, transmission_id: str, transmission_time: str, webhook_id: str, raw: bytes) -> str:
        message = f"{transmission_id}|{transmission_time}|{webhook_id}|{zlib.crc32(raw)}".encode()
        return base64.b64encode(self._key.sign(message, padding.PKCS1v15(), SHA256())).decode()


@cache
def paypals() -> Signer:
    """Made once for a process: a key takes a while."""
    return Signer()


@cache
def strangers() -> Signer:
    return Signer()


def _certificate(subject: str, issuer: str, key: rsa.RSAPrivateKey, signer: rsa.RSAPrivateKey) -> x509.Certificate:
    since = datetime(2020, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + timedelta(days=36_500))
        .add_extension(x509.BasicConstraints(ca=subject == issuer, path_length=None), critical=True)
        .sign(signer, SHA256())
    )
