"""Back room: Telegram's own invoices (Bot API 10, core.telegram.org/bots/payments), paid to the provider whose token @BotFather gave out.

Telegram answers no question about such a payment and gives none of it back: `successful_payment` is its only proof, and a refund is made by a
person in the provider's own portal. Making an invoice moves nothing, and nobody knows its address before we show it: one that was not answered
may be asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from domain.errors import BadInput
from domain.ids import AttemptId
from domain.life import AttemptState
from domain.money import MOST_MINOR, Money
from domain.payment import Ability, About, Ask, Attempt, Method, Notice, Outcome, Proof, Refund, Reply, Unreadable
from domain.ports import Clock
from gateways.http import MOST_BYTES, Answer, Http, read_json

NAME: Final = "telegram"
FIELDS: Final = ("provider_token",)
KIND: Final = "payment"
"""The one kind of event: an update with a payment in its message, which the bot's door has proved to be Telegram's."""
BY_HAND: Final = "by_hand"
OVER_AFTER: Final = timedelta(hours=1)
"""Nobody can begin to pay an invoice whose checkout is over (what was begun in its last moment is told long before this)."""
MOST_TITLE: Final = 32
MOST_DESCRIPTION: Final = 255
MOST_ID: Final = 200
TRIED_WITH: Final = Money(500, "USD")
"""What an account is tried with: of an amount that every provider takes, where it takes dollars."""

_CURRENCIES: Final = frozenset({"KES", "UGX", "TZS", "NGN", "ZAR", "SAR", "AED", "QAR", "EGP", "USD", "EUR", "GBP"})
"""Of ours those that stand in Telegram's currencies.json, which counts each in the same smallest unit as we do."""
_ABILITY: Final = Ability(NAME, frozenset({Method.TELEGRAM}), _CURRENCIES, {}, 1, MOST_MINOR, True, Proof.PROOF)
"""What Telegram takes at least and at most (about 1 and 10,000 dollars) follows the rates of the day: it is asked, and says so."""

_LATER_S: Final = 5
MEANING: Final[Mapping[str, tuple[Outcome, str]]] = {
    "PAYMENT_PROVIDER_INVALID": (Outcome.DECLINED, "configuration"),
    "PAYMENT_PROVIDER_MISMATCH": (Outcome.DECLINED, "configuration"),
    "PROVIDER_ACCOUNT_INVALID": (Outcome.DECLINED, "configuration"),
    "CURRENCY_TOTAL_AMOUNT_INVALID": (Outcome.DECLINED, "amount_refused"),
    "CURRENCY_INVALID": (Outcome.DECLINED, "currency_refused"),
    "CURRENCY_NOT_SUPPORTED": (Outcome.DECLINED, "currency_refused"),
}
"""What a refusal says, in its description: Bad Request: WORD."""
_REFUSED: Final = (Outcome.DECLINED, "not_sent")
_WRONG_BOT: Final = frozenset({401, 403, 404})

log = structlog.get_logger(__name__)


class TelegramInvoices:
    """`attempt_of` reads the payload of an invoice: the attempt that a keyed mark of ours names, or None."""

    def __init__(self, http: Http, base_url: str, bot_token: str, attempt_of: Callable[[str], int | None], clock: Clock) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._bot_token = bot_token
        self._attempt_of = attempt_of
        self._clock = clock

    @property
    def ability(self) -> Ability:
        return _ABILITY

    async def start(self, ask: Ask) -> Reply:
        """createInvoiceLink: PENDING with the address that opens the invoice in Telegram."""
        said = await self._invoice(ask.credentials, ask.money, ask.reference, ask.description, ask.callback_token)
        return said if isinstance(said, Reply) else Reply(Outcome.PENDING, url=said)

    async def fetch(self, attempt: Attempt, credentials: Mapping[str, str]) -> Reply:
        """There is nobody to ask. What was not paid in its time has ended: money that is told of later is late money, and none is lost."""
        if attempt.state is AttemptState.PENDING and self._clock.now() - attempt.created_at >= OVER_AFTER:
            return Reply(Outcome.DECLINED, result="expired")
        return Reply(Outcome.PENDING if attempt.url is not None else Outcome.UNKNOWN, attempt.ref, "waiting")

    async def refund(self, refund: Refund, receipt: str, credentials: Mapping[str, str], callback_token: str) -> Reply:
        """PENDING, by hand: a person gives it back where the provider keeps its books, and says so here."""
        return Reply(Outcome.PENDING, result=BY_HAND)

    def authentic(self, kind: str, raw: bytes, headers: Mapping[str, str], source: str, credentials: Mapping[str, str]) -> bool:
        """No address of the web belongs to us: updates come through the bot's own door, which looks at their secret."""
        return False

    def parse(self, kind: str, raw: bytes, headers: Mapping[str, str]) -> Notice:
        """An update whose message tells of a payment, or of one that went back. Raises Unreadable for every other."""
        message = read_json(raw, MOST_BYTES).get("message")
        if kind != KIND or not isinstance(message, dict):
            raise Unreadable("no message")
        for field, about in (("successful_payment", About.PAYMENT), ("refunded_payment", About.REFUND)):
            told = message.get(field)
            if isinstance(told, dict):
                return self._notice(told, about)
        raise Unreadable("no payment")

    def _notice(self, told: Mapping[str, Any], about: About) -> Notice:
        charge, amount = _text(told, "telegram_payment_charge_id"), told.get("total_amount")
        if not charge or type(amount) is not int:
            raise Unreadable("no charge, or no amount")
        try:
            money = Money(amount, _text(told, "currency"))
        except BadInput:
            raise Unreadable("a currency that is not ours") from None
        number = self._attempt_of(_text(told, "invoice_payload"))
        back = about is About.REFUND
        return Notice(
            gateway=NAME,
            event_key=f"{about}:{charge}",
            kind=KIND,
            outcome=Outcome.SUCCEEDED,
            proof=Proof.PROOF,
            attempt_id=None if number is None else AttemptId(number),
            ref=None if back else _text(told, "provider_payment_charge_id") or None,
            receipt=charge,
            money=money,
            about=about,
            refund_ref=f"{charge}:refunded" if back else None,
        )

    async def check(self, credentials: Mapping[str, str]) -> str | None:
        """None when Telegram makes an invoice with this token, or refuses only the currency or the amount it was tried with."""
        said = await self._invoice(credentials, TRIED_WITH, "PayLoom", "check", "check")
        if not isinstance(said, Reply) or said.result in ("amount_refused", "currency_refused"):
            return None
        return "try_later" if said.outcome is Outcome.NOT_SENT else "configuration"

    async def _invoice(self, credentials: Mapping[str, str], money: Money, reference: str, name: str, payload: str) -> str | Reply:
        """The address of a new invoice, or why there is none."""
        token = credentials.get("provider_token", "").strip()
        if not self._bot_token or not token or not token.isascii() or not token.isprintable():
            return Reply(Outcome.DECLINED, result="configuration")
        title = name.strip()[:MOST_TITLE].strip() or reference
        asked = {
            "title": title,
            "description": f"{reference} {name}".strip()[:MOST_DESCRIPTION],
            "payload": payload,
            "provider_token": token,
            "currency": money.currency,
            "prices": [{"label": title, "amount": money.amount_minor}],
        }
        url = f"{self._base_url}/bot{self._bot_token}/createInvoiceLink"
        answer = await self._http.call("POST", url, body=asked, shown_path="/bot***/createInvoiceLink")
        if not isinstance(answer, Answer):
            return Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=_LATER_S)
        return _understood(answer)


def _understood(answer: Answer) -> str | Reply:
    try:
        said = read_json(answer.body, MOST_BYTES)
    except Unreadable:
        said = {}
    if answer.status == 200 and said.get("ok") is True and (url := _page(said.get("result"))) is not None:
        return url
    if answer.status == 429:
        told = said.get("parameters")
        wait = told.get("retry_after") if isinstance(told, dict) else None
        return Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=min(max(wait, 1), 3600) if type(wait) is int else _LATER_S)
    if answer.status in _WRONG_BOT:
        return Reply(Outcome.DECLINED, result="configuration")
    if answer.status == 400:
        why = str(said.get("description", "")).upper()
        outcome, words = next((meaning for code, meaning in MEANING.items() if code in why), _REFUSED)
        log.warning("telegram_refused_invoice", why=why[:200], words=words)
        return Reply(outcome, result=words)
    return Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=_LATER_S)


def _page(url: object) -> str | None:
    if not isinstance(url, str) or len(url) > 2000 or not url.isascii() or not url.isprintable() or " " in url:
        return None
    parts = urlsplit(url)
    return url if parts.scheme == "https" and parts.hostname else None


def _text(told: Mapping[str, Any], name: str) -> str:
    """Empty for what is no text, or longer than any id can be."""
    value = told.get(name)
    return value if isinstance(value, str) and len(value) <= MOST_ID else ""
