"""Webhooks as rules: every fact is named or left out, signing, when it is tried again, and which addresses are nobody's on the internet."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.errors import BadInput, IllegalTransition, NotFound
from domain.facts import FACTS
from domain.ids import OrganizationId, WebhookEndpointId
from domain.rights import Party
from domain.webhook import (
    DELIVERY,
    ENDPOINT,
    PING,
    RETRY_S,
    TYPES,
    DeliveryState,
    EndpointState,
    Tried,
    WebhookEndpoint,
    event_name,
    is_loopback,
    is_public,
    make_secret,
    next_try,
    read_url,
    signatures,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NOT_SENT = {
    "late_waits", "late_over",  # for the buyer; whoever listens hears late.money, then order.paid or payment.failed
    "share_paid", "group_full", "group_ended",  # for whoever pays together; the seller hears order.paid
    "money_returned",  # of a payment that never became an order, for its buyer
    "remind_ship", "offer_cancel", "ask_arrived", "warn_release",  # words for people
    "digital_ready",  # for the buyer; the seller hears order.completed
    "alert", "joined", "account_changed", "carry", "link_made", "screen", "webhook_off", "mail_code", "pay_page",
}  # fmt: skip
"""Facts that are left out on purpose. A new fact belongs here or into TYPES."""


def test_every_fact_is_an_event_or_is_left_out_on_purpose() -> None:
    assert TYPES.keys() <= FACTS.keys()
    assert FACTS.keys() - TYPES.keys() == NOT_SENT
    assert not TYPES.keys() & NOT_SENT
    assert len(set(TYPES.values())) == len(TYPES)
    assert PING not in TYPES.values()
    assert all(kind == fact.replace("_", ".", 1) for fact, kind in TYPES.items())


STEPS: dict[str, dict[str, str]] = {
    "delivery": {"PENDING": "SENDING", "SENDING": "PENDING DELIVERED FAILED", "DELIVERED": "PENDING", "FAILED": "PENDING"},
    "endpoint": {"ENABLED": "DISABLED DELETED", "DISABLED": "ENABLED DELETED"},
}


@pytest.mark.parametrize("life", [DELIVERY, ENDPOINT], ids=lambda life: life.name)
def test_every_pair_of_states_is_a_row_a_no_op_or_refused(life: Any) -> None:
    for source in life.states:
        for target in life.states:
            if source == target:
                assert life.move(source, target, Party.BUYER) is None
            elif target in STEPS[life.name].get(source, "").split():
                with pytest.raises(NotFound):
                    life.move(source, target, Party.BUYER)
            else:
                with pytest.raises(IllegalTransition):
                    life.move(source, target, Party.CLOCK)


def test_the_clock_sends_and_people_replay() -> None:
    assert DELIVERY.can(DeliveryState.PENDING, DeliveryState.SENDING, Party.CLOCK)
    assert not DELIVERY.can(DeliveryState.FAILED, DeliveryState.PENDING, Party.CLOCK)
    assert {party for party in Party if DELIVERY.can(DeliveryState.FAILED, DeliveryState.PENDING, party)} == {
        Party.OWNER,
        Party.MANAGER,
        Party.ADMIN,
    }
    assert not ENDPOINT.can(EndpointState.DISABLED, EndpointState.ENABLED, Party.ADMIN)
    assert ENDPOINT.final == {EndpointState.DELETED}


def test_tries_are_spread_over_three_days() -> None:
    waits = [next_try(tries, Tried(500), NOON) for tries in range(1, 11)]
    assert waits[:9] == [NOON + timedelta(seconds=wait) for wait in RETRY_S]
    assert waits[9] is None
    assert timedelta(days=3) < timedelta(seconds=sum(RETRY_S)) < timedelta(days=3, hours=4)


@pytest.mark.parametrize(
    "status,asked,waits", [(429, 60, 60), (503, 60, 60), (500, 60, 5), (None, 60, 5), (429, 2, 5), (503, 10**9, 86_400)]
)
def test_retry_after_is_heard_from_429_and_503_within_reason(status: int | None, asked: int, waits: int) -> None:
    assert next_try(1, Tried(status, retry_after_s=asked), NOON) == NOON + timedelta(seconds=waits)


@pytest.mark.parametrize("status,arrived", [(200, True), (204, True), (299, True), (300, False), (199, False), (410, False), (None, False)])
def test_only_2xx_has_arrived(status: int | None, arrived: bool) -> None:
    assert Tried(status).arrived is arrived


def test_the_signature_is_that_of_the_specification() -> None:
    """C6: the example of Standard Webhooks, and by plain hmac."""
    secret = "whsec_" + base64.b64encode(bytes(range(32))).decode()
    body = json.dumps({"é": 1}, ensure_ascii=False).encode()
    wanted = base64.b64encode(hmac.new(bytes(range(32)), b"evt_1f.1674087231." + body, hashlib.sha256).digest()).decode()
    assert signatures([secret], event_name(31), 1674087231, body) == f"v1,{wanted}"
    assert make_secret(int.from_bytes(bytes(range(32)), "big")) == secret
    both = signatures([make_secret(1), secret], "evt_1f", 1674087231, body).split(" ")
    assert len(both) == 2 and both[1] == f"v1,{wanted}" != both[0]


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!", "whsec_" + base64.b64encode(b"short").decode(), "plain"])
def test_what_is_no_secret_signs_nothing(secret: str) -> None:
    with pytest.raises(ValueError, match="not a secret"):
        signatures([secret], "evt_1", 1, b"")


def test_no_types_means_all() -> None:
    endpoint = WebhookEndpoint(WebhookEndpointId(1), OrganizationId(1), "https://a.example", (), EndpointState.ENABLED, "s", NOON)
    assert endpoint.wants("order.paid")
    chosen = WebhookEndpoint(
        WebhookEndpointId(1), OrganizationId(1), "u", ("order.paid",), EndpointState.ENABLED, "s", NOON, sealed_before="t"
    )
    assert chosen.wants("order.paid") and not chosen.wants("order.shipped")
    assert "sealed" not in repr(chosen)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1",  # noqa: S104
        "100.127.255.255", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1", "fec0::1", "::ffff:127.0.0.1",
        "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1", "100::1", "2606:4700::1%1", "not an address", "",
    ],
)  # fmt: skip
def test_an_address_that_is_nobodys_on_the_internet(address: str) -> None:
    """W11: loopback, private, link-local, metadata, CGNAT, multicast, reserved, and IPv6 that carries another address in itself."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450::1"]
)
def test_an_address_of_the_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host,is_it", [("localhost", True), ("127.0.0.2", True), ("::1", True), ("a.localhost", False), ("10.0.0.1", False)]
)
def test_this_machine(host: str, is_it: bool) -> None:
    assert is_loopback(host) is is_it


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/hooks?x=1",
        "https://shop.example:8443",
        "https://8.8.8.8/a",
        "https://[2606:4700::1111]/",
        "HTTPS://SHOP.example",
    ],
)
def test_an_address_that_may_be_posted_to(url: str) -> None:
    assert read_url(url) == url


@pytest.mark.parametrize(
    "url,reason",
    [
        ("http://shop.example", "not_https"), ("ftp://shop.example", "not_https"), ("https://", "malformed"), ("shop.example", "malformed"),
        ("", "malformed"), ("https://a b.example", "malformed"), ("https://shop.example/\n", "malformed"), ("https://shop.example:x", "malformed"),
        ("https://shop.example:99999", "malformed"), ("https://shop.example:0", "malformed"), ("https://shop.example/#a", "malformed"),
        ("https://[::1", "malformed"), ("https://shöp.example", "malformed"), ("https://shop.example\\@evil", "malformed"),
        ("https://a:b@shop.example", "has_password"), ("https://@shop.example", "has_password"), ("https://127.0.0.1", "not_public"),
        ("https://10.1.1.1/", "not_public"), ("https://[::1]/", "not_public"), ("https://localhost", "not_public"),
        ("https://a.localhost", "not_public"), ("https://169.254.169.254/latest", "not_public"), ("https://a.example/" + "x" * 500, "too_long"),
    ],
)  # fmt: skip
def test_an_address_that_may_not_be_posted_to(url: str, reason: str) -> None:
    """W11: told when it is typed; a name is checked when something is sent."""
    with pytest.raises(BadInput) as refused:
        read_url(url)
    assert (refused.value.field, refused.value.reason) == ("url", reason)


def test_a_town_may_be_posted_to_itself() -> None:
    assert read_url("http://127.0.0.1:9000/a", loopback=True) and read_url("https://localhost/", loopback=True)
    for url, reason in (("http://10.0.0.1/", "not_https"), ("https://10.0.0.1/", "not_public"), ("ftp://localhost", "not_https")):
        with pytest.raises(BadInput) as refused:
            read_url(url, loopback=True)
        assert refused.value.reason == reason
