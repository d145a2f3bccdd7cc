"""Waiting for the money."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from domain.life import AttemptState, CheckoutState
from domain.payment import Outcome, Reply
from domain.rights import Actor, Party
from tests.web.ground import Ground, stk_body
from usecases.checkouts import expire_checkout
from usecases.escrow import accept_late
from usecases.late import refund_late


@pytest.mark.parametrize(
    "code,said",
    [
        (1, "not enough money"),
        (1032, "cancelled on the phone"),
        (1037, "did not answer"),
        (2001, "PIN was not right"),
        (1001, "busy with another"),
        (1019, "ran out"),
        (8006, "locked this number"),
        (2028, "not working at the moment"),
    ],
)
async def test_each_failure_is_said_in_plain_words_and_can_be_tried_again(ground: Ground, code: int, said: str) -> None:
    """O5."""
    pay = await ground.begin(await ground.link())
    await ground.pay(pay, code)
    text = await (await ground.get(pay)).text()
    assert "Not paid yet" in text and said in text and f'action="{pay}/retry"' in text
    assert len(ground.gateway.asked) == 1, "nobody is asked again by itself"


async def test_a_retry_rings_once_however_often_it_is_pressed_and_may_use_another_phone(ground: Ground) -> None:
    pay = await ground.begin(await ground.link())
    await ground.pay(pay, 1)
    ground.clock.move(timedelta(seconds=20))
    answers = await asyncio.gather(*(ground.post(f"{pay}/retry", {"phone": "0722 111 222"}) for _ in range(3)))
    await ground.hall.drain()
    assert {answer.status for answer in answers} == {303}
    assert [str(ask.phone) for ask in ground.gateway.asked][1:] == ["+254722111222"]
    assert "+254722***222" in await (await ground.get(pay)).text()


async def test_a_retry_with_a_wrong_number_keeps_what_was_typed(ground: Ground) -> None:
    pay = await ground.begin(await ground.link())
    await ground.pay(pay, 1)
    answer = await ground.post(f"{pay}/retry", {"phone": "07"})
    text = await answer.text()
    assert answer.status == 422
    assert 'value="07"' in text and "0712 345 678" in text
    assert len(ground.gateway.asked) == 1


async def test_pestering_a_number_ends_with_the_hour_from_which_it_works_again(ground: Ground) -> None:
    """T17."""
    pay = await ground.begin(await ground.link())
    for _ in range(2):
        await ground.pay(pay, 1)
        ground.clock.move(timedelta(seconds=20))
        assert (await ground.post(f"{pay}/retry")).status == 303
        await ground.hall.drain()
    await ground.pay(pay, 1)
    answer = await ground.post(f"{pay}/retry")
    assert answer.status == 409
    assert "asked several times already" in await answer.text()
    assert len(ground.gateway.asked) == 3


async def test_coming_back_without_a_payment_or_twice_or_to_another_purchase_has_no_effect(ground: Ground) -> None:
    """C19."""
    link = await ground.link()
    first, second = await ground.begin(link), await ground.begin(link)
    await ground.pay(first)
    before = await ground.counts()
    for _ in range(3):
        assert "Look at your phone" in await (await ground.get(second)).text()
        assert (await ground.get(first)).status == 303
    mixed = second[:-6] + first[-6:]
    assert (await ground.get(mixed)).status == 404
    assert (await ground.get(second.replace("/pay/", "/track/"))).status == 404
    assert (await ground.post(f"{first}/cancel")).status == 303
    assert await ground.counts() == before
    assert (await ground.order(first)).state.value == "PAID"


async def test_cancel_closes_it_and_late_money_is_the_order_that_the_seller_makes_of_it(ground: Ground) -> None:
    """N2, C4: the page says by when the seller decides, and goes on by itself to the order."""
    pay = await ground.begin(await ground.link())
    attempt = await ground.attempt_of(pay)
    for _ in range(2):
        assert (await ground.post(f"{pay}/cancel")).status == 303
    assert "Not bought" in await (await ground.get(pay)).text()
    await ground.client.post(ground.callback(attempt), data=stk_body(attempt))
    text = await (await ground.get(pay)).text()
    assert "Your money arrived late" in text and "Ksh 2,500 arrived after the time was over" in text and "data-live" in text
    late = await ground.hall.store.read(lambda unit: unit.late.of_attempt(attempt.id))
    assert late is not None
    await ground.hall.store.write(accept_late, Actor(Party.ADMIN, "admin"), late.number)
    assert (await ground.get(pay)).status == 303


async def test_late_money_that_the_seller_gives_back_is_told_with_its_way(ground: Ground) -> None:
    pay = await ground.begin(await ground.link())
    attempt = await ground.attempt_of(pay)
    await ground.post(f"{pay}/cancel")
    await ground.client.post(ground.callback(attempt), data=stk_body(attempt))
    late = await ground.hall.store.read(lambda unit: unit.late.of_attempt(attempt.id))
    assert late is not None
    await ground.hall.store.write(refund_late, Actor(Party.ADMIN, "admin"), late.number)
    text = await (await ground.get(pay)).text()
    assert "goes back" in text and "Ksh 2,500 is on its way back" in text


async def test_an_expired_purchase_says_that_no_money_is_lost(ground: Ground) -> None:
    pay = await ground.begin(await ground.link())
    await ground.pay(pay, 1032)
    ground.clock.move(timedelta(minutes=31))
    page = await ground.get(pay)
    assert "The time is over" in await page.text(), "also before the clock has come by"
    await ground.hall.store.write(expire_checkout, ground.checkout_of(pay))
    text = await (await ground.get(pay)).text()
    assert "The time is over" in text and "/retry" not in text
    answer = await ground.post(f"{pay}/retry")
    assert answer.status == 409


async def test_money_that_came_too_late_is_told_with_its_way_back(ground: Ground) -> None:
    """C4: eight days later it is nobody's order any more."""
    pay = await ground.begin(await ground.link())
    attempt = await ground.attempt_of(pay)
    await ground.post(f"{pay}/cancel")
    ground.clock.move(timedelta(days=8))
    await ground.client.post(ground.callback(attempt), data=stk_body(attempt))
    text = await (await ground.get(pay)).text()
    assert "goes back to your M-Pesa by itself" in text and "Ksh 2,500 is on its way back" in text


async def test_less_than_the_price_is_told_and_sent_back(ground: Ground) -> None:
    """C8."""
    pay = await ground.begin(await ground.link())
    await ground.pay(pay, amount=2499)
    text = await (await ground.get(pay)).text()
    assert "Less than the price arrived" in text and "Ksh 2,499 is on its way back" in text
    assert (await ground.counts())[2] == 0


async def test_a_gateway_that_cannot_be_reached_is_said_and_nothing_is_claimed_to_be_taken(ground: Ground) -> None:
    ground.gateway.reply = lambda _: Reply(Outcome.NOT_SENT)
    pay = await ground.begin(await ground.link())
    text = await (await ground.get(pay)).text()
    assert "We could not reach M-Pesa" in text and "nothing was taken" in text
    assert (await ground.attempt_of(pay)).state is AttemptState.FAILED


async def test_the_page_speaks_the_language_of_the_purchase_unless_another_is_chosen(ground: Ground) -> None:
    """X2."""
    link = await ground.link()
    answer = await ground.post(f"/buy/{link.code}?lang=sw", {"phone": "0712345678", "name": "Juma"})
    pay = answer.headers["Location"]
    await ground.hall.drain()
    ground.client.session.cookie_jar.clear()
    assert "Angalia simu yako" in await (await ground.get(pay, headers={"Accept-Language": "en-GB"})).text()
    arabic = await (await ground.get(f"{pay}?lang=ar")).text()
    assert '<html lang="ar" dir="rtl">' in arabic and "انظر إلى هاتفك" in arabic


async def test_the_checkout_is_open_again_after_a_failure(ground: Ground) -> None:
    pay = await ground.begin(await ground.link())
    await ground.pay(pay, 1)
    checkout = await ground.hall.store.read(lambda unit: unit.checkouts.get(ground.checkout_of(pay)))
    assert checkout.state is CheckoutState.OPEN
