"""Who may do what: one table. An action without the right is answered like a thing that does not exist."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.errors import NotFound
from domain.ids import OrderId, OrganizationId, PersonId


class Party(StrEnum):
    """In which capacity somebody, or something, acts."""

    BUYER = "buyer"
    STAFF = "staff"
    MANAGER = "manager"
    OWNER = "owner"
    ARBITER = "arbiter"
    ADMIN = "admin"
    GATEWAY = "gateway"
    CLOCK = "clock"


MEMBERS: Final = frozenset({Party.STAFF, Party.MANAGER, Party.OWNER})
LEADERS: Final = frozenset({Party.MANAGER, Party.OWNER})


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever causes a change, as the audit trail names them. `via` is the channel: telegram, web, api, job, admin.

    `order_id` is set by a door that has verified a secret tracking token: whoever holds it acts as the buyer of that one order.
    """

    party: Party
    via: str
    person_id: PersonId | None = None
    organization_id: OrganizationId | None = None
    order_id: OrderId | None = None

    @property
    def name(self) -> str:
        """Short and without personal data: `owner:17@telegram`."""
        who = f":{self.person_id}" if self.person_id is not None else ""
        return f"{self.party}{who}@{self.via}"


CLOCK: Final = Actor(Party.CLOCK, "job")


class Action(StrEnum):
    SEE_ORDER = "see_order"
    WORK_ON_ORDER = "work_on_order"
    EDIT_LINKS = "edit_links"
    MANAGE_CUSTOMERS = "manage_customers"
    CANCEL_WITH_REFUND = "cancel_with_refund"
    CONFIRM_DELIVERY = "confirm_delivery"
    OPEN_DISPUTE = "open_dispute"
    SETTLE_DISPUTE = "settle_dispute"
    SEE_WALLET = "see_wallet"
    CONFIGURE = "configure"
    ADMINISTER = "administer"


_EVERYBODY: Final = frozenset({Party.BUYER, Party.ARBITER, Party.ADMIN}) | MEMBERS

RIGHTS: Final[dict[Action, frozenset[Party]]] = {
    Action.SEE_ORDER: _EVERYBODY,
    Action.WORK_ON_ORDER: MEMBERS,
    Action.EDIT_LINKS: LEADERS,
    Action.MANAGE_CUSTOMERS: LEADERS,
    Action.CANCEL_WITH_REFUND: LEADERS | {Party.BUYER, Party.ARBITER, Party.ADMIN, Party.CLOCK},
    Action.CONFIRM_DELIVERY: frozenset({Party.BUYER, Party.ARBITER, Party.ADMIN, Party.CLOCK}),
    Action.OPEN_DISPUTE: frozenset({Party.BUYER}),
    Action.SETTLE_DISPUTE: LEADERS | {Party.BUYER, Party.ARBITER, Party.ADMIN},
    Action.SEE_WALLET: LEADERS,
    Action.CONFIGURE: frozenset({Party.OWNER}),
    Action.ADMINISTER: frozenset({Party.ADMIN}),
}


def allowed(party: Party, action: Action) -> bool:
    return party in RIGHTS[action]


def require(party: Party | None, action: Action) -> Party:
    """The party, if it may; raises NotFound otherwise, so that nothing is told about what exists."""
    if party is None or not allowed(party, action):
        raise NotFound(action=str(action))
    return party
