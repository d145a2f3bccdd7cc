"""A seller and a buyer in the town. They do what people do when no answer comes: wait, look again, press again, reload, send the form again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from templates.words import words
from tests.crash.street import Street
from town.phones import Prompt
from town.telegram import views
from town.telegram.errors import Impossible

Json = dict[str, Any]
T = words("en")
_KEY: Final = re.compile(r'name="key" value="([0-9a-f]+)"')
_FOLLOW: Final = re.compile(r"https://t\.me/payloom_bot\?start=f[\w-]+")


@dataclass(slots=True)
class Chatter:
    """Somebody on Telegram."""

    street: Street
    number: int
    name: str
    msisdn: str

    def arrive(self) -> None:
        person = self.street.town.telegram.people.person(self.number)
        person.first_name, person.language_code, person.phone = self.name, "en", f"+{self.msisdn}"

    def messages(self) -> list[Json]:
        telegram = self.street.town.telegram
        chat = telegram.people.private(telegram.people.person(self.number))
        return [views.message_view(telegram, one, self.number) for one in chat.messages.values()]

    def heard(self) -> list[Json]:
        return [message for message in self.messages() if message["from"] == "bot"]

    async def start(self, payload: str = "") -> None:
        self.street.town.control.acting.start(self.number, payload)

    async def say(self, text: str) -> None:
        self.street.town.control.acting.send(self.number, text)

    async def share_number(self) -> None:
        self.street.town.control.acting.contact(self.number)

    async def follow(self, url: str) -> None:
        self.street.town.control.tapping.follow(self.number, url)

    async def tap(self, label: str, on: str = "", wait_s: float = 0.0) -> bool:
        """Press the newest button that says this, on a message that says `on`; False where there is none (any more)."""
        for message in reversed(self.messages()):
            if on not in message["text"]:
                continue
            for button in [one for row in message["buttons"] for one in row]:
                if label == button["text"]:
                    await self.street.town.control.tapping.tap(self.number, message["message_id"], label, wait_s)
                    return True
        try:
            await self.street.town.control.tapping.tap(self.number, None, label, wait_s)
        except Impossible:
            return False
        return True

    async def sees(self, label: str, on: str = "") -> Json | None:
        """The newest message with this button."""
        for message in reversed(self.heard()):
            labels = [one["text"] for row in [*message["buttons"], *(message["keyboard"] or [])] for one in row]
            if on in message["text"] and label in labels:
                return message
        return None

    async def reads(self, *said: str) -> Json | None:
        return next((one for one in reversed(self.heard()) if all(text in one["text"] for text in said)), None)

    def prompts(self) -> list[Prompt]:
        return self.street.town.phones.waiting(self.msisdn)

    def balance_minor(self) -> int:
        return self.street.town.phones.phone(self.msisdn).balance_minor


@dataclass(slots=True)
class Purchase:
    """What a buyer's browser shows: the filled form (with the key it was given), then the page that waits."""

    street: Street
    code: str
    buyer: Chatter
    key: str = ""
    path: str = ""
    follow_url: str = ""

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.street.house_port}"

    async def _page(self, method: str, path: str, data: dict[str, str] | None = None) -> tuple[str, str] | None:
        """(path, body) after redirects; None when the browser says that the site cannot be reached, or that it has a trouble."""
        assert self.street.browser is not None
        try:
            async with self.street.browser.request(method, self.base + path, data=data) as answer:
                body = await answer.text()
                return None if answer.status >= 500 else (answer.url.path, body)
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None

    async def send_form(self) -> None:
        """Open the page where it is not open yet, and send its form, or send the same form again."""
        if not self.key:
            shown = await self._page("GET", f"/buy/{self.code}")
            found = _KEY.search(shown[1]) if shown is not None else None
            if found is None:
                return
            self.key = found.group(1)
        form = {
            "key": self.key, "phone": f"0{self.buyer.msisdn[3:]}", "name": self.buyer.name, "address": "Kilimani, gate 12", "note": "",
            "quantity": "1", "method": "mpesa",
        }  # fmt: skip
        shown = await self._page("POST", f"/buy/{self.code}", form)
        if shown is not None and shown[0].startswith(("/pay/", "/track/")):
            self.path = shown[0]

    async def look(self) -> str:
        """Reload; where the page is now. A failed payment is tried again with the button that the page offers."""
        if not self.path:
            return ""
        shown = await self._page("GET", self.path)
        if shown is None:
            return ""
        path, body = shown
        if path.startswith("/track/"):
            found = _FOLLOW.search(body)
            self.follow_url = found.group() if found else self.follow_url
            self.path = path
        elif f"{urlsplit(path).path}/retry" in body:
            await self._page("POST", f"{path}/retry", {})
        return path
