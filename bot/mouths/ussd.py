"""USSD: one posted turn is one unit of work, answered from our own state. What the last page said is kept, so a turn that is posted again changes nothing.

The transcript that the operator sends grows; what was typed is what it has more than we know of. Gateways are asked after the session has ended:
while it is open no M-Pesa prompt can ring.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

import structlog

from bot.dialog import Answer, Kind
from bot.engine import HOME, Engine, Heard, Said, place_of
from bot.mouths.pages import BACK, MORE, Keys, menu_of, pages, without_markup, without_signs
from bot.mouths.pages import HOME as HOME_KEY
from domain.errors import DomainError
from domain.gsm import gsm7, plain
from domain.ids import AttemptId, read_link_dial
from domain.person import ChannelKind, Conversation, Language, Person
from domain.phone import Phone
from domain.ports import Unit
from templates.words import words
from usecases.hall import Hall
from usecases.payments import send_attempt
from usecases.phones import arrive_by_number

GATEWAY: Final = "ussd"
CONTINUE_WITHIN: Final = timedelta(minutes=10)
PUSH_AFTER_S: Final = 3.0
ANSWER_WITHIN_S: Final = 4.0
"""The provider waits for ten seconds, and shows a phone nothing of ours after that."""
MOST_BACK: Final = 6
"""Steps one may go back."""
_AT_REST: Final = frozenset({"menu", "help", "list", "card", "one", "done", "qr", "balance", "history"})
"""Steps at which nothing is lost when a session ends there."""
_LEFT_OUT: Final = frozenset({"home", "cancel", "back", "qr", "share", "help"})
"""Choices that are keys here, or of no use without a screen that shows pictures."""
_log = structlog.get_logger("ussd")


@dataclass(frozen=True, slots=True)
class Dialled:
    """One posted turn. `text` is the whole transcript of the session, as the operator sends it."""

    session: str
    phone: Phone
    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """`ends` closes the session. `attempts` are to be handed to their gateways when it has closed."""

    text: str
    ends: bool = False
    attempts: tuple[AttemptId, ...] = ()

    @property
    def body(self) -> str:
        return f"{'END' if self.ends else 'CON'} {self.text}"


def ussd_turn(unit: Unit, engine: Engine, dialled: Dialled) -> Reply:
    """The whole turn. Raises Stale when another turn of the same person won; then it is run again and finds what that one left."""
    unit.people.expect(ChannelKind.SMS, dialled.phone.e164, ChannelKind.USSD)
    person = arrive_by_number(unit, dialled.phone)
    return _Turn(unit, engine, dialled, person, place_of(unit, person, ChannelKind.USSD)).reply()


class _Turn:
    def __init__(self, unit: Unit, engine: Engine, dialled: Dialled, person: Person, place: Conversation) -> None:
        self._unit, self._engine, self._dialled, self._person, self._place = unit, engine, dialled, person, place
        self._memory: Mapping[str, Any] = place.shown
        self._t = engine.words_on(ChannelKind.USSD, person)

    def reply(self) -> Reply:
        memory, dialled = self._memory, self._dialled
        if memory.get("session") != dialled.session:
            return self._first()
        before = memory["heard"]
        if dialled.text == before or not dialled.text.startswith(before) or memory["ends"]:
            return self._same()
        typed = dialled.text[len(before) :]
        return self._typed((typed.removeprefix("*") if before else typed).strip())

    def _same(self) -> Reply:
        return Reply(self._memory["pages"][self._memory["page"]], self._memory["ends"])

    def _first(self) -> Reply:
        """A new session: a link that was dialled, or where the last one broke off, or the beginning."""
        if self._dialled.text:
            code = read_link_dial(self._dialled.text)
            return self._hear(Answer(Kind.COMMAND, "buy", code or self._dialled.text))
        broken = self._place.step not in _AT_REST and self._place.dialog != "start"
        if broken and self._unit.now - self._place.updated_at <= CONTINUE_WITHIN:
            choices = {"1": "continue", "2": "afresh"}
            lines = [f"{number}. {self._t(f'ussd.{key}')}" for number, key in choices.items()]
            made = pages(self._t("ussd.broken_off"), lines, Keys("", ""))
            return self._keep(self._place, made, {number: f"ussd:{key}" for number, key in choices.items()})
        return self._hear(Answer(Kind.COMMAND, "start"))

    def _typed(self, typed: str) -> Reply:
        memory, said = self._memory, self._memory["pages"]
        if typed == MORE and memory["page"] + 1 < len(said):
            return self._turned(memory["page"] + 1)
        if typed == BACK and memory["page"] > 0:
            return self._turned(memory["page"] - 1)
        if typed == HOME_KEY:
            return self._hear(Answer(Kind.COMMAND, "home"))
        if typed == BACK:
            return self._back()
        key = memory["menu"].get(typed)
        if key == "ussd:continue":
            return self._stand(self._place, ())
        if key == "ussd:afresh":
            return self._hear(Answer(Kind.COMMAND, "home"))
        if key is not None:
            return self._hear(Answer(Kind.CHOICE, key), key if key.startswith("o:") else "")
        return self._hear(Answer(Kind.TEXT, typed))

    def _turned(self, page: int) -> Reply:
        kept = {**self._memory, "heard": self._dialled.text, "page": page}
        self._unit.conversations.put(replace(self._place, shown=kept))
        return Reply(kept["pages"][page])

    def _back(self) -> Reply:
        trail = list(self._memory["trail"])
        if not trail:
            return self._hear(Answer(Kind.COMMAND, "home"))
        dialog, step, data = trail.pop()
        return self._stand(replace(self._place, dialog=dialog, step=step, data=data), trail)

    def _stand(self, place: Conversation, trail: Any) -> Reply:
        """A place where they stood before, as it is now; home, where what it was about is gone."""
        try:
            said = self._engine.at(self._unit, self._person, replace(place, updated_at=self._unit.now))
        except (DomainError, KeyError):
            return self._hear(Answer(Kind.COMMAND, "home"))
        return self._show(said, trail)

    def _hear(self, answer: Answer, thing: str = "") -> Reply:
        dialled, left = self._dialled, self._place
        heard = Heard(ChannelKind.USSD, dialled.phone.e164, "", Language.EN, f"{dialled.session}:{len(dialled.text)}", answer, thing=thing)
        said = self._engine.answer(self._unit, heard, GATEWAY, self._person, left)
        now = said.place
        assert said.person is not None
        assert now is not None, "on this channel a turn leaves a conversation"
        self._t = self._engine.words_on(ChannelKind.USSD, said.person)
        trail = list(self._memory.get("trail", ()))
        if (now.dialog, now.step) == HOME or not left.version:
            trail = []
        elif (now.dialog, now.step) != (left.dialog, left.step):
            trail = [*trail, [left.dialog, left.step, left.data]][-MOST_BACK:]
        if said.attempts:
            reply = self._keep(now, [small(self._t("ussd.check_phone"), arabic=self._engine.arabic_on_ussd)], {}, ends=True)
            return replace(reply, attempts=said.attempts)
        return self._show(said, trail)

    def _show(self, said: Said, trail: Any) -> Reply:
        place = said.place
        assert said.screen is not None, "on this channel a turn shows something"
        assert place is not None
        at_home = (place.dialog, place.step) == HOME
        menu, arabic = menu_of(said.screen, _LEFT_OUT), self._engine.arabic_on_ussd
        made = pages(
            small(said.screen.text, arabic=arabic),
            [f"{number}. {small(choice.text, arabic=arabic)}" for number, choice in menu.items()],
            Keys(self._t("ussd.more"), "" if at_home or place.dialog == "start" else self._t("ussd.leave")),
        )
        return self._keep(place, made, {number: choice.key for number, choice in menu.items()}, trail)

    def _keep(self, place: Conversation, made: list[str], menu: dict[str, str], trail: Any = (), *, ends: bool = False) -> Reply:
        shown = {
            "session": self._dialled.session, "heard": self._dialled.text, "pages": made, "page": 0, "menu": menu, "trail": list(trail), "ends": ends,
        }  # fmt: skip
        self._unit.conversations.put(replace(place, shown=shown))
        return Reply(made[0], ends)


@lru_cache(maxsize=2048)
def small(text: str, *, arabic: bool) -> str:
    """Letters that operators refuse become question marks: better a name that cannot be read than a screen that is not shown."""
    shown = without_markup(text)
    sayable = shown if gsm7(shown) else plain(shown)
    if gsm7(sayable):
        return sayable
    return without_signs(shown) if arabic else "".join(char if gsm7(char) else "?" for char in sayable)


class UssdMouth:
    """Hears a turn, answers, and pushes M-Pesa prompts a little later: `push_after_s`, in which the operator closes the session."""

    def __init__(self, hall: Hall, engine: Engine, push_after_s: float = PUSH_AFTER_S, within_s: float = ANSWER_WITHIN_S) -> None:
        self._hall = hall
        self._engine = engine
        self._push_after_s = push_after_s
        self._within_s = within_s

    async def hear(self, dialled: Dialled) -> Reply:
        """An answer in time. A turn for which our database takes longer goes on, and whoever dials again sees what became of it."""
        turn = asyncio.ensure_future(self._turn(dialled))
        done, _ = await asyncio.wait({turn}, timeout=self._within_s)
        if done:
            return turn.result()
        self._hall.spawn(_late(turn))
        return Reply(words(Language.EN)("ussd.slow"), ends=True)

    async def _turn(self, dialled: Dialled) -> Reply:
        reply = await self._hall.store.write(ussd_turn, self._engine, dialled)
        for attempt_id in reply.attempts:
            self._hall.spawn(self._push(attempt_id))
        return reply

    async def _push(self, attempt_id: AttemptId) -> None:
        await asyncio.sleep(self._push_after_s)
        await send_attempt(self._hall.store, self._hall.gateways, attempt_id)

    def trouble(self) -> Reply:
        """For a turn that could not be kept: nothing happened."""
        return Reply(words(Language.EN)("ussd.trouble"), ends=True)


async def _late(turn: asyncio.Future[Reply]) -> None:
    try:
        await turn
        _log.warning("ussd_turn_late")
    except Exception as error:  # noqa: BLE001 - the phone was answered; the operator may post the turn again
        _log.warning("ussd_turn_not_kept", error=type(error).__name__)
