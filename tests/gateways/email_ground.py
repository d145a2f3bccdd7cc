"""Ground for the tests of letters: an authority and a certificate of our own, a server that says exactly its script, a letter."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOON = datetime(2026, 11, 21, 9, 0, 5, tzinfo=UTC)
SENDER = "PayLoom <no-reply@pay.example>"
HANG = "hang"
CUT = "cut"


@dataclass(frozen=True)
class ALetter:
    subject: str = "Paid · order 4821"
    text: str = "Paid Ksh 2,500.\n.a line that begins with a dot\n"
    html: str = "<!doctype html><html><head></head><body><p>Paid <b>Ksh 2,500</b>.</p></body></html>"
    unsubscribe: str = ""


class Script:
    """A server that answers each command with the next line of its script, HANG says nothing more, CUT ends the connection.

    The keys are `greeting`, a command (`EHLO`, `MAIL`, `RCPT`, `DATA`) and `dot`, the answer to the whole letter.
    """

    def __init__(self, **said: str) -> None:
        self.said = {
            "greeting": "220 script ESMTP", "EHLO": "250-script\r\n250 AUTH PLAIN", "AUTH": "235 2.7.0 in", "MAIL": "250 OK", "RCPT": "250 OK",
            "DATA": "354 go on", "dot": "250 OK", "QUIT": "221 bye", **said,
        }  # fmt: skip
        self.heard: list[str] = []
        self.letter = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await self._say("greeting", writer):
                while line := await reader.readline():
                    self.heard.append(line.decode().rstrip())
                    if not await self._say(line.split()[0].decode().upper(), writer):
                        break
                    if line.upper().startswith(b"DATA") and self.said["DATA"].startswith("354"):
                        self.letter = await reader.readuntil(b"\r\n.\r\n")
                        if not await self._say("dot", writer):
                            break
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _say(self, name: str, writer: asyncio.StreamWriter) -> bool:
        said = self.said[name]
        if said == HANG:
            await asyncio.sleep(60)
        if said == CUT:
            writer.transport.abort()
            return False
        writer.write(said.encode() + b"\r\n")
        await writer.drain()
        return True


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[str]:
    """The server on loopback; gives its SMTP_URL."""
    tasks: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.get_running_loop().create_task(script.serve(reader, writer)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"smtp+plain://user:password@127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def certificates(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(for the server, for a client that trusts it): a certificate for 127.0.0.1 signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail of the tests")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = signed.public_bytes(serialization.Encoding.PEM)
    kept = folder / "server.pem"
    kept.write_bytes(pem + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(kept)
    return server, ssl.create_default_context(cadata=pem.decode())


async def until(happened: Callable[[], bool]) -> None:
    """Wait for something another task does."""
    async with asyncio.timeout(5):
        while not happened():  # noqa: ASYNC110 - it watches a server, which tells nobody
            await asyncio.sleep(0.01)
