"""Keeping Daraja and the phones in a file, so that a town that starts again is the town that was left.

Prompts do not outlive the town: a push that was still ringing is found unanswered when it starts again.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from town.daraja.books import Books, Transaction
from town.daraja.outcomes import NO_ANSWER, Outcome
from town.daraja.stk import Checkout, StkDesk
from town.phones import Phone, Phones

Json = dict[str, Any]
VERSION = 1
_CHECKOUT = ("merchant_request_id", "checkout_request_id", "msisdn", "amount", "reference", "callback_url", "receipt")
_PHONE = ("msisdn", "balance_minor", "pin", "on", "auto", "spent_day", "spent_minor")


def dump(books: Books, desk: StkDesk, phones: Phones) -> Json:
    return {
        "version": VERSION,
        "transactions": [transaction.shown() for transaction in books.all()],
        "checkouts": [_checkout(checkout) for checkout in desk.checkouts.values()],
        "phones": [{**{name: getattr(phone, name) for name in _PHONE}, "sms": list(phone.sms)} for phone in phones.all()],
    }


def _checkout(checkout: Checkout) -> Json:
    outcome = asdict(checkout.outcome or NO_ANSWER)
    return {
        **{name: getattr(checkout, name) for name in _CHECKOUT},
        "at": checkout.at.isoformat(),
        "outcome": outcome,
        "app": checkout.app.key,
    }


def save(books: Books, desk: StkDesk, phones: Phones, keep: Path) -> None:
    """Write `keep` whole or not at all."""
    beside = keep.with_suffix(".new")
    beside.write_text(json.dumps(dump(books, desk, phones), ensure_ascii=False), encoding="utf-8")
    beside.replace(keep)


def load(books: Books, desk: StkDesk, phones: Phones, apps: Json, keep: Path) -> bool:
    """Take up what `keep` holds; False when there is nothing (of this version) to take up. Pushes of apps that are gone are left out."""
    if not keep.is_file():
        return False
    kept: Json = json.loads(keep.read_text(encoding="utf-8"))
    if kept.get("version") != VERSION:
        return False
    for one in kept["transactions"]:
        books.put_back(Transaction(**{**one, "at": datetime.fromisoformat(one["at"])}))
    for one in kept["checkouts"]:
        app = apps.get(one.pop("app"))
        if app is not None:
            known = {**one, "app": app, "at": datetime.fromisoformat(one["at"]), "outcome": Outcome(**one["outcome"])}
            desk.checkouts[one["checkout_request_id"]] = Checkout(**known)
    for one in kept["phones"]:
        sms = one.pop("sms")
        phone = Phone(**one)
        phone.sms.extend(sms)
        phones.put_back(phone)
    return True
