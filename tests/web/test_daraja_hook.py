"""What Daraja tells: stored and applied once, whatever it is and however often it comes."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from domain.life import AttemptState, InboxState
from domain.payment import Ask, Outcome, Reply
from domain.records import InboxEvent
from domain.rights import Actor, Party
from domain.tokens import Purpose
from tests.web.ground import Ground, stk_body
from usecases import settlement
from usecases.checkouts import expire_checkout
from usecases.escrow import accept_late


async def inbox(ground: Ground) -> list[InboxEvent]:
    def read(unit: Any) -> list[InboxEvent]:
        rows = unit.session.plain("SELECT id FROM inbox ORDER BY id").fetchall()
        return [unit.inbox.get(row[0]) for row in rows]

    return await ground.hall.store.read(read)


async def test_the_same_success_a_hundred_times_and_at_once_is_one_order(ground: Ground) -> None:
    """C1."""
    pay = await ground.begin(await ground.link())
    attempt = await ground.attempt_of(pay)
    path, body = ground.callback(attempt), stk_body(attempt)
    for _ in range(2):
        answers = await asyncio.gather(*(ground.client.post(path, data=body) for _ in range(50)))
        assert {answer.status for answer in answers} == {200}
        assert {await answer.text() for answer in answers} == {'{"ResultCode":0,"ResultDesc":"Accepted"}'}
    assert (await ground.counts())[2:4] == (1, 1)
    assert len(await inbox(ground)) == 1


async def test_an_unknown_token_is_a_404_without_a_word_and_leaves_nothing(ground: Ground) -> None:
    """C5, C7, W2: nor does a token of another purpose open anything."""
    pay = await ground.begin(await ground.link())
    attempt = await ground.attempt_of(pay)
    good = ground.hall.tokens.make(Purpose.ATTEMPT, attempt.id)
    before = await ground.counts()
    for token in ("0" * 48, good[:-1] + ("0" if good[-1] != "0" else "1"), pay.rpartition("/")[2], "x", good + "00"):
        answer = await ground.client.post(f"/callbacks/daraja/{token}/stk", data=stk_body(attempt))
        assert answer.status == 404
        assert set(await answer.json()) == {"type", "title", "status", "request_id"}
    for kind in ("reversal", "reversal-late", "STK", "c2b"):
        assert (await ground.client.post(ground.callback(attempt, kind), data=stk_body(attempt))).status == 404
    assert await ground.counts() == before
    assert await inbox(ground) == []


async def test_a_caller_the_gateway_does_not_believe_is_refused_and_counted(ground: Ground) -> None:
    """C5."""
    pay = await ground.begin(await ground.link())
    ground.gateway.genuine = False
    assert (await ground.pay(pay)).status == 404
    assert await inbox(ground) == []
    assert 'payloom_provider_events_refused_total{gateway="daraja",why="source"} 1.0' in await (await ground.get("/metrics")).text()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b"<html>502</html>", b"\xff\xfe\x00", b'{"Body": NaN}', b'{"a":' * 500, b'{"Body": {"stkCallback": {}}}',
        b'{"Body": {"stkCallback": {"CheckoutRequestID": "ws_CO_1", "ResultCode": 0, "CallbackMetadata": {"Item": [{"Name": "Amount", "Value": 1e999}]}}}}',
    ],
)  # fmt: skip
async def test_what_cannot_be_understood_is_kept_as_it_came_and_answered_200(ground: Ground, body: bytes) -> None:
    """C17: parked for a person, once."""
    pay = await ground.begin(await ground.link())
    attempt = await ground.attempt_of(pay)
    for _ in range(2):
        assert (await ground.client.post(ground.callback(attempt), data=body)).status == 200
    events = await inbox(ground)
    assert [(event.state, event.raw) for event in events] == [(InboxState.PARKED, body)]
    assert (await ground.attempt_of(pay)).state is AttemptState.PENDING


async def test_more_fields_and_a_newer_version_do_no_harm(ground: Ground) -> None:
    """C16."""
    pay = await ground.begin(await ground.link())
    attempt = await ground.attempt_of(pay)
    body = json.loads(stk_body(attempt))
    body["Version"], body["Body"]["stkCallback"]["New"] = 9, {"deep": [1, {"er": None}]}
    assert (await ground.client.post(ground.callback(attempt), json=body)).status == 200
    assert (await ground.get(pay)).status == 303


async def test_a_code_nobody_knows_ends_nothing_and_is_asked_about(ground: Ground) -> None:
    """C16."""
    pay = await ground.begin(await ground.link())
    assert (await ground.pay(pay, 424242)).status == 200
    assert (await ground.attempt_of(pay)).state is AttemptState.PENDING


async def test_a_body_that_speaks_of_another_payment_settles_neither(ground: Ground) -> None:
    """C7: the address of one attempt with the reference of another."""
    link = await ground.link()
    first, second = await ground.begin(link), await ground.begin(link)
    mine, theirs = await ground.attempt_of(first), await ground.attempt_of(second)
    assert (await ground.client.post(ground.callback(mine), data=stk_body(theirs))).status == 200
    assert (await ground.counts())[2:4] == (0, 0)
    assert (await ground.client.post(ground.callback(theirs), data=stk_body(theirs))).status == 200
    assert (await ground.get(second)).status == 303
    assert (await ground.get(first)).status == 200


async def test_one_receipt_pays_one_purchase(ground: Ground) -> None:
    """C7."""
    link = await ground.link()
    first, second = await ground.begin(link), await ground.begin(link)
    await ground.pay(first, receipt="TKL0000001")
    await ground.pay(second, receipt="TKL0000001")
    assert (await ground.counts())[2:4] == (1, 1)


async def test_a_callback_faster_than_the_answer_to_the_prompt_counts(ground: Ground) -> None:
    """C2."""

    async def call_back(ask: Ask) -> None:
        attempt = await ground.hall.store.read(lambda unit: unit.payments.attempt(ask.attempt_id))
        assert attempt is not None and attempt.ref is None
        answer = await ground.client.post(f"/callbacks/daraja/{ask.callback_token}/stk", data=stk_body(attempt))
        assert answer.status == 200

    ground.gateway.meanwhile = call_back
    pay = await ground.begin(await ground.link())
    assert (await ground.get(pay)).status == 303
    [stored] = await inbox(ground)
    assert stored.state is InboxState.APPLIED
    assert stored.headers["attempt_id"] == (await ground.attempt_of(pay)).id


async def test_failure_and_then_success_ends_paid_and_success_and_then_failure_too(ground: Ground) -> None:
    """C3."""
    link = await ground.link()
    first, second = await ground.begin(link), await ground.begin(link)
    await ground.pay(first, 1032)
    await ground.pay(first)
    await ground.pay(second)
    await ground.pay(second, 1032)
    assert (await ground.get(first)).status == (await ground.get(second)).status == 303
    assert (await ground.counts())[2] == 2


async def test_a_body_over_64_kb_is_refused(ground: Ground) -> None:
    """W14."""
    pay = await ground.begin(await ground.link())
    attempt = await ground.attempt_of(pay)
    assert (await ground.client.post(ground.callback(attempt), data=b" " * 70_000)).status == 413
    assert await inbox(ground) == []


async def test_a_database_that_cannot_take_it_is_a_503_so_that_it_is_asked_about_later(ground: Ground) -> None:
    """K6, K7."""
    pay = await ground.begin(await ground.link())
    attempt = await ground.attempt_of(pay)
    await ground.hall.store.close()  # type: ignore[attr-defined]
    answer = await ground.client.post(ground.callback(attempt), data=stk_body(attempt))
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "5"
    await ground.hall.store.open()  # type: ignore[attr-defined]


async def test_what_is_known_of_the_caller_is_kept_and_nothing_more(ground: Ground) -> None:
    """W26: no cookie, no authorization."""
    pay = await ground.begin(await ground.link())
    attempt = await ground.attempt_of(pay)
    sent = {"X-Forwarded-For": "196.201.214.200", "Authorization": "secret", "Cookie": "a=b", "User-Agent": "x" * 5000}
    await ground.client.post(ground.callback(attempt), data=stk_body(attempt), headers=sent)
    [event] = await inbox(ground)
    assert event.source == "196.201.214.200"
    assert set(event.headers) <= {"Content-Type", "User-Agent", "Content-Length", "X-Forwarded-For", "attempt_id"}
    assert len(event.headers["User-Agent"]) == 200


async def test_a_success_days_later_is_kept_and_sent_back(ground: Ground) -> None:
    """C4."""
    pay = await ground.begin(await ground.link())
    attempt = await ground.attempt_of(pay)
    await ground.post(f"{pay}/cancel")
    ground.clock.move(timedelta(days=8))
    assert (await ground.client.post(ground.callback(attempt), data=stk_body(attempt))).status == 200
    assert (await ground.counts())[2] == 0 and (await ground.counts())[6] == 1


async def test_a_prompt_that_timed_out_for_us_and_was_paid_is_credited_once_whoever_tells_it_first(ground: Ground) -> None:
    """O6: the phone did not answer, the checkout ran out; then Daraja says paid: by callback, twice, and when it is asked."""
    link = await ground.link()
    by_callback, by_asking = await ground.begin(link), await ground.begin(link)
    for pay in (by_callback, by_asking):
        await ground.pay(pay, 1037)
        assert (await ground.attempt_of(pay)).state is AttemptState.FAILED
    ground.clock.move(timedelta(minutes=31))
    for pay in (by_callback, by_asking):
        await ground.hall.store.write(expire_checkout, ground.checkout_of(pay))
    told, asked = await ground.attempt_of(by_callback), await ground.attempt_of(by_asking)
    truth = Reply(Outcome.SUCCEEDED)
    for _ in range(2):
        assert (await ground.client.post(ground.callback(told), data=stk_body(told))).status == 200
        await ground.hall.store.write(settlement.record_fetch, told.id, truth)
        await ground.hall.store.write(settlement.record_fetch, asked.id, truth)
        assert (await ground.client.post(ground.callback(asked), data=stk_body(asked))).status == 200
    for attempt in (told, asked):
        late = await ground.hall.store.read(lambda unit, attempt_id: unit.late.of_attempt(attempt_id), attempt.id)
        assert late is not None
        await ground.hall.store.write(accept_late, Actor(Party.ADMIN, "admin"), late.number)
    assert (await ground.counts())[2:4] == (2, 6), "kept, taken and captured, each once"
    assert (await ground.order(by_callback)).proved and (await ground.order(by_asking)).proved
    assert len(ground.gateway.asked) == 2, "nobody was prompted again"


@pytest.mark.parametrize("written", [19700101000000, 20200229235959, 20261121103233, 20991231235960, 0, "yesterday"])
async def test_when_a_body_says_it_happened_decides_nothing(ground: Ground, written: object) -> None:
    """C6 where nothing is signed: no date makes a body more or less genuine, and a real one that comes late is not thrown away. The path's
    token, single use and asking afterwards are what protects; our own clock dates the payment."""
    pay = await ground.begin(await ground.link())
    attempt = await ground.attempt_of(pay)
    body = json.loads(stk_body(attempt))
    body["Body"]["stkCallback"]["CallbackMetadata"]["Item"][2]["Value"] = written
    for _ in range(2):
        assert (await ground.client.post(ground.callback(attempt), json=body)).status == 200
    settled = await ground.attempt_of(pay)
    assert (settled.state, settled.settled_at, settled.proved_at) == (AttemptState.SUCCEEDED, ground.clock.now(), None)
    assert (await ground.counts())[2:4] == (1, 1)


@pytest.mark.parametrize("amount,back", [(25, 2_500), (2_499, 249_900), (2_501, 100), (250_000, 24_750_000), (0, None), (-2_500, None)])
async def test_every_wrong_amount_has_its_own_end(ground: Ground, amount: int, back: int | None) -> None:
    """C8: a hundredth and a hundredfold (a slipped exponent), one less, one more; nothing, and less than nothing, are no payment at all."""
    pay = await ground.begin(await ground.link())
    assert (await ground.pay(pay, amount=amount)).status == 200
    attempt = await ground.attempt_of(pay)
    refunds = await ground.hall.store.read(lambda unit: unit.payments.refunds_of(attempt.id))
    assert [refund.money.amount_minor for refund in refunds] == ([] if back is None else [back])
    assert (await ground.counts())[2] == (amount > 2_500)
    assert attempt.state is (AttemptState.PENDING if back is None else AttemptState.SUCCEEDED)
    assert [event.state for event in await inbox(ground)] == [InboxState.PARKED if back is None else InboxState.APPLIED]
