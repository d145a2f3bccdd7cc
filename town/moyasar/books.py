"""What Moyasar knows: merchants' keys, invoices and payments as its API shows them, and every movement of money."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from town.core import Clock

Json = dict[str, Any]
EXPONENTS = {"SAR": 2, "AED": 2, "QAR": 2, "USD": 2, "EUR": 2, "GBP": 2, "EGP": 2, "KWD": 3, "BHD": 3, "OMR": 3, "JOD": 3, "JPY": 0}
FEE_BPS = 150
TAKEN = ("paid", "captured")
_OWN = "_account"
"""Whose a thing is: kept with it, never shown."""


class Refusal(Exception):
    """Moyasar's error reply."""

    def __init__(self, status: int, kind: str, message: str, errors: Mapping[str, list[str]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"type": kind, "message": message, "errors": dict(errors) if errors else None}


def invalid(**errors: str) -> Refusal:
    return Refusal(400, "invalid_request_error", "Data validation failed", {name: [said] for name, said in errors.items()})


@dataclass(frozen=True, slots=True)
class Account:
    """One merchant. A key beginning with `sk_test_` works in test mode. `currencies` are those enabled for it."""

    secret_key: str
    name: str = "PayLoom"
    currencies: tuple[str, ...] = ("SAR", "KWD", "AED", "USD")

    @property
    def live(self) -> bool:
        return self.secret_key.startswith("sk_live_")


class Books:
    """Everything is kept as the JSON it is shown as; `shown` leaves out whose it is."""

    def __init__(self, clock: Clock, chance: Random) -> None:
        self._clock = clock
        self._chance = chance
        self.invoices: dict[str, Json] = {}
        self.payments: dict[str, Json] = {}
        self.webhooks: dict[str, Json] = {}
        self.movements: list[Json] = []
        self.settled_at: datetime | None = None
        """Until when the money has been paid out to the merchants: what was taken before it can no longer be voided."""

    def new_id(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))

    def stamp(self) -> str:
        return self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def add_invoice(self, account: Account, asked: Mapping[str, Any], page_of: str) -> Json:
        number, now = self.new_id(), self.stamp()
        invoice: Json = {
            "id": number, "status": "initiated", "amount": asked["amount"], "currency": asked.get("currency", "SAR"),
            "description": asked["description"], "logo_url": None, "amount_format": spelled(asked["amount"], asked.get("currency", "SAR")),
            "url": f"{page_of}/{number}?lang=en", "callback_url": asked.get("callback_url"), "expired_at": asked.get("expired_at"),
            "created_at": now, "updated_at": now, "back_url": asked.get("back_url"), "success_url": asked.get("success_url"),
            "metadata": asked.get("metadata"), _OWN: account.secret_key,
        }  # fmt: skip
        self.invoices[number] = invoice
        return invoice

    def add_payment(self, invoice: Json, source: Json, transaction_url: str, ip: str) -> Json:
        """A payer begins to pay an invoice. The payment has no metadata, which is how Moyasar does it."""
        number, now, amount, currency = self.new_id(), self.stamp(), invoice["amount"], invoice["currency"]
        payment: Json = {
            "id": number, "status": "initiated", "amount": amount, "fee": 0, "currency": currency, "refunded": 0, "refunded_at": None,
            "captured": 0, "captured_at": None, "voided_at": None, "description": invoice["description"],
            "amount_format": spelled(amount, currency), "fee_format": spelled(0, currency), "refunded_format": spelled(0, currency),
            "captured_format": spelled(0, currency), "invoice_id": invoice["id"], "ip": ip, "callback_url": None, "created_at": now,
            "updated_at": now, "metadata": None, "source": {**source, "transaction_url": transaction_url.replace("{id}", number)},
            _OWN: invoice[_OWN],
        }  # fmt: skip
        self.payments[number] = payment
        return payment

    def end_payment(self, payment: Json, code: str, said: str) -> None:
        """The bank has answered: `00` moves the money and pays the invoice; anything else leaves the invoice open."""
        paid = code == "00"
        account = self._clock.now()
        payment["source"] |= {"response_code": code, "message": said, "reference_number": f"{self._chance.randrange(10**12):012d}"}
        payment["source"].pop("transaction_url", None)
        payment["status"], payment["updated_at"] = ("paid" if paid else "failed"), self.stamp()
        if paid:
            payment["fee"] = payment["amount"] * FEE_BPS // 10_000
            payment["fee_format"] = spelled(payment["fee"], payment["currency"])
            invoice = self.invoices[payment["invoice_id"]]
            invoice["status"], invoice["updated_at"] = "paid", self.stamp()
            self._move("payment", payment, payment["amount"], account)

    def give_back(self, payment: Json, amount: int, kind: str = "refund") -> None:
        """The caller has looked at what is left. A void gives all of it back at once."""
        now = self.stamp()
        payment["updated_at"] = now
        if kind == "void":
            payment["status"], payment["voided_at"] = "voided", now
        else:
            payment["refunded"] += amount
            payment["refunded_format"] = spelled(payment["refunded"], payment["currency"])
            payment["status"], payment["refunded_at"] = "refunded", now
        invoice = self.invoices.get(payment["invoice_id"])
        if invoice is not None:
            invoice["status"], invoice["updated_at"] = payment["status"], now
        self._move(kind, payment, amount, self._clock.now())

    def _move(self, kind: str, payment: Json, amount: int, at: datetime) -> None:
        self.movements.append(
            {"at": at.isoformat(), "kind": kind, "payment": payment["id"], "amount": amount, "currency": payment["currency"]}
        )

    def fresh(self, invoice: Json) -> Json:
        """An invoice whose time is over says so from the moment somebody looks."""
        until = invoice["expired_at"]
        if invoice["status"] == "initiated" and until is not None and self._clock.now() >= datetime.fromisoformat(until):
            invoice["status"], invoice["updated_at"] = "expired", self.stamp()
        return invoice

    def shown_invoice(self, invoice: Json) -> Json:
        tries = [shown(payment) for payment in self.payments.values() if payment["invoice_id"] == invoice["id"]]
        return {**shown(self.fresh(invoice)), "payments": tries}

    def save(self, keep: Path) -> None:
        """Write `keep` whole or not at all."""
        beside = keep.with_suffix(".new")
        kept = {name: getattr(self, name) for name in ("invoices", "payments", "webhooks", "movements")}
        kept["settled_at"] = None if self.settled_at is None else self.settled_at.isoformat()
        beside.write_text(json.dumps({"version": 1, **kept}, ensure_ascii=False), encoding="utf-8")
        beside.replace(keep)

    def load(self, keep: Path) -> bool:
        """False when there is nothing (of this version) to take up."""
        kept: Json = json.loads(keep.read_text(encoding="utf-8")) if keep.is_file() else {}
        if kept.pop("version", None) != 1:
            return False
        settled = kept.pop("settled_at", None)
        self.settled_at = None if settled is None else datetime.fromisoformat(settled)
        for name, found in kept.items():
            setattr(self, name, found)
        return True


def shown(thing: Json) -> Json:
    return {name: value for name, value in thing.items() if not name.startswith("_")}


def owned(things: dict[str, Json], account: Account) -> list[Json]:
    """Those of this merchant, newest first."""
    return [thing for thing in reversed(things.values()) if thing[_OWN] == account.secret_key]


def find(things: Mapping[str, Json], number: str, account: Account, what: str) -> Json:
    thing = things.get(number)
    if thing is None or thing[_OWN] != account.secret_key:
        raise Refusal(404, "invalid_request_error", f"{what} not found")
    return thing


def key_of(thing: Json) -> str:
    return str(thing[_OWN])


def own(thing: Json, account: Account) -> Json:
    return {**thing, _OWN: account.secret_key}


def spelled(amount: int, currency: str) -> str:
    """`150.50 SAR`."""
    exponent = EXPONENTS[currency]
    whole, rest = divmod(amount, 10**exponent)
    return f"{whole:,}.{rest:0{exponent}d} {currency}" if exponent else f"{whole:,} {currency}"


def account_shown(account: Account) -> Json:
    return {**asdict(account), "live": account.live}
