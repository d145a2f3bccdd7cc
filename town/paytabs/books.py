"""What PayTabs knows: profiles and their keys, transactions as its API shows them, and every movement of money."""

from __future__ import annotations

import json
import string
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from town.core import Clock

Json = dict[str, Any]
DECIMALS = {"SAR": 2, "AED": 2, "QAR": 2, "USD": 2, "EUR": 2, "EGP": 2, "KWD": 3, "BHD": 3, "OMR": 3, "JOD": 3}
DUPLICATE_WITHIN_S = 120.0
PAGE_LIFE_MIN = 20
_KEPT = ("transactions", "movements")


class Refusal(Exception):
    """PayTabs' error reply: `{"code", "message", "trace"}`."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Profile:
    """One merchant's profile. `ipn_url` is set in the dashboard; `methods` are what is enabled."""

    profile_id: int
    server_key: str
    name: str = "PayLoom"
    ipn_url: str = ""
    currencies: tuple[str, ...] = ("SAR", "KWD", "AED", "USD")
    methods: tuple[str, ...] = ("creditcard", "mada", "stcpay", "applepay", "all")
    merchant_id: int = 6789


class Books:
    """Transactions are kept as the JSON that callbacks show; names with `_` in front are PayTabs' own."""

    def __init__(self, clock: Clock, chance: Random) -> None:
        self._clock = clock
        self._chance = chance
        self.transactions: dict[str, Json] = {}
        self.movements: list[Json] = []

    def stamp(self) -> str:
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def name(self, start: str, letters: int = 12) -> str:
        return start + "".join(self._chance.choices(string.ascii_uppercase + string.digits, k=letters))

    def new_ref(self) -> str:
        """`TST2632500000001`: TST in test mode, year and day, then digits."""
        return f"TST{self._clock.now():%y%j}{self._chance.randrange(10**8):08d}"

    def add(self, profile: Profile, asked: Json, tran_type: str, before: str = "") -> Json:
        """A transaction that has no result yet."""
        amount = spelled(Decimal(str(asked["cart_amount"])), asked["cart_currency"])
        tran: Json = {
            "tran_ref": self.new_ref(), "merchant_id": profile.merchant_id, "profile_id": profile.profile_id, "cart_id": asked["cart_id"],
            "cart_description": asked["cart_description"], "cart_currency": asked["cart_currency"], "cart_amount": amount,
            "tran_currency": asked["cart_currency"], "tran_total": "0", "tran_type": tran_type.capitalize(), "tran_class": "ECom",
            "customer_details": {"name": "Brian Otieno", "email": "brian@example.com", "country": "SA", "ip": "192.0.2.1"},
            "_callback": asked.get("callback") or "", "_return": asked.get("return") or "", "_get": bool(asked.get("return_using_get")),
            "_page": self.name("5A", 30), "_at": self._clock.now().isoformat(), "_methods": asked.get("payment_methods") or ["all"],
            "_until": (self._clock.now() + timedelta(minutes=asked.get("paypage_ttl") or PAGE_LIFE_MIN)).isoformat(),
            "_lang": asked.get("paypage_lang") or "en",
        }  # fmt: skip
        if before:
            tran["previous_tran_ref"] = before
        self.transactions[tran["tran_ref"]] = tran
        return tran

    def end(self, tran: Json, letter: str, code: str, said: str, info: Json | None = None) -> None:
        """What the bank said. Only A moves money, and once only."""
        first = tran.get("payment_result", {}).get("response_status") != "A"
        tran["payment_result"] = {
            "response_status": letter, "response_code": code, "response_message": said, "acquirer_ref": self.name("TRAN0001.", 8),
            "cvv_result": " ", "avs_result": " ", "transaction_time": self.stamp(),
        }  # fmt: skip
        if info:
            tran["payment_info"] = info
        if letter == "A":
            tran["tran_total"] = tran["cart_amount"]
            if first:
                self.movements.append(
                    {"at": self.stamp(), "kind": tran["tran_type"].lower(), "tran_ref": tran["tran_ref"], "cart_id": tran["cart_id"],
                     "amount": tran["cart_amount"], "currency": tran["cart_currency"], "of": tran.get("previous_tran_ref", "")}
                )  # fmt: skip

    def by_page(self, page: str) -> Json | None:
        return next((tran for tran in self.transactions.values() if tran["_page"] == page), None)

    def of_cart(self, profile: Profile, cart_id: str) -> list[Json]:
        found = self.transactions.values()
        return [tran for tran in found if tran["cart_id"] == cart_id and tran["profile_id"] == profile.profile_id]

    def gone_back(self, tran_ref: str) -> Decimal:
        """What refunds of this sale took, with those that are pending."""
        found = [tran for tran in self.transactions.values() if tran.get("previous_tran_ref") == tran_ref]
        standing = [tran for tran in found if tran.get("payment_result", {}).get("response_status") in ("A", "P")]
        return sum((Decimal(tran["cart_amount"]) for tran in standing), Decimal(0))

    def save(self, keep: Path) -> None:
        """Write `keep` whole or not at all."""
        beside = keep.with_suffix(".new")
        kept = {name: getattr(self, name) for name in _KEPT}
        beside.write_text(json.dumps({"version": 1, **kept}, ensure_ascii=False), encoding="utf-8")
        beside.replace(keep)

    def load(self, keep: Path) -> bool:
        """False when there is nothing (of this version) to take up."""
        kept: Json = json.loads(keep.read_text(encoding="utf-8")) if keep.is_file() else {}
        if kept.get("version") != 1:
            return False
        for name in _KEPT:
            setattr(self, name, kept[name])
        return True


def shown(tran: Json) -> Json:
    return {name: value for name, value in tran.items() if not name.startswith("_")}


def spelled(amount: Decimal, currency: str) -> str:
    """`150.50`: as many decimals as the currency has."""
    return f"{amount:.{DECIMALS[currency]}f}"
