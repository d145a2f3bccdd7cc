"""The main job, played over HTTP by people who tap, type, and fill in forms: the whole tour, and the sale on every engine and mouth mode."""

from __future__ import annotations

from typing import Any

import pytest

from payloom.tour import SCENES, play
from payloom.tour_gateways import BANK, PAYMENT, REFUND, Movement, compare
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
    assert [one["differences"] for one in document["gateways"] if one["differences"]] == []
    assert {one["gateway"] for one in document["gateways"]} == {"daraja", "stripe", "paypal", "paytabs", "moyasar", "telegram"}
    assert document["ok"]
    assert len(document["scenes"]) == len(SCENES)
    assert document["seconds"] < 90


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


def test_books_that_do_not_agree_are_told_payment_by_payment() -> None:
    paid = Movement("stripe", PAYMENT, "pi_1", "USD", 2_000)
    back = Movement("stripe", REFUND, "pi_1", "USD", -500)
    assert [one.differences for one in compare([paid, back], [paid, back], {("stripe", "USD"): 1_500})] == [[]]
    wrong = compare([paid], [paid, back, Movement("paypal", BANK, "9X", "EUR", -100)], {("stripe", "USD"): 2_000, ("moyasar", "SAR"): 1})
    assert {one.gateway: one.differences for one in wrong} == {
        "moyasar": ["moyasar keeps 0 SAR for us, our clearing account says 1"],
        "paypal": ["bank 9X: paypal has -100 EUR, we have 0", "paypal keeps -100 EUR for us, our clearing account says 0"],
        "stripe": ["refund pi_1: stripe has -500 USD, we have 0", "stripe keeps 1500 USD for us, our clearing account says 2000"],
    }


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
