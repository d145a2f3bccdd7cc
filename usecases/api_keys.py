"""API keys: made by an owner, shown once, asked for at every request; and answers that are given once however often they are asked for."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from domain.errors import BadInput, KeyReused, LimitReached, NotFound, Refused
from domain.ids import ApiKeyId, OrderId
from domain.person import clean_name
from domain.ports import Unit
from domain.records import Answered, ApiKey
from domain.rights import Action, Actor, Party, require
from domain.tokens import Purpose

LASTS: Final = timedelta(days=365)
LONGEST: Final = timedelta(days=730)
SHORTEST: Final = timedelta(minutes=1)
USED_EVERY: Final = timedelta(minutes=1)
"""The last use of a key is written down at most this often."""

MADE_A_DAY: Final = ("api_keys_made_day", 86_400, 20)
FAILED: Final = ("api_keys_failed_15m", 900, 30)
"""Wrong keys from one network address, after which it hears that it is limited."""

_FORM: Final = re.compile(r"plk_([0-9a-f]{12})_([0-9a-f]{64})", re.ASCII)
_NOBODY: Final = hashlib.sha256(b"nobody").hexdigest()


class NotRecognized(Refused):
    """No key, or one that is unknown, wrong, revoked, expired, or of somebody who left: which of them is not told."""

    code = "not_recognized"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `scope` keeps the idempotency keys of callers apart.

    `used` is the prefix of a key whose last use should be written down (`touch_api_key`), after the answer.
    """

    actor: Actor
    scope: str
    used: str | None = None


def make_api_key(unit: Unit, actor: Actor, name: str, lasts: timedelta = LASTS) -> tuple[ApiKey, str]:
    """The key and its text `plk_<prefix>_<secret>`, which is kept nowhere. By an owner, for themselves in their organization."""
    require(actor.party, Action.CONFIGURE)
    if actor.organization_id is None or actor.person_id is None:
        raise NotFound(what="organization")
    if not SHORTEST <= lasts <= LONGEST:
        raise BadInput("lasts", "out_of_range", limit=LONGEST.days)
    limit, window_s, most = MADE_A_DAY
    if unit.limits.count(limit, str(actor.organization_id), window_s, unit.now) > most:
        raise LimitReached(limit=limit, retry_at=unit.now + timedelta(seconds=window_s - int(unit.now.timestamp()) % window_s))
    prefix, secret = f"{unit.chance(48):012x}", f"{unit.chance(256):064x}"
    key = ApiKey(
        id=ApiKeyId(unit.new_id()),
        organization_id=actor.organization_id,
        person_id=actor.person_id,
        prefix=prefix,
        digest=_digest(secret),
        name=clean_name(name),
        created_at=unit.now,
        expires_at=unit.now + lasts,
    )
    unit.keys.add_api_key(key)
    unit.trail.add(f"organization:{key.organization_id}", actor, "api_key_made", prefix=prefix, name=key.name)
    return key, f"plk_{prefix}_{secret}"


def revoke_api_key(unit: Unit, actor: Actor, prefix: str) -> ApiKey:
    """From this instant it opens nothing. By any owner of its organization; the same again does nothing."""
    require(actor.party, Action.CONFIGURE)
    key = unit.keys.api_key(prefix)
    if key is None or key.organization_id != actor.organization_id:
        raise NotFound(what="api_key")
    if key.revoked_at is not None:
        return key
    revoked = unit.keys.save_api_key(replace(key, revoked_at=unit.now))
    unit.trail.add(f"organization:{key.organization_id}", actor, "api_key_revoked", prefix=prefix)
    return revoked


def authenticate(unit: Unit, text: str) -> Caller:
    """Who this bearer is at this instant: a member with a key (in the capacity they have now), or the buyer of one order with its
    tracking token. Raises NotRecognized, the same for every reason."""
    if not text.startswith("plk_"):
        return _by_tracking_token(unit, text)
    form = _FORM.fullmatch(text)
    prefix, secret = form.groups() if form else ("0" * 12, "")
    key = unit.keys.api_key(prefix)
    genuine = hmac.compare_digest(_digest(secret), key.digest if key is not None else _NOBODY)
    if key is None or not genuine or key.revoked_at is not None or (key.expires_at is not None and unit.now >= key.expires_at):
        raise NotRecognized
    party = unit.organizations.party_of(key.person_id, key.organization_id)
    if party is None:
        raise NotRecognized
    used = key.prefix if key.used_at is None or unit.now - key.used_at >= USED_EVERY else None
    return Caller(Actor(party, "api", key.person_id, key.organization_id), f"key:{key.id}", used=used)


def _by_tracking_token(unit: Unit, text: str) -> Caller:
    order_id = unit.tokens.read(Purpose.TRACK, text)
    if order_id is None:
        raise NotRecognized
    try:
        order = unit.orders.get(OrderId(order_id))
    except NotFound:
        raise NotRecognized from None
    return Caller(Actor(Party.BUYER, "api", order_id=order.id), f"order:{order.id}")


def touch_api_key(unit: Unit, prefix: str) -> None:
    """Write down that a key is used, unless somebody just did."""
    key = unit.keys.api_key(prefix)
    if key is not None and (key.used_at is None or unit.now - key.used_at >= USED_EVERY):
        unit.keys.save_api_key(replace(key, used_at=unit.now))


def count_failure(unit: Unit, address: str) -> None:
    """A bearer from this network address was not recognized. Raises LimitReached (and counts no further) after too many of them."""
    limit, window_s, most = FAILED
    if unit.limits.seen(limit, address, window_s, unit.now) >= most:
        raise LimitReached(limit=limit, retry_at=unit.now + timedelta(seconds=window_s - int(unit.now.timestamp()) % window_s))
    unit.limits.count(limit, address, window_s, unit.now)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Given:
    """An answer as it was given the first time; `body` is JSON without secrets (tokens are derived when it is shown)."""

    status: int
    body: str
    replayed: bool


def answer_once(unit: Unit, scope: str, key: str, request_digest: str, effect: Callable[[], tuple[int, str]]) -> Given:
    """The effect and its answer in one unit, once for (scope, key): asked again, the stored answer.

    Two at the same moment: the unique key lets one commit, the other is run again by the store and finds the answer. What `effect` raises
    is not kept. Raises KeyReused when the same key comes with another request.
    """
    known = unit.keys.answered(scope, key)
    if known is not None:
        if not hmac.compare_digest(known.request_digest, request_digest):
            raise KeyReused
        return Given(known.status, known.body, replayed=True)
    status, body = effect()
    unit.keys.remember(Answered(scope, key, request_digest, status, body, unit.now))
    return Given(status, body, replayed=False)
