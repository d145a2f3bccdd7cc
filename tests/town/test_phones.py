"""The phones of the town: numbers, controls, and what they refuse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from town.core import Core
from town.daraja.standalone import Standalone
from town.phones import NoSuchThing, Phones, Prompt, normal_msisdn


@pytest_asyncio.fixture
async def alone() -> AsyncIterator[Standalone]:
    async with Standalone(seed=1) as standalone:
        yield standalone


async def call(alone: Standalone, path: str, body: Any = None) -> tuple[int, Any]:
    url = f"{alone.url}/town/api/phone/{path}"
    async with aiohttp.ClientSession() as http, http.request("GET" if body is None else "POST", url, json=body) as response:
        return response.status, await response.json()


def ring(core: Core, phones: Phones, msisdn: str, answers: list[str]) -> Prompt:
    now = core.clock.now()
    prompt = Prompt(phones.new_prompt_id(), msisdn, 100, "SHOP", "174379", "A1", "Pay?", now, now + timedelta(seconds=60), answers.append)
    phones.ring(prompt)
    return prompt


@pytest.mark.parametrize("number", ["0712345678", "712345678", "+254712345678", "254712345678", "0712 345-678"])
def test_every_usual_way_to_write_a_number_is_the_same_phone(number: str) -> None:
    assert normal_msisdn(number) == "254712345678"


def test_numbers_of_other_countries_are_phones_too_and_nonsense_is_not() -> None:
    assert normal_msisdn("+966501234567") == "966501234567"
    for nonsense in ("", "abc", "07", "0812345678"):
        with pytest.raises(NoSuchThing):
            normal_msisdn(nonsense)


async def test_a_phone_exists_from_its_first_touch(alone: Standalone) -> None:
    status, phone = await call(alone, "0110000001")
    assert (status, phone["msisdn"], phone["balance_minor"], phone["prompts"], phone["sms"]) == (200, "254110000001", 100_000_00, [], [])
    assert (await call(alone, "abc"))[0] == 400


async def test_the_oldest_prompt_is_answered_unless_one_is_named() -> None:
    core = Core(1)
    phones = Phones(core)
    said: list[list[str]] = [[], [], []]
    prompts = [ring(core, phones, "254712345678", answers) for answers in said]
    phones.answer("0712345678", "cancel")
    phones.answer("0712345678", "right", prompts[2].id)
    assert said == [["cancel"], [], ["right"]]
    phones.answer("0712345678", "ignore")
    assert prompts[1].ignored and phones.waiting("0712345678") == [prompts[1]]
    phones.power("0712345678", False)
    assert said[1] == ["off"] and phones.waiting("0712345678") == []


async def test_controls_refuse_with_a_sentence(alone: Standalone) -> None:
    for path, body, expected in [
        ("0712345678/pin", {"answer": "right"}, 404),
        ("0712345678/pin", {"answer": "maybe"}, 400),
        ("0712345678/pin", {}, 400),
        ("0712345678/pin", [], 400),
        ("0712345678/balance", {"amount_minor": -1}, 400),
        ("0712345678/power", {"on": "yes"}, 400),
        ("0712345678/auto", {"answer": "maybe"}, 400),
        ("0712345678/newpin", {"pin": "12"}, 400),
    ]:
        status, reply = await call(alone, path, body)
        assert status == expected and reply["error"].endswith("."), path


async def test_a_pin_can_be_set_and_typed(alone: Standalone) -> None:
    answers: list[str] = []
    ring(alone.core, alone.phones, "254712345678", answers)
    assert (await call(alone, "0712345678/newpin", {"pin": "9999"}))[0] == 200
    assert (await call(alone, "0712345678/pin", {"pin": "1234"}))[0] == 200
    ring(alone.core, alone.phones, "254712345678", answers)
    await call(alone, "0712345678/pin", {"pin": "9999"})
    assert answers == ["wrong", "right"]


async def test_an_automatic_answer_also_takes_what_already_waits(alone: Standalone) -> None:
    answers: list[str] = []
    ring(alone.core, alone.phones, "254712345678", answers)
    assert (await call(alone, "0712345678/auto", {"answer": "right"}))[1]["auto"] == "right"
    assert answers == ["right"]
    assert (await call(alone, "0712345678/auto", {"answer": None}))[1]["auto"] is None


async def test_phones_are_bounded_but_one_that_rings_is_kept() -> None:
    core = Core(1)
    phones = Phones(core, keep=10)
    ring(core, phones, "254700000000", [])
    for number in range(1, 50):
        phones.receive_sms(f"2547000000{number:02d}", "SHOP", "hello")
    assert len(phones.state()) == 10 and "254700000000" in phones.state()
