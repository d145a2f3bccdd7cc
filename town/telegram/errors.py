"""What the Bot API says when it refuses: the words are Telegram's own, since products recognise errors by them."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """An answer with `ok: false`. The HTTP status equals `code`."""

    def __init__(self, code: int, description: str, parameters: dict[str, Any] | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters

    def body(self) -> dict[str, Any]:
        answer: dict[str, Any] = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            answer["parameters"] = self.parameters
        return answer


class Impossible(Exception):
    """Something a person cannot do in the town (control API): an HTTP status and one clear sentence."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status


def bad(reason: str) -> Refused:
    """400 with Telegram's prefix."""
    return Refused(400, f"Bad Request: {reason}")


def forbidden(reason: str) -> Refused:
    """403 with Telegram's prefix."""
    return Refused(403, f"Forbidden: {reason}")


def conflict(reason: str) -> Refused:
    """409 with Telegram's prefix."""
    return Refused(409, f"Conflict: {reason}")


def too_many(retry_after_s: int) -> Refused:
    """429; the client must wait `retry_after_s` seconds."""
    return Refused(429, f"Too Many Requests: retry after {retry_after_s}", {"retry_after": retry_after_s})
