"""API keys: shown once, opened by the exact secret alone, in the capacity their owner has now; answers that are given once."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from domain.errors import BadInput, KeyReused, LimitReached, NotFound, NotProvedYet
from domain.ids import OrderId
from domain.ports import Unit
from domain.rights import Actor, Party
from domain.tokens import Purpose
from tests.factories import DAY, OWNER, SECOND, SHOP, Street, admin, buyer, manager, other_owner, owner, staff
from tests.fakes import Ground
from usecases.api_keys import (
    NotRecognized,
    answer_once,
    authenticate,
    count_failure,
    make_api_key,
    revoke_api_key,
    touch_api_key,
)


def test_the_secret_is_shown_once_and_kept_as_a_digest(street: Street, ground: Ground) -> None:
    key, text = ground.unit(make_api_key, owner, " Till ")
    name, prefix, secret = text.split("_")
    assert (name, prefix, len(secret), key.name) == ("plk", key.prefix, 64, "Till")
    assert (key.digest, key.expires_at) == (hashlib.sha256(secret.encode()).hexdigest(), ground.clock.at + 365 * DAY)
    assert secret not in repr(ground.snapshot())
    caller = ground.unit(authenticate, text)
    assert (caller.actor, caller.scope, caller.used) == (Actor(Party.OWNER, "api", OWNER, SHOP), f"key:{key.id}", prefix)


@pytest.mark.parametrize("actor", [manager, staff, buyer, admin, Actor(Party.OWNER, "web", OWNER), Actor(Party.OWNER, "web", None, SHOP)])
def test_only_an_owner_makes_and_revokes(street: Street, ground: Ground, actor: Actor) -> None:
    ground.refuses(NotFound, make_api_key, actor, "Till")
    key, _ = ground.unit(make_api_key, owner, "Till")
    if actor.organization_id != SHOP or actor.party is not Party.OWNER:
        ground.refuses(NotFound, revoke_api_key, actor, key.prefix)


def test_a_key_lasts_as_long_as_was_said_within_bounds(street: Street, ground: Ground) -> None:
    for lasts in (timedelta(seconds=59), timedelta(days=730, seconds=1)):
        assert ground.refuses(BadInput, make_api_key, owner, "Till", lasts).reason == "out_of_range"
    _, text = ground.unit(make_api_key, owner, "Till", timedelta(minutes=1))
    street.later(60 * SECOND - timedelta(microseconds=1))
    assert ground.unit(authenticate, text).actor.organization_id == SHOP
    street.later(timedelta(microseconds=1))
    ground.refuses(NotRecognized, authenticate, text)


def test_twenty_keys_a_day_are_enough(street: Street, ground: Ground) -> None:
    for _ in range(20):
        ground.unit(make_api_key, owner, "Till")
    midnight = ground.clock.at.replace(hour=0) + DAY
    assert ground.refuses(LimitReached, make_api_key, owner, "Till").facts == {"limit": "api_keys_made_day", "retry_at": midnight}
    assert ground.unit(make_api_key, other_owner, "Theirs")


def test_a_revoked_key_opens_nothing_from_that_instant(street: Street, ground: Ground) -> None:
    key, text = ground.unit(make_api_key, owner, "Till")
    ground.refuses(NotFound, revoke_api_key, other_owner, key.prefix)
    ground.refuses(NotFound, revoke_api_key, owner, "0" * 12)
    assert ground.unit(revoke_api_key, owner, key.prefix).revoked_at == ground.clock.at
    ground.refuses(NotRecognized, authenticate, text)
    with ground.unchanged():
        ground.unit(revoke_api_key, owner, key.prefix)


def test_nothing_but_the_exact_secret_is_recognised(street: Street, ground: Ground) -> None:
    key, text = ground.unit(make_api_key, owner, "Till")
    wrong = f"plk_{key.prefix}_{'0' * 64}"
    for one in (wrong, text[:-1], text.upper(), text + "0", f"plk_{'0' * 12}_{'0' * 64}", "plk_", "", "secret", "a" * 48):
        ground.refuses(NotRecognized, authenticate, one)


def test_a_member_who_left_is_not_recognised(street: Street, ground: Ground) -> None:
    _, text = ground.unit(make_api_key, owner, "Till")
    ground.connection.execute("UPDATE members SET party = 'staff' WHERE person_id = ?", (OWNER,))
    assert ground.unit(authenticate, text).actor.party is Party.STAFF
    ground.connection.execute("DELETE FROM members WHERE person_id = ?", (OWNER,))
    ground.refuses(NotRecognized, authenticate, text)


def test_the_last_use_is_written_down_once_a_minute(street: Street, ground: Ground) -> None:
    key, text = ground.unit(make_api_key, owner, "Till")
    ground.unit(touch_api_key, key.prefix)
    assert ground.unit(authenticate, text).used is None
    with ground.unchanged():
        ground.unit(touch_api_key, key.prefix)
        ground.unit(touch_api_key, "0" * 12)
    street.later(60 * SECOND)
    assert ground.unit(authenticate, text).used == key.prefix
    ground.unit(touch_api_key, key.prefix)
    assert ground.rows("SELECT used_at FROM api_keys") == [(int(ground.clock.at.timestamp()) * 1_000_000,)]


def test_a_tracking_token_is_the_buyer_of_one_order(street: Street, ground: Ground) -> None:
    order = street.paid()
    caller = ground.unit(authenticate, ground.tokens.make(Purpose.TRACK, order.id))
    assert (caller.actor, caller.scope, caller.used) == (Actor(Party.BUYER, "api", order_id=order.id), f"order:{order.id}", None)
    ground.refuses(NotRecognized, authenticate, ground.tokens.make(Purpose.TRACK, OrderId(1)))
    ground.refuses(NotRecognized, authenticate, ground.tokens.make(Purpose.FOLLOW, order.id))


def test_an_address_may_be_wrong_thirty_times(street: Street, ground: Ground) -> None:
    for _ in range(30):
        ground.unit(count_failure, "10.0.0.1")
    quarter = ground.clock.at + timedelta(minutes=15)
    assert ground.refuses(LimitReached, count_failure, "10.0.0.1").facts == {"limit": "api_keys_failed_15m", "retry_at": quarter}
    ground.unit(count_failure, "10.0.0.2")
    street.later(timedelta(minutes=15))
    ground.unit(count_failure, "10.0.0.1")


def test_an_effect_and_its_answer_happen_once(street: Street, ground: Ground) -> None:
    made: list[int] = []

    def effect() -> tuple[int, str]:
        made.append(1)
        return 201, "{}"

    given = ground.unit(answer_once, "key:1", "k", "digest", effect)
    assert (given.status, given.body, given.replayed) == (201, "{}", False)
    with ground.unchanged():
        again = ground.unit(answer_once, "key:1", "k", "digest", effect)
    assert (again.status, again.body, again.replayed, len(made)) == (201, "{}", True, 1)
    ground.refuses(KeyReused, answer_once, "key:1", "k", "another", effect)
    assert ground.unit(answer_once, "key:2", "k", "another", effect).replayed is False


def test_what_is_refused_is_not_kept_as_an_answer(street: Street, ground: Ground) -> None:
    def work(unit: Unit) -> None:
        def effect() -> tuple[int, str]:
            raise NotProvedYet

        answer_once(unit, "key:1", "k", "digest", effect)

    ground.refuses(NotProvedYet, work)
