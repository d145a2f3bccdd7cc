"""Letters: every fact for every side in every language; what people wrote stays data; nothing is loaded from anywhere."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import product
from typing import Any

import pytest

from domain.facts import FACTS
from domain.order import Order
from templates.letters import Letter, as_data, letter
from templates.words import LANGUAGES, catalog, words
from tests.domain.samples import an_order

PAGE = "https://pay.example/track/abc?a=1&b=2"
STOP = "https://pay.example/u/xyz"
RUDE = '"><script>alert(1)</script><img src=x onerror=alert(2)><a href="javascript:alert(3)">PAID</a>{{ 7*7 }} {total} & \''
WHEN = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
ABOUT: dict[str, dict[str, Any]] = {
    "payment_failed": {"result": "wrong_pin"},
    "money_returned": {"amount_minor": 250_000, "currency": "KES", "receipt": "UKL7A9B2C3"},
    "late_money": {
        "number": "48213377",
        "item": "Sneakers",
        "name": "Amina",
        "amount_minor": 250_000,
        "currency": "KES",
        "when": "2026-11-22T12:00:00+00:00",
    },
    "late_waits": {
        "number": "48213377",
        "item": "Sneakers",
        "shop": "Amina's",
        "amount_minor": 250_000,
        "currency": "KES",
        "when": "2026-11-22T12:00:00+00:00",
    },
    "late_over": {"number": "48213377", "name": "Amina", "amount_minor": 250_000, "currency": "KES", "state": "REFUNDED", "by": "clock"},
    "share_paid": {
        "mine": False,
        "item": "Sneakers",
        "name": "Amina",
        "amount_minor": 83_400,
        "paid_minor": 83_400,
        "total_minor": 250_000,
        "currency": "KES",
    },
    "group_full": {"item": "Sneakers", "paid_minor": 250_000, "total_minor": 250_000, "currency": "KES"},
    "group_ended": {
        "why": "expired",
        "item": "Sneakers",
        "amount_minor": 83_400,
        "paid_minor": 83_400,
        "total_minor": 250_000,
        "currency": "KES",
    },
    "account_changed": {"shop": "Amina's", "gateway": "stripe", "name": "Amina"},
    "webhook_off": {"host": "shop.example", "why": "gone"},
    "alert": {"what": "books", "gateway": "daraja", "lacks": 3},
}


def sides_of(fact: str) -> list[str]:
    """Who is told a fact about an order: whoever the chats have a line for."""
    return [side for side in ("buyer", "seller") if {f"chat.fact.{side}.{fact}", f"chat.fact.{side}.{fact}_direct"} & catalog("en").keys()]


def write(language: str, fact: str, side: str, order: Order | None, **more: Any) -> Letter:
    given = {"page": PAGE, "shop": "Amina's shoes", "receipt": "UKL7A9B2C3", "when": WHEN, "unsubscribe": STOP, **more}
    found = letter(words(language), fact, side=side, order=order, **given)
    assert found is not None, (language, fact, side)
    return found


class Page(HTMLParser):
    """What a mail program finds in a letter."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.seen = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.seen += data

    @property
    def addresses(self) -> list[str]:
        return [attributes["href"] or "" for tag, attributes in self.tags if tag == "a"]


# --- every letter ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_fact_about_an_order_has_its_letter(language: str) -> None:
    told = 0
    for fact in (name for name, fact in FACTS.items() if fact.card):
        for side, escrow in product(sides_of(fact), (an_order().escrow, None)):
            order = an_order(escrow=escrow, quantity=3)
            found = write(language, fact, side, order)
            assert order.number in found.subject and "{" not in found.subject + found.text and len(found.subject) <= 78
            assert all(said in found.text for said in (order.number, PAGE, STOP, "Red sneakers", "UKL7A9B2C3"))
            assert Page(found.html).addresses == [PAGE, STOP]
            assert found.unsubscribe == STOP
            told += 1
    assert told >= 60


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("fact", sorted(ABOUT))
def test_facts_without_an_order(language: str, fact: str) -> None:
    found = write(language, fact, "staff" if fact == "alert" else "buyer", None, payload=ABOUT[fact])
    assert found.subject and "{" not in found.text and "<th" not in found.html


def test_who_is_told_nothing() -> None:
    """Where the chats have no line for a side, there is no letter."""
    assert letter(words("en"), "ask_arrived", side="seller", page=PAGE, order=an_order()) is None
    assert letter(words("en"), "remind_ship", side="buyer", page=PAGE, order=an_order()) is None
    assert letter(words("en"), "screen", side="buyer", page=PAGE) is None


def test_no_title_without_a_fact() -> None:
    """A title nobody uses is a fact that was renamed."""
    titles = {key.removeprefix("email.title.").removesuffix("_direct") for key in catalog("en") if key.startswith("email.title.")}
    wanted = {f"{side}.{fact}" for fact in FACTS for side in sides_of(fact)} | set(ABOUT)
    assert titles == wanted


def test_a_letter_read_aloud() -> None:
    found = write("en", "order_paid", "buyer", an_order())
    assert found.subject == "Paid. Your money is safe · order 48213377"
    assert found.text == (
        "Paid. Your money is safe\n\n"
        "Paid Ksh 2,500. Order 48213377; your money is held safely until you confirm delivery.\n\n"
        "Order number: 48213377\nProduct: Red sneakers\nAmount: Ksh 2,500\nSeller: Amina's shoes\nM-Pesa receipt: UKL7A9B2C3\n\n"
        f"Open my order:\n{PAGE}\n\n"
        "-- \nPayLoom never asks for your M-Pesa PIN, neither in a letter nor on the phone.\n\n"
        "You get this letter because this address was given for an order from Amina's shoes.\n\n"
        f"No more of these letters:\n{STOP}\n"
    )


def test_what_only_the_seller_reads() -> None:
    found = write("en", "order_completed", "seller", an_order(), payload={"fee_minor": 5_000})
    assert "Ksh 2,450 is in your wallet" in found.text and "Njeri" in found.text and "Moi Avenue 3" in found.text
    assert "Njeri" not in write("en", "order_completed", "buyer", an_order()).text
    paid = write("sw", "order_paid", "seller", an_order(escrow=None))
    assert "imelipwa moja kwa moja" in paid.text, "money that went straight to the seller is not said to be held"


def test_the_delivery_code_is_in_no_letter() -> None:
    """Whoever has the code can have the money released: it stays on the buyer's page."""
    for fact, side in ((name, side) for name in FACTS for side in sides_of(name)):
        found = write("en", fact, side, an_order())
        assert "042917" not in found.html + found.text and "042 917" not in found.html + found.text


def test_no_letter_has_an_emoji() -> None:
    for language, fact in product(LANGUAGES, FACTS):
        for side in sides_of(fact):
            found = write(language, fact, side, an_order())
            assert not re.search("[\u2190-\u21ff\u231a-\u27bf\U0001f000-\U0001faff]", found.subject + found.text), (language, fact)
            assert found.text.split("\n")[2][0].isalnum(), "the line begins with its first word"


def test_without_a_shop_and_without_a_way_out() -> None:
    found = write("en", "payment_failed", "buyer", None, payload=ABOUT["payment_failed"], shop="", unsubscribe="")
    assert "this address was given to PayLoom" in found.text and STOP not in found.html
    unknown = write("en", "payment_failed", "buyer", None, payload={"result": "made_up"})
    assert "were not told why" in unknown.text


# --- data stays data -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "side, fact", [("buyer", "order_paid"), ("buyer", "order_shipped"), ("seller", "order_paid"), ("seller", "remind_ship")]
)
def test_what_people_wrote_is_inert(language: str, side: str, fact: str) -> None:
    """W6: the same tags, attributes and addresses as with harmless names, and the names are to be read as they were written."""
    rude = an_order(item=RUDE, buyer_name=RUDE, address=RUDE)
    found = write(language, fact, side, rude, shop=RUDE, receipt=RUDE)
    harmless = write(language, fact, side, an_order())
    page = Page(found.html)
    assert page.tags == Page(harmless.html).tags
    assert page.addresses == [PAGE, STOP]
    assert as_data(RUDE) in page.seen and "alert(1)" in page.seen
    assert "{{ 7*7 }}" in page.seen and "{total}" in page.seen, "what people write is never a pattern"


def test_an_alert_is_inert_too() -> None:
    found = write("en", "alert", "staff", None, payload={"what": RUDE, "who": RUDE})
    assert not {"script", "img"} & {tag for tag, _ in Page(found.html).tags}


def test_nothing_turns_the_text_around() -> None:
    """W6: a name with direction controls, line ends or control characters stays within its own walls."""
    order = an_order(item="Shoes\u202egnp.exe\u2069\u2066", buyer_name="A\r\nBcc: x\x00", address="one\ntwo\u2028three")
    for language, side in product(LANGUAGES, ("buyer", "seller")):
        found = write(language, "order_paid", side, order, shop="\u2067محل\u202e")
        assert not re.search("[\u202a-\u202e\u0000\r]", found.text + found.html + found.subject)
        assert found.text.count("\u2068") == found.text.count("\u2069"), "every wall that is built is closed"
        assert "\n" not in found.subject


def test_a_name_of_the_other_direction_has_walls() -> None:
    found = write("en", "order_shipped", "buyer", an_order(), shop="محل أمينة")
    assert "\u2068محل أمينة\u2069 has sent order 48213377." in found.text
    assert "<bdi>محل أمينة</bdi>" in found.html


@pytest.mark.parametrize(
    "written, seen",
    [
        ("Refund at https://evil.example/x", "Refund at https:\u2060//evil.\u2060example/x"),
        ("write to me@evil.example", "write to me@\u2060evil.\u2060example"),
        ("www.evil.example", "www.\u2060evil.\u2060example"),
        ("Size 42.5, 10:30, no. 7. Good.", "Size 42.5, 10:30, no. 7. Good."),
    ],
)
def test_a_mail_program_makes_no_link_of_a_name(written: str, seen: str) -> None:
    """Many make everything a link that looks like an address: a shop called `safaricom-refund.example` would be one."""
    assert as_data(written) == seen


@pytest.mark.parametrize(
    "bad", ["javascript:alert(1)", "", "/track/abc", 'https://x"onclick=', "https://x y", "data:text/html,x", "https://x\nBcc:"]
)
def test_a_button_leads_to_the_web(bad: str) -> None:
    for page, stop in ((bad, ""), (PAGE, bad or " ")):
        with pytest.raises(ValueError, match="http"):
            letter(words("en"), "order_paid", side="buyer", order=an_order(), page=page, unsubscribe=stop)


def test_nothing_is_loaded_from_anywhere() -> None:
    """No picture, no font, no script, no form: a letter that is opened tells nobody."""
    for language in LANGUAGES:
        found = write(language, "order_paid", "buyer", an_order())
        page = Page(found.html)
        assert not {"img", "script", "link", "iframe", "form", "object", "video", "svg"} & {tag for tag, _ in page.tags}
        assert not any({"src", "srcset", "background"} & attributes.keys() for _, attributes in page.tags)
        assert "url(" not in found.html and "@import" not in found.html
        assert len(found.html.encode()) < 30_000, "some mail programs cut a letter at 102 KB"
        assert page.tags[0] == ("html", {"lang": language, "dir": words(language).direction, "xmlns": "http://www.w3.org/1999/xhtml"})
