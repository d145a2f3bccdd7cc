"""What PayTabs tells the merchant: the callback of a payment (once), the IPN of the profile (retried), and the browser's way back; all signed."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from town.core import Core
from town.delivery import Delivery
from town.mishaps import seconds_of
from town.paytabs.books import Books, Json, Profile, shown

PROVIDER = "paytabs"
WAITS_S = (60.0, 300.0, 1800.0, 7200.0, 21600.0)
"""An IPN is sent again five times, later and later."""


class Hooks:
    """`tries` holds what came of each IPN, newest last."""

    def __init__(self, core: Core, books: Books, delivery: Delivery, delay_s: float) -> None:
        self._core = core
        self._books = books
        self._delivery = delivery
        self._delay_s = delay_s
        self.tries: list[list[Json]] = []

    def tell(self, profile: Profile, tran: Json) -> None:
        """Both ways; faults may lose, double, delay or spoil the callback."""
        if tran["_callback"] and not self._fault("callback_lost"):
            late = self._fault("callback_late")
            after_s = self._delay_s + (seconds_of(late, 60.0) if late else 0.0)
            key = "another key" if self._fault("callback_wrong_signature") else profile.server_key
            body = shown(tran)
            if self._fault("callback_other_amount"):
                body = {**body, "cart_amount": "1.00", "tran_total": "1.00"}
            for _ in range(2 if self._fault("callback_twice") else 1):
                self._send(tran["_callback"], body, key, after_s, [], once=True)
        if profile.ipn_url:
            tries: list[Json] = []
            self.tries.append(tries)
            del self.tries[:-1000]
            body = {**shown(tran), "ipn_trace": self._books.name("IPNS0001.")}
            self._send(profile.ipn_url, body, profile.server_key, self._delay_s, tries, once=False)

    def _send(self, url: str, body: Json, key: str, after_s: float, tries: list[Json], *, once: bool) -> None:
        raw = json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Signature": sign(raw, key)}
        self._delivery.send(url, raw, headers, tries, after_s=after_s, once=once)

    def _fault(self, name: str) -> Any:
        return self._core.faults.take(PROVIDER, name)


def sign(raw: bytes, key: str) -> str:
    return hmac.new(key.encode(), raw, hashlib.sha256).hexdigest()


def return_fields(profile: Profile, tran: Json) -> dict[str, str]:
    """What the browser brings back: empty fields left out of the signature, the others sorted and written as PHP does."""
    result: Mapping[str, str] = tran.get("payment_result", {})
    fields = {
        "acquirerMessage": "", "acquirerRRN": "", "cartId": tran["cart_id"], "customerEmail": tran["customer_details"]["email"],
        "respCode": result.get("response_code", ""), "respMessage": result.get("response_message", ""),
        "respStatus": result.get("response_status", ""), "token": "", "tranRef": tran["tran_ref"],
    }  # fmt: skip
    query = urlencode(sorted((name, value) for name, value in fields.items() if value)).replace("~", "%7E")
    return {**fields, "signature": sign(query.encode(), profile.server_key)}
