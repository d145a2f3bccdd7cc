"""Paying inside Telegram, at the bot's door: asked before the bank is, told once however often it is told, refused in the person's language."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr

from domain.ids import AttemptId
from domain.late import LatePolicy
from domain.life import LinkState
from domain.payment import Attempt
from domain.person import Language
from domain.ports import Unit
from domain.rights import Actor, Party
from domain.tokens import Purpose
from payloom.audit import audit
from payloom.tour_people import Chatter
from templates.words import words
from tests.bot.town import Here, living_town
from town.telegram.invoices import Invoice
from town.telegram.service import PROVIDER_TOKEN
from town.telegram.till import Payment, Till
from usecases.links import set_link_state
from usecases.people import set_language
from usecases.refunds import confirm_refund_by_hand
from usecases.updates import store_updates

Json = dict[str, Any]
CARD, DECLINED = "Card, inside Telegram", "4000000000000002"


@pytest.fixture(scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Here]:
    async with living_town(tmp_path_factory.mktemp("town"), telegram_provider_token=SecretStr(PROVIDER_TOKEN)) as town:
        yield town


@dataclass
class Buying:
    """Somebody with an invoice before them."""

    here: Here
    buyer: Chatter
    invoice: Invoice

    @property
    def till(self) -> Till:
        return self.here.streets.town.control.till

    async def pay(self, who: int = 0, **card: str) -> Json:
        outcome: Json = await self.here.wire.act(f"/telegram/{who or self.buyer.number}/pay", slug=self.invoice.slug, **card)
        await self.here.wire.settle()
        return outcome

    async def attempt(self) -> Attempt:
        number = self.here.streets.house.hall.tokens.read(Purpose.ATTEMPT, self.invoice.payload)
        assert number is not None
        found: Attempt = await self.here.read(lambda unit: unit.payments.attempt(AttemptId(number)))
        return found

    async def tries(self) -> list[tuple[str, str | None]]:
        first = await self.attempt()
        return [(str(one.state), one.receipt) for one in await self.here.read(lambda unit: unit.payments.attempts(first.checkout_id))]

    async def orders(self) -> int:
        person = await self.here.person(self.buyer)
        return len(await self.here.read(lambda unit: unit.orders.of_buyer(person.id, 10)))

    def no(self, why: str, language: str = "en") -> Json:
        return {"state": "refused", "said": words(language)(f"errors.pre_checkout.{why}"), "message_id": None}


async def buying(here: Here, language: str = "en") -> Buying:
    """Through the whole conversation to the invoice, and the sheet opened from its button."""
    buyer = await here.somebody(language=language)
    await buyer.start(here.link)
    await buyer.tap("do.buy_one")
    await buyer.say("Kilimani")
    await buyer.tap(CARD)
    await buyer.tap("do.pay")
    await here.wire.settle()
    opened = await buyer.tap("Pay with card")
    slug = opened["invoice"]
    return Buying(here, buyer, here.streets.town.telegram.invoices[slug])


async def write(here: Here, work: Any, *args: Any) -> Any:
    return await here.streets.house.hall.store.write(work, *args)


async def test_a_buyer_pays_by_card_without_leaving_the_chat(here: Here) -> None:
    sale = await buying(here)
    assert (sale.invoice.title, sale.invoice.amount, sale.invoice.currency) == ("Red sneakers", 250_000, "KES")
    assert (await sale.pay())["state"] == "paid"
    await sale.buyer.hears("buy.paid")
    await here.amina.hears("Red sneakers")
    attempt = await sale.attempt()
    (line,) = [one for one in here.streets.town.telegram.payments if one["slug"] == sale.invoice.slug]
    assert (attempt.receipt, attempt.ref) == (line["telegram_charge"], line["provider_charge"])
    assert attempt.proved_at is not None


async def test_a_declined_card_leaves_the_invoice_open_for_another(here: Here) -> None:
    sale = await buying(here)
    assert (await sale.pay(card=DECLINED))["state"] == "declined"
    assert await sale.orders() == 0
    assert await sale.pay() == sale.no("busy"), "our yes may still become a payment"
    await here.wire.pass_time(31)
    assert (await sale.pay())["state"] == "paid"
    assert await sale.orders() == 1


async def test_the_same_payment_told_twice_makes_one_order(here: Here) -> None:
    sale = await buying(here)
    await here.fault("duplicate_update", 4)
    assert (await sale.pay())["state"] == "paid"
    payment = Payment(**here.streets.town.telegram.payments[-1])
    sale.till.deliver(payment)
    await here.wire.settle()
    assert await sale.orders() == 1
    assert await sale.tries() == [("SUCCEEDED", payment.telegram_charge)]


async def test_a_second_payment_of_the_same_invoice_goes_back_by_a_person(here: Here) -> None:
    sale = await buying(here)
    await sale.pay()
    second = sale.till.charge(sale.buyer.number, sale.invoice)
    sale.till.deliver(second)
    await here.wire.settle()
    assert await sale.orders() == 1
    tries = await sale.tries()
    assert [state for state, _ in tries] == ["SUCCEEDED", "SUCCEEDED"] and tries[1][1] == second.telegram_charge
    refund = await here.read(_refund_of, second.telegram_charge)
    assert (str(refund.state), refund.reason, refund.result) == ("PENDING", "double", "by_hand")
    await write(here, confirm_refund_by_hand, Actor(Party.ADMIN, "desk"), refund.id, "re_1")
    await here.wire.settle()
    assert await here.read(lambda unit: str(unit.payments.refund(refund.id).state)) == "DONE"


def _refund_of(unit: Unit, charge: str) -> Any:
    attempt = unit.payments.attempt_by_receipt("telegram", charge)
    assert attempt is not None
    return unit.payments.refunds_of(attempt.id)[0]


async def test_money_told_when_the_time_is_over_is_not_lost(here: Here) -> None:
    sale = await buying(here)
    payment = sale.till.charge(sale.buyer.number, sale.invoice)
    await here.wire.pass_time(31 * 60)
    assert await sale.pay() == sale.no("expired")
    shop = (await here.read(lambda unit: unit.organizations.of_person(unit.people.by_address("telegram", str(here.amina.number)).id)))[0]
    assert shop.late_money is LatePolicy.ASK
    sale.till.deliver(payment)
    await here.wire.settle()
    attempt = await sale.attempt()
    assert (str(attempt.state), attempt.receipt) == ("SUCCEEDED", payment.telegram_charge)


async def test_somebody_else_cannot_pay_it_and_hears_so_in_their_language(here: Here) -> None:
    sale = await buying(here)
    other = await here.somebody("Asha", "sw")
    assert await sale.pay(other.number) == sale.no("not_yours", "sw")
    assert await sale.orders() == 0


async def test_a_no_is_said_in_the_language_that_the_buyer_chose(here: Here) -> None:
    sale = await buying(here)
    person = await here.person(sale.buyer)
    await write(here, set_language, person.id, Language.AR)
    await sale.buyer.tap("do.cancel")
    assert await sale.pay() == sale.no("expired", "ar")


async def test_an_invoice_of_another_payload_or_amount_is_refused(here: Here) -> None:
    sale = await buying(here)
    real = sale.invoice.payload
    sale.invoice.payload = "0" * len(real)
    assert await sale.pay() == sale.no("not_ours")
    sale.invoice.payload, sale.invoice.amount = real, 100_000
    assert await sale.pay() == sale.no("amount")
    sale.invoice.amount = 250_000
    assert (await sale.pay())["state"] == "paid"


async def test_what_the_seller_just_switched_off_is_refused(here: Here) -> None:
    sale = await buying(here)
    amina = await here.person(here.amina)
    shop = (await here.read(lambda unit: unit.organizations.of_person(amina.id)))[0]
    actor = Actor(Party.OWNER, "telegram", amina.id, shop.id)
    await write(here, set_link_state, actor, here.link, LinkState.INACTIVE)
    try:
        assert await sale.pay() == sale.no("gone")
    finally:
        await write(here, set_link_state, actor, here.link, LinkState.ACTIVE)


async def test_the_answer_waits_behind_nothing_that_the_buyer_said(here: Here) -> None:
    """Our answer to their last words is still on its way: the yes comes all the same."""
    sale = await buying(here)
    loop = asyncio.get_running_loop()
    await here.fault("slow", 1, method="sendMessage", chat_id=sale.buyer.number, seconds=2)
    await here.wire.act(f"/telegram/{sale.buyer.number}/send", text="hello?")
    begun_s = loop.time()
    outcome = await here.wire.act(f"/telegram/{sale.buyer.number}/pay", slug=sale.invoice.slug)
    assert outcome["state"] == "paid"
    assert loop.time() - begun_s < 1.5
    await here.wire.settle()
    await sale.buyer.hears("buy.paid")


async def test_an_answer_that_did_not_arrive_is_said_again(here: Here) -> None:
    sale = await buying(here)
    await here.fault("500", 1, method="answerPreCheckoutQuery")
    assert (await sale.pay())["state"] == "paid"


async def test_an_answer_that_comes_too_late_takes_nothing_and_breaks_nothing(here: Here) -> None:
    sale = await buying(here)
    bot = here.streets.town.telegram
    bot.pre_checkout_life_s = 0.05
    await here.fault("slow", 1, method="answerPreCheckoutQuery", seconds=0.3)
    try:
        assert (await sale.pay())["state"] == "timed_out"
    finally:
        bot.pre_checkout_life_s = 10.0
    assert await sale.orders() == 0
    await here.wire.pass_time(31)
    assert (await sale.pay())["state"] == "paid"


async def test_an_update_of_money_that_the_library_cannot_read_is_read_all_the_same(here: Here) -> None:
    """No date, no chat: python-telegram-bot refuses it, the payment counts."""
    sale = await buying(here)
    payment = sale.till.charge(sale.buyer.number, sale.invoice)
    here.streets.town.telegram.updates.put("message", {"message_id": 1, "successful_payment": paid_by(payment), "chat": 7}, 1)
    await sale.buyer.hears("buy.paid")
    assert await sale.tries() == [("SUCCEEDED", payment.telegram_charge)]


async def test_money_that_nobody_can_read_is_kept_and_told_to_a_person(here: Here) -> None:
    here.streets.town.telegram.updates.put("message", {"message_id": 1, "successful_payment": {"currency": "XTR"}, "chat": 7}, 1)

    async def parked() -> bool:
        return bool(await here.read(_parked))

    await here.wire.eventually(parked, "it is parked")


def _parked(unit: Unit) -> list[Any]:
    text = "SELECT id FROM inbox WHERE kind = 'payment' AND state = 'PARKED' AND error = 'unreadable'"
    return list(unit.session.plain(text).fetchall())  # type: ignore[attr-defined]


async def test_a_payment_cut_off_before_it_was_handled_is_taken_up_again(here: Here) -> None:
    """Stored and confirmed to Telegram, then the process died: the payment is not lost, and counted once."""
    sale = await buying(here)
    payment = sale.till.charge(sale.buyer.number, sale.invoice)
    update = {"update_id": 5, "message": {"message_id": 1, "date": 0, "chat": chat(sale), "successful_payment": paid_by(payment)}}
    assert await write(here, store_updates, "telegram", [update]) == ["5"]
    assert await sale.orders() == 0
    await here.wire.pass_time(61)
    await sale.buyer.hears("buy.paid")
    sale.till.deliver(payment)
    await here.wire.settle()
    assert await sale.orders() == 1


def chat(sale: Buying) -> Json:
    return {"id": sale.buyer.number, "type": "private", "first_name": sale.buyer.name}


def paid_by(payment: Payment) -> Json:
    return {
        "currency": payment.currency, "total_amount": payment.amount, "invoice_payload": payment.payload,
        "telegram_payment_charge_id": payment.telegram_charge, "provider_payment_charge_id": payment.provider_charge,
    }  # fmt: skip


async def test_a_cancelled_order_is_given_back_by_a_person_and_the_buyer_is_told(here: Here) -> None:
    sale = await buying(here)
    await sale.pay()
    attempt = await sale.attempt()
    order = await here.read(lambda unit: unit.orders.of_checkout(attempt.checkout_id))
    await sale.buyer.say("/purchases")
    await sale.buyer.tap(order.number)
    await sale.buyer.tap("act.cancel", on=order.number)
    await sale.buyer.tap("do.yes_cancel")
    await sale.buyer.hears("fact.buyer.refund_delayed")
    refund = await here.read(lambda unit: unit.payments.refunds_of(attempt.id)[0])
    await write(here, confirm_refund_by_hand, Actor(Party.ADMIN, "desk"), refund.id, "re_2")
    await sale.buyer.hears("fact.buyer.refund_done")


async def test_after_all_of_this_the_books_the_story_and_every_payment_that_was_told_agree(here: Here) -> None:
    await here.wire.settle()
    report = await audit(here.streets.settings, now=here.streets.core.clock.now())
    assert [finding.name for finding in report.findings if finding.broken] == []
    read = next(finding for finding in report.findings if finding.name == "events_had_effect")
    assert read.checked > 10, "payments of the chat are among them"
