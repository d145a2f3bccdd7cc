"""People known by their number: met once, joined with whom they were before only where nobody can lose by it."""

from __future__ import annotations

from datetime import timedelta

from domain.ids import PersonId
from domain.person import ChannelKind, Language, Person, cooling_until
from domain.phone import Phone
from tests.factories import BUYER, OWNER, Street
from tests.fakes import Ground
from usecases.people import arrive, set_name
from usecases.phones import NAMELESS, arrive_by_number, own_number

PHONE = Phone("+254733000001")


def newcomer(ground: Ground) -> Person:
    person: Person = ground.unit(arrive, ChannelKind.TELEGRAM, "909", "Wangari", Language.SW)
    return person


def channels(ground: Ground, person: PersonId) -> set[tuple[ChannelKind, str]]:
    found = ground.unit(lambda unit: unit.people.channels(person))
    return {(channel.kind, channel.address) for channel in found}


def test_a_number_is_met_once_and_can_be_reached_by_sms(ground: Ground) -> None:
    person = ground.unit(arrive_by_number, PHONE)
    assert (person.name, person.phone, person.welcomed) == (NAMELESS, PHONE, False)
    assert channels(ground, person.id) == {(ChannelKind.SMS, PHONE.e164)}
    with ground.unchanged():
        assert ground.unit(arrive_by_number, PHONE) == person


def test_a_number_shared_on_telegram_is_theirs_on_the_phone(ground: Ground) -> None:
    """X1."""
    person = newcomer(ground)
    assert ground.unit(own_number, person, PHONE) == person
    assert ground.unit(arrive_by_number, PHONE) == person
    with ground.unchanged():
        assert ground.unit(own_number, person, PHONE) == person


def test_who_dialled_first_is_the_same_person_on_telegram(ground: Ground) -> None:
    """X1: what was begun on the phone is there, and the name that Telegram knows is taken where there was none."""
    before = ground.unit(arrive_by_number, PHONE)
    person = newcomer(ground)
    joined = ground.unit(own_number, person, PHONE)
    assert (joined.id, joined.name) == (before.id, "Wangari")
    assert channels(ground, before.id) == {(ChannelKind.SMS, PHONE.e164), (ChannelKind.TELEGRAM, "909")}
    assert channels(ground, person.id) == set()


def test_a_number_that_is_joined_to_a_chat_is_told_so_and_money_rests_for_a_day(ground: Ground) -> None:
    """T16: the old channel is warned; whoever asks for money next is asked to wait (`cooling_until`)."""
    before = ground.unit(arrive_by_number, PHONE)
    assert cooling_until(ground.unit(lambda unit: unit.people.channels(before.id))) is None
    ground.clock.move(timedelta(days=3))
    ground.unit(own_number, newcomer(ground), PHONE)
    assert ground.rows("SELECT fact, channel, person_id FROM outbox") == [("joined", "sms", before.id)]
    until = cooling_until(ground.unit(lambda unit: unit.people.channels(before.id)))
    assert until == ground.clock.now() + timedelta(hours=24)
    assert until > ground.clock.now()


def test_a_name_given_on_the_phone_stays(ground: Ground) -> None:
    before = ground.unit(arrive_by_number, PHONE)
    ground.unit(set_name, before.id, "Mama Wangari")
    assert ground.unit(own_number, newcomer(ground), PHONE).name == "Mama Wangari"


def test_whoever_bought_or_sold_here_stays_who_they_are(street: Street, ground: Ground) -> None:
    """T16: a number that changed hands opens no shop and no order of somebody else."""
    street.paid()
    ground.unit(arrive_by_number, PHONE)
    for known in (BUYER, OWNER):
        person = street.do(lambda unit, who: unit.people.get(who), known)
        with ground.unchanged():
            assert ground.unit(own_number, person, PHONE) == person
