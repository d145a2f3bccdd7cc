"""Who carries a payment, with whose credentials: sealed for one owner, opened for nobody else."""

from __future__ import annotations

import json

import pytest

from domain.errors import CannotPay, NotFound
from domain.methods import Carrier
from domain.payment import Method
from domain.rights import Actor, Party
from tests.factories import ABILITIES, OTHER_OWNER, OTHER_SHOP, OWNER, PRICE, SHOP, Street, admin, buyer, manager, other_owner, owner, staff
from tests.fakes import Ground
from usecases.gateways import PLATFORM, credentials_of, pause_gateway, route, save_credentials

OURS, THEIRS = {"short_code": "777777", "passkey": "p"}, {"short_code": "888888"}


def test_the_platforms_account_serves_whoever_has_none(street: Street, ground: Ground) -> None:
    assert ground.unit(route, SHOP, Method.MPESA, PRICE, ABILITIES) == Carrier("daraja", False)
    ground.unit(save_credentials, owner, "daraja", OURS, tested=True)
    assert ground.unit(route, SHOP, Method.MPESA, PRICE, ABILITIES) == Carrier("daraja", True)
    assert ground.unit(route, OTHER_SHOP, Method.MPESA, PRICE, ABILITIES) == Carrier("daraja", False)


def test_without_any_account_nothing_can_be_paid(street: Street, ground: Ground) -> None:
    ground.connection.execute("DELETE FROM gateway_settings")
    assert ground.refuses(CannotPay, route, SHOP, Method.MPESA, PRICE, ABILITIES).facts == {"method": "mpesa", "reason": "not_configured"}
    ground.refuses(NotFound, credentials_of, SHOP, "daraja", True)
    ground.refuses(NotFound, credentials_of, SHOP, "daraja", False)


def test_credentials_open_for_their_owner_alone(street: Street, ground: Ground) -> None:
    ground.unit(save_credentials, owner, "daraja", OURS, tested=False)
    ground.unit(save_credentials, other_owner, "daraja", THEIRS, tested=True)
    assert ground.unit(credentials_of, SHOP, "daraja", True) == OURS
    assert ground.unit(credentials_of, OTHER_SHOP, "daraja", True) == THEIRS
    assert ground.unit(credentials_of, SHOP, "daraja", False) == {"short_code": "600000"}
    sealed = ground.rows("SELECT organization_id, sealed FROM gateway_settings ORDER BY organization_id")
    assert [(row[0], json.loads(row[1])[0]) for row in sealed] == [
        (PLATFORM, "organization:0:daraja:credentials"),
        (SHOP, "organization:1:daraja:credentials"),
        (OTHER_SHOP, "organization:2:daraja:credentials"),
    ]
    ground.connection.execute("UPDATE gateway_settings SET sealed = ? WHERE organization_id = ?", (sealed[1][1], OTHER_SHOP))
    ground.refuses(ValueError, credentials_of, OTHER_SHOP, "daraja", True)


def test_credentials_are_renewed_and_the_test_is_dated(street: Street, ground: Ground) -> None:
    ground.unit(save_credentials, owner, "daraja", OURS, tested=False)
    ground.unit(save_credentials, owner, "daraja", THEIRS, tested=True)
    assert ground.unit(credentials_of, SHOP, "daraja", True) == THEIRS
    settings = ground.unit(lambda unit: unit.settings.get(SHOP, "daraja"))
    assert settings is not None
    assert settings.tested_at == ground.clock.at
    assert ground.trail(f"organization:{SHOP}") == [f"gateway_configured by owner:{OWNER}@telegram"] * 2


@pytest.mark.parametrize(
    "actor", [manager, staff, buyer, Actor(Party.OWNER, "web", OTHER_OWNER), Actor(Party.CLOCK, "job"), Actor(Party.GATEWAY, "daraja")]
)
def test_only_an_owner_configures_their_own(street: Street, ground: Ground, actor: Actor) -> None:
    ground.refuses(NotFound, save_credentials, actor, "daraja", OURS, tested=True)


def test_an_admin_configures_the_platform(street: Street, ground: Ground) -> None:
    ground.unit(save_credentials, admin, "daraja", THEIRS, tested=True)
    assert ground.unit(credentials_of, SHOP, "daraja", False) == THEIRS


def test_a_pause_is_an_admins_switch(street: Street, ground: Ground) -> None:
    ground.unit(pause_gateway, admin, "daraja", True)
    assert ground.refuses(CannotPay, route, SHOP, Method.MPESA, PRICE, ABILITIES).facts["reason"] == "paused"
    ground.unit(pause_gateway, admin, "daraja", False)
    assert ground.unit(route, SHOP, Method.MPESA, PRICE, ABILITIES) == Carrier("daraja", False)
    assert ground.trail("gateway:daraja") == ["paused by admin@admin", "resumed by admin@admin"]
    for actor in (owner, manager, buyer):
        ground.refuses(NotFound, pause_gateway, actor, "daraja", True)
