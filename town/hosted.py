"""The look of the hosted pages on which people of the town pay: plain HTML, no script, works on any telephone."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from aiohttp import web

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;margin:0;background:#f3f4f7;color:#16202e}"
    "main{max-width:26rem;margin:0 auto;padding:1.5rem 1rem}section,form{background:#fff;border-radius:.75rem;padding:1rem;margin:0 0 1rem}"
    "h1{font-size:1.2rem;margin:0 0 .5rem}.sum{font-size:1.8rem;font-weight:700;margin:.2rem 0}.note{color:#55606f;margin:.2rem 0}"
    ".bad{background:#fde8e6;color:#8c1d13;padding:.6rem .8rem;border-radius:.5rem}label{display:block;margin:.5rem 0}"
    "input{display:block;width:100%;box-sizing:border-box;font:inherit;padding:.6rem;border:1px solid #8a94a3;border-radius:.5rem}"
    "button,a.button{display:block;width:100%;box-sizing:border-box;text-align:center;text-decoration:none;font:inherit;font-weight:600;"
    "min-height:44px;padding:.6rem;margin:.5rem 0 0;border:0;border-radius:.5rem;background:#1c4fd8;color:#fff}"
    ".quiet{background:#e4e8ee!important;color:#16202e!important}"
)


def page(title: str, *parts: str, status: int = 200, language: str = "en") -> web.Response:
    """A whole page; `parts` are HTML already."""
    way = "rtl" if language == "ar" else "ltr"
    text = (
        f'<!doctype html><html lang="{escape(language)}" dir="{way}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title><style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{''.join(parts)}</main></body></html>"
    )
    return web.Response(text=text, content_type="text/html", status=status, headers={"Cache-Control": "no-store"})


def note(text: str, kind: str = "note") -> str:
    return f'<p class="{kind}">{escape(text)}</p>'


def form(action: str, inner: str, method: str = "post") -> str:
    return f'<form method="{method}" action="{escape(action)}">{inner}</form>'


def field(name: str, label: str, value: str = "", **more: str) -> str:
    extra = "".join(f' {key}="{escape(one)}"' for key, one in more.items())
    return f'<label>{escape(label)}<input name="{escape(name)}" value="{escape(value)}"{extra}></label>'


def hidden(values: Mapping[str, str]) -> str:
    return "".join(f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in values.items())


def button(label: str, name: str = "", value: str = "", *, quiet: bool = False) -> str:
    named = f' name="{escape(name)}" value="{escape(value)}"' if name else ""
    return f'<button type="submit"{named}{" class=quiet" if quiet else ""}>{escape(label)}</button>'


def link(label: str, to: str) -> str:
    return f'<a class="button quiet" href="{escape(to)}">{escape(label)}</a>'


def card_fields(number: str) -> str:
    return (
        field("number", "Card number", number, inputmode="numeric", autocomplete="off")
        + field("name", "Name on the card", "Brian Otieno")
        + field("month", "Month", "12", inputmode="numeric")
        + field("year", "Year", "2031", inputmode="numeric")
        + field("cvc", "CVC", "123", inputmode="numeric")
    )
