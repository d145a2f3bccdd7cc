"""The style and the scripts of the pages: small enough to stand in the page itself, and named by their digests in the content policy."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import quote

from markupsafe import Markup

_HERE: Final = Path(__file__).parent


def _css(text: str) -> str:
    """Without comments and needless spaces."""
    bare = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    bare = re.sub(r"\s+", " ", bare)
    return re.sub(r" ?([{};,>]) ?", r"\1", bare).replace(": ", ":").replace(";}", "}").strip()


def _js(text: str) -> str:
    """Without indentation and lines that are only a comment."""
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _digest(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


STYLE: Final = Markup(_css((_HERE / "app.css").read_text("utf-8")))  # noqa: S704 - our own file
SCRIPTS: Final = {path.stem: Markup(_js(path.read_text("utf-8"))) for path in sorted(_HERE.glob("*.js"))}  # noqa: S704 - our own files

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        f"style-src {_digest(STYLE)}",
        "script-src " + " ".join(_digest(script) for script in SCRIPTS.values()),
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Content-Security-Policy of every page."""


@lru_cache(maxsize=1)
def icon() -> str:
    """The mark as an address of itself, so that no request is made for it."""
    return "data:image/svg+xml," + quote((_HERE / "mark.svg").read_text("utf-8").strip(), safe=" =:/'")
