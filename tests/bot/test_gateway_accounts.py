"""An owner's own account at a gateway, set up in the chat of a town: typed, deleted, tried, kept sealed, shown without secrets, left."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from domain.person import Channel, ChannelKind, ChannelState, Member
from domain.ports import Unit
from domain.rights import Party
from payloom.tour_people import Chatter, phrase
from storage.tables import metadata
from tests.bot.town import Here, living_town
from usecases.gateways import accounts_of, credentials_of

SECRETS = {
    "daraja": ("canary-consumer-key", "canary-consumer-secret", "canary-passkey"),
    "stripe": ("sk_test_canary0000000000000000", "whsec_canary000000000000000000"),
}


@pytest.fixture(scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Here]:
    async with living_town(tmp_path_factory.mktemp("accounts"), cards=True) as town:
        key, secret, passkey = SECRETS["daraja"]
        town.streets.town.daraja.add_app(key=key, secret=secret, short_code="600111", passkey=passkey)
        town.streets.town.acquirers.stripe.add_account(SECRETS["stripe"][0])
        yield town


async def opens(who: Chatter, name: str) -> None:
    await who.say("/settings")
    await who.tap("do.gateways")
    await who.tap(name)


async def types(who: Chatter, *answers: str) -> None:
    """In the order of the questions; an answer in brackets is a button."""
    for answer in answers:
        if answer.startswith("["):
            await who.tap(answer.strip("[]"))
        else:
            await who.say(answer)


async def rows(here: Here) -> str:
    """Every cell of every table, as text."""

    def look(unit: Unit) -> str:
        found = [unit.session.plain(f"SELECT * FROM {table.name}").fetchall() for table in metadata.sorted_tables]  # type: ignore[attr-defined]
        return str(found)

    return str(await here.read(look))


async def settings_of(here: Here, gateway: str) -> dict[str, str] | None:
    def look(unit: Unit) -> dict[str, str] | None:
        shop = unit.organizations.of_person(_person(unit, here.amina.number).id)[0]
        return None if unit.settings.get(shop.id, gateway) is None else credentials_of(unit, shop.id, gateway, direct=True)

    found: dict[str, str] | None = await here.read(look)
    return found


def _person(unit: Unit, number: int) -> Any:
    return unit.people.by_address(ChannelKind.TELEGRAM, str(number))


async def said_by(who: Chatter) -> str:
    return str([one["text"] for one in await who.messages() if one["from"] != "bot"])


async def test_mpesa_of_ones_own_is_typed_tried_and_kept_sealed(here: Here) -> None:
    """W26, W29: no table holds the secrets in clear, no message of the chat shows them, and buyers pay into the new account."""
    amina, (key, secret, passkey) = here.amina, SECRETS["daraja"]
    await opens(amina, "M-Pesa")
    await amina.tap("do.gateway_set")
    await types(amina, key, secret, "600111", passkey, "[PAYBILL]", "[do.skip]", "[do.skip]", "[do.skip]")
    await amina.hears("gateway.saved")
    assert await settings_of(here, "daraja") == {
        "consumer_key": key, "consumer_secret": secret, "short_code": "600111", "passkey": passkey, "transaction_type": "PAYBILL",
    }  # fmt: skip
    written, shown = await rows(here), str(await amina.messages())
    for canary in SECRETS["daraja"]:
        assert canary not in written
        assert canary not in shown
    newest = (await here.newest(amina))["text"]
    assert "600111" in newest and "PAYBILL" in newest


async def test_a_card_gateway_shows_the_address_that_it_has_to_call(here: Here) -> None:
    amina = here.amina
    await opens(amina, "Stripe")
    before = (await here.newest(amina))["text"]
    assert "/callbacks/stripe/" in before
    await amina.tap("do.gateway_set")
    await types(amina, *SECRETS["stripe"], "[do.skip]")
    await amina.hears("gateway.saved", "Stripe")
    assert await settings_of(here, "stripe") == dict(zip(("secret_key", "webhook_secret"), SECRETS["stripe"], strict=True))
    for canary in SECRETS["stripe"]:
        assert canary not in await rows(here) + str(await amina.messages())


async def test_what_the_gateway_does_not_know_is_not_kept(here: Here) -> None:
    amina, before = here.amina, await settings_of(here, "stripe")
    await opens(amina, "Stripe")
    await amina.tap("do.gateway_replace" if before else "do.gateway_set")
    await types(amina, "sk_test_canary-of-nobody", "whsec_canary-of-nobody", "[do.skip]")
    await amina.hears("gateway.refused")
    assert await settings_of(here, "stripe") == before
    await amina.tap("do.cancel")
    assert await amina.read("gateway.dropped")
    assert "canary-of-nobody" not in await rows(here) + str(await amina.messages())


async def test_a_gateway_that_is_away_is_asked_again_without_typing(here: Here) -> None:
    amina, (key, _, passkey) = here.amina, SECRETS["daraja"]
    here.streets.town.daraja.apps[key].secret = "changed"
    here.streets.town.daraja.apps[key].token = ""
    await opens(amina, "M-Pesa")
    await amina.tap("do.gateway_replace")
    await here.wire.fault("token_500", 10)
    await types(amina, key, "changed", "600111", passkey, "[BUYGOODS]", "600111", "[do.skip]", "[do.skip]")
    await amina.hears("gateway.away")
    await here.wire.no_faults()
    await amina.tap("do.try_again")
    await amina.hears("gateway.saved", "M-Pesa")
    kept = await settings_of(here, "daraja")
    assert kept is not None and (kept["consumer_secret"], kept["transaction_type"]) == ("changed", "BUYGOODS")


async def test_where_telegram_does_not_delete_it_the_owner_is_told_to(here: Here) -> None:
    amina = here.amina
    await opens(amina, "PayPal")
    await amina.tap("do.gateway_set")
    await here.fault("500", 1, method="deleteMessage")
    await amina.say("a-client-id-that-stays")
    await amina.hears("gateway.not_deleted")
    assert "a-client-id-that-stays" in await said_by(amina)
    assert "a-client-id-that-stays" not in await rows(here)
    await amina.tap("do.cancel")


@pytest.mark.parametrize(("typed", "said"), [("x" * 1_500, "too_long"), ("two words", "not_one_line"), ("ключ", "not_one_line")])
async def test_what_cannot_be_a_key_is_asked_for_again_and_deleted_all_the_same(here: Here, typed: str, said: str) -> None:
    amina = here.amina
    await opens(amina, "Moyasar")
    await amina.tap("do.gateway_set")
    await amina.say(typed)
    await amina.hears(f"errors.bad_input.credential.{said}")
    assert typed not in await said_by(amina) + await rows(here)
    await amina.tap("do.cancel")


async def test_an_account_that_is_left_takes_no_new_payments_and_keeps_its_keys_for_refunds(here: Here) -> None:
    amina = here.amina
    await opens(amina, "Stripe")
    await amina.tap("do.gateway_leave")
    await amina.tap("do.yes_leave")
    assert await amina.read("gateway.left")
    assert await settings_of(here, "stripe") is not None
    accounts = await here.read(lambda unit: _accounts(unit, here.amina.number))
    assert (accounts["stripe"].own, accounts["stripe"].ours) == (False, True)


def _accounts(unit: Unit, number: int) -> Any:
    return accounts_of(unit, unit.organizations.of_person(_person(unit, number).id)[0].id, ["stripe"])


async def test_nobody_but_the_owner_is_offered_it(here: Here) -> None:
    """W18: a member who is no owner neither sees it nor gets into it by an old button."""
    brian = await here.somebody()
    await brian.start()
    await brian.tap("English")
    await brian.tap("do.i_buy")
    person = await here.person(brian)
    shop = (await here.read(lambda unit: unit.organizations.of_person(_person(unit, here.amina.number).id)))[0]
    await here.streets.house.hall.store.write(_join, shop.id, person.id)
    await brian.say("/settings")
    newest = await here.newest(brian)
    assert not [button for row in newest["buttons"] for button in row if phrase("do.gateways") in button["text"]]
    version = (await here.place(brian)).version
    await here.tap_data(brian, newest["message_id"], f"{version}.gateways")
    assert (await here.place(brian)).dialog != "gateway"


def _join(unit: Unit, shop: Any, person: Any) -> None:
    unit.organizations.add_member(Member(shop, person, Party.MANAGER, unit.now))


async def test_a_day_has_to_pass_after_a_new_way_in_and_the_others_are_told_of_a_change(here: Here) -> None:
    """T16: a number joined days after the shop was opened may be in a stranger's hand."""
    amina, partner = here.amina, await here.somebody("Zawadi")
    await partner.start()
    shop = (await here.read(lambda unit: unit.organizations.of_person(_person(unit, amina.number).id)))[0]
    await here.streets.house.hall.store.write(_join, shop.id, (await here.person(partner)).id)
    await here.streets.house.hall.store.write(_joined_yesterday, amina.number)
    await opens(amina, "PayPal")
    await amina.tap("do.gateway_set")
    await amina.hears("A new way to reach you was added", "Nothing was changed")
    await here.wire.pass_time(120)
    await opens(amina, "Stripe")
    await amina.tap("do.gateway_set" if await settings_of(here, "stripe") is None else "do.gateway_replace")
    await types(amina, *SECRETS["stripe"], "[do.skip]")
    await amina.hears("gateway.saved", "Stripe")
    await partner.hears("was changed for Stripe, by Amina")


def _joined_yesterday(unit: Unit, number: int) -> None:
    """The shop is ten days old, and a day less a minute ago a number became one of the owner's ways in."""
    for table in ("organizations", "channels"):
        unit.session.plain(f"UPDATE {table} SET created_at = created_at - {10 * 86_400 * 1_000_000}")  # type: ignore[attr-defined]
    joined_at = unit.now - timedelta(hours=23, minutes=59)
    unit.people.add_channel(Channel(ChannelKind.SMS, "+254733000077", _person(unit, number).id, ChannelState.ACTIVE, joined_at))
