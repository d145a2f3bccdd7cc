"""Events as they come: stored whole, applied once, kept when they cannot be applied, parked when they cannot be right."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import Stale
from domain.ids import AttemptId, RefundId
from domain.life import InboxState
from domain.money import Money
from domain.payment import Notice, Outcome, Proof, Reply, Unreadable
from domain.ports import Unit
from domain.records import InboxEvent, RawEvent
from tests.factories import ADMIN, SECOND, Street, admin, buyer
from tests.fakes import FakeGateway, Ground, GroundStore
from usecases.orders import cancel_order
from usecases.refunds import begin_refund, retry_refund
from usecases.settlement import Received, apply_stored, ask_gateway, receive, understand

RAW = RawEvent("daraja", "stk", b'{"a": 1}', "196.201.214.200", {"attempt_id": 1})


def event(ground: Ground, key: str) -> InboxEvent:
    found = ground.unit(lambda unit: unit.inbox.by_key("daraja", key))
    assert found is not None
    return found


def test_an_event_is_stored_whole_and_applied_in_the_same_unit(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    notice = street.success(attempt)
    assert ground.unit(receive, RAW, notice.event_key, notice) is Received.APPLIED
    kept = event(ground, notice.event_key)
    assert (kept.raw, kept.source, kept.kind, kept.headers) == (RAW.raw, RAW.source, "stk", {"attempt_id": 1})
    assert (kept.state, kept.tries, kept.error, kept.act_at, kept.received_at) == (InboxState.APPLIED, 1, "", None, ground.clock.at)
    assert street.order_of(attempt).total == Money(250_000, "KES")
    with ground.unchanged():
        for _ in range(100):
            assert ground.unit(receive, RAW, notice.event_key, notice) is Received.REPEATED


def test_an_event_that_does_nothing_is_stored_all_the_same(street: Street, ground: Ground) -> None:
    order = street.paid()
    notice = street.success(street.attempt_now(order.attempt_id), event_key="again")
    assert ground.unit(receive, RAW, "again", notice) is Received.APPLIED
    assert event(ground, "again").state is InboxState.IGNORED
    with ground.unchanged():
        assert ground.unit(receive, RAW, "again", notice) is Received.REPEATED


def test_a_body_that_cannot_be_understood_is_parked_with_an_alert(street: Street, ground: Ground) -> None:
    assert ground.unit(receive, RAW, "unreadable:1", None) is Received.PARKED
    assert (event(ground, "unreadable:1").state, event(ground, "unreadable:1").error) == (InboxState.PARKED, "unreadable")
    assert (ground.alerts(), ground.told()) == (["event_unreadable"], [f"alert>{ADMIN}"])
    assert ground.unit(receive, RAW, "unreadable:1", None) is Received.REPEATED
    assert ground.told() == [f"alert>{ADMIN}"]


def test_an_event_that_came_too_early_is_kept_and_applied_later(street: Street, ground: Ground) -> None:
    early = Notice("daraja", "early", "stk", Outcome.SUCCEEDED, Proof.HINT, ref="ws_later", receipt="REARLY", money=Money(250_000, "KES"))
    assert ground.unit(receive, RAW, "early", early) is Received.STORED
    kept = event(ground, "early")
    assert (kept.state, kept.error, kept.act_at) == (InboxState.STORED, "not_found", ground.clock.at + 30 * SECOND)
    assert ground.unit(apply_stored, kept, early) is InboxState.STORED
    kept = event(ground, "early")
    assert (kept.tries, kept.act_at) == (2, ground.clock.at + 60 * SECOND)
    attempt = street.ringing()
    mine = replace(early, attempt_id=attempt.id, ref=f"ws_{attempt.id}")
    assert ground.unit(apply_stored, kept, mine) is InboxState.APPLIED
    assert event(ground, "early").act_at is None
    assert street.order_of(attempt).proved is False


def test_an_event_that_never_finds_its_owner_is_parked_after_twenty_tries(street: Street, ground: Ground) -> None:
    lost = Notice("daraja", "lost", "stk", Outcome.SUCCEEDED, Proof.HINT, AttemptId(1), money=Money(1, "KES"))
    ground.unit(receive, RAW, "lost", lost)
    states = [ground.unit(apply_stored, event(ground, "lost"), lost) for _ in range(19)]
    assert states == [InboxState.STORED] * 18 + [InboxState.PARKED]
    assert (event(ground, "lost").tries, event(ground, "lost").act_at) == (20, None)
    assert ground.alerts() == ["event_parked"]


def test_an_event_that_contradicts_the_books_is_parked_at_once_and_the_alert_is_kept(street: Street, ground: Ground) -> None:
    attempt, other = street.ringing(), street.ringing()
    forged = street.success(attempt, ref=f"ws_{other.id}")
    books = ground.books()
    assert ground.unit(receive, RAW, forged.event_key, forged) is Received.PARKED
    assert (event(ground, forged.event_key).state, event(ground, forged.event_key).error) == (InboxState.PARKED, "mismatch")
    assert (ground.alerts(), ground.told(), ground.books()) == (["event_contradicts"], [f"alert>{ADMIN}"], books)
    assert street.no_order(attempt) and street.no_order(other)


def test_the_truth_is_not_kept_out_by_a_lie_that_was_told_first_at_another_address(street: Street, ground: Ground) -> None:
    attempt, other = street.ringing(), street.ringing()
    truth = street.success(attempt)
    lie = replace(truth, attempt_id=other.id)
    assert ground.unit(receive, replace(RAW, headers={"attempt_id": other.id}), truth.event_key, lie) is Received.PARKED
    ground.unit(receive, replace(RAW, headers={"attempt_id": attempt.id}), truth.event_key, truth)
    assert street.order_of(attempt).attempt_id == attempt.id


def test_a_failed_refund_that_is_tried_again_is_not_failed_by_the_old_event(street: Street, ground: Ground) -> None:
    order = street.paid()
    ground.unit(cancel_order, buyer, order.number)
    refund = street.send_refund(street.refund_of(order.attempt_id))
    failed = Notice("daraja", "reversal:1", "reversal", Outcome.DECLINED, Proof.HINT, ref="conversation", refund_id=refund.id, result="no")
    raw = replace(RAW, headers={"refund_id": refund.id})
    assert ground.unit(receive, raw, "reversal:1", failed) is Received.APPLIED
    ground.unit(retry_refund, admin, refund.id)
    assert ground.unit(begin_refund, refund.id, False) is not None
    with ground.unchanged():
        assert ground.unit(receive, raw, "reversal:1", failed) is Received.REPEATED


def test_a_refunds_event_is_applied_to_the_refund(street: Street, ground: Ground) -> None:
    order = street.paid()
    ground.unit(cancel_order, buyer, order.number)
    refund = street.send_refund(street.refund_of(order.attempt_id))
    done = Notice("daraja", "reversal:2", "reversal", Outcome.SUCCEEDED, Proof.HINT, ref="conversation", refund_id=refund.id)
    assert street.tell(done) == "noted"
    assert ground.books() == {}


def test_a_lost_race_is_not_an_event_that_cannot_be_applied(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    notice = street.success(attempt)

    class Racing:
        """A unit whose payments somebody else has just changed."""

        def __init__(self, unit: Unit) -> None:
            self.unit = unit

        def __getattr__(self, name: str) -> Any:
            if name == "payments":
                raise Stale
            return getattr(self.unit, name)

    def second(unit: Unit, work: Any, *args: Any) -> None:
        work(Racing(unit), *args)

    ground.refuses(Stale, second, receive, RAW, notice.event_key, notice)
    ground.unit(receive, RAW, "stored", replace(notice, attempt_id=AttemptId(1), ref=None))
    ground.refuses(Stale, second, apply_stored, event(ground, "stored"), notice)


# --- understanding ---------------------------------------------------------------------------------------------------


def test_whose_event_it_is_stands_in_what_the_door_wrote_beside_it() -> None:
    raw = json.dumps({"ref": "ws_1", "outcome": "SUCCEEDED", "minor": 100, "receipt": "R1"}).encode()
    gateway = FakeGateway()
    notice = understand(gateway, RawEvent("daraja", "stk", raw, "", {"attempt_id": 7}))
    assert (notice.attempt_id, notice.refund_id, notice.ref, notice.money) == (7, None, "ws_1", Money(100, "KES"))
    notice = understand(gateway, RawEvent("daraja", "reversal", raw, "", {"refund_id": 8}))
    assert (notice.attempt_id, notice.refund_id) == (None, RefundId(8))
    with pytest.raises(Unreadable):
        understand(gateway, RawEvent("daraja", "stk", b"<html>", "", {}))


async def test_the_gateway_is_asked_with_the_credentials_of_whose_account_it_is(street: Street, ground: Ground) -> None:
    gateway, store = FakeGateway([Reply(Outcome.SUCCEEDED)]), GroundStore(ground)
    attempt = street.ringing()
    await ask_gateway(store, {"daraja": gateway}, attempt.id)
    assert [(asked.id, credentials) for asked, credentials in gateway.fetched] == [(attempt.id, {"short_code": "600000"})]
    assert street.order_of(attempt).proved
    street.go_direct()
    direct = street.ringing()
    await ask_gateway(store, {"daraja": gateway}, direct.id)
    assert gateway.fetched[-1][1] == {"short_code": "777777"}
