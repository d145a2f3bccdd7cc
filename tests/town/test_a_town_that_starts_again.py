"""The town keeps its money: Daraja's books, pushes and phones are there when it opens again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from town.application import Town
from town.core import Core


async def test_books_and_phones_survive_and_a_ringing_prompt_does_not(tmp_path: Path) -> None:
    keep = tmp_path / "town.json"
    first = Town(Core(1), keep=keep)
    await first.start()
    await first.daraja.pay_by_hand("254722000002", "174379", "PL-7K2QD", 2500)
    first.phones.phone("254733000003").pin = "4321"
    booked, balance = first.daraja.books(), first.phones.phone("254722000002").balance_minor
    await first.stop()

    again = Town(Core(2), keep=keep)
    await again.start()
    assert again.daraja.books() == booked
    assert len(booked) == 1
    assert again.phones.phone("254722000002").balance_minor == balance
    assert [sms["from"] for sms in again.phones.phone("254722000002").sms] == ["MPESA"]
    assert again.phones.phone("254733000003").pin == "4321"
    assert again.phones.phone("254722000002").prompts == {}
    assert again.core.clock.now() >= datetime(2026, 1, 1, tzinfo=UTC)
    await again.stop()
