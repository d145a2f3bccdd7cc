"""Pages: Jinja2 templates under `web/`, compiled once, autoescaped. `render("buy.html", "sw", ...)`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from templates.words import Words, words

_HERE = Path(__file__).parent


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE / "web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


class PageWords:
    """`t` in a template: sentences come out as safe markup with their values escaped."""

    def __init__(self, spoken: Words) -> None:
        self.spoken = spoken

    def __call__(self, key: str, /, **values: Any) -> Markup:
        return Markup(self.spoken.html(key, **values))  # noqa: S704 - values are escaped by `html`

    def __getattr__(self, name: str) -> Any:
        return getattr(self.spoken, name)


def render(name: str, language: str, /, **context: Any) -> str:
    """A whole page in a language. Templates get `t`, `lang`, `dir` and the context."""
    spoken = words(language)
    return _environment().get_template(name).render(t=PageWords(spoken), lang=spoken.language, dir=spoken.direction, **context)
