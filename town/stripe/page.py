"""The hosted page as a person sees it: open, complete or expired, and their bank's question in between. Plain HTML that needs no script."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from aiohttp import web

from town.stripe.asked import THREE, ZERO
from town.stripe.books import Account
from town.stripe.cards import CARDS, card_of
from town.stripe.forms import Refusal
from town.stripe.shapes import Json

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f6f8fa;color:#1a1f36}main{max-width:26rem;margin:2rem auto;padding:1.5rem;"
    "background:#fff;border-radius:12px}h1{font-size:1.1rem;margin:0 0 .25rem}.amount{font-size:2rem;font-weight:600;margin:0 0 1rem}"
    "button,input{font:inherit;width:100%;min-height:48px;margin:.25rem 0;border-radius:8px;border:1px solid #c1c9d2;box-sizing:border-box;"
    "padding:0 .75rem;background:#fff;color:#1a1f36}button.main{background:#0a2540;color:#fff;border:0}small{color:#4f566b}"
    "[role=alert]{color:#b3093c}"
)
_CLOSE = '<form method="post" action="{at}/close"><button name="act" value="close">Back to the shop</button></form>'


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
            return _html(f"<h1>{escape(str(refusal))}</h1>", 404)
        session = account.sessions[request.match_info["id"]]
        if session["status"] == "open" and session["expires_at"] <= account.now():
            account.expire(session)
        return _html(self._inside(account, session))

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
            return _html(f'<h1>This page has ended</h1><p role="alert">{escape(str(refusal))}</p>', refusal.status)
        if came_to in ("paid", "delayed"):
            raise web.HTTPSeeOther(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session_id))
        raise web.HTTPSeeOther(f"{self._base}/pay/{session_id}")

    def _inside(self, account: Account, session: Json) -> str:
        at = f"{self._base}/pay/{session['id']}"
        item = account.lines[session["id"]][0]["description"]
        head = f'<h1>{escape(item)}</h1><p class="amount">{escape(_amount(session))}</p>'
        close = _CLOSE.format(at=at) if session["cancel_url"] else ""
        if session["status"] == "complete":
            return head + "<p>This payment has been made.</p>" + close
        if session["status"] == "expired":
            return head + '<p role="alert">You took too long: this page has ended. Nothing was taken.</p>' + close
        if session["id"] in account.challenges:
            return (
                head + "<p>Your bank asks: is it you who pays?</p>"
                f'<form method="post" action="{at}/confirm"><button class="main">Yes, it is me</button></form>'
                f'<form method="post" action="{at}/refuse"><button>No</button></form>'
            )
        intent = account.intents.get(session["payment_intent"] or "")
        error = intent["last_payment_error"] if intent else None
        said = f'<p role="alert">Your card was refused ({escape(error.get("decline_code") or error["code"])}).</p>' if error else ""
        buttons = "".join(
            f'<button name="card" value="{card.number}">{escape(card.says)} <small>{card.number[-4:]}</small></button>'
            for card in CARDS.values()
        )
        return (
            head + said + f'<form method="post" action="{at}/pay"><label>Card number '
            '<input name="card" inputmode="numeric" autocomplete="cc-number" value="4242 4242 4242 4242"></label>'
            '<button class="main">Pay</button></form>'
            f'<form method="post" action="{at}/pay"><input type="hidden" name="card" value="4242424242424242">'
            '<button name="wallet" value="apple_pay">Apple Pay</button><button name="wallet" value="google_pay">Google Pay</button></form>'
            f'<details><summary>Other cards of the town</summary><form method="post" action="{at}/pay">{buttons}</form></details>' + close
        )


def _amount(session: Json) -> str:
    currency, amount = session["currency"], session["amount_total"]
    places = 0 if currency in ZERO else 3 if currency in THREE else 2
    digits = str(amount).zfill(places + 1)
    return f"{currency.upper()} {digits[: len(digits) - places]}{'.' + digits[-places:] if places else ''}"


def _html(inside: str, status: int = 200) -> web.Response:
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Stripe of the town</title><style>{_STYLE}</style></head><body><main>{inside}</main></body></html>"
    )
    return web.Response(text=text, status=status, content_type="text/html", headers={"Cache-Control": "no-store"})
