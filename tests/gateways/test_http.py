"""The one HTTP client: what is known of a call that failed, and what JSON is let in."""

from __future__ import annotations

import asyncio
import gzip
import socket
from decimal import Decimal

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.payment import Unreadable
from gateways.http import Answer, Http, NotSent, Unknown, read_json
from tests.gateways.provider import Provider, Say, half, hangs_up, says, sleeps


async def test_an_answer_is_an_answer_whatever_it_says(provider: Provider, http: Http) -> None:
    provider.tell("/x", says("<html>", 503, **{"Retry-After": "7"}))
    answer = await http.call("POST", provider.url + "/x", body={"a": 1})
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (503, b"<html>", "7")
    assert provider.heard[0].json() == {"a": 1}
    assert provider.heard[0].headers["Content-Type"] == "application/json"


async def test_what_never_left_is_safe_to_send_again(http: Http) -> None:
    """O2: before send."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        assert await http.call("POST", f"http://127.0.0.1:{port}/x", body={}) == NotSent("ConnectError")
    assert await http.call("POST", "http://no-such-host.invalid/x", body={}) == NotSent("ConnectError")
    assert await http.call("POST", "ftp://127.0.0.1/x", body={}) == NotSent("UnsupportedProtocol")
    assert isinstance(await http.call("POST", "http://[broken/x", body={}), NotSent)
    assert isinstance(await http.call("GET", "http://127.0.0.1/x", headers={"A": "b\nc"}), NotSent)


async def test_a_handshake_that_never_ends_is_not_sent() -> None:
    """O2: before send; the listener takes the connection and says nothing to TLS."""
    client = Http(connect_timeout_s=0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert await client.call("POST", f"https://127.0.0.1:{silent.getsockname()[1]}/x", body={}) == NotSent("ConnectTimeout")
    await client.aclose()


@pytest.mark.parametrize(
    "say", [hangs_up, half, sleeps, says(gzip.compress(b"{}"), 200, **{"Content-Encoding": "gzip"}), says(b"x" * (2 << 20))]
)
async def test_what_may_have_arrived_is_unknown(provider: Provider, http: Http, say: Say) -> None:
    """O2, O3: after send."""
    provider.tell("/x", say)
    assert isinstance(await http.call("POST", provider.url + "/x", body={}), Unknown)


async def test_a_trickle_ends_at_the_deadline() -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
        try:
            for _ in range(100):
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            pass
        finally:
            writer.close()

    client = Http(read_timeout_s=1.0, deadline_s=0.3)
    async with await asyncio.start_server(trickle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await client.call("GET", f"http://127.0.0.1:{port}/") == Unknown("TimeoutError")
    await client.aclose()


async def test_redirects_are_not_followed_and_cookies_not_kept(provider: Provider, http: Http) -> None:
    provider.tell("/x", says("", 302, Location="/y", **{"Set-Cookie": "a=b"}), says("{}"))
    answer = await http.call("POST", provider.url + "/x", body={})
    assert isinstance(answer, Answer)
    assert answer.status == 302
    await http.call("POST", provider.url + "/x", body={})
    assert len(provider.heard) == 2
    assert "Cookie" not in provider.heard[1].headers


async def test_the_log_holds_no_query_no_body_and_no_header(provider: Provider, http: Http) -> None:
    provider.tell("/x", says({"answer": "private"}))
    with structlog.testing.capture_logs() as lines:
        await http.call("POST", provider.url + "/x?key=hidden", headers={"Authorization": "Bearer hidden"}, body={"pin": "hidden"})
        await http.call("POST", provider.url + "/hidden", body={}, shown_path="/…")
    assert [(line["path"], line["status"]) for line in lines] == [("/x", 200), ("/…", 404)]
    assert not any(word in str(lines) for word in ("hidden", "private"))
    assert "private" not in repr(Answer(200, b"private", {"a": "private"}))


def test_fractions_are_read_exactly() -> None:
    assert read_json(b'{"a": 0.1, "b": [1, "\\u0661"], "c": 100000000000000000000}') == {"a": Decimal("0.1"), "b": [1, "١"], "c": 10**20}


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"[]", b"1", b"null", b'"x"', b"<html></html>", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}', b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":1}}', b'{"a":"\\u0000"}', b'{"\\u0000":1}', b'{"a":"\\ud800"}', b'{"a":"\xff"}', b"\x00", b'{"a":"\x00"}',
        b'{"a":' * 25 + b"1" + b"}" * 25, b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}", b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":1e99999999999999999999999}', b'{"a":"' + b"x" * 70_000 + b'"}', b'{"a":1} x', b"{'a':1}", b'{"a":1,}',
    ],
)  # fmt: skip
def test_what_is_no_clean_json_is_unreadable(raw: bytes) -> None:
    """C17."""
    with pytest.raises(Unreadable):
        read_json(raw)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_unreadable(raw: bytes) -> None:
    """C17."""
    try:
        assert isinstance(read_json(raw), dict)
    except Unreadable:
        return
