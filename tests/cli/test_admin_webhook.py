"""`payloom admin webhook`: what the desk sees of webhooks, switching one off, sending again, and their secrets when keys are rotated (C20)."""

from __future__ import annotations

from typing import Any

from domain.ports import Unit
from domain.rights import Actor, Party
from payloom.admin import parse
from payloom.admin_task import Said, execute
from payloom.settings import Settings
from payloom.wiring import Built, build
from tests.cli.ground import KEY, NEW_KEY
from tests.storage.ground import furnish
from usecases import webhooks


def house(url: str, keys: str) -> Built:
    return build(
        Settings(database_url=url, secret_key="s" * 40, encryption_keys=keys, telegram_token="42:T", _env_file=None)  # type: ignore[arg-type, call-arg]
    )


async def typed(built: Built, *words: str) -> Said:
    task = parse(["webhook", *words] if words[0] != "rotate-keys" else [*words])
    assert task is not None
    return await execute(built, task, {})


def listen(unit: Unit) -> int:
    furnish(unit)
    made = webhooks.make_endpoint(unit, owner(), "https://shop.example/canary-path", ("order.paid",))
    webhooks.ping(unit, owner(), made.id, "1")
    return made.id


def owner() -> Any:
    return Actor(Party.OWNER, "web", None, 1)  # type: ignore[arg-type]


async def test_the_desk_lists_switches_off_and_sends_again(sqlite_url: str) -> None:
    built = house(sqlite_url, KEY)
    await built.open_store()
    try:
        assert (await typed(built, "list")).lines == ("no webhook yet",)
        number = str(await built.hall.store.write(listen))
        listed = await typed(built, "list")
        assert (listed.data[0]["host"], listed.data[0]["organization"], listed.data[0]["state"]) == (
            "shop.example",
            "Mama Amina",
            "ENABLED",
        )
        assert "canary-path" not in str(listed) and "whsec" not in str(listed)
        assert (await typed(built, "disable", number)).code == 0
        refused = await typed(built, "replay", number)
        assert (refused.code, refused.lines) == (1, ("this webhook is switched off: its owner can switch it on again",))
        await built.hall.store.write(webhooks.change_endpoint, owner(), int(number), enabled=True)  # type: ignore[arg-type]
        assert (await typed(built, "replay", number, "--hours", "2")).data == {"replayed": 1}
        assert (await typed(built, "disable", "7")).lines == ("there is no such webhook: `payloom admin webhook list` shows them",)
    finally:
        await built.close_store()


async def test_secrets_open_with_the_new_key_alone_once_keys_are_rotated(sqlite_url: str) -> None:
    """C20."""
    built = house(sqlite_url, KEY)
    await built.open_store()
    number: Any = await built.hall.store.write(listen)
    secret = await built.hall.store.read(webhooks.secret_of, number, 1)
    await built.close_store()
    both = house(sqlite_url, f"{NEW_KEY},{KEY}")
    await both.open_store()
    said = await typed(both, "rotate-keys")
    assert (said.code, said.data) == (0, {"resealed": 1, "already": 0, "lost": []})
    await both.close_store()
    new = house(sqlite_url, NEW_KEY)
    await new.open_store()
    assert await new.hall.store.read(webhooks.secret_of, number, 1) == secret
    assert (await typed(new, "rotate-keys")).data == {"resealed": 0, "already": 1, "lost": []}
    await new.close_store()
