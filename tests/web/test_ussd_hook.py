"""The USSD door: text that begins with CON or END, from our own state, at our own address only; nothing is answered that was not kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from bot.dialogs import DIALOGS
from bot.engine import Engine
from bot.mouths.ussd import Dialled, Reply, UssdMouth
from domain.phone import Phone
from storage.store import StoreUnavailable
from tests.web.ground import Ground, standing
from web.hooks.africastalking_ussd import ussd_routes

SECRET = "s3cret-of-the-ussd-callbacks"
TURN = {"sessionId": "ATUid_1", "phoneNumber": "+254733000001", "networkCode": "63902", "serviceCode": "*384*77#", "text": ""}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Slow:
    """A store that does nothing until it is told to, and is then perhaps lost."""

    def __init__(self, store: Any, lost: bool) -> None:
        self._store, self._lost, self.goes_on = store, lost, asyncio.Event()

    async def write(self, *args: Any) -> Any:
        await self.goes_on.wait()
        if self._lost:
            raise StoreUnavailable("gone")
        return await self._store.write(*args)


@dataclass
class Here:
    ground: Ground
    away: bool = False
    slow: Any = None
    over: list[tuple[str, str]] = field(default_factory=list)

    async def turn(self, session: str, phone: Phone, text: str) -> Reply:
        if self.away:
            raise StoreUnavailable("gone")
        hall = self.ground.hall
        if self.slow is not None:
            slow_hall = replace(hall, store=self.slow)
            return await UssdMouth(slow_hall, Engine(DIALOGS, hall.abilities), 0, within_s=0.2).hear(Dialled(session, phone, text))
        return await UssdMouth(hall, Engine(DIALOGS, hall.abilities), 0).hear(Dialled(session, phone, text))

    async def post(self, body: Any, path: str = f"/ussd/{SECRET}") -> tuple[int, str]:
        data = body if isinstance(body, bytes) else urlencode(body).encode()
        answer = await self.ground.client.post(path, data=data, headers=FORM)
        return answer.status, await answer.text()

    async def counted(self, line: str) -> bool:
        return line in await (await self.ground.get("/metrics")).text()


@pytest_asyncio.fixture
async def here(sqlite_url: str) -> AsyncIterator[Here]:
    made: list[Here] = []

    async def turn(session: str, phone: Phone, text: str) -> Reply:
        return await made[0].turn(session, phone, text)

    def trouble() -> Reply:
        return Reply("Trouble. Nothing was taken.", ends=True)

    async def over(session: str, phone: Phone) -> None:
        if made[0].away:
            raise StoreUnavailable("gone")
        made[0].over.append((session, phone.e164))

    async with standing(sqlite_url, phone_routes=ussd_routes(SECRET, turn, trouble, (StoreUnavailable,), over)) as ground:
        made.append(Here(ground))
        yield made[0]


async def test_a_session_is_answered_as_the_operator_wants_it(here: Here) -> None:
    answer = await here.ground.client.post(f"/ussd/{SECRET}", data=urlencode(TURN).encode(), headers=FORM)
    assert (answer.status, answer.content_type) == (200, "text/plain")
    assert (await answer.text()).startswith("CON Karibu PayLoom!\n")
    assert await here.post({**TURN, "text": "1"}) == (200, "CON What brings you here?\n1. I sell\n2. I buy")


async def test_the_same_turn_posted_many_times_at_once_is_one_turn(here: Here) -> None:
    """T12, C1."""
    await here.post(TURN)
    answers = await asyncio.gather(*(here.post({**TURN, "text": "1"}) for _ in range(20)))
    assert set(answers) == {(200, "CON What brings you here?\n1. I sell\n2. I buy")}


async def test_one_and_one_again_are_two_answers(here: Here) -> None:
    """The transcript grows: a second `1` is no repetition of the first."""
    await here.post(TURN)
    await here.post({**TURN, "text": "1"})
    assert (await here.post({**TURN, "text": "1*1"}))[1].startswith("CON Name of your shop?")


async def test_a_star_in_what_is_typed_is_part_of_it(here: Here) -> None:
    for text in ("", "1", "1*1"):
        await here.post({**TURN, "text": text})
    assert "5*star shoes" in (await here.post({**TURN, "text": "1*1*5*star shoes"}))[1]


@pytest.mark.parametrize("secret", ["x", SECRET + "x", SECRET.upper(), "%00"])
@pytest.mark.parametrize("kind", ["", "/events"])
async def test_another_address_is_nobodys(here: Here, secret: str, kind: str) -> None:
    """T13, C5."""
    assert (await here.post(TURN, f"/ussd/{secret}{kind}"))[0] == 404
    assert await here.counted('payloom_provider_events_refused_total{gateway="ussd",why="token"} 1.0')


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\xff\xfe", b"{}", urlencode(TURN).encode() + b"&text=2", urlencode({**TURN, "phoneNumber": "nobody"}).encode(),
        urlencode({**TURN, "sessionId": ""}).encode(), urlencode({**TURN, "sessionId": "a b"}).encode(),
        urlencode({**TURN, "text": "1" * 2000}).encode(), b"&".join(b"a%d=1" % n for n in range(200)),
    ],
)  # fmt: skip
async def test_what_is_no_turn_is_refused(here: Here, body: bytes) -> None:
    """T13, C17."""
    assert (await here.post(body))[0] == 400


async def test_a_turn_that_cannot_be_kept_ends_with_a_sentence(here: Here) -> None:
    """K6: an operator shows nothing of a 503."""
    here.away = True
    assert await here.post(TURN) == (200, "END Trouble. Nothing was taken.")


@pytest.mark.parametrize("lost", [False, True], ids=["late", "never kept"])
async def test_a_slow_database_is_answered_in_time_and_the_turn_goes_on(here: Here, lost: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """T14, K6: the operator waits for ten seconds and then shows nothing; whoever dials again is where the late turn left them."""
    first = (await here.post(TURN))[1]
    here.slow = Slow(here.ground.hall.store, lost)
    async with asyncio.timeout(3):
        status, said = await here.post({**TURN, "text": "1"})
    assert (status, said.partition(".")[0]) == (200, "END We are slow just now")
    here.slow.goes_on.set()
    await here.ground.hall.drain()
    here.slow = None
    assert ("ussd_turn_not_kept" if lost else "ussd_turn_late") in capsys.readouterr().out
    again = (await here.post({**TURN, "text": "1"}))[1]
    assert again.startswith("CON ") and again != first


@pytest.mark.parametrize("status", ["Success", "Incomplete", "Failed", "Odd"])
async def test_how_a_session_ended_is_counted(here: Here, status: str) -> None:
    """C16, T12: of a session that nobody knows of, too."""
    body = {"sessionId": "ATUid_1", "status": status, "phoneNumber": "+254733000001", "input": "1*1234", "errorMessage": "too long"}
    assert await here.post(body, f"/ussd/{SECRET}/events") == (200, "")
    known = status if status != "Odd" else "other"
    assert await here.counted(f'payloom_provider_events_total{{gateway="ussd",kind="end",result="{known}"}} 1.0')


@pytest.mark.parametrize("changed", [{}, {"phoneNumber": "nobody"}, {"phoneNumber": ""}, {"sessionId": "a b"}, {"sessionId": ""}])
async def test_whose_session_ended_is_told_inside_when_it_can_be_read(here: Here, changed: dict[str, str]) -> None:
    """T13, N1: the operator is answered alike, and never sends it again."""
    body = {"sessionId": "ATUid_1", "status": "Incomplete", "phoneNumber": "+254733000001", **changed}
    assert await here.post(body, f"/ussd/{SECRET}/events") == (200, "")
    assert here.over == ([] if changed else [("ATUid_1", "+254733000001")])


async def test_an_end_that_cannot_be_kept_is_no_trouble_of_the_operator(here: Here) -> None:
    """K6."""
    here.away = True
    body = {"sessionId": "ATUid_1", "status": "Incomplete", "phoneNumber": "+254733000001"}
    assert await here.post(body, f"/ussd/{SECRET}/events") == (200, "")


def test_no_secret_no_door() -> None:
    async def turn(session: str, phone: Phone, text: str) -> Reply:
        raise AssertionError

    with pytest.raises(ValueError, match="secret"):
        ussd_routes("", turn, lambda: Reply(""), ())
