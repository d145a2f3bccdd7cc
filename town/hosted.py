"""The look of the hosted pages on which people of the town pay: plain HTML, no script, works on any telephone, in English and Arabic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Final

from aiohttp import web

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;margin:0;background:#f3f4f7;color:#16202e;overflow-wrap:anywhere}"
    "header{background:var(--brand);color:#fff;padding:.7rem 1rem;display:flex;gap:.6rem;justify-content:space-between;align-items:baseline}"
    "header b{font-size:1.1rem}header span{font-size:.85rem}"
    "main{max-width:26rem;margin:0 auto;padding:1.2rem 1rem 2rem}section,form{background:#fff;border-radius:.75rem;padding:1rem;margin:0 0 .8rem}"
    "form form,.bare{padding:0;margin:0}h1{font-size:1.2rem;margin:0 0 .3rem}.sum{font-size:1.8rem;font-weight:700;margin:.1rem 0 .8rem}"
    ".note{color:#55606f;margin:.2rem 0}.bad{background:#fde8e6;color:#8c1d13;padding:.6rem .8rem;border-radius:.5rem}"
    "label{display:block;margin:.5rem 0}fieldset{border:0;margin:0 0 .4rem;padding:0}legend{padding:0;color:#55606f}"
    "input:not([type=radio]){display:block;width:100%;min-height:46px;box-sizing:border-box;font:inherit;padding:.5rem .6rem;"
    "border:1px solid #8a94a3;border-radius:.5rem}.row{display:grid;grid-template-columns:1fr 1fr 1fr;gap:.6rem}"
    ".pick{display:flex;gap:.7rem;align-items:center;min-height:44px;margin:0}[type=radio]{width:22px;height:22px;margin:0;flex:none}"
    "button,a.button{display:block;width:100%;box-sizing:border-box;text-align:center;text-decoration:none;font:inherit;font-weight:600;"
    "min-height:48px;padding:.6rem;margin:.5rem 0 0;border:0;border-radius:.5rem;background:var(--brand);color:#fff;cursor:pointer}"
    ".quiet{background:#e4e8ee!important;color:#16202e!important}.quiet small{color:#55606f}"
    "details{background:#fff;border-radius:.75rem;padding:.8rem 1rem;margin:0 0 .8rem}summary{min-height:28px;cursor:pointer;font-weight:600}"
    "details form{padding:0;margin:0}:focus-visible{outline:3px solid #f6b73c;outline-offset:2px}"
)
Say = Callable[[str], str]
"""A sentence of the page in the payer's language."""

_ARABIC: Final[Mapping[str, str]] = {
    "In town: no real money": "في البلدة: لا مال حقيقي",
    "Card number": "رقم البطاقة",
    "Name on the card": "الاسم على البطاقة",
    "Month": "الشهر",
    "Year": "السنة",
    "CVC": "رمز الأمان",
    "Mobile number": "رقم الجوال",
    "Pay now": "ادفع الآن",
    "Pay by card": "ادفع بالبطاقة",
    "Pay with Apple Pay": "ادفع عبر Apple Pay",
    "Pay with stc pay": "ادفع عبر stc pay",
    "Pay": "ادفع",
    "Cancel": "إلغاء",
    "Back to the shop": "العودة إلى المتجر",
    "Other cards of the town": "بطاقات أخرى من البلدة",
    "pays": "تدفع",
    "is declined": "تُرفض",
    "not enough money": "الرصيد لا يكفي",
    "out of date": "منتهية الصلاحية",
    "over its limit": "تجاوزت حدها",
    "wrong security code": "رمز الأمان خطأ",
    "its bank does not answer": "مصرفها لا يجيب",
    "Your bank asks whether this is you.": "يسأل مصرفك: هل أنت من يدفع؟",
    "Confirm": "نعم، أنا",
    "This was not me": "لست أنا",
    "Code from the SMS of stc pay": "الرمز في رسالة stc pay",
    "Please check the card.": "يرجى مراجعة بيانات البطاقة.",
    "Please check the mobile number.": "يرجى مراجعة رقم الجوال.",
    "Please choose how to pay.": "يرجى اختيار طريقة الدفع.",
    "This card pays in riyals only.": "هذه البطاقة تدفع بالريال فقط.",
    "This invoice has been paid.": "دُفعت هذه الفاتورة.",
    "This invoice has expired.": "انتهت مدة هذه الفاتورة.",
    "This invoice was cancelled.": "أُلغيت هذه الفاتورة.",
    "This invoice is closed.": "هذه الفاتورة مغلقة.",
    "Declined": "رُفضت البطاقة",
    "DECLINED": "رُفضت البطاقة",
    "Authorised": "تم الدفع",
    "Expired": "انتهت المدة",
    "Cancelled by customer": "أُلغي الدفع",
}


def say_in(language: str) -> Say:
    """What the page has no Arabic for (a bank's own words) stays as it is."""
    return (lambda text: _ARABIC.get(text, text)) if language == "ar" else (lambda text: text)


def spoken(language: str) -> str:
    """The language of a page that is asked for in `language`."""
    return "ar" if language == "ar" else "en"


def page(title: str, *parts: str, brand: str, colour: str, status: int = 200, language: str = "en") -> web.Response:
    """A whole page under the name of its `brand`; `parts` are HTML already."""
    say = say_in(language)
    way = "rtl" if language == "ar" else "ltr"
    text = (
        f'<!doctype html><html lang="{spoken(language)}" dir="{way}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)} · {escape(brand)}</title>'
        f"<style>:root{{--brand:{colour}}}{_STYLE}</style></head><body>"
        f"<header><b>{escape(brand)}</b><span>{escape(say('In town: no real money'))}</span></header>"
        f"<main><h1><bdi>{escape(title)}</bdi></h1>{''.join(parts)}</main></body></html>"
    )
    return web.Response(text=text, content_type="text/html", status=status, headers={"Cache-Control": "no-store"})


def note(text: str, kind: str = "note") -> str:
    """`bad` is what went wrong, read out at once; `sum` is what is to be paid."""
    role = ' role="alert"' if kind == "bad" else ""
    return f'<p class="{kind}"{role}><bdi>{escape(text)}</bdi></p>'


def form(action: str, inner: str, method: str = "post") -> str:
    return f'<form method="{method}" action="{escape(action)}">{inner}</form>'


def field(name: str, label: str, value: str = "", **more: str) -> str:
    extra = "".join(f' {key}="{escape(one)}"' for key, one in more.items())
    return f'<label>{escape(label)}<input name="{escape(name)}" value="{escape(value)}"{extra}></label>'


def hidden(values: Mapping[str, str]) -> str:
    return "".join(f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in values.items())


def button(label: str, name: str = "", value: str = "", *, quiet: bool = False, small: str = "") -> str:
    named = f' name="{escape(name)}" value="{escape(value)}"' if name else ""
    more = f" <small>{escape(small)}</small>" if small else ""
    return f'<button type="submit"{named}{" class=quiet" if quiet else ""}>{escape(label)}{more}</button>'


def link(label: str, to: str) -> str:
    return f'<a class="button quiet" href="{escape(to)}">{escape(label)}</a>'


_CARD: Final = {"name": "Brian Otieno", "month": "12", "year": "2031", "cvc": "123"}


def card_fields(number: str, say: Say) -> str:
    """A card that is filled in already, so that one press pays."""
    months = "".join(
        field(name, say(label), _CARD[name], inputmode="numeric", dir="ltr", autocomplete="off")
        for name, label in (("month", "Month"), ("year", "Year"), ("cvc", "CVC"))
    )
    return (
        field("number", say("Card number"), number, inputmode="numeric", dir="ltr", autocomplete="off")
        + field("name", say("Name on the card"), _CARD["name"], autocomplete="off")
        + f'<div class="row">{months}</div>'
    )


def other_cards(action: str, cards: Iterable[tuple[str, str, str]], say: Say, **chosen: str) -> str:
    """One press pays with another card of the town: (number, scheme, what its bank does). `chosen` is what else the form sends."""
    buttons = "".join(button(f"{scheme}, {say(does)}", "number", number, quiet=True, small=number[-4:]) for number, scheme, does in cards)
    inner = hidden({**_CARD, **chosen}) + buttons
    return f"<details><summary>{escape(say('Other cards of the town'))}</summary>{form(action, inner)}</details>"
