"""Paying an invoice in the town's Telegram: the sheet on which a person types a card, the bot's yes or no, and the payment provider's books."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from town.cards import APPROVED, MESSAGES, read_card
from town.telegram import shapes
from town.telegram.acting import Acting
from town.telegram.errors import Impossible
from town.telegram.invoices import Invoice
from town.telegram.service import Answer, Telegram

Json = dict[str, Any]
GOOD_CARD = "4242424242424242"


@dataclass(frozen=True, slots=True)
class Payment:
    """A line of the provider's books. Nobody can ask Telegram for it."""

    telegram_charge: str
    provider_charge: str
    person_id: int
    slug: str
    payload: str
    currency: str
    amount: int
    at: str


def slug_of(url: str) -> str | None:
    """The invoice that a link opens, None for any other address."""
    parts = urlsplit(url)
    path = parts.path.strip("/")
    if (parts.hostname or "").lower() not in {"t.me", "telegram.me", "telegram.dog"}:
        return None
    return path[1:] if path.startswith("$") else path.removeprefix("invoice/") if path.startswith("invoice/") else None


class Till:
    """What a person can do with an invoice."""

    def __init__(self, acting: Acting) -> None:
        self.acting = acting
        self.telegram: Telegram = acting.telegram

    def invoice(self, user: int, slug: str = "", message_id: int | None = None) -> Invoice:
        """By its link, or by the message that holds it. A forwarded copy of one with a `start_parameter` leads back to the bot."""
        if message_id is not None:
            message = self.telegram.people.seen_by(user, message_id)
            if not message.slug:
                raise Impossible(f"Message {message_id} holds no invoice.", 404)
            slug = message.slug
        found = self.telegram.invoices.get(slug)
        if found is None:
            raise Impossible("Telegram knows no such invoice.", 404)
        return found

    @staticmethod
    def sheet(invoice: Invoice) -> Json:
        """What the payment sheet shows."""
        return {
            "slug": invoice.slug,
            "title": invoice.title,
            "description": invoice.description,
            "currency": invoice.currency,
            "total_amount": invoice.amount,
            "total": invoice.total,
            "prices": invoice.prices,
            "test": ":TEST:" in invoice.provider_token,
            "paid": len(invoice.payments),
        }

    async def pay(self, user: int, invoice: Invoice, number: str) -> Json:
        """Press Pay on the sheet: {"state": paid, refused, timed_out or declined, "said"}. The bot is asked before the bank is."""
        card = read_card(number)
        if card is None:
            raise Impossible("Please check the card number.")
        said = await self._ask_bot(user, invoice)
        if said is None:
            return {"state": "timed_out", "said": "The bot did not answer in time. You were not charged.", "message_id": None}
        if not said["ok"]:
            return {"state": "refused", "said": said["error"], "message_id": None}
        if card.code != APPROVED:
            return {"state": "declined", "said": f"Your card was declined: {MESSAGES[card.code].lower()}.", "message_id": None}
        return {"state": "paid", "said": "", "message_id": self.deliver(self.charge(user, invoice))}

    async def _ask_bot(self, user: int, invoice: Invoice) -> Json | None:
        """pre_checkout_query, and the bot's answer; None when it did not come within ten seconds."""
        bot = self.telegram
        person = bot.people.person(user)
        person.known = True
        query_id = bot.number_id()
        asked = Answer(bot.core.clock.now().timestamp(), user, asyncio.get_running_loop().create_future())
        bot.remember(bot.pre_checkouts, query_id, asked)
        shape: Json = {"id": query_id, "from": shapes.user(person), "currency": invoice.currency, "total_amount": invoice.amount}
        bot.updates.put("pre_checkout_query", {**shape, "invoice_payload": invoice.payload}, user)
        done, _ = await asyncio.wait({asked.done}, timeout=bot.pre_checkout_life_s)
        bot.pre_checkouts.pop(query_id, None)
        if not done or asked.done.cancelled():
            asked.done.cancel()
            return None
        return asked.done.result()

    def charge(self, user: int, invoice: Invoice) -> Payment:
        """The provider takes the money."""
        bot = self.telegram
        number, at = bot.number_id(), bot.core.clock.now().isoformat()
        made = Payment(f"{number}_{user}", f"ch_{number[-14:]}", user, invoice.slug, invoice.payload, invoice.currency, invoice.amount, at)
        invoice.payments.append(made.telegram_charge)
        bot.payments.append(asdict(made))
        bot.core.journal.add("telegram.paid", users=[user], currency=made.currency, amount=made.amount)
        return made

    def deliver(self, payment: Payment) -> int:
        """`successful_payment`: the one proof that the bot gets."""
        return self._tell(payment, "successful_payment")

    def give_back(self, payment: Payment) -> int:
        """`refunded_payment`. Telegram tells of it for its Stars only; the town does as its specification would let it."""
        return self._tell(payment, "refunded_payment")

    def _tell(self, payment: Payment, field: str) -> int:
        content = {
            "currency": payment.currency,
            "total_amount": payment.amount,
            "invoice_payload": payment.payload,
            "telegram_payment_charge_id": payment.telegram_charge,
            "provider_payment_charge_id": payment.provider_charge,
        }
        person = self.telegram.people.person(payment.person_id)
        person.known = person.started = True
        return self.telegram.hear(person, self.telegram.people.private(person), {field: content}).id
