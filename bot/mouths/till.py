"""The till of the Telegram mouth: a payment of Telegram's own is let through, or not, and taken in when it was made.

Bot API 10, core.telegram.org/bots/payments.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
import telegram
from telegram import Update

from domain.payment import Unreadable
from domain.person import ChannelKind, language_of
from domain.ports import Unit
from domain.records import RawEvent
from templates.words import words
from usecases.chat_invoices import AboutToPay, WhyNot, may_pay_invoice, take_payment
from usecases.hall import Hall
from usecases.settlement import understand
from usecases.updates import TELEGRAM, waiting_update

ANSWER_S: Final = 3.0
ANSWER_TRIES: Final = 3
"""Together within the ten seconds that Telegram waits."""
_log = structlog.get_logger("telegram")


class Till:
    """What the mouth does with updates about money."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall

    async def answer(self, update: Update) -> None:
        """Yes or no to somebody who pressed Pay. Without our yes nothing is taken."""
        query = update.pre_checkout_query
        if query is None:
            return
        asked = AboutToPay(str(update.update_id), str(query.from_user.id), query.invoice_payload, query.currency, query.total_amount)
        why, language = await self._hall.store.write(_look, asked, str(language_of(query.from_user.language_code)))
        await _say(query, None if why is None else words(language)(f"errors.pre_checkout.{why}"))

    async def take(self, key: str) -> None:
        """A payment that a stored update tells of, read from the very bytes that came."""
        event, waits = await self._hall.store.read(waiting_update, TELEGRAM, key)
        if event is None or not waits:
            return
        try:
            raw = RawEvent(event.gateway, event.kind, event.raw, event.source, event.headers)
            notice = understand(self._hall.gateways[TELEGRAM], raw)
        except Unreadable as problem:
            _log.error("payment_unreadable", update_id=key, why=str(problem))
            notice = None
        await self._hall.store.write(take_payment, key, notice)


async def _say(query: telegram.PreCheckoutQuery, no: str | None) -> None:
    """Said again where it may not have arrived; too late is no harm, for then Telegram took nothing."""
    for _ in range(ANSWER_TRIES):
        try:
            async with asyncio.timeout(ANSWER_S):
                await query.answer(ok=no is None, error_message=no)
        except telegram.error.BadRequest as error:
            _log.warning("pre_checkout_too_late", error=error.message)
        except (telegram.error.TelegramError, TimeoutError) as error:
            _log.info("pre_checkout_not_answered", error=type(error).__name__)
            continue
        return


def _look(unit: Unit, asked: AboutToPay, told: str) -> tuple[WhyNot | None, str]:
    """With the language in which they hear a no: their own where we know it, else the phone's."""
    person = unit.people.by_address(ChannelKind.TELEGRAM, asked.address)
    return may_pay_invoice(unit, asked), told if person is None else str(person.language)
