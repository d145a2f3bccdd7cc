"""W14: heads and bodies that never end, more connections, bytes, names and unpacking than anybody needs; whoever else is here is served."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from payloom.wiring import serve
from tests.web.ground import Ground, standing
from web.gate import Limits
from web.hooks.telegram import webhook

JSON = {"Content-Type": "application/json", "Idempotency-Key": "k" * 20}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def heard(update: Mapping[str, Any], secret: str) -> bool:
    raise AssertionError("nothing of this is an update")


async def doors(ground: Ground) -> list[tuple[str, dict[str, str]]]:
    """Every kind of address that reads a body, and the headers it wants: form, upload, callback, API, Telegram."""
    link = await ground.link()
    attempt = await ground.attempt_of(await ground.begin(link))
    track, _ = await ground.sold()
    upload = {"Content-Type": "multipart/form-data; boundary=x"}
    return [(f"/buy/{link.code}", FORM), (f"{track}/problem", FORM), (f"{track}/problem", upload), (ground.callback(attempt), JSON),
            (f"/api/v1/links/{link.code}/purchase", JSON), ("/telegram/x", JSON)]  # fmt: skip


@asynccontextmanager
async def besieged(url: str, **settings: Any) -> AsyncIterator[Ground]:
    async with standing(url, telegram_webhook=webhook(heard, lambda _: True), **settings) as ground:
        yield ground


async def knock(ground: Ground) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", ground.client.port)


def head(path: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


async def is_cut(reader: asyncio.StreamReader) -> bool:
    """Whether the other side hangs up soon."""
    try:
        async with asyncio.timeout(0.5):
            await reader.read()
            return True
    except ConnectionError:
        return True
    except TimeoutError:
        return False


async def test_a_head_that_drips_is_given_up_at_its_time(sqlite_url: str) -> None:
    """W14: slow headers, before the first request and after one; each byte does not buy more time."""
    async with standing(sqlite_url, limits=Limits(idle_s=0.4)) as ground:
        for before in (b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"):
            reader, writer = await knock(ground)
            writer.write(before + b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            with contextlib.suppress(ConnectionError):
                for _ in range(60):
                    writer.write(b"a")
                    await writer.drain()
                    await asyncio.sleep(0.05)
            assert await is_cut(reader)
            writer.close()


async def test_a_body_that_never_comes_is_given_up_at_every_door(sqlite_url: str) -> None:
    """W14: slow body."""
    async with besieged(sqlite_url, body_s=0.2) as ground:
        for path, headers in await doors(ground):
            if "multipart" in headers["Content-Type"]:
                continue  # pictures from a slow phone have two minutes of their own
            reader, writer = await knock(ground)
            writer.write(head(path, {**headers, "Content-Length": "500"}) + b"{")
            assert b" 408 " in await asyncio.wait_for(reader.readline(), 5), path
            writer.close()


async def test_a_hundred_megabytes_are_refused_long_before_they_have_come(sqlite_url: str) -> None:
    """W14: with a length that is told, and in pieces without one."""
    async with besieged(sqlite_url) as ground:
        for path, headers in await doors(ground):
            for told in ({"Content-Length": str(100 * 2**20)}, {"Transfer-Encoding": "chunked"}):
                start = (
                    b'--x\r\nContent-Disposition: form-data; name="pictures"; filename="a"\r\n\r\n' if "boundary" in str(headers) else b""
                )
                piece, most = bytes(2**16), 13 * 2**20 if start else 2**18
                reader, writer = await knock(ground)
                writer.write(head(path, {**headers, **told}))
                answer = asyncio.create_task(reader.readline())
                for n in range(most // len(piece) + 4):
                    body = start + piece if n == 0 else piece
                    writer.write(b"%x\r\n%b\r\n" % (len(body), body) if "Transfer-Encoding" in told else body)
                    await writer.drain()
                assert b" 413 " in await asyncio.wait_for(answer, 5), (path, told)
                writer.close()


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_what_grows_when_it_is_unpacked_is_refused_at_every_door(sqlite_url: str, coding: str) -> None:
    """W14: gzip bomb. Fifty megabytes in as many kilobytes."""
    zeros = bytes(50 * 2**20)
    bomb = gzip.compress(zeros) if coding == "gzip" else zlib.compress(zeros)
    assert len(bomb) < 64 * 2**10
    async with besieged(sqlite_url) as ground:
        for path, headers in await doors(ground):
            answer = await ground.client.post(path, data=bomb, headers={**headers, "Content-Encoding": coding})
            assert answer.status in {400, 413, 415}, path
        assert (await ground.get("/healthz")).status == 200


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_what_is_not_packed_as_it_says_is_refused_at_every_door(sqlite_url: str, coding: str) -> None:
    """W14: and nobody is woken for it."""
    async with besieged(sqlite_url) as ground:
        for path, headers in await doors(ground):
            with contextlib.suppress(aiohttp.ServerDisconnectedError):  # the parser may hang up by itself
                answer = await ground.client.post(path, data=b"x" * 100, headers={**headers, "Content-Encoding": coding})
                assert answer.status in {400, 415}, path
        assert 'status="500"' not in await (await ground.get("/metrics")).text()


async def test_a_million_names_are_refused(sqlite_url: str) -> None:
    """W14: as a form, as parts of an upload, as JSON."""
    many = "&".join(f"k{n:x}=" for n in range(1_000_000)).encode()
    parts = b"".join(b'--x\r\nContent-Disposition: form-data; name="k%x"\r\n\r\n\r\n' % n for n in range(100_000)) + b"--x--\r\n"
    named = b"{" + b",".join(b'"k%x":1' % n for n in range(200_000)) + b"}"
    async with besieged(sqlite_url) as ground:
        for path, headers in await doors(ground):
            body = named if headers is JSON else many if headers is FORM else parts
            reader, writer = await knock(ground)
            writer.write(head(path, {**headers, "Content-Length": str(len(body))}) + body)
            assert b" 413 " in await asyncio.wait_for(reader.readline(), 5), path
            writer.transport.abort()


async def test_heads_of_any_size_are_refused_and_others_go_on(ground: Ground) -> None:
    """W14: a header of 100 KB, a thousand of them, an address of 100 KB, and one line that never ends."""
    long = "x" * 100_000
    for sent in (
        head("/", {"X-Long": long}), head("/", {f"X-{n}": "1" for n in range(1_000)}), head(f"/{long}", {}), long.encode() * 20,
    ):  # fmt: skip
        reader, writer = await knock(ground)
        writer.write(sent)
        assert b" 400 " in await asyncio.wait_for(reader.readline(), 5)
        writer.close()
    assert (await ground.get("/")).status == 200


async def test_idle_connections_of_one_address_leave_room_for_everybody_else(ground: Ground) -> None:
    """W14: many idle connections. Beyond its share an address is cut off; another address does not notice."""
    held = [await knock(ground) for _ in range(Limits().each + 50)]
    assert all(await asyncio.gather(*(is_cut(reader) for reader, _ in held[-40:])))
    assert not any(await asyncio.gather(*(is_cut(reader) for reader, _ in held[:40])))
    elsewhere = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
    async with aiohttp.ClientSession(connector=elsewhere) as other, other.get(ground.client.make_url("/healthz")) as answer:
        assert answer.status == 200
    for _, writer in held:
        writer.close()
    await asyncio.sleep(0.1)
    assert (await ground.get("/healthz")).status == 200, "whoever goes makes room"


@pytest.mark.parametrize("proxies,limits,third_is_cut", [
    ((), Limits(each=2), True), (("127.0.0.1",), Limits(each=2), False), (("127.0.0.1",), Limits(most=2), True),
])  # fmt: skip
async def test_the_server_that_runs_has_the_gate(proxies: tuple[str, ...], limits: Limits, third_is_cut: bool) -> None:
    """W14: our own proxy brings everybody, so it has no share; but nobody may take more than the process can hold."""
    stop, up = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(web.Application(), "127.0.0.1", 0, stop, up.set_result, proxies=proxies, limits=limits))
    runner: web.AppRunner = await up
    held = [await asyncio.open_connection("127.0.0.1", runner.addresses[0][1]) for _ in range(3)]
    assert [await is_cut(reader) for reader, _ in held] == [False, False, third_is_cut]
    for _, writer in held:
        writer.close()
    stop.set()
    await serving
