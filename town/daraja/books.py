"""Daraja's own books: every movement of money, for comparing with what others believe."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from town.daraja.apps import PAYBILL, App
from town.daraja.names import Names, sms_time, stamp
from town.daraja.outcomes import BROKE, DAY_LIMIT, Outcome
from town.phones import Phones

STK, C2B, B2C, REVERSAL = "stk", "c2b", "b2c", "reversal"
DAY_LIMIT_MINOR = 500_000_00
LARGEST_BALANCE_MINOR = 500_000_00


@dataclass(slots=True)
class Transaction:
    """One movement. `amount` is whole KES: into the short code for stk and c2b, out of it for b2c and reversal."""

    receipt: str
    kind: str
    msisdn: str
    amount: int
    short_code: str
    reference: str
    at: datetime
    reversed_amount: int = 0
    checkout_request_id: str = ""
    conversation_id: str = ""
    originator_conversation_id: str = ""
    original_receipt: str = ""

    def shown(self) -> dict[str, Any]:
        return {**asdict(self), "at": self.at.isoformat()}


def ksh(minor: int) -> str:
    """`Ksh2,500.00`."""
    return f"Ksh{minor // 100:,}.{minor % 100:02d}"


class Books:
    """Moves money between phones and short codes, writes it down, and sends the M-PESA SMS. Keeps the last `keep` movements."""

    def __init__(self, phones: Phones, names: Names, keep: int) -> None:
        self._phones = phones
        self._names = names
        self._keep = keep
        self._by_receipt: OrderedDict[str, Transaction] = OrderedDict()
        self._by_conversation: dict[str, Transaction] = {}

    def all(self) -> list[Transaction]:
        return list(self._by_receipt.values())

    def put_back(self, entry: Transaction) -> None:
        """From an earlier life of the town: written down without moving money or telling anybody."""
        self._keep_one(entry, (entry.conversation_id, entry.originator_conversation_id))

    def find(self, receipt: str) -> Transaction | None:
        return self._by_receipt.get(receipt)

    def find_conversation(self, conversation_id: str) -> Transaction | None:
        """By ConversationID or OriginatorConversationID."""
        return self._by_conversation.get(conversation_id)

    def new_receipt(self, at: datetime) -> str:
        receipt = self._names.receipt(at)
        while receipt in self._by_receipt:
            receipt = self._names.receipt(at)
        return receipt

    def refusal(self, msisdn: str, amount: int, at: datetime) -> Outcome | None:
        """Why this phone cannot pay that much now: too little money, or more than KES 500,000 in one Nairobi day."""
        phone = self._phones.phone(msisdn)
        if phone.balance_minor < amount * 100:
            return BROKE
        spent_minor = phone.spent_minor if phone.spent_day == stamp(at)[:8] else 0
        return DAY_LIMIT if spent_minor + amount * 100 > DAY_LIMIT_MINOR else None

    def pay_in(self, app: App, entry: Transaction) -> str:
        """A customer pays the short code; the caller has asked `refusal`. Gives the SMS they are sent."""
        phone = self._phones.phone(entry.msisdn)
        amount, reference, at = entry.amount, entry.reference, entry.at
        phone.balance_minor -= amount * 100
        today = stamp(at)[:8]
        phone.spent_minor = amount * 100 + (phone.spent_minor if phone.spent_day == today else 0)
        phone.spent_day = today
        app.working_minor += amount * 100
        self._keep_one(entry)
        to = f"sent to {app.name} for account {reference}" if app.kind == PAYBILL else f"paid to {app.name}."
        text = (
            f"{entry.receipt} Confirmed. {ksh(amount * 100)} {to} on {sms_time(at)}. New M-PESA balance is {ksh(phone.balance_minor)}. "
            f"Transaction cost, Ksh0.00. Amount you can transact within the day is {ksh(DAY_LIMIT_MINOR - phone.spent_minor)[3:]}."
        )
        self._phones.receive_sms(entry.msisdn, "MPESA", text)
        return text

    def pay_out(self, app: App, msisdn: str, amount: int, remarks: str, at: datetime, conversation: tuple[str, str]) -> Transaction:
        """B2C, from the Utility account; the caller has looked at the balance."""
        phone = self._phones.phone(msisdn)
        phone.balance_minor += amount * 100
        app.utility_minor -= amount * 100
        entry = Transaction(self.new_receipt(at), B2C, msisdn, amount, app.short_code, remarks, at)
        self._keep_one(entry, conversation)
        self._received(entry, app, phone.balance_minor)
        return entry

    def give_back(self, app: App, original: Transaction, amount: int, at: datetime, conversation: tuple[str, str]) -> Transaction:
        """Reverse `amount` of a payment; the caller has looked at what is left of it."""
        phone = self._phones.phone(original.msisdn)
        phone.balance_minor += amount * 100
        app.working_minor -= amount * 100
        original.reversed_amount += amount
        entry = Transaction(
            self.new_receipt(at), REVERSAL, original.msisdn, amount, app.short_code, original.reference, at,
            original_receipt=original.receipt,
        )  # fmt: skip
        self._keep_one(entry, conversation)
        text = (
            f"{entry.receipt} Confirmed. Reversal of transaction {original.receipt} has been successfully reversed on {sms_time(at)} and "
            f"{ksh(amount * 100)} is credited to your M-PESA account. New M-PESA account balance is {ksh(phone.balance_minor)}."
        )
        self._phones.receive_sms(original.msisdn, "MPESA", text)
        return entry

    def _received(self, entry: Transaction, app: App, balance_minor: int) -> None:
        text = (
            f"{entry.receipt} Confirmed. You have received {ksh(entry.amount * 100)} from {app.name} {app.short_code} "
            f"on {sms_time(entry.at)}. New M-PESA balance is {ksh(balance_minor)}."
        )
        self._phones.receive_sms(entry.msisdn, "MPESA", text)

    def _keep_one(self, entry: Transaction, conversation: tuple[str, str] = ("", "")) -> None:
        entry.conversation_id, entry.originator_conversation_id = conversation
        self._by_receipt[entry.receipt] = entry
        for one in filter(None, conversation):
            self._by_conversation[one] = entry
        while len(self._by_receipt) > self._keep:
            _, old = self._by_receipt.popitem(last=False)
            self._by_conversation.pop(old.conversation_id, None)
            self._by_conversation.pop(old.originator_conversation_id, None)
