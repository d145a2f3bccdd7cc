"""Telegram, imitated over HTTP: `Telegram` holds everything, `BotApi` serves the bot, `Acting` and `Tapping` are the people."""

from town.telegram.acting import Acting
from town.telegram.api import BotApi
from town.telegram.service import Telegram
from town.telegram.tapping import Tapping

__all__ = ["Acting", "BotApi", "Tapping", "Telegram"]
