"""The town's Stripe against the resources of Stripe's own test server: every field that those have, ours have, of a type they may have."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.gateways.stripe_ground import Ground, stripe_ground

Json = dict[str, Any]

FOLDER = Path(os.environ.get("PAYLOOM_SPECS") or Path(__file__).parents[2].parent / "shared" / "specs")
FIXTURES = FOLDER / "stripe-fixtures3.json"
pytestmark = pytest.mark.skipif(not FIXTURES.is_file(), reason=f"Stripe's fixtures are not at {FIXTURES}; PAYLOOM_SPECS says where it is.")


@cache
def fixture(kind: str) -> Json:
    found: Json = json.loads(FIXTURES.read_text())["resources"][kind]
    return found


@pytest_asyncio.fixture
async def ground() -> AsyncIterator[Ground]:
    async with stripe_ground() as made:
        yield made


async def everything(ground: Ground) -> dict[str, Json]:
    """One of each, after a sale, a part refund and a chargeback."""
    ref = str((await ground.start()).ref)
    ground.pay(ref)
    receipt = str(ground.account.sessions[ref]["payment_intent"])
    await ground.refund(receipt, 1000_00)
    ground.alone.stripe.open_dispute(receipt)
    account = ground.account
    return {
        "checkout.session": account.sessions[ref],
        "line_item": account.lines[ref][0],
        "payment_intent": next(iter(account.intents.values())),
        "charge": next(iter(account.charges.values())),
        "refund": next(iter(account.refunds.values())),
        "dispute": next(iter(account.disputes.values())),
        "event": next(iter(account.events.values())),
        "balance_transaction": next(iter(account.transactions.values())),
        "webhook_endpoint": account.endpoints[0].shown(live=False, created=account.now()),
    }


async def test_no_field_is_missing_and_none_has_a_type_of_its_own(ground: Ground) -> None:
    for kind, ours in (await everything(ground)).items():
        theirs = fixture(kind)
        assert sorted(set(theirs) - set(ours)) == [], kind
        for name, value in theirs.items():
            if value is not None and ours[name] is not None:
                assert type(ours[name]) is type(value), f"{kind}.{name}"


async def test_nothing_is_invented(ground: Ground) -> None:
    """What a real object has only in some states is named here."""
    sometimes = {"refund": {"pending_reason", "failure_reason", "failure_balance_transaction"}}
    for kind, ours in (await everything(ground)).items():
        assert sorted(set(ours) - set(fixture(kind)) - sometimes.get(kind, set())) == [], kind
