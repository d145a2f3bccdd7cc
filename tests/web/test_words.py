"""The catalogs of the web and of all refusals: the same sentences in each language, and a sentence for everything that can be refused."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from babel import Locale

import templates
from domain.errors import BadInput, CannotPay, LimitReached, NotForSale
from domain.money import Money
from gateways.payments.daraja_codes import WORDS
from templates.words import LANGUAGES, words
from tests.web.ground import START
from web.refusals import payment_sentence, sentence

LOCALES = Path(templates.__file__).parent / "locales"
PAGES = Path(templates.__file__).parent / "web"
SUBJECTS = ("web", "errors")


def flat(prefix: str, table: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in table.items():
        key = f"{prefix}.{name}"
        found |= flat(key, value) if isinstance(value, dict) and "other" not in value else {key: value}
    return found


def catalog(language: str) -> dict[str, Any]:
    read = {subject: tomllib.loads((LOCALES / language / f"{subject}.toml").read_text("utf-8")) for subject in SUBJECTS}
    return {key: value for subject in SUBJECTS for key, value in flat(subject, read[subject]).items()}


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_every_language_says_the_same_things_with_the_same_values(language: str) -> None:
    english, other = catalog("en"), catalog(language)
    assert set(other) == set(english)
    for key, text in english.items():
        mine, theirs = (
            (text if isinstance(text, dict) else {"other": text}),
            (other[key] if isinstance(other[key], dict) else {"other": other[key]}),
        )
        assert isinstance(text, dict) == isinstance(other[key], dict), key
        assert places(mine["other"]) == places(theirs["other"]), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_plural_has_every_form_its_language_needs(language: str) -> None:
    needed = set(Locale.parse(language).plural_form.tags) | {"other"}
    for key, text in catalog(language).items():
        if isinstance(text, dict):
            assert set(text) == needed, key


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_nothing_was_left_in_english(language: str) -> None:
    english, other = catalog("en"), catalog(language)
    same = {key for key, text in english.items() if text == other[key] and re.search(r"[a-z]{3} [a-z]{2}", str(text))}
    assert not same


def test_every_sentence_a_page_asks_for_exists() -> None:
    known = catalog("en")
    for page in PAGES.glob("*.html"):
        for key in re.findall(r't\("((?:web|errors)\.[a-z_.0-9]+)"[,)]', page.read_text("utf-8")):
            assert key in known, f"{page.name}: {key}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_result_of_the_gateway_says_what_happened(language: str) -> None:
    t = words(language)
    whys = [f"money_{why}" for why in ("late", "double", "short", "surplus", "wrong_currency", "wrong_payee", "unknown")]
    for result in (*WORDS, *whys, "not_sent", "disproved"):
        assert t.has(f"errors.payment.{result}"), result
        assert payment_sentence(t, result, "mpesa") == t(f"errors.payment.{result}")
    assert payment_sentence(t, "no such thing", "mpesa") == payment_sentence(t, None, "mpesa") == t("errors.payment.unknown")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_refusal_has_a_sentence(language: str) -> None:
    t = words(language)
    refusals = [
        *(NotForSale(reason=why) for why in ("inactive", "expired", "used", "sold_out", "paid")),
        NotForSale(reason="few_left", left=3),
        *(CannotPay(method="mpesa", reason=why, limit=1) for why in ("not_configured", "currency", "cents", "too_small", "too_large", "paused", "never_prompt")),
        *(LimitReached(limit=name, retry_at=START) for name in ("stk_number_10m", "stk_number_day", "stk_link_hour", "api_keys_made_day")),
        *(BadInput(*said, limit=5) for said in (("phone", "not_a_phone"), ("quantity", "out_of_range"), ("name", "too_long"), ("pictures", "too_many"))),
    ]  # fmt: skip
    for refusal in refusals:
        assert sentence(t, refusal) != t("errors.any"), refusal


@pytest.mark.parametrize(
    "language,whole,cents",
    [("en", "Ksh 2,500", "Ksh 2,500.50"), ("sw", "Ksh 2,500", "Ksh 2,500.50"), ("ar", "\u2068KES 2,500\u2069", "\u2068KES 2,500.50\u2069")],
)
def test_money_is_written_the_same_way_with_and_without_cents(language: str, whole: str, cents: str) -> None:
    assert words(language).money(Money(250_000, "KES")) == whole
    assert words(language).money(Money(250_050, "KES")) == cents
    assert words("en").money(Money(1_500, "KWD")) == "KWD 1.500"
    assert words("en").money(Money(1_500, "UGX")) == "UGX 1,500"
