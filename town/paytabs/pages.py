"""The hosted payment page: by card, Apple Pay or stc pay, with the bank's 3-D Secure page; a review; a way out. One result ends it."""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import urlencode

from aiohttp import web

from town import hosted
from town.cards import MADA, MESSAGES, Card, cards_for, read_card
from town.core import Clock
from town.paytabs.books import Books, Json, Profile
from town.paytabs.hooks import Hooks, return_fields

REVIEWED = "4000000000000119"
"""A card whose payments are held for a look at fraud."""
_CODES = {"05": "300", "51": "316", "54": "200", "61": "300", "82": "200", "91": "400"}
_NAMES = {"mada": "mada", "visa": "Visa", "master": "MasterCard"}


class Pages:
    """Below `at`. What a payer did is told to the merchant by `hooks`."""

    def __init__(self, clock: Clock, books: Books, hooks: Hooks, profiles: dict[int, Profile], at: str) -> None:
        self._clock = clock
        self._books = books
        self._hooks = hooks
        self._profiles = profiles
        self._at = at

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get(f"{self._at}/{{page}}", self._show),
            web.post(f"{self._at}/{{page}}", self._pay),
            web.get(f"{self._at}/{{page}}/bank", self._bank),
            web.post(f"{self._at}/{{page}}/bank", self._bank_says),
        ]

    async def _show(self, request: web.Request) -> web.StreamResponse:
        tran = self._found(request)
        return self._shown(tran, "") if self._open(tran) else self._over(tran)

    def _page(self, tran: Json, title: str, *parts: str) -> web.Response:
        return hosted.page(title, *parts, brand="PayTabs", colour="#1c4fd8", language=tran["_lang"])

    def _shown(self, tran: Json, said: str) -> web.Response:
        here, say = f"{self._at}/{tran['_page']}", hosted.say_in(tran["_lang"])
        top = hosted.note(tran["cart_description"]) + hosted.note(f"{tran['cart_amount']} {tran['cart_currency']}", "sum")
        any_way, forms = "all" in tran["_methods"], []
        if any_way or {"creditcard", "mada"} & set(tran["_methods"]):
            cards = cards_for(tran["cart_currency"])
            forms.append(hosted.form(here, hosted.card_fields(cards[0][0], say) + hosted.button(say("Pay now"), "how", "card")))
            forms.append(hosted.other_cards(here, cards[1:], say, how="card"))
        if any_way or "applepay" in tran["_methods"]:
            forms.append(hosted.form(here, hosted.button(say("Pay with Apple Pay"), "how", "applepay")))
        if any_way or "stcpay" in tran["_methods"]:
            forms.append(hosted.form(here, hosted.button(say("Pay with stc pay"), "how", "stcpay")))
        forms.append(hosted.form(here, hosted.button(say("Cancel"), "how", "cancel", quiet=True)))
        wrong = hosted.note(say(said), "bad") if said else ""
        return self._page(tran, self._profiles[tran["profile_id"]].name, top, wrong, *forms)

    async def _pay(self, request: web.Request) -> web.StreamResponse:
        tran = self._found(request)
        if not self._open(tran):
            return self._over(tran)
        given = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        match given.get("how"):
            case "card":
                card = read_card(given.get("number", ""))
                if card is None or not re.fullmatch(r"\d{3}", given.get("cvc", ""), re.ASCII):
                    return self._shown(tran, "Please check the card.")
                if card.scheme == MADA and tran["cart_currency"] != "SAR":
                    return self._shown(tran, "This card pays in riyals only.")
                tran["_card"] = card.number
                raise web.HTTPSeeOther(f"{self._at}/{tran['_page']}/bank")
            case "applepay" | "stcpay" as how:
                info = {"payment_method": "ApplePay" if how == "applepay" else "stcpay", "payment_description": "mobile"}
                return self._ended(tran, "A", "G08490", "Authorised", info)
            case "cancel":
                return self._ended(tran, "C", "321", "Cancelled by customer")
        return self._shown(tran, "Please choose how to pay.")

    async def _bank(self, request: web.Request) -> web.StreamResponse:
        tran = self._found(request)
        if not self._open(tran):
            return self._over(tran)
        say = hosted.say_in(tran["_lang"])
        paid = hosted.note(self._profiles[tran["profile_id"]].name) + hosted.note(f"{tran['cart_amount']} {tran['cart_currency']}", "sum")
        answers = hosted.button(say("Confirm"), "answer", "ok") + hosted.button(say("This was not me"), "answer", "fail", quiet=True)
        asked = hosted.note(say("Your bank asks whether this is you."))
        return self._page(tran, "3-D Secure", paid, hosted.form(request.path, asked + answers))

    async def _bank_says(self, request: web.Request) -> web.StreamResponse:
        tran = self._found(request)
        card = read_card(tran.get("_card", ""))
        if not self._open(tran) or card is None:
            return self._over(tran)
        info = {
            "payment_method": _NAMES[card.scheme], "card_type": "Debit" if card.scheme == MADA else "Credit", "card_scheme": _NAMES[card.scheme],
            "payment_description": f"{card.number[:4]} {card.number[4:6]}## #### {card.number[-4:]}", "expiryMonth": 12, "expiryYear": 2031,
        }  # fmt: skip
        if (await request.post()).get("answer") != "ok":
            return self._ended(tran, "D", "310", "3DSecure authentication rejected", info)
        return self._charged(tran, card, info)

    def _charged(self, tran: Json, card: Card, info: Json) -> web.StreamResponse:
        if card.number == REVIEWED:
            return self._ended(tran, "H", "501", "Hold for review", info)
        if card.code != "00":
            return self._ended(tran, "D", _CODES[card.code], MESSAGES[card.code].capitalize(), info)
        return self._ended(tran, "A", "G08490", "Authorised", info)

    def _open(self, tran: Json) -> bool:
        """Until it has a result and its time is over; the first look after that writes X down and tells it."""
        if "payment_result" in tran:
            return False
        if self._clock.now() < datetime.fromisoformat(tran["_until"]):
            return True
        self.expire(tran)
        return False

    def expire(self, tran: Json) -> None:
        """The page's time is over. Without a result it ends as X; nothing to tell about one that was paid."""
        if "payment_result" not in tran and self._clock.now() >= datetime.fromisoformat(tran["_until"]):
            self._books.end(tran, "X", "0", "Expired")
            self._hooks.tell(self._profiles[tran["profile_id"]], tran)

    def _ended(self, tran: Json, letter: str, code: str, said: str, info: Json | None = None) -> web.StreamResponse:
        self._books.end(tran, letter, code, said, info)
        self._hooks.tell(self._profiles[tran["profile_id"]], tran)
        return self._over(tran)

    def _over(self, tran: Json) -> web.StreamResponse:
        """The way back: a GET with the fields in its query, or a form that the payer sends off with one press."""
        said = tran.get("payment_result", {}).get("response_message", "Expired")
        if not tran["_return"]:
            return self._page(tran, self._profiles[tran["profile_id"]].name, hosted.note(said))
        fields = return_fields(self._profiles[tran["profile_id"]], tran)
        if tran["_get"]:
            mark = "&" if "?" in tran["_return"] else "?"
            raise web.HTTPSeeOther(f"{tran['_return']}{mark}{urlencode(fields)}")
        inner = hosted.hidden(fields) + hosted.button(hosted.say_in(tran["_lang"])("Back to the shop"))
        told = hosted.note(
            hosted.say_in(tran["_lang"])(said), "note" if tran.get("payment_result", {}).get("response_status") == "A" else "bad"
        )
        return self._page(tran, self._profiles[tran["profile_id"]].name, told, hosted.form(tran["_return"], inner))

    def _found(self, request: web.Request) -> Json:
        tran = self._books.by_page(request.match_info["page"])
        if tran is None:
            raise web.HTTPNotFound(text="There is no such page.")
        return tran
