"""The load: prepared HTTP requests over a fixed number of kept-alive connections, from a process of its own.

`python -m payloom.bench.load PORT[,PORT] CONNECTIONS RATE FILE` leaves one JSON object in the place of FILE. RATE 0 sends the next request as soon as a
connection is free; otherwise requests leave at fixed times, whether or not the server keeps up (latency is then counted from when it should have left).
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_S = 300.0


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back: seconds from the first byte sent to the last received, statuses, each request's latency and when it left (epoch)."""

    elapsed_s: float
    statuses: dict[str, int]
    latencies_s: list[float]
    left_at_s: list[float]
    size_bytes: int

    @property
    def per_s(self) -> float:
        return len(self.latencies_s) / self.elapsed_s


def send(port: int | Sequence[int], requests: Sequence[bytes], connections: int, rate_per_s: float = 0, *, uvloop: bool = True) -> Answered:
    """Send them all from another process, to each port in turn as a balancer would; raises RuntimeError unless every answer was a 200."""
    ports = [port] if isinstance(port, int) else port
    with tempfile.NamedTemporaryFile(suffix=".requests") as file:
        for request in requests:
            file.write(len(request).to_bytes(4, "big") + request)
        file.flush()
        arguments = [",".join(map(str, ports)), str(connections), str(rate_per_s), file.name, "uvloop" if uvloop else "plain"]
        done = subprocess.run([sys.executable, "-m", "payloom.bench.load", *arguments], capture_output=True, check=False, timeout=MOST_S)  # noqa: S603 - ourselves
        if done.returncode:
            raise RuntimeError(f"the load ended early: {done.stderr.decode()[-2000:]}")
        answered = Answered(**json.loads(Path(file.name).read_bytes()))
    if set(answered.statuses) != {"200"}:
        raise RuntimeError(f"not every answer was a 200: {answered.statuses}")
    return answered


class _Load:
    def __init__(self, requests: Sequence[bytes], rate_per_s: float) -> None:
        self.waiting = deque(enumerate(requests))
        self.rate_per_s = rate_per_s
        self.began_s = 0.0
        self.latencies_s = [0.0] * len(requests)
        self.left_at_s = [0.0] * len(requests)
        self.statuses: Counter[str] = Counter()
        self.left = len(requests)
        self.size_bytes = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answered(self, number: int, status: str, latency_s: float, size: int) -> None:
        self.latencies_s[number] = latency_s
        self.statuses[status] += 1
        self.size_bytes += size
        self.left -= 1
        if not self.left and not self.done.done():
            self.done.set_result(None)


def whole(buffer: bytearray) -> tuple[int, int] | None:
    """Where the body of the first message begins and ends; None while something of it lacks."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    at = buffer.lower().find(b"content-length:", 0, end)
    length = int(buffer[at + 15 : buffer.find(b"\r\n", at)]) if at >= 0 else 0
    return (end + 4, end + 4 + length) if len(buffer) >= end + 4 + length else None


class _Connection(asyncio.Protocol):
    """One request under way at a time."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._buffer = bytearray()
        self._transport: Any = None
        self._number, self._sent_s = 0, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def next(self) -> None:
        load = self._load
        if not load.waiting:
            return
        self._number, request = load.waiting.popleft()
        now = time.perf_counter()
        if load.rate_per_s:
            due = load.began_s + self._number / load.rate_per_s
            if due > now:
                asyncio.get_running_loop().call_later(due - now, self._send, request, due)
                return
            self._send(request, due)
        else:
            self._send(request, now)

    def _send(self, request: bytes, due_s: float) -> None:
        self._sent_s = due_s
        self._load.left_at_s[self._number] = time.time() - (time.perf_counter() - due_s)
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        if whole(buffer) is None:
            return
        status, size = buffer[9:12].decode(), len(buffer)
        buffer.clear()
        self._load.answered(self._number, status, time.perf_counter() - self._sent_s, size)
        self.next()

    def connection_lost(self, problem: Exception | None) -> None:
        if self._load.left and not self._load.done.done():
            self._load.done.set_exception(ConnectionError(f"the server hung up with {self._load.left} to go ({problem})"))


async def _run(ports: Sequence[int], connections: int, rate_per_s: float, requests: Sequence[bytes]) -> Answered:
    loop = asyncio.get_running_loop()
    load = _Load(requests, rate_per_s)
    made = [
        await loop.create_connection(lambda: _Connection(load), "127.0.0.1", ports[number % len(ports)])
        for number in range(min(connections, len(requests)))
    ]
    load.began_s = time.perf_counter()
    for _, connection in made:
        connection.next()
    await asyncio.wait_for(load.done, MOST_S - 10)
    elapsed_s = time.perf_counter() - load.began_s
    for transport, _ in made:
        transport.close()
    return Answered(elapsed_s, dict(load.statuses), load.latencies_s, load.left_at_s, load.size_bytes)


def _requests(path: Path) -> Iterator[bytes]:
    whole, at = path.read_bytes(), 0
    while at < len(whole):
        size = int.from_bytes(whole[at : at + 4], "big")
        yield whole[at + 4 : at + 4 + size]
        at += 4 + size


def main(ports: str, connections: str, rate_per_s: str, path: str, loop: str) -> None:
    factory = None
    if loop == "uvloop":
        try:
            import uvloop  # noqa: PLC0415 - it may be absent
        except ImportError:
            pass
        else:
            factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        answered = runner.run(
            _run([int(port) for port in ports.split(",")], int(connections), float(rate_per_s), list(_requests(Path(path))))
        )
    Path(path).write_text(json.dumps({name: getattr(answered, name) for name in Answered.__slots__}))


if __name__ == "__main__":
    main(*sys.argv[1:])
