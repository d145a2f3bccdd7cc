"""Daraja's access token: one for all callers, replaced in time, replaced once when refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from domain.payment import Outcome, Reply
from gateways.payments.daraja import Daraja
from tests.gateways.provider import KEYS, HandClock, Provider, Say, an_ask, error, hangs_up, says
from tests.gateways.test_daraja_push import PUSH, QUEUED

TOKEN_PATH = "/oauth/v1/generate"


def a_token(letter: str, expires_in: object = "3599") -> Say:
    return says({"access_token": letter * 28, "expires_in": expires_in})


async def slow_token(_: object) -> Any:
    await asyncio.sleep(0.1)
    return a_token("b")(None)  # type: ignore[arg-type]  # it looks at no request


async def test_twenty_callers_at_once_fetch_one_token(provider: Provider, daraja: Daraja) -> None:
    """O4."""
    provider.tell(TOKEN_PATH, slow_token)
    provider.tell(PUSH, says(QUEUED))
    replies = await asyncio.gather(*(daraja.start(an_ask()) for _ in range(20)))
    assert {reply.outcome for reply in replies} == {Outcome.PENDING}
    assert (len(provider.at(TOKEN_PATH)), len(provider.at(PUSH))) == (1, 20)


async def test_twenty_callers_share_one_failure_and_the_next_tries_again(provider: Provider, daraja: Daraja) -> None:
    """O4."""

    async def slow_failure(_: object) -> Any:
        await asyncio.sleep(0.1)
        return error("500.003.1001")(None)  # type: ignore[arg-type]  # as above

    provider.tell(TOKEN_PATH, slow_failure, a_token("b"))
    provider.tell(PUSH, says(QUEUED))
    replies = await asyncio.gather(*(daraja.start(an_ask()) for _ in range(20)))
    assert set(replies) == {Reply(Outcome.NOT_SENT, None, "try_later", 5)}
    assert (len(provider.at(TOKEN_PATH)), len(provider.at(PUSH))) == (1, 0)
    assert (await daraja.start(an_ask())).outcome is Outcome.PENDING


async def test_the_first_caller_may_leave(provider: Provider, daraja: Daraja) -> None:
    provider.tell(TOKEN_PATH, slow_token)
    provider.tell(PUSH, says(QUEUED))
    first = asyncio.create_task(daraja.start(an_ask()))
    second = asyncio.create_task(daraja.start(an_ask()))
    await asyncio.sleep(0.03)
    first.cancel()
    assert (await second).outcome is Outcome.PENDING
    assert len(provider.at(TOKEN_PATH)) == 1


@pytest.mark.parametrize(
    "expires_in,after_s,fetched",
    [
        ("3599", 2990, 1),
        ("3599", 3000, 2),
        (3599, 2990, 1),
        (3599, 3001, 2),
        ("120", 50, 1),
        ("120", 61, 2),
        ("soon", 2990, 1),
        (None, 3001, 2),
    ],
)
async def test_a_token_is_replaced_in_time(
    provider: Provider, daraja: Daraja, clock: HandClock, expires_in: object, after_s: int, fetched: int
) -> None:
    """O4."""
    provider.tell(TOKEN_PATH, a_token("b", expires_in))
    provider.tell(PUSH, says(QUEUED))
    await daraja.start(an_ask())
    clock.move(after_s)
    await daraja.start(an_ask())
    assert len(provider.at(TOKEN_PATH)) == fetched


@pytest.mark.parametrize("code", ["404.001.03", "400.003.01", "401.002.01", "401.003.01"])
async def test_a_refused_token_is_replaced_and_the_push_made_once(provider: Provider, daraja: Daraja, code: str) -> None:
    """O4."""
    provider.tell(TOKEN_PATH, a_token("b"), a_token("c"))
    provider.tell(PUSH, error(code, "Invalid Access Token"), says(QUEUED))
    assert (await daraja.start(an_ask())).outcome is Outcome.PENDING
    assert [heard.headers["Authorization"][-1] for heard in provider.at(PUSH)] == ["b", "c"]


async def test_a_token_refused_twice_is_not_tried_for_ever(provider: Provider, daraja: Daraja) -> None:
    provider.tell(PUSH, says("", 401))
    assert await daraja.start(an_ask()) == Reply(Outcome.NOT_SENT, None, "try_later", 5)
    assert (len(provider.at(TOKEN_PATH)), len(provider.at(PUSH))) == (2, 2)


async def test_many_refused_at_once_fetch_one_new_token(provider: Provider, daraja: Daraja) -> None:
    """O4."""
    provider.tell(PUSH, says(QUEUED))
    await daraja.start(an_ask())
    provider.tell(TOKEN_PATH, a_token("b"))

    def good_only(request: Any) -> Any:
        good = request.headers["Authorization"].endswith("b")
        return (says(QUEUED) if good else error("404.001.03"))(request)

    provider.tell(PUSH, good_only)
    replies = await asyncio.gather(*(daraja.start(an_ask()) for _ in range(20)))
    assert {reply.outcome for reply in replies} == {Outcome.PENDING}
    assert len(provider.at(TOKEN_PATH)) == 2


@pytest.mark.parametrize(
    "say,reply",
    [
        (error("400.008.01"), Reply(Outcome.DECLINED, result="configuration")),
        (says("", 401), Reply(Outcome.DECLINED, result="configuration")),
        (error("500.003.1001"), Reply(Outcome.NOT_SENT, None, "try_later", 5)),
        (says("<html>"), Reply(Outcome.NOT_SENT, None, "try_later", 5)),
        (says({"access_token": ""}), Reply(Outcome.NOT_SENT, None, "try_later", 5)),
        (says({"access_token": "a\nb"}), Reply(Outcome.NOT_SENT, None, "try_later", 5)),
        (says({"access_token": "é"}), Reply(Outcome.NOT_SENT, None, "try_later", 5)),
        (says({"access_token": 5}), Reply(Outcome.NOT_SENT, None, "try_later", 5)),
        (hangs_up, Reply(Outcome.NOT_SENT, None, "try_later", 5)),
    ],
)
async def test_without_a_token_nothing_is_pushed(provider: Provider, daraja: Daraja, say: Say, reply: Reply) -> None:
    """O4: whatever happened to the token, the push itself certainly did not leave."""
    provider.tell(TOKEN_PATH, say)
    assert await daraja.start(an_ask()) == reply
    assert provider.at(PUSH) == []


async def test_who_knows_only_the_key_gets_nobodys_token(provider: Provider, daraja: Daraja) -> None:
    provider.tell(PUSH, says(QUEUED))
    await daraja.start(an_ask())
    await daraja.start(an_ask(credentials={**KEYS, "consumer_secret": "guess"}))
    assert len(provider.at(TOKEN_PATH)) == 2


async def test_closing_ends_a_fetch_under_way(provider: Provider, daraja: Daraja) -> None:
    provider.tell(TOKEN_PATH, slow_token)
    waiting = asyncio.create_task(daraja.check(KEYS))
    await asyncio.sleep(0.03)
    await daraja.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting
