"""A connection that is accepted while its server closes is closed too, and blames no other test (tests/conftest.py)."""

from __future__ import annotations

import asyncio
import gc
import socket
import warnings

import pytest


@pytest.mark.parametrize("steps", range(4))
async def test_a_connection_accepted_while_its_server_closes_is_closed(steps: int) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    with warnings.catch_warnings(record=True) as warned, socket.create_connection(server.sockets[0].getsockname()) as client:
        warnings.simplefilter("always")
        for _ in range(steps):
            await asyncio.sleep(0)
        server.close()
        await asyncio.sleep(0.05)
        client.settimeout(5)
        heard = await asyncio.to_thread(_heard, client)
        gc.collect()
    assert heard == b"" and [str(one.message) for one in warned if one.category is ResourceWarning] == []


def _heard(client: socket.socket) -> bytes:
    """Nothing, and then the end, however it comes."""
    try:
        return client.recv(1)
    except ConnectionResetError:
        return b""
