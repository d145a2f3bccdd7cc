"""The M-PESA menu of a phone: Lipa na M-PESA, Pay Bill and Buy Goods. Whatever comes of it is told by an SMS, as M-PESA tells it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from town.daraja.apps import PAYBILL, App
from town.daraja.books import ksh
from town.daraja.c2b import C2bDesk
from town.daraja.fields import LARGEST_KES
from town.daraja.office import Office
from town.phones import NoSuchThing, Phone

SERVICES = ("paybill", "till")
LONGEST_ACCOUNT = 20
_DIGITS = re.compile(r"\d{1,12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Order:
    """What was typed in the menu. `pin` None: whoever asks is known to hold the phone."""

    service: str
    number: str
    account: str
    amount: int
    pin: str | None


class Menu:
    """Pays from a phone's own menu."""

    def __init__(self, office: Office, desk: C2bDesk) -> None:
        self._office = office
        self._desk = desk

    async def act(self, phone: Phone, body: Mapping[str, Any]) -> Any:
        """POST /town/api/phone/{msisdn}/pay: {short_code, amount, account?, service?, pin?} -> {receipt, said}; receipt null: no money moved."""
        order = self._read(body)
        if not phone.on:
            raise NoSuchThing("The phone is switched off.")
        receipt, said = await self._pay(phone, order)
        return {"receipt": receipt, "said": said}

    def _read(self, body: Mapping[str, Any]) -> Order:
        amount, pin = body.get("amount"), body.get("pin")
        number, account = str(body.get("short_code", "")).strip(), str(body.get("account", "")).strip()
        if not isinstance(amount, int) or isinstance(amount, bool) or not isinstance(pin, str | None):
            raise NoSuchThing("`amount` is whole shillings; `pin`, if given, is the digits typed.")
        if not _DIGITS.fullmatch(number) or len(account) > LONGEST_ACCOUNT:
            raise NoSuchThing(f"`short_code` is a business or till number, and `account` has at most {LONGEST_ACCOUNT} characters.")
        service = body.get("service", "paybill" if self._business("paybill", number) or account else "till")
        if service not in SERVICES:
            raise NoSuchThing(f"`service` is one of {', '.join(SERVICES)}.")
        return Order(service, number, account if service == "paybill" else "", amount, pin)

    def _business(self, service: str, number: str) -> App | None:
        """Who has this business number, or this till; never the one for the other."""
        for app in self._office.portal.apps.values():
            if number == (app.short_code if service == "paybill" else app.till) and (app.kind == PAYBILL) == (service == "paybill"):
                return app
        return None

    async def _pay(self, phone: Phone, order: Order) -> tuple[str | None, str]:
        """(receipt, SMS); no receipt when no money moved."""
        app = self._business(order.service, order.number)
        why = ""
        if order.pin is not None and order.pin != phone.pin:
            why = "You have entered a wrong M-PESA PIN. Please try again."
        elif app is None:
            what = "business number" if order.service == "paybill" else "till number"
            why = f"The {what} {order.number} is not correct. Please check it and try again."
        elif order.service == "paybill" and not order.account:
            why = f"{app.name} needs an account number. Please try again."
        elif not 1 <= order.amount <= LARGEST_KES:
            why = f"You can pay from {ksh(100)} to {ksh(LARGEST_KES * 100)} at once. Please check the amount and try again."
        if app is None or why:
            said = f"Failed. {why}"
            self._office.phones.receive_sms(phone.msisdn, "MPESA", said)
            return None, said
        entry, said = await self._desk.pay_by_hand(app, phone.msisdn, order.amount, order.account)
        return (None if entry is None else entry.receipt), said
