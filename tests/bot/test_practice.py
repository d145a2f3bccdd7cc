"""Practice: a whole sale with pretend money; nothing of it is anywhere but in the conversation (N11)."""

from __future__ import annotations

import pytest

from domain.order import Reason
from templates.words import words
from tests.bot.desk import Desk
from tests.bot.handset import Handset
from tests.factories import OWNER

ALONG = ("practice_go", "Red sneakers 2500", "create", "practice_buyer", "buy_one", "pay", "practice_pin", "practice_seller",
         "act_accept", "act_ship", "Rider Otieno", "act_delivered", "practice_buyer")  # fmt: skip
ENDS = {
    "confirmed": ("act_confirm", "not_yet", "act_confirm", "yes_confirm"),
    "refunded": ("act_problem", "back", "act_problem", str(Reason.BROKEN), "It is torn", "act_refund", "back", "act_refund", "yes_refund"),
}


def play(desk: Desk, *steps: str) -> list[str]:
    """The screens, each of them marked."""
    shown = []
    for step in steps:
        seen = desk.said[OWNER].screen
        keys = {choice.key for row in seen.rows for choice in row} if seen is not None else set()
        said = desk.tap(OWNER, step) if step in keys else desk.say(OWNER, step)
        assert said.screen is not None
        assert words("en")("chat.practice.mark") in said.screen.text, f"after {step}: {said.screen.text}"
        shown.append(said.screen.text)
    return shown


@pytest.mark.parametrize("end", ENDS)
def test_a_whole_sale_is_played_and_nothing_of_it_is_kept(desk: Desk, end: str) -> None:
    desk.say(OWNER, "/start")
    desk.say(OWNER, "/practice")
    before = desk.street.ground.snapshot()
    shown = play(desk, *ALONG, *ENDS[end])
    assert words("en")(f"chat.practice.end_{'completed' if end == 'confirmed' else 'refunded'}", percent="2.5") in shown[-1]
    after = desk.street.ground.snapshot()
    assert {table for table in before if before[table] != after[table]} <= {"conversations", "inbox", "outbox"}
    assert {fact for (fact,) in desk.street.ground.rows("SELECT DISTINCT fact FROM outbox")} <= {"screen"}
    assert desk.street.ground.books() == {}
    said = desk.tap(OWNER, "practice_real")
    assert said.screen is not None and "PRACTICE" not in said.screen.text and words("en")("chat.sell.name") in said.screen.text


def test_the_words_are_those_of_a_real_sale(desk: Desk) -> None:
    desk.say(OWNER, "/start")
    desk.say(OWNER, "/practice")
    said = "\n".join(play(desk, *ALONG))
    for real in ("Your link is ready", "Sold by", "Check your phone", "Paid:", "Order 12345678: paid!", "Order 12345678: delivered?"):
        assert real in said


def test_the_wrong_path_of_a_closed_prompt_is_played_too(desk: Desk) -> None:
    desk.say(OWNER, "/start")
    desk.say(OWNER, "/practice")
    shown = play(desk, *ALONG[:6], "practice_no_pin", "try_again", "practice_no_pin", "cancel", "buy_one", "pay", "practice_pin")
    assert words("en")("errors.payment.cancelled_by_payer") in shown[6]
    assert "Paid:" in shown[-1]


def test_a_price_that_reads_in_two_ways_is_asked_back_as_in_a_real_sale(desk: Desk) -> None:
    desk.say(OWNER, "/start")
    desk.say(OWNER, "/practice")
    shown = play(desk, "practice_go", "Bag 1.500", "p150000", "edit_name", "Sofa", "2000", "edit_price", "3000", "create")
    assert "Sofa" in shown[-1] and "Ksh 3,000" in shown[-1]


def test_what_the_pretend_order_does_not_offer_is_not_done(desk: Desk) -> None:
    """T6: altered data makes no steps."""
    desk.say(OWNER, "/start")
    desk.say(OWNER, "/practice")
    play(desk, *ALONG[:8])
    for key in ("act_delivered", "act_refund", "yes_confirm", "yes_refund"):
        desk.put(
            OWNER,
            "practice",
            "order",
            {"name": "Bag", "price": 100, "currency": "KES", "stands": "SHIPPED" if key == "act_refund" else "PAID"},
        )
        desk.tap(OWNER, key)
        stands = desk.street.ground.rows("SELECT dialog, data FROM conversations WHERE person_id = ?", OWNER)
        assert "COMPLETED" not in str(stands) and "REFUNDED" not in str(stands)


def test_it_is_offered_until_the_first_real_sale(desk: Desk) -> None:
    desk.say(OWNER, "/start")
    desk.tap(OWNER, "en")
    desk.tap(OWNER, "seller")

    def offered() -> bool:
        said = desk.say(OWNER, "/menu")
        assert said.screen is not None
        return any(choice.key == "practice" for row in said.screen.rows for choice in row)

    assert offered()
    desk.street.paid()
    assert not offered()


def test_it_is_played_with_the_keys_alone(desk: Desk) -> None:
    phone = Handset(desk.street, "+254711000001")
    phone.dial()
    phone.choose("English")
    phone.choose("I sell")
    phone.press("Mama Amina Shoes")
    before = desk.street.ground.snapshot()
    phone.choose("Practice a sale")
    for step in ("Let's play", None, "Create link", "I am the buyer", "Buy now", "Pay with", "close the request", "Try again", "enter my PIN",
                 "I am the seller", "Accept", "Ship", "without courier", "Delivered", "I am the buyer", "Confirm", "release the money"):  # fmt: skip
        shown = phone.press("Red sneakers 2500") if step is None else phone.choose(step)
        assert phone.open and shown.startswith("PRACTICE"), shown
    assert "would be yours" in phone.screen
    after = desk.street.ground.snapshot()
    assert {table for table in before if before[table] != after[table]} <= {"conversations"}
    assert not phone.attempts
