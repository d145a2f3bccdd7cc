"""A feature phone and the operator between it and the house, in one: turns are posted as Africa's Talking posts them, and every reply is looked at.

When no reply comes the operator posts the very same turn again; or, where `redials` is true, the line is lost and the person dials again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import aiohttp

from bot.mouths.pages import HOME, MORE
from domain.gsm import gsm7, units
from tests.crash.given import CALLBACKS
from tests.crash.street import Street, Stuck
from town.phones import Prompt

MOST_UNITS: Final = 160
MOST_PRESSES: Final = 40
MOST_POSTS: Final = 20
Rule = tuple[str, str]
"""What a screen says, and what is done there: the label of a choice, or after a `=` what is typed."""


class Dropped(Exception):
    """The line is lost; whoever held the phone does not know what became of the last key."""


@dataclass(slots=True)
class Keypad:
    """`sessions` counts what was dialled; `screens` is everything that was shown."""

    street: Street
    name: str
    msisdn: str
    redials: bool
    session: str = ""
    typed: str = ""
    screen: str = ""
    open: bool = False
    sessions: int = 0
    screens: list[str] = field(default_factory=list)

    async def dial(self, digits: str = "") -> None:
        self.sessions += 1
        self.session, self.typed = f"ATUid_{self.name}_{self.sessions}", digits
        await self._post()

    async def press(self, key: str) -> None:
        self.typed = f"{self.typed}*{key}" if self.typed else key
        await self._post()

    def hang_up(self) -> None:
        self.open = False

    async def _post(self) -> None:
        form = {
            "sessionId": self.session, "phoneNumber": f"+{self.msisdn}", "serviceCode": "*384*77#", "networkCode": "63902", "text": self.typed,
        }  # fmt: skip
        for _ in range(MOST_POSTS):
            house = await self.street.revive()
            assert self.street.browser is not None
            try:
                async with self.street.browser.post(f"http://127.0.0.1:{self.street.house_port}/ussd/{CALLBACKS}", data=form) as answer:
                    body, status = await answer.text(), answer.status
            except (aiohttp.ClientError, OSError, TimeoutError):
                await house.settle()  # finds out that it is dead
                if self.redials:
                    raise Dropped from None
                continue
            self._show(status, body)
            return
        raise Stuck(f"nobody answers {self.name}")

    def _show(self, status: int, body: str) -> None:
        assert status == 200 and body.startswith(("CON ", "END ")), f"{self.name} is answered {status}: {body}"
        assert gsm7(body) and units(body) <= MOST_UNITS, f"an operator refuses this: {body}"
        self.open, self.screen = body.startswith("CON "), body[4:]
        self.screens.append(self.screen)

    async def walk(self, rules: Sequence[Rule], *wanted: str, digits: str = "") -> None:
        """Do on each screen what the first rule that fits says, until one says what is wanted. A session that is over, or lost, is dialled again."""
        dialling = not self.open
        for _ in range(MOST_PRESSES):
            try:
                if dialling:
                    await self.dial(digits)
                    dialling = False
                if any(words in self.screen for words in wanted):
                    return
                if self.open:
                    await self.press(self._key(rules))
                else:
                    dialling = True
            except Dropped:
                dialling = True
        raise Stuck(f"{self.name} does not get to {wanted}; the last screens: {self.screens[-8:]}")

    def _key(self, rules: Sequence[Rule]) -> str:
        """What to press: where no rule fits, the next page, and from the last page home."""
        for on, what in rules:
            if on not in self.screen:
                continue
            if what.startswith("="):
                return what[1:]
            for line in self.screen.split("\n"):
                number, dot, label = line.partition(". ")
                if dot and label.startswith(what):
                    return number
        return MORE if f"{MORE}." in self.screen else HOME

    # -- the rest of the phone

    def prompts(self) -> list[Prompt]:
        return self.street.town.phones.waiting(self.msisdn)

    def texts(self) -> list[str]:
        """Every SMS that arrived."""
        return [one["text"] for one in self.street.town.phones.phone(self.msisdn).sms]

    def text(self, *holds: str) -> str | None:
        return next((text for text in reversed(self.texts()) if all(word in text for word in holds)), None)
