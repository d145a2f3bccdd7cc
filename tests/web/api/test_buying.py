"""The buyer's side: purchase, another try, how it stands, callbacks, confirmation and dispute (L8, G3, O5, O7, C7)."""

from __future__ import annotations

import json
from datetime import timedelta

from domain.ids import PersonId
from domain.life import AttemptState
from domain.payment import Proof
from domain.ports import Unit
from domain.rights import CLOCK
from domain.tokens import Purpose
from tests.storage.ground import raw
from tests.web.api.ground import PEOPLE, PHONE, Api, attempt_token
from usecases import payments
from usecases.orders import run_order_timer

BUYER = {"name": "Amina", "phone": PHONE, "address": "Kilimani", "note": "Ring twice"}


def callback(api: Api, minor: int = 250_000) -> tuple[str, bytes]:
    ask = api.gateway.asked[-1]
    body = {"ref": f"ws_{ask.attempt_id}", "receipt": f"RCP{ask.attempt_id}", "minor": minor}
    return f"/api/v1/payments/webhook/daraja?token={attempt_token(api.hall, ask.attempt_id)}", json.dumps(body).encode()


async def test_a_purchase_from_the_link_to_the_released_money(api: Api) -> None:
    """L8, G3, O5: everything a program needs, with what it was told before."""
    bought = await api.ask("POST", f"/api/v1/links/{api.world.links['ours']}/purchase", {**BUYER, "quantity": 2})
    assert bought.status == 202
    assert bought.body["amount"] == {"amount_minor": 500_000, "currency": "KES"}
    assert bought.body["pay_url"] == f"https://pay.example/pay/{bought.body['checkout_token']}"
    await api.hall.drain()
    assert [ask.phone.msisdn for ask in api.gateway.asked if ask.phone] == ["254712345678"]
    path = bought.body["status_url"].removeprefix("https://pay.example")
    waiting = await api.ask("GET", path)
    assert (waiting.body["status"], waiting.body["order"], waiting.body["id"]) == ("PENDING", None, bought.body["payment"])

    place, raw = callback(api, 500_000)
    for _ in range(3):
        assert (await api.ask("POST", place, data=raw, key=None)).body["ResultCode"] == 0
    assert api.count("entries") == 1
    paid = (await api.ask("GET", path)).body
    assert paid["status"] == "SUCCEEDED"
    number, token = paid["order"]["number"], paid["order"]["track_token"]
    seen = (await api.ask("GET", f"/api/v1/orders/{number}", bearer=token)).body
    assert (seen["escrow"], seen["quantity"], seen["buyer"]["note"], seen["confirmed_by_gateway"]) == ("HELD", 2, "Ring twice", False)

    wanted = await api.ask("POST", f"/api/v1/escrow/{number}/release", bearer=token)
    assert (wanted.status, wanted.body["result"]) == (202, "waiting"), "the provider has not agreed yet"


async def test_the_buyer_releases_a_proved_payment_once(api: Api) -> None:
    """O5."""
    number, token = await api.order()
    first = await api.ask("POST", f"/api/v1/escrow/{number}/release", bearer=token)
    second = await api.ask("POST", f"/api/v1/escrow/{number}/release", bearer=token)
    assert (first.status, first.body["result"], second.body["result"]) == (200, "released", "already")
    assert api.count("entries") == 2


async def test_a_sellers_key_releases_nothing(api: Api) -> None:
    """O5: the same answer as for an order that does not exist."""
    number, _ = await api.order()
    before = api.books()
    said = [await api.ask("POST", f"/api/v1/escrow/{one}/release", bearer=api.world.keys["owner"]) for one in (number, "99999999")]
    assert [one.status for one in said] == [404, 404]
    assert said[0].told == said[1].told
    assert api.books() == before


async def test_a_guest_disputes_with_the_tracking_token(api: Api) -> None:
    """O7: the escrow is frozen; the same again finds the same dispute; the seller's clock does not release it."""
    number, token = await api.order()
    said = await api.ask("POST", f"/api/v1/escrow/{number}/dispute", {"reason": "broken", "words": "<b>Torn</b>"}, bearer=token)
    again = await api.ask("POST", f"/api/v1/escrow/{number}/dispute", {"reason": "other"}, bearer=token)
    assert (said.status, said.body["state"], said.body["escrow"]) == (201, "DISPUTED", "DISPUTED")
    assert again.body["dispute"] == said.body["dispute"]
    assert api.count("disputes") == 1
    api.clock.at += timedelta(days=8)
    late, other = await api.order()
    api.clock.at += timedelta(days=8)
    assert (await api.ask("POST", f"/api/v1/escrow/{late}/dispute", {"reason": "broken"}, bearer=other)).status == 201, (
        "nothing was delivered yet"
    )


async def test_a_dispute_after_the_window_is_refused(api: Api) -> None:
    number, token = await api.order()
    await api.ask("POST", f"/api/v1/orders/{number}/delivered", bearer=api.world.keys["staff"])
    order = await api.state_of(number)
    for wait in (timedelta(days=5, seconds=1), timedelta(days=1), timedelta(days=1, seconds=1)):
        api.clock.at += wait
        if wait != timedelta(days=1, seconds=1):
            await api.hall.store.write(run_order_timer, order.id)  # the two warnings, without which the window stays open
    before = api.books()
    assert (await api.ask("POST", f"/api/v1/escrow/{number}/dispute", {"reason": "broken"}, bearer=token)).status == 409
    assert api.books() == before


async def test_the_buyer_takes_the_money_back_before_shipping(api: Api) -> None:
    number, token = await api.order()
    assert (await api.ask("POST", f"/api/v1/orders/{number}/refund", bearer=token)).body["state"] == "REFUNDED"


async def test_a_tracking_token_opens_its_one_order_and_no_other_of_the_same_buyer(api: Api) -> None:
    number, token = await api.order(buyer=PersonId(PEOPLE["buyer"]))
    other, _ = await api.order(buyer=PersonId(PEOPLE["buyer"]))
    assert (await api.ask("GET", f"/api/v1/orders/{number}", bearer=token)).status == 200
    before = api.books()
    assert (await api.ask("GET", f"/api/v1/orders/{other}", bearer=token)).status == 404
    assert (await api.ask("POST", f"/api/v1/escrow/{other}/release", bearer=token)).status == 404
    assert (await api.ask("POST", f"/api/v1/escrow/{other}/dispute", {"reason": "other"}, bearer=token)).status == 404
    assert (await api.ask("POST", f"/api/v1/orders/{other}/refund", bearer=token)).status == 404
    assert api.books() == before


async def test_a_failed_try_is_told_and_tried_again_with_another_number(api: Api) -> None:
    """G3."""
    bought = (await api.ask("POST", f"/api/v1/links/{api.world.links['ours']}/purchase", BUYER)).body
    await api.hall.drain()
    live = await api.ask("POST", "/api/v1/payments/process", {"checkout": bought["checkout_token"]})
    await api.hall.drain()
    assert live.status == 202
    assert len(api.gateway.asked) == 1, "while a prompt is live no second one is sent"
    attempt = await api.hall.store.read(payments.the_attempt, api.gateway.asked[0].attempt_id)

    def fail(unit: Unit) -> None:
        payments.end_attempt(unit, attempt, AttemptState.FAILED, "wrong_pin", CLOCK)

    await api.hall.store.write(fail)
    path = f"/api/v1/payments/{bought['payment']}/status"
    assert (await api.ask("GET", path)).body["result"] == "wrong_pin"
    more = await api.ask("POST", "/api/v1/payments/process", {"checkout": bought["checkout_token"], "phone": "0798765432"})
    await api.hall.drain()
    assert more.body["payment"] == bought["payment"]
    assert [ask.phone.msisdn for ask in api.gateway.asked if ask.phone] == ["254712345678", "254798765432"]
    place, raw = callback(api)
    await api.ask("POST", place, data=raw, key=None)
    over = await api.ask("POST", "/api/v1/payments/process", {"checkout": bought["checkout_token"]})
    assert (over.status, over.body["reason"]) == (409, "paid")


async def test_a_double_tap_buys_once(api: Api) -> None:
    """W-L8: the same key twice is one checkout, one prompt, one answer."""
    path = f"/api/v1/links/{api.world.links['ours']}/purchase"
    said = [await api.ask("POST", path, BUYER, key="0123456789abcdef") for _ in range(3)]
    await api.hall.drain()
    assert [one.status for one in said] == [202] * 3
    assert said[0].body == said[1].body == said[2].body
    assert [one.headers.get("Idempotency-Replayed") for one in said] == [None, "true", "true"]
    assert (api.count("checkouts"), api.count("attempts"), len(api.gateway.asked)) == (1, 1, 1)
    with raw(api.engine_url) as session:
        kept = repr(session.plain("SELECT * FROM answered").fetchall())
    assert said[0].body["checkout"] in kept
    assert said[0].body["payment"] not in kept, "tokens are not written down"
    assert said[0].body["checkout_token"] not in kept


async def test_prompts_are_limited_and_say_when_it_works_again(api: Api) -> None:
    path = f"/api/v1/links/{api.world.links['ours']}/purchase"
    said = [await api.ask("POST", path, BUYER) for _ in range(4)]
    assert [one.status for one in said] == [202, 202, 202, 429]
    assert 0 < int(said[3].headers["Retry-After"]) <= 600
    assert api.count("checkouts") == 3


async def test_money_that_mpesa_cannot_carry_is_refused_before_anything_starts(api: Api) -> None:
    owner = api.world.keys["owner"]
    for price, reason in (({"amount_minor": 150_050, "currency": "KES"}, "cents"), ({"amount_minor": 100, "currency": "USD"}, "currency")):
        code = (await api.ask("POST", "/api/v1/seller/links", {"name": "Odd", "price": price}, bearer=owner)).body["code"]
        assert (await api.ask("GET", f"/api/v1/links/{code}")).body["methods"] == [{"method": "mpesa", "why_not": reason}]
        before = api.books()
        said = await api.ask("POST", f"/api/v1/links/{code}/purchase", BUYER)
        assert (said.status, said.body["reason"]) == (422, reason)
        assert api.books() == before


async def test_callbacks_without_their_token_or_for_nobody_change_nothing(api: Api) -> None:
    """C5, C7, G3."""
    await api.ask("POST", f"/api/v1/links/{api.world.links['ours']}/purchase", BUYER)
    await api.hall.drain()
    place, raw = callback(api)
    before = api.books()
    bare = place.partition("?")[0]
    token = place.partition("token=")[2]
    wrong_purpose = api.hall.tokens.make(Purpose.PAYMENT, api.gateway.asked[0].attempt_id)
    for path in (bare, f"{bare}?token={wrong_purpose}", f"{bare}?token={token[:-1]}0" if token[-1] != "0" else f"{bare}?token={token[:-1]}1",
                 bare.replace("daraja", "nobody"), f"{place}&kind=reversal"):  # fmt: skip
        said = await api.ask("POST", path, data=raw, key=None)
        assert (said.status, said.body["code"]) == (404, "not_found")
    assert (await api.ask("POST", place, data=raw, key=None, User_Agent="forger")).status == 404
    assert api.books() == before
    unreadable = await api.ask("POST", place, data=b"<html>", key=None)
    assert unreadable.status == 200, "what cannot be understood is stored for a person, not refused"
    assert (api.count("inbox"), api.count("orders")) == (1, 0)


async def test_a_success_without_proof_holds_but_a_short_one_buys_nothing(api: Api) -> None:
    """C7, C8."""
    bought = (await api.ask("POST", f"/api/v1/links/{api.world.links['ours']}/purchase", BUYER)).body
    await api.hall.drain()
    place, raw = callback(api, 249_999)
    assert (await api.ask("POST", place, data=raw, key=None)).status == 200
    status = (await api.ask("GET", f"/api/v1/payments/{bought['payment']}/status")).body
    assert (status["order"], status["refund"]) == (None, "ASKED")
    number, token = await api.order(proof=Proof.HINT)
    staff = api.world.keys["staff"]
    code = (await api.ask("GET", f"/api/v1/orders/{number}", bearer=token)).body["delivery_code"]
    assert (await api.ask("POST", f"/api/v1/orders/{number}/delivery-code", {"code": code}, bearer=staff)).status == 202
