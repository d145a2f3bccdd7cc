"""Who is told: every member of the seller and the buyer, once for each fact; alerts to whoever runs the house."""

from __future__ import annotations

import json
from dataclasses import replace

from domain.facts import FACTS
from domain.person import Channel, ChannelKind, ChannelState
from domain.ports import Delivery, Sent
from tests.factories import ADMIN, BUYER, MANAGER, OTHER_OWNER, OWNER, STAFF, Street, staff
from tests.fakes import Ground
from usecases.links import tell_link
from usecases.outbox import claim_messages, record_sent
from usecases.people import channel_gone
from usecases.tell import ADMINS, alert, keep_admin_chat, tell_another_way, tell_order, tell_person


def payloads(ground: Ground, fact: str) -> list[tuple[int, str, dict[str, object]]]:
    rows = ground.rows("SELECT person_id, key, payload FROM outbox WHERE fact = ? ORDER BY rowid", fact)
    return [(person, key, json.loads(payload)) for person, key, payload in rows]


def test_both_sides_hear_of_an_order_and_each_knows_as_what(street: Street, ground: Ground) -> None:
    order = street.paid()
    told = payloads(ground, "order_paid")
    assert [(person, payload["side"]) for person, _, payload in told] == [
        (OWNER, "seller"),
        (MANAGER, "seller"),
        (STAFF, "seller"),
        (BUYER, "buyer"),
    ]
    assert {key for _, key, _ in told} == {f"order_paid:{order.id}:0:seller", f"order_paid:{order.id}:0:buyer"}
    assert OTHER_OWNER not in {person for person, _, _ in told}
    row = ground.rows("SELECT urgency, order_id, state FROM outbox LIMIT 1")[0]
    assert row == (int(FACTS["order_paid"].urgency), order.id, "WAITING")


def test_one_fact_is_told_once_and_another_of_its_kind_again(street: Street, ground: Ground) -> None:
    order = street.paid()
    for once in ("first", "first", "second"):
        street.do(tell_order, order, "warn_release", once=once, seller=False)
    assert [key for _, key, _ in payloads(ground, "warn_release")] == [
        f"warn_release:{order.id}:first:buyer",
        f"warn_release:{order.id}:second:buyer",
    ]


def test_one_side_alone_can_be_told_and_who_did_it_is_named(street: Street, ground: Ground) -> None:
    order = street.paid()
    street.do(tell_order, order, "remind_ship", buyer=False, actor=staff, days=2)
    assert [(person, payload) for person, _, payload in payloads(ground, "remind_ship")] == [
        (person, {"side": "seller", "actor": STAFF, "days": 2}) for person in (OWNER, MANAGER, STAFF)
    ]


def test_a_guest_is_told_nothing_and_a_blocked_channel_neither(street: Street, ground: Ground) -> None:
    order = street.paid(buyer_id=None)
    with ground.unchanged():
        street.do(tell_order, order, "warn_release", seller=False)
        ground.unit(tell_person, None, "payment_failed", "k")
        assert ground.wakes == []
    ground.unit(channel_gone, BUYER, ChannelKind.TELEGRAM)
    with ground.unchanged():
        ground.unit(tell_person, BUYER, "payment_failed", "k")


def test_a_written_message_wakes_the_worker(street: Street, ground: Ground) -> None:
    ground.unit(tell_person, BUYER, "payment_failed", "k", result="no")
    assert ground.wakes == [("outbox", {})]


def test_an_alert_is_written_down_even_if_nobody_is_there_to_hear_it(street: Street, ground: Ground) -> None:
    ground.unit(alert, "event_parked", "7", gateway="daraja")
    assert payloads(ground, "alert") == [(ADMIN, "alert:event_parked:7", {"what": "event_parked", "gateway": "daraja"})]
    assert ("alert", {"what": "event_parked", "key": "7"}) in ground.wakes
    ground.unit(lambda unit: unit.marks.put(ADMINS, {"persons": []}))
    ground.unit(alert, "event_parked", "8", gateway="daraja")
    ground.connection.execute("DELETE FROM marks")
    ground.unit(alert, "event_parked", "9", gateway="daraja")
    assert len(payloads(ground, "alert")) == 1
    assert [ground.trail(f"alert:event_parked:{key}") for key in "789"] == [["event_parked by clock@job"]] * 3


def test_the_chat_named_in_the_settings_hears_alerts(street: Street, ground: Ground) -> None:
    with ground.unchanged():
        ground.unit(keep_admin_chat, ChannelKind.TELEGRAM, "")
    ground.unit(keep_admin_chat, ChannelKind.TELEGRAM, "-100200")
    with ground.unchanged():
        ground.unit(keep_admin_chat, ChannelKind.TELEGRAM, "-100200")
    ground.unit(alert, "event_parked", "7")
    told = [person for person, _, _ in payloads(ground, "alert")]
    assert (len(told), told[0]) == (2, ADMIN)


def test_each_person_is_told_once_by_the_best_way_that_works(street: Street, ground: Ground) -> None:
    ground.unit(lambda unit: unit.people.add_channel(Channel(ChannelKind.SMS, "+254722000001", BUYER, ChannelState.ACTIVE, unit.now)))
    order = street.paid()
    assert [kind for (kind,) in ground.rows("SELECT channel FROM outbox WHERE person_id = ?", BUYER)] == ["telegram"]
    ground.unit(channel_gone, BUYER, ChannelKind.TELEGRAM)
    street.do(tell_order, order, "warn_release", seller=False)
    assert ground.rows("SELECT channel FROM outbox WHERE fact = 'warn_release'") == [("sms",)]


def test_what_was_asked_for_on_the_phone_comes_by_sms(street: Street, ground: Ground) -> None:
    link = street.link()
    street.do(tell_link, link, OWNER, "k")
    ((channel, payload),) = ground.rows("SELECT channel, payload FROM outbox WHERE fact = 'link_made'")
    assert channel == "sms"
    assert json.loads(payload) == {"name": "Sneakers", "code": link.code, "amount_minor": 250_000, "currency": "KES"}


def test_a_channel_that_is_gone_hands_over_to_the_next_but_not_a_screen(street: Street, ground: Ground) -> None:
    """T1."""
    ground.unit(lambda unit: unit.people.add_channel(Channel(ChannelKind.SMS, "+254722000001", BUYER, ChannelState.ACTIVE, unit.now)))
    street.paid()
    for message in ground.unit(claim_messages, 50, ChannelKind.TELEGRAM):
        ground.unit(record_sent, message.id, Sent(Delivery.GONE))
    assert ground.rows("SELECT channel, state FROM outbox WHERE person_id = ? ORDER BY channel", BUYER) == [
        ("sms", "WAITING"),
        ("telegram", "SKIPPED"),
    ]
    (text,) = ground.unit(claim_messages, 50, ChannelKind.SMS)
    ground.unit(record_sent, text.id, Sent(Delivery.GONE))
    assert ground.unit(claim_messages, 50, ChannelKind.SMS) == []
    ground.unit(tell_another_way, replace(text, fact="screen"))
    assert ground.unit(claim_messages, 50, ChannelKind.SMS) == []
