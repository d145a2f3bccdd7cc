"""An organization's own account at a gateway: tried in time, kept for its owner, left without losing what refunds need."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta

import pytest

from domain.errors import LimitReached, NotFound
from domain.ids import OrganizationId
from domain.life import InboxState
from domain.person import Channel, ChannelKind, ChannelState
from domain.ports import House, Unit
from domain.rights import Actor, Party
from domain.tokens import Purpose, Tokens
from tests.factories import BUYER, MANAGER, OWNER, SHOP, STAFF, Street, admin, owner, staff
from tests.fakes import FakeGateway, Ground
from usecases.gateways import (
    MOST_TRIALS,
    PLATFORM,
    accounts_of,
    count_trial,
    credentials_of,
    hook_url,
    open_draft,
    own_account,
    save_credentials,
    seal_draft,
    stop_using,
    try_credentials,
)
from usecases.updates import finish_update, store_updates

KEYS = {"short_code": "600111", "passkey": "secret"}


class Asked(FakeGateway):
    """Answers a trial, after a while."""

    def __init__(self, answer: str | None, after_s: float = 0) -> None:
        super().__init__()
        self.answer, self.after_s = answer, after_s

    async def check(self, credentials: Mapping[str, str]) -> str | None:
        await asyncio.sleep(self.after_s)
        return self.answer


@pytest.mark.parametrize("answer", [None, "configuration", "try_later"])
async def test_a_trial_says_what_the_gateway_said(answer: str | None) -> None:
    assert await try_credentials(Asked(answer), KEYS) == answer


async def test_a_gateway_that_does_not_answer_in_time_is_away() -> None:
    assert await try_credentials(Asked(None, after_s=5), KEYS, within_s=0.01) == "try_later"


async def test_a_gateway_that_cannot_try_accepts_nothing() -> None:
    assert await try_credentials(FakeGateway(), KEYS) == "configuration"


def test_the_account_is_shown_without_its_secrets(street: Street, ground: Ground) -> None:
    assert ground.unit(own_account, owner, "daraja", ["short_code"]) is None
    ground.unit(save_credentials, owner, "daraja", KEYS, tested=True)
    account = ground.unit(own_account, owner, "daraja", ["short_code", "till"])
    assert account is not None
    assert (account.used, account.tested_at, account.shown) == (True, ground.clock.now(), {"short_code": "600111"})


def test_what_is_left_takes_no_new_payments_and_opens_for_refunds(street: Street, ground: Ground) -> None:
    ground.unit(save_credentials, owner, "daraja", KEYS, tested=True)
    assert ground.unit(accounts_of, SHOP, ["daraja"])["daraja"].own
    for _ in range(2):
        ground.unit(stop_using, owner, "daraja")
    account = ground.unit(accounts_of, SHOP, ["daraja"])["daraja"]
    assert (account.own, account.ours) == (False, True)
    assert ground.unit(credentials_of, SHOP, "daraja", True) == KEYS
    shown = ground.unit(own_account, owner, "daraja", [])
    assert shown is not None and not shown.used
    ground.unit(save_credentials, owner, "daraja", KEYS, tested=True)
    assert ground.unit(accounts_of, SHOP, ["daraja"])["daraja"].own
    actions = [line.partition(" ")[0] for line in ground.trail(f"organization:{SHOP}")]
    assert actions.count("gateway_unused") == 1


def joined(ground: Ground, address: str = "+254733000009") -> None:
    """A number becomes one of the owner's ways in."""
    ground.unit(lambda unit: unit.people.add_channel(Channel(ChannelKind.SMS, address, OWNER, ChannelState.ACTIVE, unit.now)))


def test_where_the_money_goes_stays_for_a_day_after_a_new_way_in(street: Street, ground: Ground) -> None:
    """T16: whoever has the number now may not be whoever had it before."""
    ground.unit(save_credentials, owner, "daraja", KEYS, tested=True)
    ground.clock.move(timedelta(days=30))
    joined(ground)
    for redirect in (lambda unit: save_credentials(unit, owner, "daraja", {}, tested=True), lambda unit: stop_using(unit, owner, "daraja")):
        refused = ground.refuses(LimitReached, redirect)
        assert refused.facts == {"limit": "payee_cooling", "retry_at": ground.clock.now() + timedelta(hours=24)}
    assert ground.unit(credentials_of, SHOP, "daraja", True) == KEYS
    ground.clock.move(timedelta(hours=24))
    ground.unit(stop_using, owner, "daraja")


def test_who_opens_a_shop_and_shares_a_number_the_same_day_waits_for_nothing(street: Street, ground: Ground) -> None:
    joined(ground)
    ground.unit(save_credentials, owner, "daraja", KEYS, tested=True)


def test_everybody_of_the_shop_hears_that_the_money_goes_elsewhere(street: Street, ground: Ground) -> None:
    """T16: the others where they read, and whoever did it by SMS too: it may not have been them."""
    joined(ground)
    ground.unit(save_credentials, owner, "daraja", KEYS, tested=True)
    told = ground.rows("SELECT person_id, channel FROM outbox WHERE fact = 'account_changed' ORDER BY person_id, channel")
    assert (OWNER, "sms") in told
    assert (OWNER, "telegram") not in told
    assert {person for person, channel in told if channel == "telegram"} == {MANAGER, STAFF}
    ground.clock.move(timedelta(minutes=1))
    ground.unit(stop_using, owner, "daraja")
    assert ground.rows("SELECT count(*) FROM outbox WHERE fact = 'account_changed'") == [(2 * len(told),)]


def test_what_was_never_set_up_cannot_be_left(street: Street, ground: Ground) -> None:
    ground.refuses(NotFound, stop_using, owner, "daraja")


@pytest.mark.parametrize("who", [staff, admin, Actor(Party.BUYER, "telegram", BUYER), Actor(Party.OWNER, "telegram", OWNER)])
def test_it_is_for_the_owner_of_a_shop_alone(street: Street, ground: Ground, who: Actor) -> None:
    """W18: `admin` sets accounts up on the command line, with an organization of its own choice."""
    ground.refuses(NotFound, own_account, who, "daraja", [])
    ground.refuses(NotFound, stop_using, who, "daraja")
    ground.refuses(NotFound, count_trial, who)


def test_keys_are_not_tried_out_through_us(street: Street, ground: Ground) -> None:
    for _ in range(MOST_TRIALS):
        ground.unit(count_trial, owner)
    ground.refuses(LimitReached, count_trial, owner)
    ground.clock.move(timedelta(hours=1))
    ground.unit(count_trial, owner)


def test_what_was_typed_is_sealed_for_whoever_typed_it(street: Street, ground: Ground) -> None:
    """W29: neither somebody else's conversation nor another gateway opens it."""
    sealed = ground.unit(seal_draft, OWNER, "daraja", KEYS)
    assert ground.unit(open_draft, OWNER, "daraja", sealed) == KEYS
    for person, gateway, seal in ((BUYER, "daraja", sealed), (OWNER, "stripe", sealed), (OWNER, "daraja", "not a seal")):
        ground.refuses(NotFound, open_draft, person, gateway, seal)


def test_an_address_names_the_organization_by_an_unguessable_token() -> None:
    house, tokens = House("https://pay.example/", "bot", "KE", "KES", 250), Tokens([b"k" * 16])
    assert hook_url(house, tokens, "stripe", PLATFORM) == "https://pay.example/callbacks/stripe"
    assert [hook_url(house, tokens, gateway, SHOP) for gateway in ("daraja", "telegram")] == ["", ""]
    token = hook_url(house, tokens, "stripe", OrganizationId(7)).removeprefix("https://pay.example/callbacks/stripe/")
    assert tokens.read(Purpose.SETTINGS, token) == 7


def test_of_an_update_that_held_a_secret_only_its_number_is_kept(ground: Ground) -> None:
    """W26"""
    ground.unit(store_updates, "telegram", [{"update_id": 5, "message": {"text": "canary"}}])

    def finish(unit: Unit) -> None:
        finish_update(unit, unit.inbox.by_key("telegram", "5"), conceal=True)

    ground.unit(finish)
    event = ground.unit(lambda unit: unit.inbox.by_key("telegram", "5"))
    assert event is not None
    assert (event.state, json.loads(event.raw)) == (InboxState.APPLIED, {"update_id": 5, "concealed": True})
