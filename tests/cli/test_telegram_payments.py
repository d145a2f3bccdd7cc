"""The provider token of Telegram's own payments: tried before it is kept, looked at by the doctor; and a refund that a person made."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from domain.life import RefundState
from domain.payment import Outcome, Reply
from domain.ports import Unit
from tests.cli.ground import House
from tests.cli.test_admin import done_in, shop
from tests.cli.test_admin_money import disputed
from tests.cli.test_keys import sealed
from usecases import refunds

GOOD = "4242:TEST:CANARY-good"


class BotApi(http.server.BaseHTTPRequestHandler):
    """Makes invoices with the one token that it knows."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        made = self.path.endswith("/createInvoiceLink") and asked["provider_token"] == GOOD
        refused = {"ok": False, "error_code": 400, "description": "Bad Request: PAYMENT_PROVIDER_INVALID"}
        body = json.dumps({"ok": True, "result": "https://t.me/$x"} if made else refused).encode()
        self.send_response(200 if made else 400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the library
        """Quiet."""


@pytest.fixture
def bot_api() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), BotApi)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def give(house: House, number: str, token: str) -> Any:
    words = ("gateway", "set", "telegram", "--organization", number, "--from", "stdin")
    return house.admin(*words, stdin=f"PAYLOOM_TELEGRAM_PROVIDER_TOKEN={token}")


def test_a_shops_own_token_is_tried_kept_sealed_and_has_no_webhook(house: House, bot_api: str) -> None:
    house.env["PAYLOOM_TELEGRAM_API_BASE"] = bot_api
    number = shop(house)
    done = give(house, number, GOOD)
    assert (done.code, "Telegram accepted it" in done.out, "webhook" in done.out) == (0, True, False)
    assert [owner for owner, _ in sealed(house)] == [int(number)]
    assert "CANARY" not in done.out + house.admin("gateway", "show").out


def test_a_token_that_telegram_refuses_is_not_kept(house: House, bot_api: str) -> None:
    house.env["PAYLOOM_TELEGRAM_API_BASE"] = bot_api
    done = give(house, shop(house), "4242:TEST:wrong")
    assert (done.code, sealed(house)) == (1, [])
    assert "Telegram does not accept these: compare provider token with its portal" in done.err


def findings(house: House) -> dict[str, Any]:
    found = house.ask("doctor", "--json").data["findings"]
    return {one["name"]: one["state"] for one in found if one["name"].startswith("telegram payments")}


def test_the_doctor_tries_the_token_and_says_that_no_real_money_moves(house: House, bot_api: str) -> None:
    house.env["PAYLOOM_TELEGRAM_API_BASE"] = bot_api
    assert findings(house) == {}
    house.env["PAYLOOM_TELEGRAM_PROVIDER_TOKEN"] = GOOD
    assert findings(house) == {"telegram payments": "ok", "telegram payments sandbox": "note"}
    house.env["PAYLOOM_TELEGRAM_PROVIDER_TOKEN"] = "4242:LIVE:wrong"
    assert findings(house) == {"telegram payments": "problem"}


def test_a_refund_that_a_person_made_is_recorded_with_what_the_portal_calls_it(house: House) -> None:
    order = disputed(house)
    house.admin("resolve", order, "refund")

    def by_hand(unit: Unit) -> int:
        found = unit.orders.by_number(order)
        assert found is not None
        (refund,) = unit.payments.refunds_of(found.attempt_id)
        unit.payments.save_refund(replace(refund, state=RefundState.SENDING, tries=1))
        return refunds.record_refund(unit, refund.id, Reply(Outcome.PENDING, result="by_hand")).id

    number = str(done_in(house, by_hand))
    (waiting,) = house.admin("refund", "list", "--json").data
    assert (str(waiting["id"]), waiting["state"], waiting["result"]) == (number, "PENDING", "by_hand")
    assert house.admin("refund", "confirm", number, "--reference", "re_77", "--json").data["state"] == "DONE"

    def its_ref(unit: Unit) -> str | None:
        found = unit.orders.by_number(order)
        assert found is not None
        return unit.payments.refunds_of(found.attempt_id)[0].ref

    assert done_in(house, its_ref) == "re_77"
    assert [one for one in house.ask("audit", "--json").data["findings"] if one["broken"]] == []
