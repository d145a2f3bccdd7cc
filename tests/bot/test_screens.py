"""Every screen of every dialog as a feature phone shows it, in three languages, page by page: none is over its limit, and docs/screens.md is that book.

With PAYLOOM_WRITE_SCREENS=1 the book is written instead of compared.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bot.mouths.pages import MOST, MOST_WIDE
from domain.gsm import gsm7, units
from domain.ids import PersonId
from domain.order import Order
from domain.person import Channel, ChannelKind, ChannelState, Conversation, Language
from domain.ports import Unit
from tests.bot.desk import Desk
from tests.bot.handset import Handset
from tests.bot.test_every_step import PLACES, data_of, order_in, who_stands_in

BOOK = Path(__file__).parents[2] / "docs" / "screens.md"
NUMBERS = {"en": "+254711000001", "sw": "+254711000002", "ar": "+254711000003"}
HEAD = f"""# Screens

Every step of every dialog as a feature phone shows it, with the units it takes: at most {MOST} septets, or {MOST_WIDE} letters where GSM-7 lacks one, both with the
`CON ` that the operator takes away. `tests/bot/test_screens.py` makes this page and keeps it true (`PAYLOOM_WRITE_SCREENS=1` writes it). Arabic is shown where a service
code carries it; everywhere else Arabic speakers read English. Screens of more than one page go on with 98.
"""


def shown_pages(desk: Desk, dialog: str, step: str, order: Order, language: Language) -> list[str]:
    """All pages of one step for whoever stands in it."""
    who, number, data = PersonId(who_stands_in(dialog)), NUMBERS[language], data_of(desk, order)

    def stand(unit: Unit) -> None:
        unit.people.save(replace(unit.people.get(who), language=language, welcomed=True))
        unit.people.add_channel(Channel(ChannelKind.SMS, number, who, ChannelState.ACTIVE, unit.now))
        known = unit.conversations.get(who, ChannelKind.USSD)
        shown = {"session": "S", "heard": "", "pages": ["?"], "page": 0, "menu": {"1": "ussd:continue"}, "trail": [], "ends": False}
        fresh = Conversation(who, ChannelKind.USSD, dialog, step, data, shown, unit.now)
        unit.conversations.put(fresh if known is None else replace(known, dialog=dialog, step=step, data=data, shown=shown))

    desk.street.do(stand)
    phone = Handset(desk.street, number, arabic=language is Language.AR, session="S", open=True)
    found = [phone.press("1")]
    while "98." in phone.screen and len(found) < 20:
        found.append(phone.press("98"))
    return found


def printed(place: str, by_language: dict[str, list[str]]) -> str:
    lines = [f"## {place}", ""]
    for language, shown in by_language.items():
        for n, page in enumerate(shown):
            body = f"CON {page}"
            limit = MOST if gsm7(body) else MOST_WIDE
            assert units(body) <= limit, f"{place}, {language}: {units(body)} of {limit}\n{page}"
            title = f"{language}, page {n + 1} of {len(shown)}" if len(shown) > 1 else language
            lines += [f"{title}: {units(body)} of {limit}", "", "```", page, "```", ""]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def book() -> dict[str, str]:
    return {}


@pytest.mark.parametrize("dialog, step, state", PLACES)
def test_every_screen_fits_in_three_languages(desk: Desk, book: dict[str, str], dialog: str, step: str, state: str) -> None:
    """T14."""
    order = order_in(desk, state)
    place = f"{dialog}, {step}" + (f" ({state.lower()})" if dialog in {"order", "orders"} else "")
    by_language = {str(language): shown_pages(desk, dialog, step, order, language) for language in Language}
    book[place] = printed(place, by_language)
    assert all(shown for shown in by_language.values())


def test_the_book_of_screens_is_true(book: dict[str, str]) -> None:
    """Runs after the others of this file, which print it."""
    if len(book) < len(PLACES):
        pytest.skip("only a part of the screens was printed")
    text = "\n".join([HEAD, *book.values()])
    if os.environ.get("PAYLOOM_WRITE_SCREENS"):
        BOOK.write_text(text, "utf-8")
    assert BOOK.read_text("utf-8") == text
