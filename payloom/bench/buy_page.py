"""buy-page: GET of a real product page over HTTP, its visit counted, beside a bare aiohttp route that returns the same bytes."""

from __future__ import annotations

import http.client
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from payloom.bench import load, stock
from payloom.bench.figures import Figure
from payloom.bench.process import Process, running
from payloom.bench.settle import house_on

WAYS = {"gzip": "gzip", "plain": "identity"}


def run(*, pages: int = 4000, rounds: int = 5, connections: int = 32, uvloop: bool = True, **_: Any) -> tuple[list[Figure], list[str]]:
    """`pages` in each round and for each way."""
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        shop = stock.make(data, f"sqlite+aiosqlite:///{data}/ours.db", 1)
        with house_on(shop, uvloop=uvloop) as house:
            asked = 0
            for way, coding in WAYS.items():
                request = page_request(shop.link_code, coding)
                figure = Figure("buy-page", way, "pages/s", goal=0.45 if way == "gzip" else None, floor_is="bare aiohttp, the same bytes")
                body, headers = _fetch(house.port, shop.link_code, coding)
                path = data / f"{way}.body"
                path.write_bytes(body)
                with running("payloom.bench.bare", str(path), json.dumps(headers), "uvloop" if uvloop else "plain") as bare:
                    for server in (house, bare):
                        load.send(server.port, [request] * (pages // 4 + 1), connections, uvloop=uvloop)
                    for _round in range(rounds):
                        figure.add(_speed(house, request, pages, connections, uvloop), _speed(bare, request, pages, connections, uvloop))
                asked += 1 + pages // 4 + 1 + rounds * pages
                figure.note = f"{len(body):,} bytes; {_visits(shop, asked):,} visits counted of {asked:,}"
                figures.append(figure)
    return figures, []


def page_request(code: str, coding: str) -> bytes:
    return (f"GET /buy/{code} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nAccept-Language: en-GB,en;q=0.9\r\n"
            f"Accept-Encoding: {coding}\r\nUser-Agent: bench\r\n\r\n").encode()  # fmt: skip


def _speed(server: Process, request: bytes, pages: int, connections: int, uvloop: bool) -> float:
    return load.send(server.port, [request] * pages, connections, uvloop=uvloop).per_s


def _fetch(port: int, code: str, coding: str) -> tuple[bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", f"/buy/{code}", headers={"Accept-Encoding": coding, "Accept-Language": "en-GB,en;q=0.9"})
        answer = connection.getresponse()
        body = answer.read()
        kept = {name: value for name, value in answer.getheaders() if name in {"Content-Type", "Content-Encoding"}}
        return body, kept
    finally:
        connection.close()


def _visits(shop: stock.Stock, asked: int) -> int:
    """What stands in the database; the counter writes once a second."""
    end_s, found = time.monotonic() + 5, 0
    while found < asked and time.monotonic() < end_s:
        time.sleep(0.3)
        with stock.connected(shop.database_url) as run_sql:
            found = int(run_sql("SELECT coalesce(sum(visits), 0) FROM link_days")[0][0])
    return found
