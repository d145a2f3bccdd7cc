"""The hosted pages: an invoice that a person pays by card, Apple Pay or stc pay, the bank's 3-D Secure page, the code of stc pay."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from aiohttp import web

from town import hosted
from town.cards import MADA, MESSAGES, cards_for, read_card
from town.moyasar.books import Account, Books, Json, key_of, spelled
from town.moyasar.hooks import Hooks

_STC = {
    "0515555555": "Mobile number not registered", "0515555556": "Update your information", "0515555557": "Account is invalid",
    "0515555558": "OTP attempts exhausted", "0515555559": "Wait 60 seconds",
}  # fmt: skip
_OTP = {
    "123456": "", "000000": "", "111111": "Insufficient balance", "222222": "Daily limit reached", "333333": "Maximum amount reached",
    "444444": "Timeout",
}  # fmt: skip
"""What the code of stc pay leads to in test mode; empty: paid."""
_OVER = {"paid": "This invoice has been paid.", "expired": "This invoice has expired.", "canceled": "This invoice was cancelled."}


class Pages:
    """Below `at`. What a payer did is told to the merchant by `hooks`."""

    def __init__(self, books: Books, hooks: Hooks, accounts: dict[str, Account], at: str) -> None:
        self._books = books
        self._hooks = hooks
        self._accounts = accounts
        self._at = at

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get(f"{self._at}/invoices/{{id}}", self._invoice),
            web.post(f"{self._at}/invoices/{{id}}", self._pay),
            web.get(f"{self._at}/transaction_auths/{{id}}/form", self._bank),
            web.post(f"{self._at}/transaction_auths/{{id}}/form", self._bank_says),
            web.get(f"{self._at}/stc_pays/{{id}}/proceed", self._code),
            web.post(f"{self._at}/stc_pays/{{id}}/proceed", self._code_says),
        ]

    def _page(self, request: web.Request, title: str, *parts: str) -> web.Response:
        return hosted.page(title, *parts, brand="Moyasar", colour="#4b2e83", language=_language(request))

    async def _invoice(self, request: web.Request) -> web.Response:
        return self._shown(request, self._found(self._books.invoices, request), request.query.get("message", ""))

    def _shown(self, request: web.Request, invoice: Json, said: str) -> web.Response:
        title, say = self._accounts[key_of(invoice)].name, hosted.say_in(_language(request))
        top = hosted.note(invoice["description"]) + hosted.note(spelled(invoice["amount"], invoice["currency"]), "sum")
        leave = hosted.link(say("Back to the shop"), invoice["back_url"]) if invoice["back_url"] else ""
        state = self._books.fresh(invoice)["status"]
        if state != "initiated":
            over = hosted.note(say(_OVER.get(state, "This invoice is closed.")), "note" if state == "paid" else "bad")
            return self._page(request, title, top, over, leave)
        here = f"{self._at}/invoices/{invoice['id']}?lang={_language(request)}"
        cards = cards_for(invoice["currency"])
        card = hosted.card_fields(cards[0][0], say) + hosted.button(say("Pay by card"), "type", "creditcard")
        apple = hosted.button(say("Pay with Apple Pay"), "type", "applepay")
        mobile = hosted.field("mobile", say("Mobile number"), "0500000001", inputmode="tel", dir="ltr")
        wrong = hosted.note(say(said), "bad") if said else ""
        forms = (
            hosted.form(here, card),
            hosted.other_cards(here, cards[1:], say, type="creditcard"),
            hosted.form(here, apple),
            hosted.form(here, mobile + hosted.button(say("Pay with stc pay"), "type", "stcpay")),
        )
        return self._page(request, title, top, wrong, *forms, leave)

    async def _pay(self, request: web.Request) -> web.StreamResponse:
        invoice = self._found(self._books.invoices, request)
        if self._books.fresh(invoice)["status"] != "initiated":
            return self._shown(request, invoice, "")
        given = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        ip = request.remote or "127.0.0.1"
        match given.get("type"):
            case "creditcard":
                return self._by_card(request, invoice, given, ip)
            case "applepay":
                source = {"type": "applepay", "company": MADA, "name": None, "number": "4201-32XX-XXXX-1010"}
                return self._ended(request, self._books.add_payment(invoice, source, "", ip), "00", "APPROVED")
            case "stcpay" if re.fullmatch(r"05\d{8}", given.get("mobile", ""), re.ASCII):
                mobile = given["mobile"]
                source = {"type": "stcpay", "mobile": mobile, "branch": None, "cashier": None}
                payment = self._books.add_payment(invoice, source, f"{self._at}/stc_pays/{{id}}/proceed", ip)
                if mobile in _STC:
                    return self._ended(request, payment, "05", _STC[mobile])
                raise web.HTTPSeeOther(_in_language(request, payment["source"]["transaction_url"]))
        return self._shown(request, invoice, "Please check the mobile number.")

    def _by_card(self, request: web.Request, invoice: Json, given: dict[str, str], ip: str) -> web.StreamResponse:
        card = read_card(given.get("number", ""))
        if card is None or not given.get("name", "").strip() or not re.fullmatch(r"\d{3}", given.get("cvc", ""), re.ASCII):
            return self._shown(request, invoice, "Please check the card.")
        source = {
            "type": "creditcard", "company": card.scheme, "name": given["name"], "number": card.masked, "gateway_id": "moyasar_cc_town",
            "token": None, "message": None, "issuer_country": "SA", "_code": card.code,
        }  # fmt: skip
        payment = self._books.add_payment(invoice, source, f"{self._at}/transaction_auths/{{id}}/form", ip)
        payment["_code"] = payment["source"].pop("_code")
        raise web.HTTPSeeOther(_in_language(request, payment["source"]["transaction_url"]))

    async def _bank(self, request: web.Request) -> web.Response:
        payment = self._found(self._books.payments, request)
        say = hosted.say_in(_language(request))
        paid = hosted.note(self._accounts[key_of(payment)].name) + hosted.note(spelled(payment["amount"], payment["currency"]), "sum")
        answers = hosted.button(say("Confirm"), "answer", "ok") + hosted.button(say("This was not me"), "answer", "fail", quiet=True)
        asked = hosted.note(say("Your bank asks whether this is you."))
        return self._page(request, "3-D Secure", paid, hosted.form(_in_language(request, request.path), asked + answers))

    async def _bank_says(self, request: web.Request) -> web.StreamResponse:
        payment = self._found(self._books.payments, request)
        answer = (await request.post()).get("answer")
        if answer == "ok":
            code = str(payment["_code"])
            return self._ended(request, payment, code, MESSAGES[code])
        if payment["status"] == "initiated":
            self._hooks.tell(self._accounts[key_of(payment)], "card_auth_failed", payment)
        return self._ended(request, payment, "05", "3-D Secure transaction attempt failed")

    async def _code(self, request: web.Request) -> web.Response:
        payment, say = self._found(self._books.payments, request), hosted.say_in(_language(request))
        paid = hosted.note(spelled(payment["amount"], payment["currency"]), "sum")
        code = hosted.field("otp_value", say("Code from the SMS of stc pay"), "123456", inputmode="numeric", dir="ltr")
        return self._page(request, "stc pay", paid, hosted.form(_in_language(request, request.path), code + hosted.button(say("Pay"))))

    async def _code_says(self, request: web.Request) -> web.StreamResponse:
        payment = self._found(self._books.payments, request)
        said = _OTP.get(str((await request.post()).get("otp_value")), "Invalid OTP")
        return self._ended(request, payment, "05" if said else "00", said or "Paid")

    def _ended(self, request: web.Request, payment: Json, code: str, said: str) -> web.StreamResponse:
        """Once only: a second press of the same button finds the payment ended. The payer goes on to the shop, or back to the page."""
        invoice = self._books.invoices[payment["invoice_id"]]
        if payment["status"] == "initiated" and self._books.fresh(invoice)["status"] == "initiated":
            self._books.end_payment(payment, code, f"{said} (Test Environment)")
            self._hooks.tell(self._accounts[key_of(payment)], "payment_paid" if code == "00" else "payment_failed", payment)
            if code == "00":
                self._hooks.tell_invoice(invoice)
        if payment["status"] == "paid":
            if invoice["success_url"]:
                told = urlencode({"id": payment["id"], "status": "paid", "message": "APPROVED", "invoice_id": invoice["id"]})
                mark = "&" if "?" in invoice["success_url"] else "?"
                raise web.HTTPSeeOther(f"{invoice['success_url']}{mark}{told}")
            return self._shown(request, invoice, "")
        query = urlencode({"lang": _language(request), "message": said})
        raise web.HTTPSeeOther(f"{self._at}/invoices/{invoice['id']}?{query}")

    @staticmethod
    def _found(things: dict[str, Json], request: web.Request) -> Json:
        thing = things.get(request.match_info["id"])
        if thing is None:
            raise web.HTTPNotFound(text="There is no such page.")
        return thing


def _language(request: web.Request) -> str:
    return hosted.spoken(request.query.get("lang", "en"))


def _in_language(request: web.Request, url: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}lang={_language(request)}"
