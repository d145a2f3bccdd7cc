"""Letters: a fact as an email, in plain text and in HTML that every mail program can read. `letter(words("sw"), "order_paid", ...)`.

One layout (email/letter.html): tables and inline CSS, for many mail programs know nothing newer; no picture is loaded from anywhere.
The line about what happened is that of the chats (chat.fact.*), without its emoji.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from domain.money import Money
from domain.order import Order
from templates.group import GROUP_FACTS, group_line
from templates.late import LATE_FACTS, late_line, late_values
from templates.methods import method_name, payment_key
from templates.words import Words

SIDES: Final = ("buyer", "seller", "staff")
_HERE: Final = Path(__file__).parent
_ADDRESS: Final = re.compile(r"https?://[^\s<>\"'\x00-\x1f]+")
_MOODS: Final = {
    "dispute_opened": "bad", "payment_disproved": "bad", "payment_failed": "bad", "alert": "bad", "seller.order_refunded": "bad",
    "buyer.order_delivered": "wait", "ask_arrived": "wait", "warn_release": "wait", "offer_cancel": "wait", "remind_ship": "wait",
    "dispute_unanswered": "wait", "refund_delayed": "wait",
}  # fmt: skip
"""The colour of a letter; everything else is good news."""
_BUTTONS: Final = {
    ("buyer", "order_delivered"): "confirm", ("buyer", "ask_arrived"): "confirm", ("buyer", "warn_release"): "confirm",
    ("buyer", "digital_ready"): "download", ("buyer", "offer_cancel"): "cancel", ("buyer", "payment_failed"): "payment",
    ("buyer", "money_returned"): "payment", ("seller", "order_paid"): "send", ("seller", "remind_ship"): "send",
    ("seller", "dispute_opened"): "answer",
}  # fmt: skip
_DIRECTIONS: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_ISOLATES: Final = re.compile("[\u2066-\u2069\u200e\u200f]")
_AUTOMATIC_LINK: Final = re.compile(r"(?<=\w)([.@:])(?=[^\W\d]|//)")
_JOINER: Final = "\u2060"


@dataclass(frozen=True, slots=True)
class Letter:
    """What goes out: both readings of one text. `unsubscribe` is the address for one click (RFC 8058), or empty."""

    subject: str
    text: str
    html: str
    unsubscribe: str = ""


@dataclass(frozen=True, slots=True)
class _Row:
    """One fact of the order; `strong` is the one that counts."""

    label: str
    value: str
    strong: bool = False


def letter(
    t: Words,
    fact: str,
    *,
    side: str,
    page: str,
    shop: str = "",
    order: Order | None = None,
    payload: Mapping[str, Any] | None = None,
    receipt: str | None = None,
    method: str | None = None,
    when: datetime | None = None,
    unsubscribe: str = "",
    again: bool = False,
) -> Letter | None:
    """A fact for one side; None where this side is told nothing by itself. `page` is where the button leads, `payload` the outbox message's.

    `when` is until when a dispute may be opened, else what the order's own clock says. `again`: an earlier sending may have arrived, and nobody
    shall take this for a second sale. Raises ValueError for an address that is none of the web.
    """
    if side not in SIDES or not _ADDRESS.fullmatch(page) or (unsubscribe and not _ADDRESS.fullmatch(unsubscribe)):
        raise ValueError("a letter needs a side, and addresses that begin with http:// or https://")
    about = payload or {}
    told = _said(t, fact, side, order, about, _values(t, order, about, as_data(shop), when) | {"method": method_name(t, method)})
    if told is None:
        return None
    title, line = told
    rows = _rows(t, side, order, as_data(shop), receipt or about.get("receipt"), method_name(t, method))
    subject = _spoken(t("email.subject", title=_plain(title), number=order.number) if order is not None else _plain(title))
    button = t(f"email.button.{_BUTTONS.get((side, fact), side)}")
    why = t.html(f"email.why.{side if shop or side == 'staff' else 'anybody'}", shop=_isolated(t, as_data(shop)))
    said = t("email.again") if again else ""
    written = _template().render(
        lang=t.language, dir=t.direction, subject=subject, preheader=_plain(line), mood=_MOODS.get(f"{side}.{fact}") or _MOODS.get(fact, "good"),
        title=Markup(title), line=_unbroken(line), rows=[(row.label, row.value, row.strong) for row in rows], again=said, code="",  # noqa: S704 - values are escaped
        page=page, button=button, pin=_unbroken(t.html("email.pin")), why=Markup(why), unsubscribe=unsubscribe, stop=t("email.unsubscribe"),  # noqa: S704
    )  # fmt: skip
    text = _text(t, [said, _plain(title), _plain(line)], rows, f"{button}:\n{page}", why, unsubscribe)
    return Letter(subject, text, written, unsubscribe)


def code_letter(t: Words, code: str, minutes: int) -> Letter:
    """A code for whoever claims the address it goes to, which may be nobody's wish: no word of anybody's, no way to anything, nothing to press."""
    spoken = f"{code[:3]} {code[3:]}"
    subject, title = _spoken(t("email.code.subject", code=code)), t.html("email.code.title")
    line, why = t.html("email.code.line", minutes=minutes), t.html("email.code.why")
    written = _template().render(
        lang=t.language, dir=t.direction, subject=subject, preheader=_plain(line), mood="good", title=Markup(title), line=_unbroken(line), rows=[],  # noqa: S704
        again="", code=spoken, page="", button="", pin=_unbroken(t.html("email.pin")), why=Markup(why), unsubscribe="", stop="",  # noqa: S704
    )  # fmt: skip
    return Letter(subject, _text(t, [_plain(title), _plain(line)], [_Row(t("email.code.label"), spoken)], "", why, ""), written)


def as_data(text: str) -> str:
    """What people wrote, as it may stand in a letter: one line, nothing that turns the text around, nothing that a mail program makes a link."""
    line = " ".join(_DIRECTIONS.sub("", text).split())
    seen = "".join(char for char in line if unicodedata.category(char) not in {"Cc", "Cs"})
    return _AUTOMATIC_LINK.sub(rf"\1{_JOINER}", seen)


def _said(
    t: Words, fact: str, side: str, order: Order | None, about: Mapping[str, Any], values: Mapping[str, Any]
) -> tuple[str, str] | None:
    """Title and line, as markup."""
    if order is None:
        line = _line_without_order(t, fact, about)
        return (t.html(f"email.title.{fact}"), line) if line else None
    direct = "_direct" if order.escrow is None else ""
    line_key = _first(t, f"email.line.{side}.{fact}", f"chat.fact.{side}.{fact}{direct}", f"chat.fact.{side}.{fact}")
    title_key = _first(t, f"email.title.{side}.{fact}{direct}", f"email.title.{side}.{fact}")
    if line_key is None or title_key is None:
        return None
    return t.html(title_key, **values), _without_emoji(t.html(line_key, **values))


def _line_without_order(t: Words, fact: str, about: Mapping[str, Any]) -> str:
    if fact == "payment_failed":
        return t.html("chat.fact.payment_failed", why=t(payment_key(t, about.get("result"), about.get("method"))))
    if fact == "money_returned":
        total = Money(about["amount_minor"], about["currency"])
        method = method_name(t, about.get("method"))
        return _without_emoji(t.html("chat.fact.money_returned", total=total, receipt=about.get("receipt", ""), method=method))
    if fact in GROUP_FACTS:
        return _without_emoji(group_line(t, fact, about, as_data))
    if fact in LATE_FACTS:
        values = {name: as_data(value) if isinstance(value, str) else value for name, value in late_values(about).items()}
        return _without_emoji(t.html(late_line(t, fact, about), **values))
    if fact == "account_changed":
        names = {name: _isolated(t, as_data(str(about[name]))) for name in ("shop", "name")}
        return _without_emoji(t.html("chat.fact.account_changed", gateway=t(f"chat.gateway.name.{about['gateway']}"), **names))
    if fact == "webhook_off":
        why = t(f"chat.webhook_off.{about['why']}")
        return _without_emoji(t.html("chat.fact.webhook_off", host=as_data(str(about["host"])), why=why))
    if fact == "alert":
        facts = ", ".join(f"{name} {as_data(str(value))}" for name, value in sorted(about.items()) if name != "what")
        return _without_emoji(t.html("chat.fact.alert", what=as_data(str(about.get("what", fact))), facts=facts))
    return ""


def _values(t: Words, order: Order | None, about: Mapping[str, Any], shop: str, when: datetime | None) -> dict[str, Any]:
    """As the chats fill the same lines (bot/teller.py)."""
    if order is None:
        return {}
    total = Money(about["amount_minor"], order.total.currency) if "amount_minor" in about else order.total
    net = Money(order.total.amount_minor - int(about.get("fee_minor", 0)), order.total.currency)
    return {
        "number": order.number, "total": total, "net": net, "shop": _isolated(t, shop), "item": _isolated(t, as_data(order.item)),
        "when": when or order.due_at or order.paid_at,
    }  # fmt: skip


def _rows(t: Words, side: str, order: Order | None, shop: str, receipt: str | None, method: str) -> list[_Row]:
    if order is None:
        return []
    item = as_data(order.item)
    rows = [
        _Row(t("web.track.number"), order.number),
        _Row(t("email.row.item"), f"{order.quantity} × {item}" if order.quantity > 1 else item),
        _Row(t("email.row.total"), _spoken(t.money(order.total)), strong=True),
    ]
    if side == "buyer":
        rows.append(_Row(t("web.track.seller"), shop))
    else:
        rows += [_Row(t("email.row.buyer"), as_data(order.buyer_name))] if order.buyer_name else []
        rows += [_Row(t("web.track.address"), as_data(order.address))] if order.address else []
    return [*rows, *([_Row(t("web.track.receipt", method=method), as_data(receipt))] if receipt else [])]


def _text(t: Words, said: list[str], rows: list[_Row], button: str, why: str, unsubscribe: str) -> str:
    """The same for programs and people that read no HTML."""
    facts = [f"{row.label}: {_isolated(t, row.value, always=t.direction == 'rtl')}" for row in rows]
    parts = [*said, "\n".join(facts), button, "-- \n" + t("email.pin"), _plain(why)]
    parts += [f"{t('email.unsubscribe')}:\n{unsubscribe}"] if unsubscribe else []
    return "\n\n".join(part for part in parts if part) + "\n"


def _isolated(t: Words, text: str, always: bool = False) -> str:
    """With walls where the direction of the data is not that of the sentence. `Words` builds them itself in right-to-left languages."""
    turns = any(unicodedata.bidirectional(char) in {"R", "AL"} for char in text)
    return f"\u2068{text}\u2069" if always or (turns and t.direction == "ltr") else text


def _without_emoji(markup: str) -> str:
    """A letter says with its colour what a chat says with an emoji."""
    return re.sub(r"^[\u200f\u200e]*(?:[^\w\s<&\u2066-\u2069][\ufe0f]?)+\s+", "", markup)


def _unbroken(markup: str) -> Markup:
    """A name with a hyphen stays on one line, also where the words around it run from the right."""
    return Markup(markup.replace("M-Pesa", '<span style="white-space:nowrap">M-Pesa</span>'))  # noqa: S704 - values are escaped by `html`


def _plain(markup: str) -> str:
    return html.unescape(re.sub(r"</?[a-z]+>", "", markup))


def _spoken(text: str) -> str:
    """Without walls, for places of their own: a subject, a cell."""
    return _ISOLATES.sub("", text)


def _first(t: Words, *keys: str) -> str | None:
    return next((key for key in keys if t.has(key)), None)


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "email"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    return environment.get_template("letter.html")
