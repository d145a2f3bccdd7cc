"""Posting to addresses that strangers typed: only to the internet, only once, never longer or more than agreed (W11, W30)."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dates
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs

from gateways.messages.webhook import KEPT_CHARS, WebhookPost, system_resolve

HEADERS = {"webhook-id": "evt_1", "webhook-timestamp": "1", "webhook-signature": "v1,canary-signature"}
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Receiver:
    """A server that reads one request and then does as it is told."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.heard: list[bytes] = []
        self.sent_bytes = 0
        self.port = 0

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")).split(b":")[1])
            self.heard.append(head + await reader.readexactly(length))
            await self.talk(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def receiving(talk: Talk, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver(talk)
    server = await asyncio.start_server(receiver.meet, host, 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


@contextlib.asynccontextmanager
async def posting(**how: object) -> AsyncIterator[WebhookPost]:
    post = WebhookPost(**{"loopback": True, **how})  # type: ignore[arg-type]
    try:
        yield post
    finally:
        await post.aclose()


def says(raw: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return talk


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Names:
    """A resolver on a script; writes down what it was asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def test_what_is_posted_is_what_was_signed_with_its_headers(caplog: pytest.LogCaptureFixture) -> None:
    async with receiving(says(OK)) as receiver, posting() as post:
        with capture_logs() as logs:
            tried = await post.post(f"http://127.0.0.1:{receiver.port}/hooks/canary-path?a=canary-query", HEADERS, '{"é":1}'.encode())
    assert (tried.status, tried.error, tried.answer, tried.arrived) == (200, "", "ok", True)
    (request,) = receiver.heard
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /hooks/canary-path?a=canary-query HTTP/1.1"
    sent = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    assert sent["host"] == f"127.0.0.1:{receiver.port}" and sent["content-type"] == "application/json"
    assert {name: sent[name] for name in HEADERS} == HEADERS
    assert body == '{"é":1}'.encode()
    assert "canary" not in str(logs) + caplog.text and logs[0]["webhook_id"] == "evt_1"


@pytest.mark.parametrize("status", [201, 204, 299])
async def test_any_2xx_is_enough(status: int) -> None:
    async with receiving(says(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())) as receiver, posting() as post:
        assert (await post.post(f"http://127.0.0.1:{receiver.port}/", HEADERS, b"{}")).arrived


@pytest.mark.parametrize("status,error", [(302, "redirected"), (400, "http_400"), (410, "http_410"), (500, "http_500")])
async def test_what_else_is_answered_is_told(status: int, error: str) -> None:
    async with (
        receiving(says(f"HTTP/1.1 {status} X\r\nLocation: /\r\nContent-Length: 3\r\n\r\nno\0".encode())) as receiver,
        posting() as post,
    ):
        tried = await post.post(f"http://127.0.0.1:{receiver.port}/", HEADERS, b"{}")
    assert (tried.status, tried.error, tried.answer) == (status, error, "no ")


async def test_a_redirect_is_not_followed() -> None:
    """W11: not even to where it could have gone by itself."""
    async with receiving(says(OK)) as inside:
        target = f"http://127.0.0.1:{inside.port}/"
        answer = f"HTTP/1.1 307 Temporary\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
        async with receiving(says(answer)) as receiver, posting() as post:
            tried = await post.post(f"http://127.0.0.1:{receiver.port}/", HEADERS, b"{}")
    assert (tried.status, tried.error) == (307, "redirected")
    assert inside.heard == []


@pytest.mark.parametrize(
    "header,seconds",
    [
        ("Retry-After: 120", 120),
        ("Retry-After: Sat, 21 Nov 2026 12:01:00 GMT\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT", 60),
        ("Retry-After: Sat, 21 Nov 2026 11:00:00 GMT\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT", 0),
        ("Retry-After: Sat, 21 Nov 2026 12:01:00 GMT", 0),
        ("Retry-After: soon", 0),
        ("Retry-After: -5", 0),
        ("X: y", 0),
    ],
)
async def test_retry_after_is_read_in_both_spellings(header: str, seconds: int) -> None:
    async with receiving(says(f"HTTP/1.1 429 Slow\r\n{header}\r\nContent-Length: 0\r\n\r\n".encode())) as receiver, posting() as post:
        assert (await post.post(f"http://127.0.0.1:{receiver.port}/", HEADERS, b"{}")).retry_after_s == seconds


async def test_ten_megabytes_are_not_read() -> None:
    """W11: what was answered counts, the rest is left unread."""
    written = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n")
        for _ in range(640):
            writer.write(b"x" * 16384)
            await writer.drain()
            written += 16384

    async with receiving(flood) as receiver, posting() as post:
        tried = await post.post(f"http://127.0.0.1:{receiver.port}/", HEADERS, b"{}")
        await asyncio.sleep(0.2)
    assert tried.status == 200 and tried.arrived
    assert tried.answer == "x" * KEPT_CHARS
    assert written < 10 << 20


async def test_a_compressed_answer_is_not_unpacked() -> None:
    """W11: a bomb stays a bomb's few bytes."""
    raw = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"
    async with receiving(says(raw)) as receiver, posting() as post:
        tried = await post.post(f"http://127.0.0.1:{receiver.port}/", HEADERS, b"{}")
    assert tried.arrived and len(tried.answer) == 4


async def test_who_hangs_is_waited_for_no_longer_than_agreed() -> None:
    """O2, W30: before the status nothing is known; after it the answer counts, however slow the rest."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    async def trickles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for char in b"HTTP/1.1 200 OK\r\n" * 20:
            writer.write(bytes([char]))
            await writer.drain()
            await asyncio.sleep(0.05)

    async def stalls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        await asyncio.sleep(5)

    for talk, status, error, answer in ((silent, None, "timeout", ""), (trickles, None, "timeout", ""), (stalls, 200, "", "half")):
        started = time.perf_counter()
        async with receiving(talk) as receiver, posting(deadline_s=0.3) as post:
            tried = await post.post(f"http://127.0.0.1:{receiver.port}/", HEADERS, b"{}")
        assert (tried.status, tried.error, tried.answer) == (status, error, answer)
        assert 0.25 < time.perf_counter() - started < 2
        assert tried.took_ms >= 250


async def test_the_agreed_limit_is_ten_seconds() -> None:
    async with posting() as post:
        assert post._deadline_s == 10


async def test_who_closes_or_talks_nonsense() -> None:
    async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    for talk, error in ((closes, "RemoteProtocolError"), (says(b"SSH-2.0-x\r\n\r\n"), "RemoteProtocolError")):
        async with receiving(talk) as receiver, posting() as post:
            tried = await post.post(f"http://127.0.0.1:{receiver.port}/", HEADERS, b"{}")
        assert (tried.status, tried.error) == (None, error)
    async with receiving(closes) as gone:
        pass
    async with posting() as post:
        assert (await post.post(f"http://127.0.0.1:{gone.port}/", HEADERS, b"{}")).error == "not_connected"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0", "[::1]", "[::ffff:127.0.0.1]", "[::]"]
)
async def test_this_machine_is_not_posted_to_by_any_of_its_names(host: str) -> None:
    """W11: nothing even knocks."""
    async with receiving(says(OK), host="") as receiver, posting(loopback=False) as post:
        for scheme in ("http", "https"):
            tried = await post.post(f"{scheme}://{host}:{receiver.port}/", HEADERS, b"{}")
            assert tried.status is None
            assert tried.error in {"address_not_public", "name_not_found", "InvalidURL"}
    assert receiver.heard == []


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["10.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["8.8.8.8", "fd00::1"], ["169.254.169.254"], []]
)
async def test_every_address_of_a_name_has_to_be_public(addresses: list[str]) -> None:
    """W11."""
    names = Names(addresses)
    async with posting(loopback=False, resolve=names) as post:
        assert (await post.post("https://shop.example/", HEADERS, b"{}")).error == "address_not_public"
    assert names.asked == [("shop.example", 443)]


async def test_even_a_town_does_not_post_to_the_neighbours_or_abroad_without_tls() -> None:
    for url, addresses in (
        ("http://a.example/", ["8.8.8.8"]),
        ("http://a.example/", ["10.0.0.1"]),
        ("https://a.example/", ["192.168.0.1"]),
    ):
        async with posting(resolve=Names(addresses)) as post:
            assert (await post.post(url, HEADERS, b"{}")).error == "address_not_public"


async def test_the_connection_goes_to_the_address_that_was_looked_at() -> None:
    """W11, DNS rebinding: the name is asked for once, and whoever would answer the next question differently is not asked."""
    names = Names(["127.0.0.1"], ["10.9.9.9"])
    async with receiving(says(OK)) as receiver, posting(resolve=names) as post:
        assert (await post.post(f"http://rebinds.invalid:{receiver.port}/", HEADERS, b"{}")).arrived
        assert len(names.asked) == 1
        assert f"host: rebinds.invalid:{receiver.port}".encode() in receiver.heard[0].lower()
        assert (await post.post(f"http://rebinds.invalid:{receiver.port}/", HEADERS, b"{}")).error == "address_not_public"
    assert len(receiver.heard) == 1


async def test_the_next_address_is_tried_where_nobody_lets_us_in() -> None:
    async with receiving(says(OK)) as receiver, posting(resolve=Names(["127.0.0.2", "::1", "127.0.0.1"])) as post:
        assert (await post.post(f"http://two.invalid:{receiver.port}/", HEADERS, b"{}")).arrived
    assert len(receiver.heard) == 1


async def test_an_ipv6_address_is_written_in_brackets() -> None:
    async with receiving(says(OK), host="::1") as receiver, posting() as post:
        assert (await post.post(f"http://[::1]:{receiver.port}/", HEADERS, b"{}")).arrived


async def test_unknown_names_and_addresses_that_are_none() -> None:
    async with posting() as post:
        assert (await post.post("https://does-not-exist.invalid/", HEADERS, b"{}")).error == "name_not_found"
        assert (await post.post("https://[::1/", HEADERS, b"{}")).status is None
    assert await system_resolve("127.0.0.1", 80) == ["127.0.0.1"]


async def test_no_connection_is_kept_for_the_next_name() -> None:
    """Another name at the same address gets a handshake of its own."""
    async with receiving(says(OK)) as receiver, posting() as post:
        for _ in range(3):
            assert (await post.post(f"http://127.0.0.1:{receiver.port}/", HEADERS, b"{}")).arrived
        assert not post._client._transport._pool.connections  # type: ignore[attr-defined]


def certificate(folder: Path, *names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's side, for these names, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    day = dates.timedelta(days=1)
    now = dates.datetime.now(dates.UTC)
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names if not name[0].isdigit()]
    alternatives += [x509.IPAddress(ipaddress.ip_address(name)) for name in names if name[0].isdigit()]
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    public, private = folder / "cert.pem", folder / "key.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(public, private)
    return serving, ssl.create_default_context(cafile=str(public))


async def test_the_certificate_is_checked_against_the_name_and_not_the_address(tmp_path: Path) -> None:
    """W11: pinned to an address, the name is still what is proved."""
    serving, trusting = certificate(tmp_path, "shop.invalid")
    asked: list[str | None] = []
    serving.sni_callback = lambda _socket, name, _context: asked.append(name)
    async with receiving(says(OK), tls=serving) as receiver:
        async with posting(resolve=Names(["127.0.0.1"]), tls=trusting) as post:
            assert (await post.post(f"https://shop.invalid:{receiver.port}/", HEADERS, b"{}")).arrived
            other = await post.post(f"https://other.invalid:{receiver.port}/", HEADERS, b"{}")
            numeric = await post.post(f"https://127.0.0.1:{receiver.port}/", HEADERS, b"{}")
        async with posting(resolve=Names(["127.0.0.1"])) as stranger:
            unknown = await stranger.post(f"https://shop.invalid:{receiver.port}/", HEADERS, b"{}")
    assert [one.error for one in (other, numeric, unknown)] == ["tls"] * 3
    assert asked[:2] == ["shop.invalid", "other.invalid"]
    assert len(receiver.heard) == 1
