"""The edge of the door: headers, foreign sites, forged hosts, sizes, and failures that say what is known."""

from __future__ import annotations

import asyncio
import gzip
import re
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from domain.tokens import Purpose
from storage.store import StoreUnavailable
from tests.web.ground import FORM, ORIGIN, Ground, key_in, standing
from web.static import POLICY

XSS = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}${7*7}</textarea><svg/onload=alert(3)>"


async def test_every_page_has_its_security_headers_and_private_pages_are_never_kept(ground: Ground) -> None:
    """W22."""
    track, _ = await ground.sold()
    link = await ground.link()
    pay = await ground.begin(link)
    for path in ("/", f"/buy/{link.code}", pay, track, f"{track}/confirm", f"{track}/problem", "/nothing", "/healthz"):
        answer = await ground.get(path)
        headers = answer.headers
        assert headers["Content-Security-Policy"] == POLICY, path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Strict-Transport-Security"].startswith("max-age=31536000")
        assert headers["Cache-Control"] == ("private, no-cache" if path.startswith("/buy/") else "no-store"), path
    assert "default-src 'none'" in POLICY and "frame-ancestors 'none'" in POLICY and "unsafe" not in POLICY and "base-uri 'none'" in POLICY


async def test_without_https_nothing_is_promised_for_it(sqlite_url: str) -> None:
    async with standing(sqlite_url, base_url="http://127.0.0.1:8080") as ground:
        assert "Strict-Transport-Security" not in (await ground.get("/")).headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://pay.example"},
        {"Origin": "https://pay.example.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": ORIGIN},
    ],
)
async def test_a_form_from_another_site_does_nothing(ground: Ground, headers: dict[str, str]) -> None:
    """W5."""
    track, order = await ground.sold()
    link = await ground.link()
    pay = await ground.begin(link)
    before = await ground.counts()
    for path, form in (
        (f"/buy/{link.code}", FORM), (f"{pay}/retry", {}), (f"{pay}/cancel", {}), (f"{track}/confirm", {}), (f"{track}/cancel", {}),
        (f"{track}/problem", {"reason": "broken", "words": "x"}), (f"{track}/withdraw", {}),
    ):  # fmt: skip
        answer = await ground.post(path, form, headers=headers)
        assert answer.status == 403
        assert "another website" in await answer.text()
    assert await ground.counts() == before
    assert (await ground.now(order)).version == order.version


@pytest.mark.parametrize(
    "headers", [{"Origin": ORIGIN}, {"Origin": "null", "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "null"}, {}]
)
async def test_our_own_forms_work_in_every_browser(ground: Ground, headers: dict[str, str]) -> None:
    link = await ground.link()
    assert (await ground.post(f"/buy/{link.code}", FORM, headers=headers)).status == 303


async def test_no_get_changes_anything(ground: Ground) -> None:
    """W5."""
    track, order = await ground.sold()
    before = await ground.counts()
    for path in ("confirm", "cancel", "withdraw", "problem"):
        await ground.get(f"{track}/{path}")
    for path in (f"{track}/retry", "/callbacks/daraja/x/stk"):
        assert (await ground.get(path)).status in {404, 405}
    assert await ground.counts() == before
    assert (await ground.now(order)).version == order.version


async def test_what_people_type_stays_text_on_every_page(ground: Ground) -> None:
    """W6."""
    long = XSS[:60]
    link = await ground.link(name=long, description=XSS + "\nfive")
    pages = [await (await ground.get(f"/buy/{link.code}?lang={language}")).text() for language in ("en", "sw", "ar")]
    pages.append(await (await ground.post(f"/buy/{link.code}", dict.fromkeys(FORM, XSS))).text())
    pay = await ground.begin(link, name=long, address=XSS, note=XSS)
    pages.append(await (await ground.get(pay)).text())
    await ground.pay(pay, 1)
    pages.append(await (await ground.post(f"{pay}/retry", {"phone": XSS[:30]})).text())
    await ground.pay(pay)
    track = (await ground.get(pay)).headers["Location"]
    form = aiohttp.FormData({"reason": XSS, "words": XSS})
    pages.append(await (await ground.post(f"{track}/problem", form)).text())
    await ground.post(f"{track}/problem", {"reason": "broken", "words": XSS})
    pages += [await (await ground.get(f"{track}{step}")).text() for step in ("", "/problem", "/withdraw")]
    pages.append(await (await ground.get("/find", params={"code": XSS})).text())
    pages.append(await (await ground.get(f"/{XSS}")).text())
    for page in pages:
        bare = re.sub(r"<script>\(\(\) => \{.*?\}\)\(\);\s*</script>", "", page, flags=re.DOTALL)
        assert "<script" not in bare and "<img src=x" not in bare and "<svg/onload" not in bare
        assert "49$" not in page and "$49" not in page


async def test_links_are_built_from_the_settings_whatever_a_request_claims(ground: Ground) -> None:
    """W9."""
    link = await ground.link(pictures=1)
    forged = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "javascript",
        "Forwarded": "host=evil.example",
    }
    for path in (f"/buy/{link.code}", "/", "/nothing"):
        answer = await ground.get(path, headers=forged)
        assert "evil" not in await answer.text() and "evil" not in str(answer.headers)
    page = await (await ground.get(f"/buy/{link.code}", headers=forged)).text()
    assert f'property="og:url" content="{ORIGIN}/buy/{link.code}"' in page
    answer = await ground.post(f"/buy/{link.code}", {**FORM, "key": key_in(page)}, headers=forged)
    assert answer.headers["Location"].startswith("/pay/")


SMUGGLED = (
    "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 4\r\nContent-Length: 5\r\n", "Transfer-Encoding: xchunked\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "Content-Length: +4\r\n", "Content-Length : 4\r\n", "Host: y\r\n",
    "X-A: b\rX-C: d\r\n", " folded: x\r\n", "X-A: \0\r\n",
)  # fmt: skip


@pytest.mark.parametrize("lines", SMUGGLED)
async def test_what_two_servers_could_read_differently_is_refused_and_the_connection_closed(ground: Ground, lines: str) -> None:
    """W9: request smuggling, duplicate headers, CRLF. What follows is not taken for a request of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", ground.client.port)
    writer.write(f"POST /find HTTP/1.1\r\nHost: x\r\n{lines}\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    said = await asyncio.wait_for(reader.read(), 15)
    assert said.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 ")), said[:80]
    assert b"alive" not in said
    writer.close()


async def test_a_line_break_in_what_is_asked_for_breaks_no_header(ground: Ground) -> None:
    """W9: CRLF."""
    link = await ground.link()
    evil = "%0d%0aSet-Cookie:%20evil=1%0d%0a%0d%0a<script>"
    for path in (f"/?lang=ar{evil}", f"/find?code={link.code}{evil}", f"/buy/{link.code}{evil}", f"/{evil}", f"/track/{evil}/confirm"):
        answer = await ground.client.get(URL(path, encoded=True), allow_redirects=False)
        assert (
            "evil" not in str(answer.headers.get("Set-Cookie", "")) and "evil" not in answer.headers.get("Location", "").partition("?")[0]
        )
        assert answer.status in {200, 303, 404, 422}


async def test_a_proxy_is_believed_only_if_it_is_ours(sqlite_url: str) -> None:
    """W9: the limit per address cannot be walked around by claiming other ones."""
    async with standing(sqlite_url, trusted_proxies=frozenset()) as ground:
        for n in range(60):
            assert (await ground.get("/buy/PL-22222", headers={"X-Forwarded-For": f"10.1.1.{n}"})).status == 404
        assert (await ground.get("/buy/PL-22222", headers={"X-Forwarded-For": "10.9.9.9"})).status == 429


async def test_walking_through_codes_is_slowed_down_and_others_are_not(ground: Ground) -> None:
    """W1."""
    link = await ground.link()
    walker, other = {"X-Forwarded-For": "41.90.1.1"}, {"X-Forwarded-For": "6.6.6.6, 41.90.1.2"}
    for _ in range(60):
        assert (await ground.get("/buy/PL-22222", headers=walker)).status == 404
    slowed = await ground.get(f"/buy/{link.code}", headers=walker)
    assert slowed.status == 429
    assert "Too many addresses" in await slowed.text()
    assert (await ground.get(f"/buy/{link.code}", headers=other)).status == 200
    ground.clock.move(timedelta(minutes=1))
    assert (await ground.get(f"/buy/{link.code}", headers=walker)).status == 200


async def test_every_unknown_address_is_answered_alike(ground: Ground) -> None:
    """W2."""
    track, order = await ground.sold()
    token = track.rpartition("/")[2]
    wrong = ["", "null", "*", "%25", "a", "0" * 48, "x" * 7_000, token[:-2] + "zz", token[::-1], "..%2f..%2fetc", "%00", "١" * 48]
    wrong.append(ground.hall.tokens.make(Purpose.PAY, order.id))
    bodies = set()
    for token in wrong:
        for place in ("track", "download", "track/{}/confirm", "track/{}/problem", "track/{}/events", "buy"):
            path = f"/{place.format(token)}" if "{}" in place else f"/{place}/{token}"
            answer = await ground.get(path)
            assert answer.status == 404, path
            bodies.add(re.sub(r"the number \S+", "", await answer.text()))
    assert len(bodies) == 1


async def test_a_body_that_is_too_large_is_refused(ground: Ground) -> None:
    """W14."""
    link = await ground.link()
    answer = await ground.post(f"/buy/{link.code}", {**FORM, "note": "x" * 70_000})
    assert answer.status == 413
    assert "too big" in await answer.text()
    track, _ = await ground.sold()
    for path in (f"{track}/confirm", f"{track}/withdraw"):
        assert (await ground.post(path, "x=" + "y" * 70_000, headers={"Content-Type": "application/x-www-form-urlencoded"})).status in {
            303,
            413,
        }
    keys = "&".join(f"k{n}=1" for n in range(5_000))
    answer = await ground.post(f"/buy/{link.code}", keys, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status == 413


async def test_a_compressed_bomb_is_refused(ground: Ground) -> None:
    """W14."""
    link = await ground.link()
    bomb = gzip.compress(b"note=" + b"x" * 20_000_000)
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/x-www-form-urlencoded"}
    assert (await ground.post(f"/buy/{link.code}", bomb, headers=headers)).status == 413


async def test_a_body_that_never_comes_is_given_up(sqlite_url: str) -> None:
    """W14."""
    async with standing(sqlite_url, body_s=0.2) as ground:
        link = await ground.link()
        reader, writer = await asyncio.open_connection("127.0.0.1", ground.client.port)
        writer.write(
            f"POST /buy/{link.code} HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n\r\nphone=".encode()
        )
        await writer.drain()
        assert b" 408 " in await asyncio.wait_for(reader.readline(), 5)
        writer.transport.abort()
        await asyncio.sleep(0.05)  # noticed before the server closes, which would wait for more of it


class Away:
    """A database that cannot be used now."""

    async def read(self, *_: Any, **__: Any) -> Any:
        raise StoreUnavailable("disk full")

    write = read


async def test_a_database_that_is_away_is_said_without_a_guess_and_comes_back(ground: Ground) -> None:
    """K6."""
    link = await ground.link()
    pay = await ground.begin(link)

    store, ground.hall.store = ground.hall.store, Away()
    answer = await ground.get(pay)
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "5"
    assert "is not lost" in await answer.text() and "disk full" not in await answer.text()
    ground.hall.store = store
    assert (await ground.get(pay)).status == 200


async def test_a_bug_is_answered_with_a_number_to_ask_by_and_nothing_of_its_inside(sqlite_url: str) -> None:
    """W26."""

    async def boom(request: web.Request) -> web.Response:
        raise RuntimeError("secret of the house")

    async with standing(sqlite_url, telegram_webhook=boom) as ground:
        answer = await ground.post("/telegram/x")
        assert answer.status == 500
        body = await answer.json()
        assert set(body) == {"type", "title", "status", "request_id"} and "secret" not in str(body)


async def test_other_peoples_routes_are_left_alone(sqlite_url: str) -> None:
    async def town(request: web.Request) -> web.Response:
        return web.Response(text=f"{len(await request.read())}")

    async with standing(sqlite_url, extra_routes=[web.post("/town/x", town), web.get("/town", town)]) as ground:
        answer = await ground.post("/town/x", b"x" * 1000, headers={"Origin": "https://evil.example"})
        assert await answer.text() == "1000"
        assert "Content-Security-Policy" not in (await ground.get("/town")).headers


async def test_the_language_can_be_chosen_and_is_remembered(ground: Ground) -> None:
    """X2."""
    assert 'lang="sw"' in await (await ground.get("/", headers={"Accept-Language": "sw-KE,sw;q=0.9,en;q=0.5"})).text()
    assert '<html lang="en"' in await (await ground.get("/", headers={"Accept-Language": "fr, de;q=0.9"})).text()
    answer = await ground.get("/?lang=ar")
    cookie = answer.headers["Set-Cookie"]
    assert "lang=ar" in cookie and "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Secure" in cookie
    assert '<html lang="ar" dir="rtl">' in await (await ground.get("/", headers={"Cookie": "lang=ar"})).text()
    assert "Set-Cookie" not in (await ground.get("/?lang=xx")).headers


async def test_health_readiness_and_numbers(sqlite_url: str) -> None:
    """X5."""

    async def fine() -> str | None:
        return None

    async with standing(sqlite_url, readiness={"database": fine}, gauges={"payloom_outbox_age_seconds": ("Age", lambda: 3.0)}) as ground:
        assert await (await ground.get("/healthz")).json() == {"status": "alive"}
        assert await (await ground.get("/readyz")).json() == {"status": "ready", "checks": {"database": "ok"}}
        track, _ = await ground.sold()
        text = await (await ground.get("/metrics")).text()
        assert 'payloom_requests_total{route="buy",status="200"} 1.0' in text
        assert 'payloom_provider_events_total{gateway="daraja",kind="stk",result="applied"} 1.0' in text
        assert "payloom_outbox_age_seconds 3.0" in text and track.rpartition("/")[2] not in text


async def test_what_cannot_take_money_is_not_ready_and_says_why(sqlite_url: str) -> None:
    """X5."""

    async def fine() -> str | None:
        return None

    async def broken() -> str | None:
        raise OSError("the disk")

    async with standing(sqlite_url, readiness={"database": fine, "gateway": broken}) as ground:
        answer = await ground.get("/readyz")
        assert answer.status == 503
        assert (await answer.json())["checks"] == {"database": "ok", "gateway": "failed"}
