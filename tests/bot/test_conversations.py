"""Conversations survive restarts, double taps, repeated and shuffled updates, and two answers at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.dialog import Answer, Kind, Screen, Step, Turn
from bot.dialogs import DIALOGS
from bot.engine import Engine, Heard, Said, delivered
from bot.mouths.telegram import GATEWAY
from domain.errors import NotFound
from domain.ids import PersonId
from domain.life import EscrowState, OrderState
from domain.person import ChannelKind
from domain.ports import Unit
from templates.words import words
from tests.bot.desk import Desk
from tests.factories import ABILITIES, BUYER, OWNER, PRICE, build_street, owner
from tests.storage.ground import count, opened, surroundings
from usecases.links import NewLink, create_link
from usecases.updates import store_updates

SELLER, CLIENT = int(OWNER), int(BUYER)


def buys(desk: Desk) -> Said:
    """Up to the button that pays."""
    desk.say(CLIENT, f"/start {desk.street.link().code}")
    desk.tap(CLIENT, "buy_one")
    desk.say(CLIENT, "Kilimani")
    return desk.say(CLIENT, "0712 345 678")


def test_a_purchase_goes_on_after_a_restart_at_every_step(desk: Desk) -> None:
    """T4: each turn here is made by a new engine; the whole purchase ends in one order, paid once."""
    buys(desk)
    said = desk.tap(CLIENT, "pay")
    desk.ring(said.attempts)
    desk.answered(said.attempts[0])
    desk.prove(said.attempts[0])
    number = desk.street.order_of(desk.street.attempt_now(said.attempts[0])).number
    desk.tap(SELLER, f"o:{number}:accept")
    desk.tap(SELLER, f"o:{number}:ship")
    desk.say(SELLER, "Rider Otieno")
    desk.say(SELLER, "0733 111 222")
    desk.tap(SELLER, f"o:{number}:delivered")
    desk.tap(CLIENT, f"o:{number}:confirm")
    desk.tap(CLIENT, "yes_confirm")

    order = desk.street.do(lambda unit: unit.orders.by_number(number))
    assert (order.state, order.escrow, order.courier, order.tracking) == (
        OrderState.COMPLETED, EscrowState.RELEASED, "Rider Otieno", "0733 111 222",
    )  # fmt: skip
    assert desk.street.ground.rows("SELECT count(*) FROM entries WHERE kind = 'release'") == [(1,)]


@pytest.mark.parametrize("last", ["create", "pay", "yes_confirm", "yes_cancel", "open_problem", "yes_refund", "no_courier"])
def test_a_second_tap_on_a_button_that_did_something_does_it_once_and_is_answered(desk: Desk, last: str) -> None:
    """S2: the same press twice, by two engines: one effect, a friendly word the second time."""
    who = {"create": SELLER, "yes_refund": SELLER, "no_courier": SELLER}.get(last, CLIENT)
    _lead_to(desk, last)
    version = desk.said[who].version
    first = desk.turn(desk.heard(who, Answer(Kind.CHOICE, last), version=version))
    before = desk.street.ground.snapshot()
    second = desk.turn(desk.heard(who, Answer(Kind.CHOICE, last), version=version))

    assert first.screen is not None
    assert second.screen is None
    assert second.toast
    assert second.attempts == ()
    assert desk.street.ground.snapshot() == before


def _lead_to(desk: Desk, last: str) -> None:
    if last == "create":
        desk.say(SELLER, "/sell")
        desk.say(SELLER, "Red sneakers 2500")
    elif last == "pay":
        buys(desk)
    else:
        order = desk.street.paid()
        who, act = {
            "yes_confirm": (CLIENT, "confirm"), "yes_cancel": (CLIENT, "cancel"), "open_problem": (CLIENT, "problem"), "yes_refund": (SELLER, "refund"),
            "no_courier": (SELLER, "ship"),
        }[last]  # fmt: skip
        desk.tap(who, f"o:{order.number}:{act}")
        if last == "open_problem":
            desk.tap(CLIENT, "broken")
            desk.say(CLIENT, "It is torn")


def test_old_buttons_of_every_earlier_screen_do_nothing(desk: Desk) -> None:
    """S2: whatever was shown before is only history."""
    shown: list[tuple[int, str]] = []
    desk.say(SELLER, "/sell")
    for answer in ("Bag", "900", "Green", "/sell", "Red sneakers 2500", "/links", "/orders", "/wallet", "/help", "/role"):
        shown += [(desk.said[SELLER].version, key) for key in desk.keys(SELLER) if not key.startswith("o:")]
        desk.say(SELLER, answer)
    before = desk.street.ground.snapshot()
    for version, key in shown:
        said = desk.turn(desk.heard(SELLER, Answer(Kind.CHOICE, key), version=version))
        assert said.screen is None
        assert said.toast
    assert desk.street.ground.snapshot() == before


def test_a_screen_that_was_overtaken_on_its_way_loses_its_buttons_when_it_is_pressed(desk: Desk) -> None:
    """K1: a crash or a slow answer can leave an older screen below the one that counts; the one that counts, or may count, keeps its buttons."""
    old = desk.say(SELLER, "/sell").version
    now = desk.say(SELLER, "Bag")
    for known, pressed, stripped in ((None, "t:11", None), ("t:10", "t:10", None), ("t:10", "t:11", "t:11")):
        desk.street.do(delivered, now, ChannelKind.TELEGRAM, known)
        assert desk.turn(desk.heard(SELLER, Answer(Kind.CHOICE, "home"), version=old, pressed_ref=pressed)).strip_ref == stripped


def test_cards_pressed_twice_say_done_and_move_the_order_once(desk: Desk) -> None:
    """S2: buttons of a card have no version: the order's own state is what protects it."""
    order = desk.street.paid()
    for act in ("accept", "accept", "delivered", "delivered", "accept"):
        desk.say(SELLER, "/help")
        desk.tap(SELLER, f"o:{order.number}:{act}")
    now = desk.street.order(order.id)
    assert now.state is OrderState.DELIVERED
    assert [row[0] for row in desk.street.ground.rows("SELECT action FROM audit WHERE action IN ('order_accepted', 'order_delivered')")] == [
        "order_accepted", "order_delivered",
    ]  # fmt: skip


def test_an_update_that_comes_again_is_handled_once(desk: Desk) -> None:
    """T5: the same update_id, before and after it was handled: written down once, one turn, silence afterwards."""
    update = {"update_id": 77, "message": {}}
    assert desk.street.do(store_updates, GATEWAY, [update, update]) == ["77"]
    assert desk.street.do(store_updates, GATEWAY, [update]) == []
    heard = Heard(ChannelKind.TELEGRAM, str(SELLER), "Amina", "en", "77", Answer(Kind.COMMAND, "sell"))
    first: Said = desk.street.do(Engine(DIALOGS, ABILITIES).turn, heard, GATEWAY)
    before = desk.street.ground.snapshot()
    second: Said = desk.street.do(Engine(DIALOGS, ABILITIES).turn, heard, GATEWAY)

    assert first.screen is not None
    assert second == Said(None)
    assert desk.street.ground.snapshot() == before


def test_updates_out_of_order_are_all_handled(desk: Desk) -> None:
    """T5: a gap, and a smaller number after a larger one."""
    for number in (9, 4, 300, 5):
        desk.street.do(store_updates, GATEWAY, [{"update_id": number}])
        heard = Heard(ChannelKind.TELEGRAM, str(SELLER), "Amina", "en", str(number), Answer(Kind.COMMAND, "help"))
        said: Said = desk.street.do(Engine(DIALOGS, ABILITIES).turn, heard, GATEWAY)
        assert said.screen is not None
    assert desk.street.ground.rows("SELECT DISTINCT state FROM inbox") == [("APPLIED",)]


def test_a_purchase_that_is_refused_at_its_last_moment_sends_no_prompt(desk: Desk) -> None:
    """Nothing is sent that was not written: where the turn is undone, its attempt is forgotten as well."""

    def vanishing(turn: Turn) -> Screen:
        raise NotFound(what="checkout")

    buys(desk)
    dialogs = {**DIALOGS, "buy": {**DIALOGS["buy"], "waiting": Step(vanishing, DIALOGS["buy"]["waiting"].take)}}
    heard = desk.heard(CLIENT, Answer(Kind.CHOICE, "pay"), version=desk.said[CLIENT].version)
    said: Said = desk.street.do(Engine(dialogs, ABILITIES).turn, heard, GATEWAY)

    assert said.screen is not None
    assert said.attempts == ()
    assert desk.street.ground.rows("SELECT count(*) FROM attempts") == [(0,)]


def test_the_seller_sees_the_photo_of_a_problem_on_the_orders_screen(desk: Desk) -> None:
    order = desk.street.paid()
    desk.tap(CLIENT, f"o:{order.number}:problem")
    desk.tap(CLIENT, "broken")
    desk.say(CLIENT, "It is torn")
    desk.show_photo(CLIENT)
    desk.tap(CLIENT, "open_problem")
    said = desk.tap(SELLER, f"o:{order.number}:card")

    dispute = desk.street.do(lambda unit: unit.disputes.of_order(order.id))
    assert said.screen is not None
    assert len(dispute.pictures) == 1
    assert said.screen.picture == dispute.pictures[0]


def test_nothing_was_taken_is_only_said_when_that_is_known(desk: Desk) -> None:
    """While a prompt rings the money may still come, whatever the buyer taps here."""
    buys(desk)
    said = desk.tap(CLIENT, "pay")
    desk.ring(said.attempts)
    desk.tap(CLIENT, "cancel")
    assert words("en")("chat.buy.dropped_ringing") in desk.text(CLIENT)
    assert "Nothing was taken" not in desk.text(CLIENT)

    buys(desk)
    desk.tap(CLIENT, "cancel")
    assert words("en")("chat.buy.dropped") in desk.text(CLIENT)


def test_confirming_is_not_the_first_button_before_anything_was_sent(desk: Desk) -> None:
    """A buyer who has just paid must not release the money by tapping what stands first."""
    order = desk.street.paid()
    desk.tap(CLIENT, f"o:{order.number}:card")
    acts = [key.rpartition(":")[2] for key in desk.keys(CLIENT) if key.startswith("o:")]
    assert acts[-1] == "confirm"
    desk.tap(SELLER, f"o:{order.number}:delivered")
    desk.tap(CLIENT, f"o:{order.number}:card")
    assert desk.keys(CLIENT)[0] == f"o:{order.number}:confirm"


def stall(unit: Unit) -> str:
    build_street(unit)
    return create_link(unit, owner, NewLink("k1", "Sneakers", PRICE)).code


async def test_two_answers_at_once_have_one_effect_and_both_are_answered(postgresql_url: str) -> None:
    """S2: real connections. Ten presses on Pay, all in flight together: one checkout, one attempt, nine friendly words."""
    async with opened(postgresql_url, surroundings()) as store:
        code = await store.write(stall)
        engine, events = Engine(DIALOGS, ABILITIES), iter(range(1, 1000))

        async def turn(answer: Answer, version: int | None = None) -> Said:
            heard = Heard(ChannelKind.TELEGRAM, str(CLIENT), "Brian", "en", str(next(events)), answer, version=version)
            said: Said = await store.write(engine.turn, heard, GATEWAY)
            return said

        await turn(Answer(Kind.COMMAND, "start", code))
        said = await turn(Answer(Kind.CHOICE, "buy_one"), 1)
        await turn(Answer(Kind.TEXT, "Kilimani"))
        said = await turn(Answer(Kind.TEXT, "0712 345 678"))
        answers: list[Any] = await asyncio.gather(*(turn(Answer(Kind.CHOICE, "pay"), said.version) for _ in range(10)))

    assert sorted(bool(one.screen) for one in answers) == [False] * 9 + [True]
    assert all(one.toast for one in answers if one.screen is None)
    assert sum(len(one.attempts) for one in answers) == 1
    assert (count(postgresql_url, "checkouts"), count(postgresql_url, "attempts")) == (1, 1)


async def test_a_person_who_arrives_twice_at_once_is_one_person(postgresql_url: str) -> None:
    """S2: the very first two messages of somebody, handled by two processes together."""
    async with opened(postgresql_url, surroundings()) as store:
        await store.write(stall)
        engine = Engine(DIALOGS, ABILITIES)
        heard = [Heard(ChannelKind.TELEGRAM, "5005", "Zuri", "sw", f"z{n}", Answer(Kind.COMMAND, "start")) for n in range(8)]
        answers = await asyncio.gather(*(store.write(engine.turn, one, GATEWAY) for one in heard))
        person = await store.read(lambda unit: unit.people.by_address(ChannelKind.TELEGRAM, "5005"))

    assert all(one.screen is not None for one in answers)
    assert {one.person.id for one in answers if one.person is not None} == {person.id if person is not None else PersonId(0)}
