"""Addresses for letters: nobody's until proved, then one person's; and what their readers want."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.errors import BadCode, BadInput, LimitReached, NotFound
from domain.ids import OrderId
from domain.person import ChannelKind, Language
from domain.tokens import Purpose
from tests.factories import BUYER, OTHER_OWNER, Street
from tests.fakes import Ground
from usecases.mail import (
    ADDRESS_DAY,
    ADDRESS_HOUR,
    CODE_LETTER,
    SOURCE_HOUR,
    Wish,
    address_of,
    ask_in_chat,
    ask_on_page,
    code_context,
    confirm_in_chat,
    confirm_on_page,
    is_stopped,
    mail_wishes,
    order_mail,
    stop_token,
    take_away,
    waiting_code,
    wish_letters,
)  # fmt: skip

NEEMA, OTHER = "neema@example.com", "other@example.com"


@pytest.fixture(autouse=True)
def with_mail(ground: Ground) -> None:
    ground.house = replace(ground.house, mail=True)
    ground.around = replace(ground.around, house=ground.house)


def code(ground: Ground) -> str:
    """What the newest letter with a code says."""
    payload = json.loads(ground.rows("SELECT payload FROM outbox WHERE fact = ? ORDER BY id DESC LIMIT 1", CODE_LETTER)[0][0])
    return str(ground.unit(lambda unit: unit.seals.open(payload["sealed"], code_context(payload["address"]))))


def wrong(right: str) -> str:
    return f"{(int(right) + 1) % 10**6:06}"


def channels(ground: Ground) -> list[tuple[str, int, str]]:
    return ground.rows("SELECT address, person_id, state FROM channels WHERE kind = 'email' ORDER BY address")


def given(street: Street, person: int, address: str = NEEMA) -> None:
    street.do(ask_in_chat, person, address)
    street.do(confirm_in_chat, person, code(street.ground))


def guest(street: Street) -> OrderId:
    return OrderId(street.paid(buyer_id=None).id)


def on_page(street: Street, order_id: OrderId, address: str = NEEMA) -> int:
    """Whose address it is, after it was proved on the page."""
    street.do(ask_on_page, order_id, address, Language.SW, "10.0.0.1")
    street.do(confirm_on_page, order_id, code(street.ground))
    return int(street.do(lambda unit: unit.people.by_address(ChannelKind.EMAIL, address)).id)


def test_an_address_is_theirs_once_they_typed_what_was_mailed_there(street: Street, ground: Ground) -> None:
    assert street.do(ask_in_chat, BUYER, " Neema@EXAMPLE.com ") == NEEMA
    assert channels(ground) == []
    assert street.do(waiting_code, BUYER, order=False).data == {"address": NEEMA}
    ground_rows = ground.rows("SELECT channel, person_id, payload FROM outbox WHERE fact = ?", CODE_LETTER)
    assert [(channel, person) for channel, person, _ in ground_rows] == [("email", BUYER)]
    right = code(ground)
    with pytest.raises(BadCode):
        street.do(confirm_in_chat, BUYER, wrong(right))
    with pytest.raises(BadCode):
        street.do(confirm_in_chat, OTHER_OWNER, right)
    assert street.do(confirm_in_chat, BUYER, right) == NEEMA
    assert channels(ground) == [(NEEMA, BUYER, "ACTIVE")] and street.do(address_of, BUYER) == NEEMA
    assert street.do(waiting_code, BUYER, order=False) is None
    assert ground.refuses(BadInput, ask_in_chat, BUYER, NEEMA).reason == "yours_already"


def test_a_person_has_one_address_and_an_address_one_person(street: Street, ground: Ground) -> None:
    given(street, BUYER)
    given(street, BUYER, OTHER)
    assert channels(ground) == [(NEEMA, BUYER, "BLOCKED"), (OTHER, BUYER, "ACTIVE")]
    given(street, OTHER_OWNER, OTHER)
    assert channels(ground) == [(NEEMA, BUYER, "BLOCKED"), (OTHER, OTHER_OWNER, "ACTIVE")]
    assert street.do(address_of, BUYER) is None
    given(street, BUYER)
    street.do(take_away, BUYER)
    street.do(take_away, BUYER)
    assert channels(ground) == [(NEEMA, BUYER, "BLOCKED"), (OTHER, OTHER_OWNER, "ACTIVE")]


def test_a_guest_signs_up_on_the_order_s_page(street: Street, ground: Ground) -> None:
    order_id = guest(street)
    assert street.do(order_mail, order_id).may_ask
    street.do(ask_on_page, order_id, NEEMA, Language.SW, "10.0.0.1")
    assert [(address, state) for address, _, state in channels(ground)] == [(NEEMA, "BLOCKED")]
    assert street.do(order_mail, order_id).waits == "n•••@example.com"
    assert street.order(order_id).buyer_id is None
    street.do(confirm_on_page, order_id, code(ground))
    reader = street.do(lambda unit: unit.people.by_address(ChannelKind.EMAIL, NEEMA))
    assert (street.order(order_id).buyer_id, reader.language) == (reader.id, Language.SW)
    assert street.do(order_mail, order_id).address == "n•••@example.com"
    told = ground.rows("SELECT fact, channel FROM outbox WHERE person_id = ? AND fact <> ?", reader.id, CODE_LETTER)
    assert told == [("order_paid", "email")]
    ground.refuses(NotFound, ask_on_page, order_id, OTHER, Language.EN, "10.0.0.1")
    street.do(take_away, reader.id)
    assert street.do(order_mail, order_id).address == ""


def test_whoever_was_known_by_the_address_alone_brings_their_orders(street: Street, ground: Ground) -> None:
    first, second = guest(street), guest(street)
    nameless = on_page(street, first)
    assert on_page(street, second) == nameless
    given(street, OTHER_OWNER)
    assert {street.order(one).buyer_id for one in (first, second)} == {OTHER_OWNER}
    assert channels(ground) == [(NEEMA, OTHER_OWNER, "ACTIVE")]


def test_whoever_has_other_ways_keeps_their_orders(street: Street, ground: Ground) -> None:
    given(street, BUYER)
    order_id = guest(street)
    assert on_page(street, order_id) == BUYER
    given(street, OTHER_OWNER)
    assert street.order(order_id).buyer_id == BUYER


def test_an_order_that_found_its_buyer_meanwhile_is_not_given_away(street: Street, ground: Ground) -> None:
    order_id = guest(street)
    street.do(ask_on_page, order_id, NEEMA, Language.EN, "10.0.0.1")
    street.do(lambda unit: unit.orders.save(replace(unit.orders.get(order_id), buyer_id=OTHER_OWNER)))
    ground.refuses(NotFound, confirm_on_page, order_id, code(ground))


def test_nothing_is_asked_where_nothing_can_be_told(street: Street, ground: Ground) -> None:
    order_id = guest(street)
    ground.around = replace(ground.around, house=replace(ground.house, mail=False))
    assert not street.do(order_mail, order_id).may_ask
    ground.refuses(NotFound, ask_on_page, order_id, NEEMA, Language.EN, "10.0.0.1")


def test_a_code_of_the_page_is_worth_nothing_after_ten_minutes(street: Street, ground: Ground) -> None:
    order_id = guest(street)
    street.do(ask_on_page, order_id, NEEMA, Language.EN, "10.0.0.1")
    street.later(timedelta(minutes=11))
    assert street.do(waiting_code, order_id, order=True) is None
    assert ground.refuses(BadCode, confirm_on_page, order_id, code(ground)).facts["reason"] == "expired"


def test_one_mailbox_is_not_bothered_often_whoever_asks(street: Street, ground: Ground) -> None:
    """T18: three an hour, six a day; and one network cannot make us write to everybody."""
    for person in (BUYER, OTHER_OWNER, BUYER):
        street.do(ask_in_chat, person, NEEMA)
    assert ground.refuses(LimitReached, ask_in_chat, OTHER_OWNER, NEEMA).facts["limit"] == ADDRESS_HOUR[0]
    for _ in range(3):
        street.later(timedelta(hours=1))
        street.do(ask_in_chat, BUYER, NEEMA)
    street.later(timedelta(hours=1))
    assert ground.refuses(LimitReached, ask_in_chat, BUYER, NEEMA).facts["limit"] == ADDRESS_DAY[0]
    orders = [guest(street) for _ in range(8)]
    for n in range(SOURCE_HOUR[2]):
        street.do(ask_on_page, orders[n // 3], f"a{n}@example.com", Language.EN, "10.0.0.9")
    refused = ground.refuses(LimitReached, ask_on_page, orders[7], "b@example.com", Language.EN, "10.0.0.9")
    assert refused.facts["limit"] == SOURCE_HOUR[0]


def test_what_the_reader_of_a_letter_wants(street: Street, ground: Ground) -> None:
    given(street, BUYER)
    token = street.do(stop_token, NEEMA)
    assert street.do(stop_token, NEEMA) == token
    for wish, news, stopped in ((Wish.NEWS, False, False), (Wish.NEWS, False, False), (Wish.ALL, False, True), (Wish.ALL, False, True),
                                (Wish.AGAIN, True, False), (Wish.AGAIN, True, False)):  # fmt: skip
        street.do(wish_letters, token, wish)
        how = street.do(mail_wishes, token)
        assert (how.news, how.stopped, how.address) == (news, stopped, "n•••@example.com")
        assert street.do(is_stopped, NEEMA) is stopped


def test_whoever_wants_no_letter_gets_none_with_a_code_either(street: Street, ground: Ground) -> None:
    given(street, BUYER)
    street.do(wish_letters, street.do(stop_token, NEEMA), Wish.ALL)
    assert ground.refuses(BadInput, ask_in_chat, OTHER_OWNER, NEEMA).reason == "stopped"


@pytest.mark.parametrize("purpose", list(Purpose))
def test_no_other_token_opens_letters(street: Street, ground: Ground, purpose: Purpose) -> None:
    given(street, BUYER)
    token = street.do(stop_token, NEEMA)
    number = ground.tokens.read(Purpose.MAIL, token)
    assert number is not None
    strange = ground.tokens.make(purpose, number if purpose is not Purpose.MAIL else number + 1)
    for stranger in (strange, "x", ""):
        ground.refuses(NotFound, mail_wishes, stranger)
        ground.refuses(NotFound, wish_letters, stranger, Wish.ALL)


def test_a_token_of_an_address_that_nobody_reads(street: Street, ground: Ground) -> None:
    ground.refuses(NotFound, mail_wishes, street.do(stop_token, "nobody@example.com"))
