"""Text messages: delivery reports in any order, and the words STOP and START."""

from __future__ import annotations

import itertools
from urllib.parse import urlencode

import pytest

from domain.life import InboxState, OutboxState
from domain.payment import Unreadable
from domain.person import Channel, ChannelKind, ChannelState, Language
from domain.phone import Phone
from domain.ports import Delivery, Sent, Unit
from domain.records import InboxEvent, OutboxMessage, RawEvent
from tests.factories import ADMIN, BUYER, DAY, PHONE, Street, admin
from tests.fakes import Ground
from usecases import texting
from usecases.outbox import claim_messages, retry_dead
from usecases.people import arrive, channel_gone
from usecases.tell import tell_person
from usecases.texting import FINAL, Inbound, KeyTwice, Report, Texted, Wish

REF = "ATPid_1"


@pytest.fixture(autouse=True)
def by_phone(street: Street, ground: Ground) -> None:
    """The buyer is reached by SMS alone, until Telegram is `unblocked`."""

    def give(unit: Unit) -> None:
        channel_gone(unit, BUYER, ChannelKind.TELEGRAM)
        unit.people.add_channel(Channel(ChannelKind.SMS, PHONE.e164, BUYER, ChannelState.ACTIVE, unit.now))

    ground.unit(give)


def unblocked(ground: Ground) -> None:
    ground.unit(arrive, ChannelKind.TELEGRAM, str(BUYER), "", Language.EN)


def claim(ground: Ground, key: str = "k") -> OutboxMessage:
    """One text message on its way."""
    ground.unit(tell_person, BUYER, "payment_failed", key, result="no")
    (message,) = ground.unit(claim_messages, 10, ChannelKind.SMS)
    return message


def sent(ground: Ground, ref: str | None = REF, key: str = "k") -> OutboxMessage:
    message = claim(ground, key)
    ground.unit(texting.record_text, message.id, Sent(Delivery.SENT, ref))
    return now(ground, message)


def now(ground: Ground, message: OutboxMessage) -> OutboxMessage:
    return ground.unit(lambda unit: unit.outbox.get(message.id))


def report(ground: Ground, status: str, reason: str = "", ref: str = REF) -> Texted:
    fields = {
        "id": ref,
        "status": status,
        "phoneNumber": PHONE.e164,
        "networkCode": "63902",
        **({"failureReason": reason} if reason else {}),
    }
    raw = RawEvent(texting.GATEWAY, texting.REPORT, urlencode(fields).encode(), "10.0.0.1")
    return ground.unit(texting.receive_report, raw, texting.read_report(texting.fields_of(raw.raw)))


def says(ground: Ground, text: str, number: str = "1", sender: str = PHONE.e164) -> Texted:
    raw = RawEvent(
        texting.GATEWAY, texting.INBOUND, urlencode({"id": number, "from": sender, "to": "22384", "text": text}).encode(), "10.0.0.1"
    )
    return ground.unit(texting.receive_inbound, raw, texting.read_inbound(texting.fields_of(raw.raw)))


def event(ground: Ground, key: str) -> InboxEvent:
    found = ground.unit(lambda unit: unit.inbox.by_key(texting.GATEWAY, key))
    assert found is not None
    return found


def channel(ground: Ground, phone: Phone = PHONE) -> ChannelState:
    rows = ground.rows("SELECT state FROM channels WHERE kind = 'sms' AND address = ?", phone.e164)
    return ChannelState(rows[0][0])


def test_the_id_is_kept_and_a_report_finds_the_message(ground: Ground) -> None:
    message = sent(ground)
    assert (message.state, message.payload) == (OutboxState.SENT, {"result": "no"})
    assert report(ground, "Success") is Texted.APPLIED
    told = now(ground, message)
    assert (told.state, told.error, told.report) == (OutboxState.SENT, "", "Success")
    kept = event(ground, f"delivery:{REF}:Success")
    assert (kept.state, kept.kind, kept.source, kept.act_at) == (InboxState.APPLIED, "delivery", "10.0.0.1", None)


def test_a_message_without_an_id_is_sent_all_the_same(ground: Ground) -> None:
    assert sent(ground, None).payload == {"result": "no"}


def test_an_id_that_was_given_to_another_message_brings_this_one_no_reports(ground: Ground) -> None:
    first = sent(ground)
    report(ground, "Success")
    second = sent(ground, key="another")
    assert (now(ground, first).ref, second.ref, second.report, second.state) == (REF, None, "", OutboxState.SENT)
    assert channel(ground) is ChannelState.ACTIVE


def test_a_report_a_hundred_times_is_one_report(ground: Ground) -> None:
    """C1."""
    sent(ground)
    report(ground, "Failed", "DeliveryFailure")
    with ground.unchanged():
        assert {report(ground, "Failed", "DeliveryFailure") for _ in range(100)} == {Texted.REPEATED}


@pytest.mark.parametrize("order", list(itertools.permutations(["Sent", "Buffered", "Success"])), ids="-".join)
def test_reports_in_any_order_end_in_the_same(ground: Ground, order: tuple[str, ...]) -> None:
    """C3: what is final stays."""
    message = sent(ground)
    for status in order:
        report(ground, status)
    assert (now(ground, message).report, now(ground, message).error) == ("Success", "")


@pytest.mark.parametrize("first,second", list(itertools.permutations(FINAL, 2)))
def test_the_first_final_report_stands(ground: Ground, first: str, second: str) -> None:
    """C3."""
    message = sent(ground)
    assert report(ground, first) is Texted.APPLIED
    assert report(ground, second, "UserInBlackList") is Texted.IGNORED
    assert now(ground, message).report == first
    assert channel(ground) is ChannelState.ACTIVE


@pytest.mark.parametrize(
    "reason,error,gone",
    [
        ("", "undelivered:Failed", False),
        ("DeliveryFailure", "undelivered:DeliveryFailure", False),
        ("UserIsInactive", "undelivered:UserIsInactive", False),
        ("UserInBlackList", "undelivered:UserInBlackList", True),
        ("UserInBlacklist", "undelivered:UserInBlacklist", True),
        ("UserDoesNotExist", "undelivered:UserDoesNotExist", True),
        ("NotNetworkSubscriber", "undelivered:NotNetworkSubscriber", True),
        ("<b>junk & more", "undelivered:Failed", False),
    ],
)
def test_why_it_did_not_arrive(ground: Ground, reason: str, error: str, gone: bool) -> None:
    """T1: whoever cannot be reached there is not written to there any more."""
    message = sent(ground)
    assert report(ground, "Failed", reason) is Texted.APPLIED
    assert (now(ground, message).error, now(ground, message).state) == (error, OutboxState.SENT)
    assert channel(ground) is (ChannelState.BLOCKED if gone else ChannelState.ACTIVE)


def test_what_cannot_arrive_is_said_another_way(ground: Ground) -> None:
    """T1: the next channel is tried, once."""
    sent(ground)
    unblocked(ground)
    report(ground, "Failed", "UserDoesNotExist")
    (again,) = ground.unit(claim_messages, 10, ChannelKind.TELEGRAM)
    assert (again.channel, again.fact, again.payload, again.sent_at) == (ChannelKind.TELEGRAM, "payment_failed", {"result": "no"}, None)


def test_a_success_that_gives_a_reason_is_a_success(ground: Ground) -> None:
    sent(ground)
    report(ground, "Success", "UserInBlackList")
    assert channel(ground) is ChannelState.ACTIVE


def test_a_report_for_a_message_nobody_sent_is_kept_and_does_nothing(ground: Ground) -> None:
    before = ground.rows("SELECT * FROM outbox")
    assert report(ground, "Failed", "UserInBlackList", "ATPid_stranger") is Texted.STRANGE
    assert report(ground, "Failed", "UserInBlackList", "ATPid_stranger") is Texted.REPEATED
    kept = event(ground, "delivery:ATPid_stranger:Failed")
    assert (kept.state, kept.error) == (InboxState.IGNORED, "unknown_id")
    assert (ground.rows("SELECT * FROM outbox"), channel(ground), ground.alerts()) == (before, ChannelState.ACTIVE, [])


def test_a_report_that_is_faster_than_our_own_note_is_applied_after_it(ground: Ground) -> None:
    """C2."""
    message = claim(ground)
    assert report(ground, "Sent") is Texted.STRANGE
    assert report(ground, "Failed", "UserInBlackList") is Texted.STRANGE
    ground.unit(texting.record_text, message.id, Sent(Delivery.SENT, REF))
    assert (now(ground, message).error, channel(ground)) == ("undelivered:UserInBlackList", ChannelState.BLOCKED)
    kept = event(ground, f"delivery:{REF}:Failed")
    assert (kept.state, kept.error) == (InboxState.APPLIED, "")
    ground.unit(lambda unit: texting.record_text(unit, message.id, Sent(Delivery.SENT, REF)))
    assert event(ground, f"delivery:{REF}:Failed") == kept


def test_a_message_sent_again_has_a_new_fate(ground: Ground, street: Street) -> None:
    """K4: reports about the earlier one change nothing."""
    message = sent(ground)
    report(ground, "Sent")
    ground.connection.execute("UPDATE outbox SET state = 'DEAD' WHERE id = ?", (message.id,))
    ground.unit(retry_dead, admin, message.id)
    (again,) = ground.unit(claim_messages, 10, ChannelKind.SMS)
    ground.unit(texting.record_text, again.id, Sent(Delivery.SENT, "ATPid_2"))
    assert now(ground, message).payload == {"result": "no"}
    assert report(ground, "Failed", "UserInBlackList") is Texted.STRANGE
    assert report(ground, "Success", ref="ATPid_2") is Texted.APPLIED
    assert (now(ground, message).report, channel(ground)) == ("Success", ChannelState.ACTIVE)


def test_an_opt_out_that_the_provider_knows_of_ends_it(ground: Ground) -> None:
    """406 (O1-O3 end in the messenger): GONE."""
    message = claim(ground)
    assert ground.unit(texting.record_text, message.id, Sent(Delivery.GONE, error="opted_out")) is OutboxState.SKIPPED
    assert channel(ground) is ChannelState.BLOCKED


def test_a_lost_answer_is_marked_and_not_forgotten(ground: Ground) -> None:
    """O2: whatever is said again says that it may have been said before."""
    message = claim(ground)
    assert ground.unit(texting.record_text, message.id, Sent(Delivery.UNKNOWN, error="ReadTimeout")) is OutboxState.WAITING
    assert now(ground, message).error == "unknown"


def test_an_empty_account_is_told_once_a_day(ground: Ground, street: Street) -> None:
    for n in range(3):
        ground.unit(texting.record_text, claim(ground, f"a{n}").id, Sent(Delivery.LATER, retry_after_s=10**6, error="insufficient_balance"))
    sent(ground, key="b")
    report(ground, "Rejected", "InsufficientCredit")
    assert ground.alerts() == ["sms_insufficient_balance"]
    assert f"alert>{ADMIN}" in ground.told()
    street.later(DAY)
    sent(ground, "ATPid_9", "c")
    report(ground, "Failed", "InsufficientCredit", "ATPid_9")
    assert ground.alerts() == ["sms_insufficient_balance"] * 2


@pytest.mark.parametrize(
    "text,wish",
    [
        ("STOP", Wish.STOP), (" stop. ", Wish.STOP), ("Acha!", Wish.STOP), ("إيقاف", Wish.STOP), ("ايقاف", Wish.STOP), ("إِيقَاف", Wish.STOP),
        ("START", Wish.START), ("anza", Wish.START), ("ابدأ", Wish.START), ("ابدا", Wish.START), ("Ｓtart", Wish.START),
        ("", Wish.NONE), ("stop 5", Wish.STOP), ("stop it", Wish.NONE), ("BAL", Wish.NONE), ("123", Wish.NONE), ("non-stop", Wish.NONE),
    ],
)  # fmt: skip
def test_the_words_for_silence_and_for_messages_again(text: str, wish: Wish) -> None:
    assert Inbound("1", PHONE, "22384", text).wish is wish


def test_stop_is_done_at_once_and_start_undoes_it(ground: Ground) -> None:
    """A STOP is not heard by a conversation: the first word written there would open the channel again."""
    assert says(ground, "STOP", "1") is Texted.STOPPED
    assert (channel(ground), event(ground, "inbound:1").state) == (ChannelState.BLOCKED, InboxState.APPLIED)
    ground.unit(tell_person, BUYER, "payment_failed", "k", result="no")
    assert ground.unit(claim_messages, 10, ChannelKind.SMS) == []
    assert says(ground, "HELLO", "2") is Texted.FRESH
    assert channel(ground) is ChannelState.BLOCKED
    assert says(ground, "anza", "3") is Texted.FRESH
    assert channel(ground) is ChannelState.ACTIVE
    assert says(ground, "STOP", "1") is Texted.REPEATED
    assert channel(ground) is ChannelState.ACTIVE


def test_whoever_says_stop_before_we_know_them_is_remembered(ground: Ground) -> None:
    other = Phone("+254733000222")
    assert says(ground, "ACHA", sender=other.e164) is Texted.STOPPED
    assert channel(ground, other) is ChannelState.BLOCKED
    person = ground.unit(lambda unit: unit.people.by_address(ChannelKind.SMS, other.e164))
    assert person is not None
    assert ground.unit(lambda unit: unit.people.reach(person.id)) == []


def test_other_ways_to_reach_them_stay_open(ground: Ground) -> None:
    unblocked(ground)
    says(ground, "STOP")
    assert [way.kind for _, way in ground.unit(lambda unit: unit.people.reach(BUYER))] == [ChannelKind.TELEGRAM]


def test_what_is_said_is_kept_once_for_whoever_hears_it(ground: Ground, street: Street) -> None:
    """Incoming messages come again until they are answered."""
    assert says(ground, "SELL Red sneakers 2500") is Texted.FRESH
    kept = event(ground, "inbound:1")
    assert (kept.state, kept.act_at) == (InboxState.STORED, ground.clock.at + texting.HANDLED_IN)
    with ground.unchanged():
        assert {says(ground, "SELL Red sneakers 2500") for _ in range(100)} == {Texted.REPEATED}
    heard = texting.read_inbound(texting.fields_of(kept.raw))
    assert (heard.phone, heard.to, heard.text, heard.event_key) == (PHONE, "22384", "SELL Red sneakers 2500", "inbound:1")


def test_a_forged_sender_moves_no_money(ground: Ground, street: Street) -> None:
    """T15: `from` proves nothing; the message waits for a conversation, and the order stays as it was."""
    order = street.paid()
    money = ground.books()
    for n, text in enumerate((f"CONFIRM {order.number}", f"YES {order.delivery_code}", "STOP", "START")):
        says(ground, text, str(n))
    assert ground.books() == money
    assert street.order(order.id) == order


@pytest.mark.parametrize("sender", ["SAFARICOM", "22384", "+2547", "x" * 5000])
def test_what_nobody_can_answer_is_kept_and_not_heard(ground: Ground, sender: str) -> None:
    assert says(ground, "STOP", sender=sender) is Texted.IGNORED
    assert (event(ground, "inbound:1").state, event(ground, "inbound:1").error) == (InboxState.IGNORED, "nobody")


def test_what_cannot_be_understood_is_parked_with_one_alert(ground: Ground) -> None:
    raw = RawEvent(texting.GATEWAY, texting.REPORT, b"{}", "10.0.0.1")
    assert ground.unit(texting.park, raw, "unreadable:1") is Texted.PARKED
    assert ground.unit(texting.park, raw, "unreadable:1") is Texted.REPEATED
    assert (event(ground, "unreadable:1").state, event(ground, "unreadable:1").raw) == (InboxState.PARKED, b"{}")
    assert ground.alerts() == ["event_unreadable"]


def test_a_form_is_read_strictly() -> None:
    """C17."""
    assert texting.fields_of(b"id=1&text=a%2Bb+c%20%D8%A3&linkId=&x") == {"id": "1", "text": "a+b c أ", "linkId": "", "x": ""}
    assert texting.fields_of("text=أ".encode()) == {"text": "أ"}
    with pytest.raises(KeyTwice):
        texting.fields_of(b"id=1&id=1")
    for raw in (b"\xff=1", b"id=%FF", b"&".join(b"k%d=1" % n for n in range(100))):
        with pytest.raises(Unreadable) as problem:
            texting.fields_of(raw)
        assert not isinstance(problem.value, KeyTwice)


@pytest.mark.parametrize(
    "fields",
    [{}, {"id": REF}, {"status": "Success"}, {"id": "", "status": "Success"}, {"id": "a b", "status": "Success"}, {"id": "x" * 101, "status": "Sent"},
     {"id": "a\0", "status": "Sent"}, {"id": REF, "status": "<b>"}, {"id": REF, "status": "S" * 41}, {"id": REF, "status": "Sent\n"}],
)  # fmt: skip
def test_what_is_no_report(fields: dict[str, str]) -> None:
    with pytest.raises(Unreadable):
        texting.read_report(fields)


def test_a_report_is_read() -> None:
    assert texting.read_report({"id": REF, "status": "Failed", "failureReason": "UserInBlackList"}) == Report(
        REF, "Failed", "UserInBlackList"
    )


@pytest.mark.parametrize(
    "fields", [{}, {"id": "1"}, {"from": PHONE.e164}, {"id": "", "from": PHONE.e164}, {"id": "a\0", "from": PHONE.e164}]
)
def test_what_is_no_message(fields: dict[str, str]) -> None:
    with pytest.raises(Unreadable):
        texting.read_inbound(fields)


@pytest.mark.parametrize("sender", [PHONE.e164, " 254712345678", "254712345678"])
def test_a_message_is_read(sender: str) -> None:
    """An unescaped plus comes as a space; a NUL cannot be stored."""
    fields = {"id": "1", "from": sender, "to": "22384", "text": "SELL\0 x", "linkId": "L1"}
    assert texting.read_inbound(fields) == Inbound("1", PHONE, "22384", "SELL x", "L1")
