"""What follows an answer that held a secret: its message is deleted from the chat, and what was typed is tried at its gateway, after the commit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
import telegram

from bot.dialogs.gateway import begin_trial, end_trial
from bot.engine import Engine, Said
from domain.errors import DomainError
from domain.person import Conversation, Person
from domain.ports import Message, Messenger, Sent, Unit
from templates.words import words
from usecases.gateways import try_credentials
from usecases.hall import Hall

_log = structlog.get_logger("telegram")


class Vault:
    """`speak` shows a screen to an address."""

    def __init__(
        self, hall: Hall, engine: Engine, bot: telegram.Bot, messenger: Messenger, speak: Callable[[str, Said], Awaitable[Sent | None]]
    ) -> None:
        self._hall = hall
        self._engine = engine
        self._bot = bot
        self._messenger = messenger
        self._speak = speak

    async def conceal(self, address: str, message_id: int, person: Person) -> None:
        """Delete what the person wrote. Where Telegram does not, they are told to do it themselves."""
        try:
            gone = await self._bot.delete_message(int(address), message_id)
        except telegram.error.TelegramError as error:
            _log.warning("secret_not_deleted", error=type(error).__name__)
            gone = False
        if not gone:
            await self._messenger.send(
                address, Message(words(person.language).html("chat.gateway.not_deleted"), reply_to=f"t:{message_id}")
            )

    def begin(self, address: str, said: Said) -> None:
        if said.trial and said.place is not None:
            self._hall.spawn(self._try(address, said.place))

    async def _try(self, address: str, place: Conversation) -> None:
        """Unit, call, unit; then the screen is shown as it is now. One that was cut off is tried again by its button."""
        try:
            trial = await self._hall.store.write(begin_trial, place)
            if trial is None:
                return
            wrong = await try_credentials(self._hall.gateways[trial.gateway], trial.typed)
            if not await self._hall.store.write(end_trial, trial, wrong):
                return
            said = await self._hall.store.read(_now, self._engine, place)
        except DomainError as refusal:  # the right, the shop or the key was lost meanwhile: the next press says so
            _log.info("trial_ended", code=refusal.code)
            return
        await self._speak(address, said)


def _now(unit: Unit, engine: Engine, place: Conversation) -> Said:
    return engine.again(unit, unit.people.get(place.person_id), place.channel)
