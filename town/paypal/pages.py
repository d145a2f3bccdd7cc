"""The approval page on which a buyer logs in, sees what is asked, and pays, cancels or closes the window."""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from aiohttp import web

from town.paypal import money
from town.paypal.apps import Buyer, Missing
from town.paypal.office import Office
from town.paypal.orders import OrderDesk
from town.paypal.records import Order
from town.phones import NoSuchThing

_LABELS = {
    "balance": "PayPal balance",
    "declined_card": "Card that will be declined",
    "review": "Bank that PayPal looks into first",
    "echeck": "eCheck (takes days)",
}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f5f7fa;color:#001435}main{max-width:26rem;margin:2rem auto;padding:1.5rem;"
    "background:#fff;border-radius:12px}label{display:block;margin:.75rem 0}input[type=email],input[type=password]{width:100%;padding:.6rem;"
    "font:inherit;box-sizing:border-box}button{width:100%;padding:.8rem;margin:.4rem 0;font:inherit;font-weight:600;border:0;border-radius:24px;"
    "background:#0070e0;color:#fff;cursor:pointer}button.plain{background:none;color:#0070e0}.total{font-size:1.6rem}.wrong{color:#c00}"
)


class Pages:
    def __init__(self, office: Office, orders: OrderDesk) -> None:
        self._office = office
        self._orders = orders

    def _order(self, token: str) -> Order:
        order = self._office.orders.get(token)
        if order is None:
            raise Missing("Things don't appear to be working at the moment.")
        return order

    async def show(self, request: web.Request) -> web.StreamResponse:
        """GET /checkoutnow?token=."""
        try:
            return _page(self._login(self._order(request.query.get("token", ""))))
        except NoSuchThing as problem:
            return _page(_sorry(problem), problem.status)

    async def act(self, request: web.Request) -> web.StreamResponse:
        """POST /checkoutnow: `login` shows what can be chosen; `pay` and `cancel` go back to the merchant; `close` pays and goes nowhere."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        try:
            order = self._order(form.get("token", ""))
            action = form.get("action", "")
            if action == "cancel":
                return _back(order.cancel_url, token=order.id)
            buyer = self._office.buyers.get(form.get("email", "").strip().lower())
            if buyer is None or buyer.password != form.get("password", ""):
                return _page(self._login(order, "Some of your info isn't correct. Please try again."), 401)
            if action == "login":
                return _page(self._review(order, buyer))
            if action not in ("pay", "close"):
                raise NoSuchThing("That button is not here.")
            self._orders.approve(order.id, buyer, form.get("funding", ""))
            if action == "close":
                return _page("<h1>The window is closed</h1><p>You have paid, and did not go back to the seller.</p>")
            return _back(order.return_url, token=order.id, PayerID=buyer.payer_id)
        except NoSuchThing as problem:
            return _page(_sorry(problem), problem.status)

    def _login(self, order: Order, wrong: str = "") -> str:
        known = next(iter(self._office.buyers.values()))
        return (
            f"<h1>Pay with PayPal</h1>{f'<p class=wrong role=alert>{escape(wrong)}</p>' if wrong else ''}{_form(order)}"
            f'<label>Email<input type="email" name="email" value="{escape(known.email)}" required></label>'
            f'<label>Password<input type="password" name="password" value="{escape(known.password)}" required></label>'
            '<button name="action" value="login">Log In</button></form>'
            f'{_form(order)}<button class="plain" name="action" value="cancel">Cancel and return to {escape(order.app.name)}</button></form>'
        )

    def _review(self, order: Order, buyer: Buyer) -> str:
        total = money.shown(order.units, order.currency)
        choices = "".join(
            f'<label><input type="radio" name="funding" value="{value}"{" checked" if value == "balance" else ""}> {label}</label>'
            for value, label in _LABELS.items()
            if value != "echeck" or not order.immediate
        )
        return (
            f"<h1>Hi, {escape(buyer.given_name)}</h1><p>{escape(order.app.name)}: {escape(str(order.unit.get('description', '')))}</p>"
            f'<p class="total">{total["value"]} {total["currency_code"]}</p>{_form(order)}'
            f'<input type="hidden" name="email" value="{escape(buyer.email)}"><input type="hidden" name="password" value="{escape(buyer.password)}">'
            f'<fieldset><legend>Pay with</legend>{choices}</fieldset><button name="action" value="pay">Complete Purchase</button>'
            '<button class="plain" name="action" value="close">Pay, then close the window</button>'
            f'<button class="plain" name="action" value="cancel">Cancel and return to {escape(order.app.name)}</button></form>'
        )


def _form(order: Order) -> str:
    return f'<form method="post" action="checkoutnow"><input type="hidden" name="token" value="{escape(order.id)}">'


def _sorry(problem: NoSuchThing) -> str:
    return f"<h1>Sorry</h1><p>{escape(str(problem))}</p>"


def _page(body: str, status: int = 200) -> web.Response:
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>PayPal of the town</title><style>{_STYLE}</style>'
    )
    html = f'<!doctype html><html lang="en"><head>{head}</head><body><main>{body}</main></body></html>'
    return web.Response(text=html, content_type="text/html", status=status, headers={"Cache-Control": "no-store"})


def _back(url: str, **more: str) -> web.Response:
    """To the merchant, what it had in its own query kept."""
    if not url:
        return _page("<h1>You can close this window</h1>")
    parts = urlsplit(url)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *more.items()])
    return web.Response(status=302, headers={"Location": urlunsplit(parts._replace(query=query))})
