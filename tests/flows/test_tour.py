"""The main job, played over HTTP by people who tap, type, and fill in forms: the whole tour, and the sale on every engine and mouth mode."""

from __future__ import annotations

from typing import Any

import pytest

from payloom.tour import SCENES, play
from payloom.tour_print import Printer

SALE = SCENES[:4]


def failures(document: dict[str, Any]) -> list[str]:
    """Which expectation failed, with the last words of the chat."""
    return [
        f"{scene['name']}: {scene['failed']}\n" + "\n".join(f"{line['who']} > {line['to']}: {line['text']}" for line in scene["chat"][-12:])
        for scene in document["scenes"]
        if not scene["ok"]
    ]


async def test_the_tour_plays_to_its_end_with_books_that_agree_and_a_clean_audit() -> None:
    document = await play(Printer(quiet=True))

    assert failures(document) == []
    assert document["audit"]["found"] == []
    assert document["expectations"] == dict.fromkeys(document["expectations"], True)
    assert document["daraja"]["differences"] == []
    assert document["ok"]
    assert len(document["scenes"]) == len(SCENES)
    assert document["seconds"] < 60


@pytest.mark.parametrize("mode", ["polling", "webhook"])
async def test_a_sale_on_the_web_and_one_in_the_chat_end_in_the_wallet(engine_url: str, mode: str) -> None:
    document = await play(
        Printer(quiet=True), SALE, database_url=engine_url, telegram_mode=mode, telegram_webhook_secret="a-webhook-secret-of-the-tests"
    )

    assert failures(document) == []
    assert document["audit"]["found"] == []
    assert document["ok"]
    wallet = next(account for account in document["ledger"]["accounts"] if account["account"] == "wallet")
    assert wallet["balance_minor"] == -(243_750 + 175_500)


async def test_what_fails_is_named_with_the_chat_so_far_and_the_tour_is_not_ok() -> None:
    async def fails(tour: Any) -> None:
        await tour.amina.arrive()
        await tour.amina.start()
        tour.check(False, "pigs fly")

    document = await play(Printer(quiet=True), [("A scene that fails", fails), *SALE])

    assert not document["ok"]
    assert [scene["name"] for scene in document["scenes"]] == ["A scene that fails"]
    assert document["scenes"][0]["failed"] == "pigs fly"
    assert document["scenes"][0]["chat"][0]["text"] == "/start"
