"""What Moyasar tells the merchant: webhooks with the shared secret in the body, and the unsigned POST of an invoice that was paid."""

from __future__ import annotations

import json
from typing import Any

from town.core import Core
from town.delivery import Delivery
from town.mishaps import seconds_of
from town.moyasar.books import Account, Books, Json, key_of, shown

WAITS_S = (60.0, 600.0, 1800.0, 3600.0, 7200.0)
"""After the first try: 1, 10, 30 minutes, 1 and 2 hours; then it is dropped."""
PROVIDER = "moyasar"
KEPT_ATTEMPTS = 1000


class Hooks:
    """`attempts` holds what came of each delivery, by the webhook's id."""

    def __init__(self, core: Core, books: Books, delivery: Delivery, delay_s: float) -> None:
        self._core = core
        self._books = books
        self._delivery = delivery
        self._delay_s = delay_s
        self.attempts: dict[str, list[Json]] = {}

    def tell(self, account: Account, kind: str, payment: Json) -> None:
        """A webhook to each address that wants this kind; faults may lose it, double it, delay it or spoil its secret or mode."""
        for hook in list(self._books.webhooks.values()):
            if key_of(hook) != account.secret_key or kind not in hook["events"]:
                continue
            if self._fault("webhook_lost"):
                continue
            body: dict[str, Any] = {
                "id": self._books.new_id(), "type": kind, "created_at": self._books.stamp(), "secret_token": hook["_secret"],
                "account_name": account.name, "live": account.live, "data": shown(payment),
            }  # fmt: skip
            if self._fault("webhook_wrong_secret"):
                body["secret_token"] = "not-the-secret"
            if self._fault("webhook_wrong_live"):
                body["live"] = not account.live
            late = self._fault("webhook_late")
            after_s = self._delay_s + (seconds_of(late, 60.0) if late else 0.0)
            for _ in range(2 if self._fault("webhook_twice") else 1):
                self._send(hook["id"], hook["url"], body, after_s)

    def tell_invoice(self, invoice: Json) -> None:
        """To the invoice's own address, once; nothing in it proves who speaks."""
        if invoice["callback_url"] and not self._fault("callback_lost"):
            raw = json.dumps(self._books.shown_invoice(invoice)).encode()
            self._delivery.send(invoice["callback_url"], raw, {"Content-Type": "application/json"}, [], after_s=self._delay_s, once=True)

    def _send(self, hook_id: str, url: str, body: Json, after_s: float) -> None:
        tries: list[Json] = []
        kept = self.attempts.setdefault(hook_id, [])
        kept.append({"id": self._books.new_id(), "event_id": body["id"], "event_type": body["type"], "tries": tries})
        del kept[:-KEPT_ATTEMPTS]
        self._delivery.send(url, json.dumps(body).encode(), {"Content-Type": "application/json"}, tries, after_s=after_s)

    def _fault(self, name: str) -> Any:
        return self._core.faults.take(PROVIDER, name)
