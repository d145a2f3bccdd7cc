"""N6, group pay in the chat: begun from the check of a purchase, sent to friends by a link, paid by each in private, shown live."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import unquote

import pytest

from domain.life import CheckoutState
from domain.person import ChannelKind
from domain.ports import Unit
from tests.bot.desk import Desk
from tests.factories import BUYER, OTHER_OWNER, STAFF, owner
from usecases.gateways import save_credentials

CLIENT, FRIEND, OTHER = int(BUYER), int(STAFF), int(OTHER_OWNER)


def checks(desk: Desk) -> None:
    """Up to the check of a purchase."""
    desk.say(CLIENT, f"/start {desk.street.link().code}")
    desk.tap(CLIENT, "buy_one")
    desk.say(CLIENT, "Kilimani")
    desk.say(CLIENT, "0712 345 678")


def starts(desk: Desk, shares: str = "n3") -> str:
    """The payload of the link that goes to the friends."""
    checks(desk)
    desk.tap(CLIENT, "split")
    said = desk.tap(CLIENT, shares)
    assert said.screen is not None
    (share,) = [choice.url for row in said.screen.rows for choice in row if choice.url]
    payload = re.search(r"start=(g-[0-9a-f]{48})", unquote(share))
    assert payload is not None and len(payload[1]) <= 64
    return payload[1]


def pays(desk: Desk, who: int, payload: str, *, more: int = 0) -> None:
    desk.say(who, f"/start {payload}")
    if more:
        desk.tap(who, "pay_more")
        desk.tap(who, f"n{more}")
    else:
        desk.tap(who, "pay_share")
    said = desk.say(who, f"0733 000 {who:03}")
    desk.ring(said.attempts)
    desk.answered(said.attempts[0])
    desk.prove(said.attempts[0])


def group(desk: Desk) -> tuple[str, int, int]:
    ((state, shares, paid),) = desk.street.ground.rows(
        """SELECT g.state, g.shares, coalesce((SELECT sum(s.shares) FROM checkouts s WHERE s.group_id = g.id AND s.state = 'PAID'), 0)
        FROM checkouts g WHERE g.shares > 0 AND g.group_id IS NULL"""
    )
    return state, shares, paid


def test_friends_pay_their_shares_and_whoever_began_it_has_the_order(desk: Desk) -> None:
    payload = starts(desk)
    assert "⬜⬜⬜" in desk.text(CLIENT) and group(desk) == ("OPEN", 3, 0)
    pays(desk, FRIEND, payload)
    again = desk.tap(CLIENT, "look_again")
    assert again.screen is not None and "🟩⬜⬜" in again.screen.text and "Person" in again.screen.text
    pays(desk, OTHER, payload, more=2)
    assert group(desk) == ("PAID", 3, 3)
    full = desk.tap(CLIENT, "look_again")
    assert full.screen is not None and "The order is placed" in full.screen.text
    assert next(choice.key[-5:] for row in full.screen.rows for choice in row) == ":card"
    friend = desk.say(FRIEND, f"/start {payload}")
    assert friend.screen is not None and [choice.key for row in friend.screen.rows for choice in row] == ["home"], "the order is not theirs"


def test_who_has_paid_is_shown_their_share_and_goes_on_to_the_group(desk: Desk) -> None:
    payload = starts(desk)
    pays(desk, FRIEND, payload)
    said = desk.tap(FRIEND, "look_again")
    assert said.screen is not None and "is paid and held safe" in said.screen.text
    desk.tap(FRIEND, "open_group")
    assert "🟩⬜⬜" in desk.text(FRIEND) and "call_off" not in desk.keys(FRIEND)


def test_a_share_that_failed_or_was_left_leads_back_to_the_group(desk: Desk) -> None:
    payload = starts(desk)
    desk.say(FRIEND, f"/start {payload}")
    desk.tap(FRIEND, "pay_share")
    said = desk.say(FRIEND, "0733 000 111")
    desk.ring(said.attempts)
    desk.answered(said.attempts[0], "wrong_pin")
    desk.tap(FRIEND, "look_again")
    assert "try_again" in desk.keys(FRIEND)
    desk.street.later(timedelta(minutes=31))
    desk.sweep()
    desk.tap(FRIEND, "look_again")
    desk.tap(FRIEND, "buy_again")
    assert "⬜⬜⬜" in desk.text(FRIEND)


def test_only_whoever_began_it_calls_it_off_and_is_asked_once_more(desk: Desk) -> None:
    payload = starts(desk)
    pays(desk, FRIEND, payload)
    desk.say(OTHER, f"/start {payload}")
    assert "call_off" not in desk.keys(OTHER)
    desk.put(OTHER, "group", "call_off", desk.place(OTHER).data)
    desk.say(OTHER, "x")
    desk.tap(CLIENT, "call_off")
    desk.tap(CLIENT, "back")
    assert group(desk)[0] == "OPEN"
    desk.tap(CLIENT, "call_off")
    desk.tap(CLIENT, "yes_call_off")
    assert "Called off" in desk.text(CLIENT) and group(desk)[0] == "CANCELLED"
    assert desk.street.ground.rows("SELECT reason, state FROM refunds") == [("group", "ASKED")]


def test_a_stranger_who_presses_yes_changes_nothing(desk: Desk) -> None:
    payload = starts(desk)
    desk.say(OTHER, f"/start {payload}")
    data = desk.place(OTHER).data
    desk.put(OTHER, "group", "call_off", data)
    desk.tap(OTHER, "yes_call_off")
    assert group(desk)[0] == CheckoutState.OPEN


@pytest.mark.parametrize("said,shares", [("4", 4), ("20", 20)])
def test_a_number_of_shares_may_be_typed(desk: Desk, said: str, shares: int) -> None:
    checks(desk)
    desk.tap(CLIENT, "split")
    desk.say(CLIENT, said)
    assert group(desk) == ("OPEN", shares, 0)


@pytest.mark.parametrize("said", ["1", "21", "many", "0", "99999999"])
def test_what_cannot_be_split_so_is_said_and_asked_again(desk: Desk, said: str) -> None:
    checks(desk)
    desk.tap(CLIENT, "split")
    assert "from 2 to 20" in (desk.say(CLIENT, said).screen or pytest.fail("nothing")).text
    assert desk.place(CLIENT).step == "shares"
    desk.tap(CLIENT, "back")
    assert desk.place(CLIENT).step == "check"


def test_a_token_of_nobody_opens_nothing(desk: Desk) -> None:
    desk.say(FRIEND, "/start g-" + "0" * 48)
    assert desk.place(FRIEND).dialog != "group"


def test_more_than_is_free_is_refused(desk: Desk) -> None:
    payload = starts(desk)
    desk.say(FRIEND, f"/start {payload}")
    desk.tap(FRIEND, "pay_more")
    assert "Only 3 shares are free" in (desk.say(FRIEND, "5").screen or pytest.fail("nothing")).text


def test_a_shop_with_its_own_short_code_is_not_split_in_the_chat(desk: Desk) -> None:
    payload = starts(desk)
    desk.street.do(save_credentials, owner, "daraja", {"short_code": "777777"}, tested=True)
    desk.say(FRIEND, f"/start {payload}")
    assert "straight to the seller" in desk.text(FRIEND) and "pay_share" not in desk.keys(FRIEND)
    desk.say(CLIENT, "/start")
    checks(desk)
    assert "split" not in desk.keys(CLIENT)


def test_everybody_in_the_chat_of_the_group_has_heard_of_it(desk: Desk) -> None:
    """Whoever looks at the card has it renewed in place; the others are told in words (bot/teller.py)."""
    payload = starts(desk)
    pays(desk, FRIEND, payload)

    def told(unit: Unit) -> list[tuple[str, int]]:
        return [(row[0], row[1]) for row in desk.street.ground.rows("SELECT fact, person_id FROM outbox WHERE fact = 'share_paid'")]

    assert sorted(desk.street.do(told)) == [("share_paid", FRIEND), ("share_paid", CLIENT)]
    place = desk.street.do(lambda unit: unit.conversations.get(BUYER, ChannelKind.TELEGRAM))
    assert (place.dialog, place.step) == ("group", "card")
