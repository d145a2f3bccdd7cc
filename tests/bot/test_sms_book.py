"""Whole conversations by SMS, every answer with its segments, in three languages: docs/texts.md is that book, and none of them takes more than two.

With PAYLOOM_WRITE_SCREENS=1 the book is written instead of compared.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path

import pytest

from domain.gsm import segments, units
from domain.ids import PersonId
from domain.order import Order
from domain.person import Language
from domain.ports import Message, Unit
from gateways.messages.sms import words_of
from tests.bot.desk import Desk
from tests.bot.smsphone import MOST_SEGMENTS, SmsPhone, phone_of
from tests.bot.test_every_step import late_money
from tests.factories import BUYER, OWNER

BOOK = Path(__file__).parents[2] / "docs" / "texts.md"
SELLER, BUYER_NUMBER, STRANGER = "+254711000001", "+254722000002", "+254733000003"
HEAD = f"""# Texts

Whole conversations by SMS as they were had, each answer with its segments and units: at most {MOST_SEGMENTS} segments an answer (306 septets, or 134 letters where GSM-7
lacks one), and one where it can be; longer ones go on with 98. A text about an order or a link that is sent by itself may take up to four when a name or an address makes
it so. `tests/bot/test_sms_book.py` makes this page and keeps it true (`PAYLOOM_WRITE_SCREENS=1` writes it). What may be done by SMS, and what waits for a number that is
texted back, is said in [decisions/0013-what-an-sms-may-do.md](decisions/0013-what-an-sms-may-do.md).
"""
SPELT = {
    Language.EN: ("SELL", "SHIP", "DELIVERED", "TRACK", "PROBLEM", "YES", "BAL", "ORDERS", "LINKS", "HELP", "BUY", "CANCEL", "ACCEPT", "REFUND"),
    Language.SW: ("UZA", "TUMA", "IMEFIKA", "FUATILIA", "SHIDA", "NDIYO", "SALIO", "ODA", "LINKI", "MSAADA", "NUNUA", "GHAIRI", "KUBALI", "RUDISHA"),
    Language.AR: ("بيع", "شحن", "وصل", "تتبع", "مشكلة", "نعم", "رصيد", "طلبات", "روابط", "مساعدة", "شراء", "إلغاء", "قبول", "استرداد"),
}  # fmt: skip


@dataclass
class Page:
    """One conversation, written down as it is had."""

    desk: Desk
    language: Language
    lines: list[str] = field(default_factory=list)

    def word(self, english: str) -> str:
        return SPELT[self.language][SPELT[Language.EN].index(english)]

    def write(self, phone: SmsPhone, words: str) -> str:
        """The answer as it leaves the house."""
        shown = phone.text(words)
        sent = words_of(Message(escape(shown, quote=False), own_letters=True))
        assert sent == shown, "what was measured is what is sent"
        assert segments(sent) <= MOST_SEGMENTS, f"{segments(sent)} segments: {sent}"
        count = segments(sent)
        self.lines += [f"> {words}", "", f"{count} segment{'s' if count > 1 else ''}, {units(sent)} units:", "", "```", sent, "```", ""]
        return shown

    def phone(self, who: PersonId, number: str) -> SmsPhone:
        """Somebody of the street, who speaks the language of this page."""
        phone = phone_of(self.desk.street, who, number)

        def speak(unit: Unit) -> None:
            unit.people.save(replace(unit.people.get(who), language=self.language, welcomed=True))

        self.desk.street.do(speak)
        return phone


def somebody_new(page: Page) -> None:
    """They say hello, choose a language, and open a shop."""
    phone = SmsPhone(page.desk.street, STRANGER)
    for words in ("Hello", str(list(Language).index(page.language) + 1), "1", "Wangari Farm", page.word("HELP")):
        page.write(phone, words)


def selling(page: Page) -> None:
    """A link in two messages; what is sold."""
    phone = page.phone(OWNER, SELLER)
    for words in (f"{page.word('SELL')} Red sneakers 2500", "1", page.word("LINKS"), "1"):
        page.write(phone, words)


def buying(page: Page) -> None:
    """A link's code, an address, and the prompt on the phone that wrote."""
    phone = page.phone(BUYER, BUYER_NUMBER)
    link = page.desk.street.link(name="Red sneakers")
    for words in (f"{page.word('BUY')} {link.code}", "1", "Kilimani gate 4", "1"):
        page.write(phone, words)
    page.desk.ring(phone.attempts)
    page.desk.answered(phone.attempts[-1], "wrong_pin")
    page.write(phone, "1")


def working(page: Page) -> None:
    """The seller sends it and says that it arrived, which starts the buyer's seven days and so is asked back."""
    phone, order = page.phone(OWNER, SELLER), _paid(page)
    last = order.number[-4:]
    for words in (page.word("ORDERS"), f"{page.word('SHIP')} {last}", f"{page.word('DELIVERED')} {last}"):
        page.write(phone, words)
    page.write(phone, phone.code())
    page.write(phone, page.word("BAL"))


def confirming(page: Page) -> None:
    """The buyer looks, presses a number, says yes: only the delivery code confirms."""
    phone, order = page.phone(BUYER, BUYER_NUMBER), page.desk.street.shipped()
    for words in (f"{page.word('TRACK')} {order.number[-4:]}", "1", page.word("YES"), f"{page.word('YES')} 999 999"):
        page.write(phone, words)
    page.write(phone, f"{page.word('YES')} {order.delivery_code[:3]} {order.delivery_code[3:]}")


def trouble(page: Page) -> None:
    """A problem, taken back, and an order cancelled: each waits for its number."""
    phone, order = page.phone(BUYER, BUYER_NUMBER), _paid(page)
    last = order.number[-4:]
    page.write(phone, f"{page.word('PROBLEM')} {last} broken")
    page.write(phone, phone.code())
    for words in (f"{page.word('TRACK')} {last}", "1", "1"):
        page.write(phone, words)
    page.write(phone, phone.code())
    for words in (f"{page.word('CANCEL')} {last}", "1", "000000"):
        page.write(phone, words)


def coming_late(page: Page) -> None:
    """A payment that came after its time: the seller takes one and gives one back, each by a word and the number that is texted back."""
    phone, taken, back = page.phone(OWNER, SELLER), late_money(page.desk), late_money(page.desk)
    for word, late in (("ACCEPT", taken), ("REFUND", back)):
        page.write(phone, f"{page.word(word)} {late.number[-4:]}")
        page.write(phone, phone.code())


def not_understood(page: Page) -> None:
    """No such order, too few digits, nothing to confirm, taking money out."""
    phone = page.phone(OWNER, SELLER)
    for words in (f"{page.word('SHIP')} 4821", f"{page.word('SHIP')} 12", page.word("YES"), "WITHDRAW 500", "?"):
        page.write(phone, words)


def _paid(page: Page) -> Order:
    return page.desk.street.paid()


TALKS: tuple[Callable[[Page], None], ...] = (somebody_new, selling, buying, working, confirming, trouble, coming_late, not_understood)


@pytest.fixture(scope="module")
def book() -> dict[str, str]:
    return {}


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("talk", TALKS)
def test_a_conversation_in_each_language(desk: Desk, book: dict[str, str], talk: Callable[[Page], None], language: Language) -> None:
    """T14: as many segments as were promised, in three languages."""
    page = Page(desk, language)
    talk(page)
    title = f"## {talk.__name__.replace('_', ' ').capitalize()}, {language}\n\n{talk.__doc__}\n"
    book[f"{talk.__name__} {language}"] = "\n".join([title, *page.lines])


def test_the_book_of_texts_is_true(book: dict[str, str]) -> None:
    """Runs after the others of this file, which print it."""
    if len(book) < len(TALKS) * len(Language):
        pytest.skip("only a part of the conversations was had")
    text = "\n".join([HEAD, *book.values()])
    if os.environ.get("PAYLOOM_WRITE_SCREENS"):
        BOOK.write_text(text, "utf-8")
    assert BOOK.read_text("utf-8") == text
