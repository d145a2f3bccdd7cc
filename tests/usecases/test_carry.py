"""What was begun with the keys of a phone goes on elsewhere by one code, once, and whose number it is becomes whose chat it is."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.codes import CARRY_LIVES
from domain.errors import BadCode, LimitReached, NotFound, WrongCode
from domain.ids import OrganizationId, PersonId
from domain.life import OutboxState
from domain.person import Channel, ChannelKind, ChannelState, Conversation, Language, Member, Organization, Person, Role
from domain.phone import Phone
from domain.ports import Unit
from domain.rights import Actor, Party
from tests.factories import BUYER, OWNER, Street
from tests.fakes import Ground
from usecases import carry
from usecases.checkouts import cancel_checkout
from usecases.phones import arrive_by_number

NUMBER = Phone("+254733000111")
DIALLER, CHAT = PersonId(71), PersonId(72)
ASKER = "ip:10.0.0.1"


@pytest.fixture
def dialler(ground: Ground, street: Street) -> PersonId:
    """Somebody who is known by a number only, and a chat that nobody knows yet."""

    def come(unit: Unit) -> None:
        unit.people.add(Person(DIALLER, "?", Language.EN, Role.BUYER, NUMBER, unit.now))
        unit.people.add_channel(Channel(ChannelKind.SMS, NUMBER.e164, DIALLER, ChannelState.ACTIVE, unit.now))
        unit.people.add(Person(CHAT, "Brian", Language.EN, Role.BUYER, None, unit.now))
        unit.people.add_channel(Channel(ChannelKind.TELEGRAM, str(CHAT), CHAT, ChannelState.ACTIVE, unit.now))

    ground.unit(come)
    return DIALLER


def stands(
    ground: Ground, dialog: str, step: str, data: dict[str, Any], who: PersonId = DIALLER, on: ChannelKind = ChannelKind.USSD
) -> None:
    def put(unit: Unit) -> None:
        known = unit.conversations.get(who, on)
        fresh = Conversation(who, on, dialog, step, data, {}, unit.now)
        unit.conversations.put(fresh if known is None else replace(known, dialog=dialog, step=step, data=data, updated_at=unit.now))

    ground.unit(put)


def place(ground: Ground, who: PersonId = DIALLER, on: ChannelKind = ChannelKind.USSD) -> Conversation:
    found = ground.unit(lambda unit: unit.conversations.get(who, on))
    assert found is not None
    return found


def offered(ground: Ground, session: str = "S1") -> bool:
    return ground.unit(lambda unit: carry.offer_by_text(unit, unit.people.get(DIALLER), session))


def code_of(ground: Ground) -> str:
    (payload,) = ground.rows("SELECT payload FROM outbox WHERE fact = 'carry' ORDER BY rowid DESC LIMIT 1")[0]
    return ground.unit(carry.carried_code, DIALLER, json.loads(payload)["sealed"])


def buying(ground: Ground, street: Street, step: str = "address", **data: Any) -> str:
    """They were buying; the code that came by SMS."""
    link = street.link(name="Red sneakers")
    stands(ground, "buy", step, {"code": link.code, "quantity": 2, **data})
    assert offered(ground)
    return code_of(ground)


def bring(ground: Ground, code: str, who: PersonId = CHAT) -> carry.Carried:
    return ground.unit(lambda unit: carry.take_to_chat(unit, code, unit.people.get(who), ChannelKind.TELEGRAM, f"telegram:{who}"))


def refused_chat(ground: Ground, code: str, who: PersonId = CHAT) -> dict[str, Any]:
    refusal = ground.refuses(
        BadCode, lambda unit: carry.take_to_chat(unit, code, unit.people.get(who), ChannelKind.TELEGRAM, f"telegram:{who}")
    )
    return dict(refusal.facts)


def test_whoever_is_cut_off_gets_one_text_with_a_code_that_is_kept_nowhere(ground: Ground, street: Street, dialler: PersonId) -> None:
    code = buying(ground, street)
    assert ground.rows("SELECT fact, channel, state FROM outbox WHERE person_id = ?", dialler) == [
        ("carry", "sms", str(OutboxState.WAITING))
    ]
    stored = {name: rows for name, rows in ground.snapshot().items() if name != "outbox"}
    assert code not in str(stored)
    assert not offered(ground, "S2"), "they stand where they stood the last time"


@pytest.mark.parametrize(
    "dialog,step",
    [("home", "menu"), ("buy", "card"), ("buy", "code"), ("sell", "name"), ("sell", "done"), ("order", "confirm"), ("?", "?")],
)
def test_where_nothing_is_lost_nothing_is_sent(ground: Ground, dialler: PersonId, dialog: str, step: str) -> None:
    stands(ground, dialog, step, {})
    with ground.unchanged():
        assert not offered(ground)


def test_whoever_never_dialled_or_wants_no_messages_gets_none(ground: Ground, street: Street, dialler: PersonId) -> None:
    with ground.unchanged():
        assert not offered(ground)
    stands(ground, "sell", "price", {"name": "Bag"})

    def stop(unit: Unit) -> None:
        (channel,) = unit.people.channels(DIALLER)
        unit.people.save_channel(replace(channel, state=ChannelState.BLOCKED))

    ground.unit(stop)
    with ground.unchanged():
        assert not offered(ground)


def test_a_few_texts_a_day_and_no_more(ground: Ground, dialler: PersonId) -> None:
    sent = []
    for n in range(carry.TEXTS_A_DAY[2] + 2):
        stands(ground, "sell", "price", {"name": f"Bag {n}"})
        sent.append(offered(ground, f"S{n}"))
    assert sent.count(True) == carry.TEXTS_A_DAY[2]
    ground.clock.move(timedelta(days=1))
    assert offered(ground, "S9")


def test_an_old_code_gives_way_to_a_new_one_for_the_same_place(ground: Ground, street: Street, dialler: PersonId) -> None:
    first = buying(ground, street)
    ground.clock.move(CARRY_LIVES)
    assert offered(ground, "S2")
    assert refused_chat_unknown(ground, first)


def refused_chat_unknown(ground: Ground, code: str) -> bool:
    with pytest.raises(WrongCode) as refusal:
        bring(ground, code)
    return bool(refusal.value.facts == {"reason": "carry_unknown"})


def test_in_the_browser_it_goes_on_once_and_the_phone_says_so(ground: Ground, street: Street, dialler: PersonId) -> None:
    code = buying(ground, street, address="Kilimani")
    for _ in range(2):
        with ground.unchanged():
            assert ground.unit(carry.look_at, code.lower(), ASKER).step == "address"
    carried = ground.unit(carry.take_to_web, code, ASKER)
    assert (carried.dialog, carried.step, carried.data["address"], carried.person.id) == ("buy", "address", "Kilimani", dialler)
    left = place(ground)
    assert (left.dialog, left.step, left.data) == ("home", "menu", {"moved": "web"})
    assert ground.refuses(BadCode, carry.take_to_web, code, ASKER).facts == {"reason": "carry_used"}
    assert ground.trail(f"person:{dialler}") == [f"carried_on by {ground_actor(ground, dialler)}"]


def ground_actor(ground: Ground, who: PersonId) -> str:
    return str(ground.rows("SELECT actor FROM audit WHERE subject = ?", f"person:{who}")[0][0])


def test_a_sale_does_not_go_on_in_a_browser_which_is_nobody(ground: Ground, dialler: PersonId) -> None:
    stands(ground, "sell", "check", {"name": "Bag", "price": 100, "currency": "KES"})
    assert offered(ground)
    assert ground.unit(carry.look_at, code_of(ground), ASKER).dialog == "sell"
    ground.refuses(NotFound, carry.take_to_web, code_of(ground), ASKER)


def test_an_unknown_chat_that_brings_the_code_is_whoever_has_the_number(ground: Ground, street: Street, dialler: PersonId) -> None:
    carried = bring(ground, buying(ground, street))
    assert carried.person.id == dialler and carried.person.name == "Brian"
    assert ground.unit(lambda unit: unit.people.by_address(ChannelKind.TELEGRAM, str(CHAT))) == carried.person
    assert place(ground).data == {"moved": "telegram"}
    told = ground.rows("SELECT fact, channel, person_id FROM outbox WHERE fact = 'joined'")
    assert told == [("joined", "sms", dialler)], "the number hears of it: it may have been somebody else (T16)"


def test_the_own_chat_of_the_number_is_nothing_to_join(ground: Ground, street: Street, dialler: PersonId) -> None:
    bring(ground, buying(ground, street))
    stands(ground, "sell", "price", {"name": "Bag"})
    assert offered(ground, "S2")
    assert bring(ground, code_of(ground), dialler).person.id == dialler
    assert len(ground.rows("SELECT 1 FROM outbox WHERE fact = 'joined'")) == 1


def test_a_chat_with_something_to_lose_takes_in_a_number_with_nothing(ground: Ground, street: Street, dialler: PersonId) -> None:
    street.paid()
    code = buying(ground, street)
    assert bring(ground, code, BUYER).person.id == BUYER
    assert ground.unit(arrive_by_number, NUMBER).id == BUYER


def test_two_who_both_have_something_to_lose_stay_two(ground: Ground, street: Street, dialler: PersonId) -> None:
    """T16: a number that changed hands does not hand over a shop; a plain purchase goes on all the same."""
    street.paid()
    street.paid(buyer_id=DIALLER, phone=NUMBER)
    code = buying(ground, street)
    assert bring(ground, code, BUYER).person.id == BUYER
    assert ground.unit(arrive_by_number, NUMBER).id == dialler
    stands(ground, "sell", "price", {"name": "Bag"})
    assert offered(ground, "S2")
    assert refused_chat(ground, code_of(ground), BUYER) == {"reason": "carry_other"}


def test_a_number_that_has_a_chat_already_gets_no_second_one(ground: Ground, street: Street, dialler: PersonId) -> None:
    """T16: reading somebody's SMS is not enough to sit in their shop."""
    ground.unit(lambda unit: unit.people.add_channel(Channel(ChannelKind.TELEGRAM, "900", DIALLER, ChannelState.ACTIVE, unit.now)))
    checkout = street.checkout(buyer_id=DIALLER)
    code = buying(ground, street, "waiting", checkout=checkout.id)
    assert refused_chat(ground, code) == {"reason": "carry_other"}
    assert ground.unit(arrive_by_number, NUMBER).id == dialler


def test_a_payment_that_was_closed_or_rings_is_nothing_to_go_on_with(ground: Ground, street: Street, dialler: PersonId) -> None:
    checkout = street.checkout(buyer_id=DIALLER)
    code = buying(ground, street, "waiting", checkout=checkout.id)
    assert ground.unit(carry.look_at, code, ASKER).data["checkout"] == checkout.id
    street.do(cancel_checkout, checkout.id, Actor(Party.BUYER, "ussd", DIALLER))
    assert refused_chat(ground, code) == {"reason": "carry_over"}


def test_what_was_finished_on_the_phone_in_the_meantime_is_over(ground: Ground, street: Street, dialler: PersonId) -> None:
    code = buying(ground, street)
    stands(ground, "home", "menu", {})
    assert refused_chat(ground, code) == {"reason": "carry_over"}


def test_a_code_has_its_time(ground: Ground, street: Street, dialler: PersonId) -> None:
    code = buying(ground, street)
    ground.clock.move(CARRY_LIVES)
    assert refused_chat(ground, code) == {"reason": "carry_expired"}


@pytest.mark.parametrize("typed", ["K7Q2M9", "", "x" * 5000, "*", "%", "12345"])
def test_guessing_is_counted_and_ends(ground: Ground, street: Street, dialler: PersonId, typed: str) -> None:
    """W1, T18: the right one is refused as well to whoever guessed too often, and to nobody else."""
    code = buying(ground, street)
    for _ in range(carry.WRONG[2]):
        with pytest.raises(WrongCode) as refusal:
            ground.unit(carry.look_at, typed, ASKER)
        assert refusal.value.facts == {"reason": "carry_unknown"}
    assert ground.refuses(LimitReached, carry.look_at, code, ASKER).facts["limit"] == carry.WRONG[0]
    assert ground.unit(carry.look_at, code, "ip:10.0.0.2").dialog == "buy"


def test_two_codes_are_never_the_same(ground: Ground, street: Street, dialler: PersonId) -> None:
    ground.chance.throws = [5]
    first = buying(ground, street)
    other = PersonId(73)

    def come(unit: Unit) -> None:
        unit.people.add(Person(other, "?", Language.EN, Role.BUYER, None, unit.now))
        unit.people.add_channel(Channel(ChannelKind.SMS, "+254733000112", other, ChannelState.ACTIVE, unit.now))

    ground.unit(come)
    stands(ground, "sell", "price", {"name": "Bag"}, other)

    def offer(unit: Unit) -> bool:
        # The dice fall as before, and then otherwise.
        ground.chance.throws = [5, 6]
        return carry.offer_by_text(unit, unit.people.get(other), "S7")

    assert ground.unit(offer)
    assert ground.unit(carry.look_at, first, ASKER).person.id == dialler


def test_what_began_in_the_chat_goes_on_with_the_keys(ground: Ground, street: Street, dialler: PersonId) -> None:
    """Identity is joined by number: no code is needed."""
    bring(ground, buying(ground, street))
    stands(ground, "sell", "photos", {"name": "Bag", "price": 100, "currency": "KES"}, on=ChannelKind.TELEGRAM)

    def begun(unit: Unit) -> Conversation | None:
        return carry.begun_elsewhere(unit, unit.people.get(DIALLER), ChannelKind.USSD, ChannelKind.TELEGRAM)

    found = ground.unit(begun)
    assert found is not None
    ground.unit(carry.leave_there, found, ChannelKind.USSD)
    assert ground.unit(begun) is None, "they said that they start over"
    stands(ground, "sell", "stock", {"name": "Bag", "price": 100, "currency": "KES"}, on=ChannelKind.TELEGRAM)
    found = ground.unit(begun)
    assert found is not None
    carried = ground.unit(carry.fetch, found, ChannelKind.USSD)
    assert (carried.dialog, carried.step, carried.person.id) == ("sell", "check", dialler), "a small screen asks for no photos"
    assert place(ground, on=ChannelKind.TELEGRAM).data == {"moved": "ussd"}
    assert ground.unit(begun) is None


def test_what_began_long_ago_or_never_is_not_offered(ground: Ground, dialler: PersonId) -> None:
    def begun(unit: Unit) -> Conversation | None:
        return carry.begun_elsewhere(unit, unit.people.get(DIALLER), ChannelKind.USSD, ChannelKind.TELEGRAM)

    assert ground.unit(begun) is None
    stands(ground, "sell", "price", {"name": "Bag"}, on=ChannelKind.TELEGRAM)
    assert ground.unit(begun) is not None
    ground.clock.move(CARRY_LIVES + timedelta(seconds=1))
    assert ground.unit(begun) is None


def test_the_owner_of_a_shop_with_nothing_sold_is_still_not_swallowed(ground: Ground, street: Street, dialler: PersonId) -> None:
    """A shop is something to lose even before its first link."""

    def open_shop(unit: Unit) -> None:
        unit.organizations.add(Organization(OrganizationId(5), "Dial shop", "KE", "KES", 250, unit.now))
        unit.organizations.add_member(Member(OrganizationId(5), DIALLER, Party.OWNER, unit.now))

    ground.unit(open_shop)
    street.paid()
    street.link()
    stands(ground, "sell", "price", {"name": "Bag"})
    assert offered(ground)
    assert refused_chat(ground, code_of(ground), OWNER) == {"reason": "carry_other"}
