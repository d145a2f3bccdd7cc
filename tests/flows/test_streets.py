"""A town opens whole or not at all."""

from __future__ import annotations

import asyncio
import gc
import socket
from pathlib import Path

import aiohttp
import pytest

from payloom.streets import Streets, town_settings
from tests.bot.town import free_port, living_town


async def test_a_town_on_a_taken_port_says_so_and_leaves_nothing_open(tmp_path: Path) -> None:
    """The database is given back, so that the next try can have it; a second closing does no harm."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = town_settings(tmp_path, taken.getsockname()[1])
        streets = Streets(settings)
        with pytest.raises(OSError, match="in use"):
            await asyncio.wait_for(streets.open(), 20)
    again = Streets(settings)
    await again.open()
    await again.close()
    await again.close()


async def test_what_was_said_before_a_restart_is_gone_on_with_after_it(tmp_path: Path) -> None:
    """T4, K16: a whole town is closed in the middle of a conversation and opened again over the same data."""
    async with living_town(tmp_path) as here:
        await here.amina.say("/sell")
        await here.amina.say("Chair")
        place = await here.place(here.amina)
    settings = town_settings(tmp_path, free_port())
    streets = Streets(settings)
    await streets.open()
    try:
        person_id = place.person_id
        after = await streets.house.hall.store.read(lambda unit: unit.conversations.get(person_id, place.channel))
    finally:
        await streets.close()
    assert after is not None
    assert (after.dialog, after.step, after.data["name"]) == ("sell", "price", "Chair")


@pytest.mark.parametrize("after_s", [0, 0.001, 0.002, 0.005, 0.01, 0.02])
async def test_a_town_closed_while_it_still_logs_in_to_telegram_leaves_no_connection_open(tmp_path: Path, after_s: float) -> None:
    """K16: told to stop at any moment of its start."""
    streets = Streets(town_settings(tmp_path, free_port()))
    await streets.open()
    await asyncio.sleep(after_s)
    await streets.close()
    gc.collect()
    assert [session for session in gc.get_objects() if isinstance(session, aiohttp.ClientSession) and not session.closed] == []
