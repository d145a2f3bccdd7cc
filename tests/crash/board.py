"""A page of memory that the test and the house it kills both see: the town's time, where the sale stands, and where the house has to die."""

from __future__ import annotations

import mmap
import os
import struct
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

SIZE: Final = 4096
_OFFSET, _STEP, _COUNTDOWN, _SKEW, _TARGET = 0, 8, 16, 24, 32
_NUMBER = struct.Struct("<q")
_LENGTH = struct.Struct("<H")


class Board:
    """Every field is one aligned word, so that neither side ever reads half of it; the target is only written while the house rests."""

    def __init__(self, path: Path, *, new: bool = False) -> None:
        if new:
            path.write_bytes(bytes(SIZE))
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), SIZE)

    def close(self) -> None:
        self._page.close()

    def _get(self, at: int) -> int:
        return int(_NUMBER.unpack_from(self._page, at)[0])

    def _set(self, at: int, value: int) -> None:
        _NUMBER.pack_into(self._page, at, value)

    @property
    def offset(self) -> timedelta:
        """How far the town's clock is ahead of the machine's."""
        return timedelta(microseconds=self._get(_OFFSET))

    @offset.setter
    def offset(self, value: timedelta) -> None:
        self._set(_OFFSET, value // timedelta(microseconds=1))

    @property
    def skew(self) -> timedelta:
        """By how much somebody set the wall clock of the house's machine wrong. No time has passed by that."""
        return timedelta(microseconds=self._get(_SKEW))

    @skew.setter
    def skew(self, value: timedelta) -> None:
        self._set(_SKEW, value // timedelta(microseconds=1))

    @property
    def step(self) -> int:
        return self._get(_STEP)

    @step.setter
    def step(self, value: int) -> None:
        self._set(_STEP, value)

    @property
    def countdown(self) -> int:
        """When positive: the house dies at the so-manieth point from now, whatever its name is."""
        return self._get(_COUNTDOWN)

    @countdown.setter
    def countdown(self, value: int) -> None:
        self._set(_COUNTDOWN, value)

    @property
    def target(self) -> bytes:
        """The point to die at, `name#occurrence in this step`; empty for none."""
        length = _LENGTH.unpack_from(self._page, _TARGET)[0]
        return self._page[_TARGET + 2 : _TARGET + 2 + length]

    @target.setter
    def target(self, value: bytes) -> None:
        _LENGTH.pack_into(self._page, _TARGET, 0)
        self._page[_TARGET + 2 : _TARGET + 2 + len(value)] = value
        _LENGTH.pack_into(self._page, _TARGET, len(value))


class BoardClock:
    """The town's clock as another process reads it, without a system call: in the town time has really passed, so both hands move."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def now(self) -> datetime:
        return datetime.now(UTC) + self._board.offset + self._board.skew

    def monotonic_s(self) -> float:
        return time.monotonic() + self._board.offset.total_seconds()


def append(path: Path) -> int:
    """A file of lines that several lives of a house write, each line whole."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
