"""Whatever becomes of a payment is said in words, in three languages, and in those of the way it was paid: only M-Pesa is called M-Pesa."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import gateways.payments as room
from domain.methods import CARRIERS
from domain.payment import Method
from templates.methods import method_name, payment_key
from templates.words import LANGUAGES, catalog, words

ADAPTERS = Path(room.__file__).parent
PHONES = {"daraja"}
"""Gateways that ask on the phone: their words speak of it."""
NOT_FOR_A_PAYER = {
    "refunded", "already_refunded", "not_refundable", "paypal_not_refundable", "paypal_refund_unfunded", "paypal_refund_pending",
    "refund_failed", "other_amount", "charged_back", "chargeback_inquiry", "chargeback_lost", "chargeback_won",  # what a bank did is told in words of its own
    "already_registered", "found",  # of addresses, and of receipts
}  # fmt: skip
"""Results that end no try of a payer: of refunds, of banks, of questions."""
MONEY = ("late", "double", "short", "surplus", "wrong_currency", "wrong_payee", "unknown")
_WORD = re.compile(r"[a-z]+(_[a-z]+)*")
_OUTCOMES = {"SUCCEEDED", "PENDING", "DECLINED", "NOT_SENT", "UNKNOWN"}


def _said(node: ast.AST) -> Iterator[str]:
    """Words keys in one piece of an adapter: beside an outcome in a table, or as the result of a Reply or a Notice."""
    if isinstance(node, ast.Tuple) and len(node.elts) == 2 and isinstance(node.elts[1], ast.Constant):
        first = node.elts[0]
        name = first.attr if isinstance(first, ast.Attribute) else first.id if isinstance(first, ast.Name) else ""
        if name in _OUTCOMES and isinstance(node.elts[1].value, str):
            yield node.elts[1].value
    if isinstance(node, ast.Call):
        named = [keyword.value for keyword in node.keywords if keyword.arg == "result"]
        third = node.args[2:3] if isinstance(node.func, ast.Name) and node.func.id == "Reply" else []
        for value in (*named, *third):
            yield from _constants(value)


def _constants(node: ast.AST) -> Iterator[str]:
    """What a value may be as it stands; what it is looked up by is none of it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for part in (node.body, node.orelse) if isinstance(node, ast.IfExp) else node.values if isinstance(node, ast.BoolOp) else ():
        yield from _constants(part)


def adapter_of(path: Path) -> str:
    return path.stem.partition("_")[0]


def told(gateway: str) -> set[str]:
    """Every words key that the modules of a gateway say."""
    found = set()
    for path in ADAPTERS.glob(f"{gateway}*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            found |= {word for word in _said(node) if _WORD.fullmatch(word)}
    return found


GATEWAYS = sorted({adapter_of(path) for path in ADAPTERS.glob("*.py")} - {"", "init"} - {adapter_of(Path("__init__.py"))})
SAID = [(gateway, word) for gateway in GATEWAYS for word in sorted(told(gateway) - NOT_FOR_A_PAYER)]


def method_of(gateway: str) -> Method:
    return next(method for method, carriers in CARRIERS.items() if gateway in carriers)


def test_every_gateway_was_read() -> None:
    assert set(GATEWAYS) == {gateway for carriers in CARRIERS.values() for gateway in carriers}
    assert all(len(told(gateway)) > 2 for gateway in GATEWAYS), {gateway: told(gateway) for gateway in GATEWAYS}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("gateway", "word"), SAID)
def test_every_code_of_every_gateway_has_words(language: str, gateway: str, word: str) -> None:
    t = words(language)
    key = payment_key(t, word, method_of(gateway))
    assert key.endswith(f".{word}"), f"{gateway} says {word}, and nobody knows what that is"
    assert gateway in PHONES or "M-Pesa" not in t(key), f"{gateway} is not M-Pesa: {t(key)}"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("why", [*(f"money_{why}" for why in MONEY), "disproved", "not_sent", "no such thing", None])
def test_what_we_say_ourselves_of_money_is_said_of_every_method(language: str, why: str | None) -> None:
    t = words(language)
    for method in Method:
        said = t(payment_key(t, why, method))
        assert ("M-Pesa" in said) <= (method is Method.MPESA), said
    assert "M-Pesa" not in t(payment_key(t, why, None)), "where it is not known how it was paid, no way is named"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_method_has_a_name_that_stands_in_a_sentence(language: str) -> None:
    t = words(language)
    names = [method_name(t, method) for method in Method]
    assert len(set(names)) == len(names)
    assert all("," not in name and "،" not in name for name in names)
    assert method_name(t, None) == method_name(t, "mpesa")


ABOUT_THE_PHONE = ("chat.buy.", "ussd.buy.", "sms.buy.", "web.pay.", "web.buy.", "chat.claim.", "ussd.claim.", "web.claim.", "chat.practice.",
                   "ussd.practice.", "errors.payment.", "errors.bad_input.", "web.method.", "chat.gateway.")  # fmt: skip
"""Said only to somebody who pays by M-Pesa, plays at it, pastes its message, or sets it up."""
ALSO = {"chat.do.pay", "chat.command.paid", "email.pin", "sms.pay_elsewhere", "ussd.check_phone", "errors.bad_input.phone.not_mpesa"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_else_names_m_pesa(language: str) -> None:
    """What may be about a card or a wallet is filled in with the name of the method, or names none."""
    named = {key for key, said in catalog(language).items() if "M-Pesa" in str(said)}
    assert sorted(key for key in named - ALSO if not key.startswith(ABOUT_THE_PHONE)) == []
