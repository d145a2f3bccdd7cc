"""What the handlers of this door share; made once by `application()`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from aiohttp import web
from multidict import CIMultiDict

from usecases.hall import Hall
from web.live import Live
from web.ops import Metrics
from web.shelf import Shelf
from web.static import POLICY
from web.visits import Visits

Picture = tuple[int, int, str, bytes]
"""Width, height, content type, bytes."""


class PictureMaker(Protocol):
    """Decodes what somebody sent and writes it anew in our sizes, largest first. Raises BadInput(`picture`, reason)."""

    async def __call__(self, raw: bytes, /) -> tuple[Picture, ...]: ...


@dataclass(frozen=True, slots=True)
class Door:
    """`new_key` gives an unguessable text of 32 lower-case hex digits; `pictures` None means that no picture can be sent here."""

    hall: Hall
    shelf: Shelf
    visits: Visits
    live: Live
    metrics: Metrics
    new_key: Callable[[], str]
    pictures: PictureMaker | None
    trusted_proxies: frozenset[str]
    body_s: float

    always: CIMultiDict[str]

    @property
    def secure(self) -> bool:
        return self.hall.house.base_url.startswith("https:")

    def url(self, path: str) -> str:
        """An address of ours for outside: from the settings, never from what a request claims."""
        return self.hall.house.base_url.rstrip("/") + path

    def address_of(self, request: web.Request) -> str:
        """The network address of the caller; what proxies say is believed only of those we trust, from the nearest one outwards."""
        address = request.remote or ""
        if address not in self.trusted_proxies:
            return address
        for hop in reversed(request.headers.get("X-Forwarded-For", "").split(",")):
            named = hop.strip()
            if not named or len(named) > 45:
                break
            address = named
            if named not in self.trusted_proxies:
                break
        return address


def always(*, https: bool) -> CIMultiDict[str]:
    """The headers of every answer."""
    headers = {
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
        "Server": "payloom",
    }
    if https:
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    return CIMultiDict(headers)


DOOR: Final = web.AppKey("door", Door)
