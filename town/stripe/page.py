"""The hosted page as a person sees it: open, complete or expired, and their bank's question in between. Plain HTML that needs no script."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from town import hosted
from town.stripe.asked import THREE, ZERO
from town.stripe.books import Account
from town.stripe.cards import CARDS, card_of
from town.stripe.forms import Refusal
from town.stripe.shapes import Json


class Page:
    """Serves `{base}/pay/{id}`; posts to it are presses of its buttons."""

    def __init__(self, accounts: Mapping[str, Account], base_path: str) -> None:
        self._accounts = accounts
        self._base = base_path

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get(f"{self._base}/pay/{{id}}", self._show),
            web.post(f"{self._base}/pay/{{id}}/{{act}}", self._press),
        ]

    def of(self, session_id: str) -> Account:
        """Whose session it is; Refusal when it is nobody's."""
        for account in self._accounts.values():
            if session_id in account.sessions:
                return account
        raise Refusal(404, f"No such checkout.session: '{session_id}'", code="resource_missing", param="session")

    async def _show(self, request: web.Request) -> web.Response:
        try:
            account = self.of(request.match_info["id"])
        except Refusal as refusal:
            return _html("This page is not here", hosted.note(str(refusal), "bad"), status=404)
        session = account.sessions[request.match_info["id"]]
        if session["status"] == "open" and session["expires_at"] <= account.now():
            account.expire(session)
        return self._shown(account, session)

    async def _press(self, request: web.Request) -> web.Response:
        session_id, act = request.match_info["id"], request.match_info["act"]
        form = await request.post()
        try:
            account = self.of(session_id)
            session = account.sessions[session_id]
            if act == "close":
                raise web.HTTPSeeOther(session["cancel_url"] or session["success_url"])
            if act == "pay":
                wallet = str(form.get("wallet", "")) or None
                came_to = account.pay(session_id, card_of(str(form.get("card", ""))), wallet)
            else:
                came_to = account.answer(session_id, yes=act == "confirm")
        except Refusal as refusal:
            return _html("This page has ended", hosted.note(str(refusal), "bad"), status=refusal.status)
        if came_to in ("paid", "delayed"):
            raise web.HTTPSeeOther(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session_id))
        raise web.HTTPSeeOther(f"{self._base}/pay/{session_id}")

    def _shown(self, account: Account, session: Json) -> web.Response:
        at = f"{self._base}/pay/{session['id']}"
        title = account.lines[session["id"]][0]["description"]
        head = hosted.note(_amount(session), "sum")
        close = hosted.form(f"{at}/close", hosted.button("Back to the shop", "act", "close", quiet=True)) if session["cancel_url"] else ""
        if session["status"] == "complete":
            return _html(title, head, hosted.note("This payment has been made."), close)
        if session["status"] == "expired":
            return _html(title, head, hosted.note("You took too long: this page has ended. Nothing was taken.", "bad"), close)
        if session["id"] in account.challenges:
            asked = hosted.note("Your bank asks: is it you who pays?")
            yes = hosted.form(f"{at}/confirm", asked + hosted.button("Yes, it is me"))
            return _html("3-D Secure", hosted.note(title), head, yes, hosted.form(f"{at}/refuse", hosted.button("No", quiet=True)))
        intent = account.intents.get(session["payment_intent"] or "")
        error = intent["last_payment_error"] if intent else None
        said = hosted.note(_said(error.get("decline_code") or error["code"]), "bad") if error else ""
        number = hosted.field("card", "Card number", "4242 4242 4242 4242", inputmode="numeric", autocomplete="cc-number", dir="ltr")
        wallets = hosted.button("Apple Pay", "wallet", "apple_pay") + hosted.button("Google Pay", "wallet", "google_pay")
        cards = "".join(hosted.button(card.says, "card", card.number, quiet=True, small=card.number[-4:]) for card in CARDS.values())
        return _html(
            title,
            head,
            said,
            hosted.form(f"{at}/pay", number + hosted.button("Pay")),
            hosted.form(f"{at}/pay", hosted.hidden({"card": "4242424242424242"}) + wallets),
            f"<details><summary>Other cards of the town</summary>{hosted.form(f'{at}/pay', cards)}</details>",
            close,
        )


def _amount(session: Json) -> str:
    currency, amount = session["currency"], session["amount_total"]
    places = 0 if currency in ZERO else 3 if currency in THREE else 2
    digits = str(amount).zfill(places + 1)
    return f"{currency.upper()} {digits[: len(digits) - places]}{'.' + digits[-places:] if places else ''}"


_WORDS = {"incorrect_number": "This is no card number.", "insufficient_funds": "There is not enough money on your card."}


def _said(code: str) -> str:
    return f"{_WORDS.get(code, 'Your card was refused.')} ({code}) Nothing was taken."


def _html(title: str, *parts: str, status: int = 200) -> web.Response:
    return hosted.page(title, *parts, brand="Stripe", colour="#0a2540", status=status)
