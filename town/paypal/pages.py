"""The approval page on which a buyer logs in, sees what is asked, and pays, cancels or closes the window."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from aiohttp import web

from town import hosted
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
            return self._login(self._order(request.query.get("token", "")))
        except NoSuchThing as problem:
            return _sorry(problem)

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
                return self._login(order, "Some of your info isn't correct. Please try again.")
            if action == "login":
                return self._review(order, buyer)
            if action not in ("pay", "close"):
                raise NoSuchThing("That button is not here.")
            self._orders.approve(order.id, buyer, form.get("funding", ""))
            if action == "close":
                return _page("The window is closed", hosted.note("You have paid, and did not go back to the seller."))
            return _back(order.return_url, token=order.id, PayerID=buyer.payer_id)
        except NoSuchThing as problem:
            return _sorry(problem)

    def _login(self, order: Order, wrong: str = "") -> web.Response:
        known = next(iter(self._office.buyers.values()))
        fields = (
            hosted.field("email", "Email", known.email, type="email", required="required", dir="ltr")
            + hosted.field("password", "Password", known.password, type="password", required="required", dir="ltr")
            + hosted.button("Log In", "action", "login")
        )
        cancel = hosted.button(f"Cancel and return to {order.app.name}", "action", "cancel", quiet=True)
        said = hosted.note(wrong, "bad") if wrong else ""
        return _page("Pay with PayPal", _sum(order), said, _form(order, fields), _form(order, cancel), status=401 if wrong else 200)

    def _review(self, order: Order, buyer: Buyer) -> web.Response:
        choices = "".join(
            f'<label class="pick"><input type="radio" name="funding" value="{value}"{" checked" if value == "balance" else ""}>{label}</label>'
            for value, label in _LABELS.items()
            if value != "echeck" or not order.immediate
        )
        inner = (
            hosted.hidden({"email": buyer.email, "password": buyer.password})
            + f"<fieldset><legend>Pay with</legend>{choices}</fieldset>"
            + hosted.button("Complete Purchase", "action", "pay")
            + hosted.button("Pay, then close the window", "action", "close", quiet=True)
            + hosted.button(f"Cancel and return to {order.app.name}", "action", "cancel", quiet=True)
        )
        return _page(f"Hi, {buyer.given_name}", _sum(order), _form(order, inner))


def _sum(order: Order) -> str:
    total = money.shown(order.units, order.currency)
    about = ": ".join(filter(None, (order.app.name, str(order.unit.get("description", "")))))
    return hosted.note(about) + hosted.note(f"{total['value']} {total['currency_code']}", "sum")


def _form(order: Order, inner: str) -> str:
    return hosted.form("checkoutnow", hosted.hidden({"token": order.id}) + inner)


def _sorry(problem: NoSuchThing) -> web.Response:
    return _page("Sorry", hosted.note(str(problem), "bad"), status=problem.status)


def _page(title: str, *parts: str, status: int = 200) -> web.Response:
    return hosted.page(title, *parts, brand="PayPal", colour="#003087", status=status)


def _back(url: str, **more: str) -> web.Response:
    """To the merchant, what it had in its own query kept."""
    if not url:
        return _page("You can close this window")
    parts = urlsplit(url)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *more.items()])
    return web.Response(status=302, headers={"Location": urlunsplit(parts._replace(query=query))})
