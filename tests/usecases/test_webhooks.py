"""Webhooks in the hall: who may have them, what is published and to whom, what becomes of a try, and sending again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest

from domain.errors import BadInput, LimitReached, NotFound
from domain.ids import WebhookDeliveryId, WebhookEndpointId
from domain.webhook import DeliveryState, EndpointState, Parcel, Tried
from tests.factories import MANAGER, OWNER, Street, admin, buyer, manager, other_owner, owner, staff
from tests.fakes import Ground
from tests.usecases.hooks import BROKEN, FINE, URL, Hooks
from usecases import webhooks
from usecases.webhooks import (
    change_endpoint,
    delete_endpoint,
    deliveries,
    make_endpoint,
    my_endpoints,
    own_endpoint,
    ping,
    record_try,
    replay_delivery,
    replay_failed,
    reseal_endpoint,
    rotate_secret,
    secret_of,
)


@pytest.fixture
def hooks(street: Street) -> Hooks:
    return Hooks(street)


def test_an_owner_makes_one_and_its_secret_is_sealed_for_it_alone(street: Street, hooks: Hooks, ground: Ground) -> None:
    """W29: the secret stands nowhere in clear, and opens for no other endpoint."""
    made = hooks.make("order.shipped", "order.paid", "order.paid")
    assert (made.types, made.state, made.url) == (("order.paid", "order.shipped"), EndpointState.ENABLED, URL)
    secret = street.do(secret_of, made.id, 1)
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert ground.rows("SELECT sealed FROM webhook_endpoints")[0][0] != secret
    assert secret not in str(ground.rows("SELECT * FROM audit")) and "hooks/payloom" not in str(ground.rows("SELECT * FROM audit"))
    assert ground.trail("organization:1")[-1] == "webhook_made by owner:11@telegram"
    other = hooks.make()
    ground.connection.execute("UPDATE webhook_endpoints SET sealed = ? WHERE id = ?", (made.sealed, other.id))
    with pytest.raises(ValueError, match="another context"):
        street.do(secret_of, other.id, 1)


@pytest.mark.parametrize("actor", [manager, staff, buyer, other_owner])
def test_whoever_does_not_own_the_shop_meets_nothing(street: Street, hooks: Hooks, ground: Ground, actor: Any) -> None:
    """W3, W18."""
    made = hooks.make()
    sent = street.do(ping, owner, made.id, "p")
    for work, args in (
        (own_endpoint, ()),
        (change_endpoint, ()),
        (delete_endpoint, ()),
        (rotate_secret, ()),
        (ping, ("x",)),
        (deliveries, (None, 10)),
        (replay_failed, (ground.clock.at, ground.clock.at)),
    ):
        ground.refuses(NotFound, work, actor, made.id, *args)
    ground.refuses(NotFound, replay_delivery, actor, sent.id)
    if actor is other_owner:
        assert street.do(my_endpoints, actor) == []
    else:
        ground.refuses(NotFound, my_endpoints, actor)
        ground.refuses(NotFound, make_endpoint, actor, URL)


def test_an_owner_of_nothing_and_unknown_things(street: Street, ground: Ground) -> None:
    nobody = type(owner)(owner.party, "api", OWNER)
    ground.refuses(NotFound, make_endpoint, nobody, URL)
    ground.refuses(NotFound, own_endpoint, owner, WebhookEndpointId(5))
    ground.refuses(NotFound, replay_delivery, owner, WebhookDeliveryId(5))
    assert street.do(secret_of, WebhookEndpointId(5), 1) is None


def test_wrong_input_and_the_sixth_are_refused(street: Street, hooks: Hooks, ground: Ground) -> None:
    assert ground.refuses(BadInput, make_endpoint, owner, "http://shop.example").reason == "not_https"
    assert ground.refuses(BadInput, make_endpoint, owner, URL, ("order.paid", "order.eaten")).field == "types"
    made = [hooks.make() for _ in range(5)]
    assert ground.refuses(LimitReached, make_endpoint, owner, URL).facts == {"limit": "webhooks"}
    hooks.make(by=other_owner)
    street.do(delete_endpoint, owner, made[0].id)
    hooks.make()


def test_a_parcel_is_signed_with_the_secret_and_for_a_day_with_the_one_before(street: Street, hooks: Hooks) -> None:
    """C20: a rotation loses nothing."""
    made = hooks.make()
    old = street.do(secret_of, made.id, 1)
    street.paid()
    assert street.do(rotate_secret, owner, made.id).secret_no == 2
    assert street.do(secret_of, made.id, 1) is None
    new = street.do(secret_of, made.id, 2)
    (parcel,) = hooks.claim()
    assert hooks.claim() == []

    def signed(secret: str, parcel: Parcel) -> str:
        raw = f"{parcel.headers['webhook-id']}.{parcel.headers['webhook-timestamp']}.".encode() + parcel.body
        return "v1," + base64.b64encode(hmac.new(base64.b64decode(secret[6:]), raw, hashlib.sha256).digest()).decode()

    assert parcel.headers["webhook-signature"].split(" ") == [signed(new, parcel), signed(old, parcel)]
    assert json.loads(parcel.body)["id"] == parcel.headers["webhook-id"]
    assert int(parcel.headers["webhook-timestamp"]) == int(street.ground.clock.at.timestamp())
    street.do(record_try, parcel, BROKEN)
    street.later(timedelta(hours=24))
    (later,) = hooks.claim()
    assert later.headers["webhook-signature"] == signed(new, later)
    assert later.headers["webhook-id"] == parcel.headers["webhook-id"]
    assert later.body == parcel.body
    street.do(rotate_secret, owner, made.id)
    street.do(rotate_secret, owner, made.id)
    street.do(record_try, later, BROKEN)
    street.later(timedelta(minutes=5))
    (twice,) = hooks.claim()
    assert signed(new, twice) not in twice.headers["webhook-signature"]


def test_what_arrived_is_delivered_and_what_failed_comes_again(street: Street, hooks: Hooks) -> None:
    made = hooks.make()
    street.paid()
    assert hooks.turn(BROKEN) == "PENDING"
    (one,) = hooks.log(made)
    assert (one.tries, one.status, one.error, one.answer, one.took_ms) == (1, 500, "http_500", "oh", 7)
    assert one.act_at == street.ground.clock.at + timedelta(seconds=5)
    assert hooks.endpoint(made).failing_since == street.ground.clock.at
    assert hooks.claim() == []
    street.later(timedelta(seconds=5))
    assert hooks.turn(FINE) == "DELIVERED"
    (one,) = hooks.log(made)
    assert (one.state, one.tries, one.status, one.error) == (DeliveryState.DELIVERED, 2, 200, "")
    assert hooks.endpoint(made).failing_since is None
    street.later(timedelta(days=30))
    assert hooks.claim() == []


def test_after_ten_tries_over_three_days_it_is_given_up_and_can_be_replayed(street: Street, hooks: Hooks, ground: Ground) -> None:
    """W30."""
    made = hooks.make()
    street.paid()
    began = ground.clock.at
    states: list[str] = []
    while not states or states[-1] == "PENDING":
        states.append(hooks.turn(BROKEN))
        street.later(hooks.log(made)[0].act_at - ground.clock.at)
    assert states == ["PENDING"] * 9 + ["FAILED"]
    assert timedelta(days=3) < ground.clock.at - began < timedelta(days=4)
    (failed,) = hooks.log(made)
    again = street.do(replay_delivery, owner, failed.id)
    assert (again.state, again.tries, again.event_id) == (DeliveryState.PENDING, 0, failed.event_id)
    assert street.do(replay_delivery, owner, failed.id).version == again.version
    assert hooks.turn(FINE) == "DELIVERED"
    street.do(replay_delivery, owner, failed.id)
    assert hooks.turn(FINE) == "DELIVERED"
    assert ground.trail("organization:1").count("webhook_replayed by owner:11@telegram") == 2


def test_what_failed_between_two_instants_is_replayed(street: Street, hooks: Hooks, ground: Ground) -> None:
    made = hooks.make()
    began = ground.clock.at
    for _ in range(3):
        street.do(ping, owner, made.id, street.key())
        street.later(timedelta(hours=1))
    street.do(change_endpoint, owner, made.id, enabled=False)
    assert [one.state for one in hooks.log(made)] == [DeliveryState.FAILED] * 3
    assert ground.refuses(BadInput, replay_failed, owner, made.id, began, ground.clock.at).reason == "switched_off"
    assert ground.refuses(BadInput, replay_delivery, owner, hooks.log(made)[0].id).reason == "switched_off"
    assert ground.refuses(BadInput, ping, owner, made.id, "x").reason == "switched_off"
    street.do(change_endpoint, owner, made.id, enabled=True)
    assert ground.refuses(BadInput, replay_failed, owner, made.id, began, began).reason == "not_before_until"
    assert street.do(replay_failed, owner, made.id, began, began + timedelta(hours=2)) == 2
    assert [str(one.state) for one in hooks.log(made)] == ["PENDING", "PENDING", "FAILED"]
    assert street.do(replay_failed, owner, made.id, began, began + timedelta(hours=2)) == 0


def test_410_switches_off_and_those_who_lead_hear_it(street: Street, hooks: Hooks, ground: Ground) -> None:
    """W30."""
    made = hooks.make()
    street.do(ping, owner, made.id, "1")
    street.do(ping, owner, made.id, "2")
    assert hooks.turn(Tried(410, "http_410")) == "FAILED"
    off = hooks.endpoint(made)
    assert (off.state, off.off_why) == (EndpointState.DISABLED, "gone")
    assert [one.error for one in hooks.log(made)] == ["http_410", "switched_off"]
    assert ground.told() == [f"webhook_off>{OWNER}", f"webhook_off>{MANAGER}"]
    payload = json.loads(ground.rows("SELECT payload FROM outbox")[0][0])
    assert payload == {"host": "shop.example", "why": "gone"}
    assert hooks.claim() == []
    street.paid()
    assert hooks.types() == ["ping", "ping"]
    on = street.do(change_endpoint, owner, made.id, enabled=True)
    assert (on.state, on.off_why, on.failing_since) == (EndpointState.ENABLED, "", None)


def test_five_days_of_nothing_but_failure_switch_off(street: Street, hooks: Hooks, ground: Ground) -> None:
    made = hooks.make()
    for day in range(5):
        street.do(ping, owner, made.id, f"{day}")
        assert str(street.do(record_try, hooks.claim()[0], Tried(None, "timeout"))) == "PENDING"
        street.later(timedelta(days=1))
    while hooks.endpoint(made).state is EndpointState.ENABLED:
        hooks.turn(Tried(None, "timeout"))
    assert hooks.endpoint(made).off_why == "failing"
    assert {one.state for one in hooks.log(made)} == {DeliveryState.FAILED}
    assert f"webhook_off>{OWNER}" in ground.told()


def test_one_success_in_between_and_it_stays_on(street: Street, hooks: Hooks) -> None:
    made = hooks.make()
    for tried in (BROKEN, FINE, BROKEN):
        street.do(ping, owner, made.id, street.key())
        street.do(record_try, hooks.claim()[0], tried)
        street.later(timedelta(days=4))
    assert hooks.endpoint(made).state is EndpointState.ENABLED


def test_each_endpoint_has_one_on_its_way_and_the_longest_waiting_comes_first(street: Street, hooks: Hooks) -> None:
    slow, quick = hooks.make(url="https://slow.example/"), hooks.make(url="https://quick.example/")
    for endpoint in (slow, slow, quick, quick):
        street.do(ping, owner, endpoint.id, street.key())
    first = hooks.claim()
    assert [parcel.url for parcel in first] == [slow.url, quick.url]
    assert hooks.claim() == []
    street.do(record_try, first[1], FINE)
    (second,) = hooks.claim()
    assert second.url == quick.url
    street.do(record_try, first[0], BROKEN)
    street.do(record_try, second, FINE)
    assert [parcel.url for parcel in hooks.claim(1)] == [slow.url]


def test_a_crash_between_sending_and_writing_it_down_sends_again_with_the_same_id(street: Street, hooks: Hooks) -> None:
    """K4: at most twice, and told apart by webhook-id; whoever comes back too late says nothing any more."""
    made = hooks.make()
    street.do(ping, owner, made.id, "1")
    (first,) = hooks.claim()
    street.later(webhooks.LEASE)
    (second,) = hooks.claim()
    assert second.headers["webhook-id"] == first.headers["webhook-id"]
    assert street.do(record_try, first, BROKEN) is None
    assert hooks.log(made)[0].error == "unknown"
    assert str(street.do(record_try, second, FINE)) == "DELIVERED"
    assert street.do(record_try, second, BROKEN) is None


def test_switched_off_or_deleted_while_on_its_way(street: Street, hooks: Hooks) -> None:
    made = hooks.make()
    street.do(ping, owner, made.id, "1")
    (parcel,) = hooks.claim()
    street.do(change_endpoint, owner, made.id, enabled=False)
    assert str(street.do(record_try, parcel, BROKEN)) == "FAILED"
    street.do(change_endpoint, owner, made.id, enabled=True)
    street.do(ping, owner, made.id, "2")
    (parcel,) = hooks.claim()
    street.do(delete_endpoint, owner, made.id)
    assert str(street.do(record_try, parcel, FINE)) == "DELIVERED"
    street.ground.refuses(NotFound, own_endpoint, owner, made.id)
    assert street.do(secret_of, made.id, 1) is None
    assert street.ground.rows("SELECT sealed, sealed_before FROM webhook_endpoints") == [("", None)]
    assert street.do(my_endpoints, owner) == []


def test_a_secret_that_cannot_be_opened_holds_nobody_up(street: Street, hooks: Hooks, ground: Ground) -> None:
    """K15."""
    bad, good = hooks.make(), hooks.make(url="https://good.example/")
    street.do(ping, owner, bad.id, "1")
    street.do(ping, owner, good.id, "2")
    ground.connection.execute("UPDATE webhook_endpoints SET sealed = ? WHERE id = ?", ('["elsewhere","x"]', bad.id))
    assert [parcel.url for parcel in hooks.claim()] == [good.url]
    assert (hooks.log(bad)[0].state, hooks.log(bad)[0].error) == (DeliveryState.PENDING, "secret_unreadable")


def test_a_row_that_cannot_be_read_is_put_aside(street: Street, hooks: Hooks, ground: Ground) -> None:
    """K15."""
    bad, good = hooks.make(), hooks.make(url="https://good.example/")
    one = street.do(ping, owner, bad.id, "1")
    street.do(ping, owner, good.id, "2")
    ground.connection.execute("UPDATE webhook_deliveries SET created_at = 'x' WHERE id = ?", (one.id,))
    assert [parcel.url for parcel in hooks.claim()] == [good.url]
    assert ground.rows("SELECT state, error FROM webhook_deliveries WHERE id = ?", one.id) == [("FAILED", "unreadable")]


def test_changes_are_checked_and_what_is_left_out_stays(street: Street, hooks: Hooks, ground: Ground) -> None:
    made = hooks.make("order.paid")
    moved = street.do(change_endpoint, owner, made.id, url="https://new.example/")
    assert (moved.url, moved.types) == ("https://new.example/", ("order.paid",))
    assert street.do(change_endpoint, owner, made.id, types=[]).types == ()
    assert street.do(change_endpoint, owner, made.id, enabled=True).state is EndpointState.ENABLED
    assert ground.refuses(BadInput, change_endpoint, owner, made.id, url="https://10.0.0.1").reason == "not_public"
    off = street.do(change_endpoint, owner, made.id, enabled=False)
    assert (off.state, off.off_why) == (EndpointState.DISABLED, "owner")
    assert street.do(change_endpoint, owner, made.id, enabled=False).off_why == "owner"
    assert ground.told() == []


def test_the_desk_switches_off_and_replays_but_not_on(street: Street, hooks: Hooks, ground: Ground) -> None:
    made = hooks.make()
    street.do(ping, owner, made.id, "1")
    assert street.do(change_endpoint, admin, made.id, enabled=False).off_why == "desk"
    assert ground.told() == [f"webhook_off>{OWNER}", f"webhook_off>{MANAGER}"]
    ground.refuses(NotFound, change_endpoint, admin, made.id, enabled=True)


def test_pings_are_limited_and_each_is_one(street: Street, hooks: Hooks, ground: Ground) -> None:
    made = hooks.make("order.paid")
    assert street.do(ping, owner, made.id, "1").type == "ping"
    assert ground.refuses(BadInput, ping, owner, made.id, "1").reason == "repeated"
    for number in range(59):
        street.do(ping, owner, made.id, f"n{number}")
    assert ground.refuses(LimitReached, ping, owner, made.id, "more").facts["limit"] == "webhook_pings_hour"


def test_a_row_whose_endpoint_is_gone_is_a_bug_that_is_told(street: Street, hooks: Hooks, ground: Ground) -> None:
    made = hooks.make()
    street.do(ping, owner, made.id, "1")
    (parcel,) = hooks.claim()
    ground.connection.execute("PRAGMA foreign_keys = OFF")
    ground.connection.execute("DELETE FROM webhook_endpoints")
    with pytest.raises(NotFound):
        street.do(record_try, parcel, FINE)
    ground.connection.execute("DELETE FROM webhook_deliveries")
    assert street.do(record_try, parcel, FINE) is None


def test_secrets_are_sealed_again_under_the_newest_key(street: Street, hooks: Hooks, ground: Ground) -> None:
    """C20: both of them during a rotation; a second time nothing is done."""
    made = hooks.make()

    def again(sealed: str, context: str) -> str:
        assert context == webhooks.sealed_for(made.organization_id, made.id)
        return sealed if sealed.startswith(" ") else f" {sealed}"

    assert street.do(reseal_endpoint, admin, made.id, again)
    assert not street.do(reseal_endpoint, admin, made.id, again)
    street.do(rotate_secret, owner, made.id)
    assert street.do(reseal_endpoint, admin, made.id, again)
    now = hooks.endpoint(made)
    assert now.sealed.startswith(" ") and (now.sealed_before or "").startswith(" ")
    assert str(street.do(secret_of, made.id, 2)).startswith("whsec_")
    ground.refuses(NotFound, reseal_endpoint, manager, made.id, again)
