"""Rows that only the desk asks for: `usecases.admin.Desk` over the unit's own connection, in its transaction."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, TypeVar, cast

from sqlalchemy import Table, bindparam, delete, select, update

from domain.ids import OrganizationId, PersonId
from domain.life import InboxState, OutboxState, RefundState
from domain.payment import Refund
from domain.person import Member, Organization
from domain.ports import Unit
from domain.records import ApiKey, GatewaySettings, InboxEvent, OutboxMessage
from storage.mapping import Mapper, save_value
from storage.statements import Sql, save_version
from storage.tables import api_keys, gateway_settings, inbox, members, organizations, outbox, refunds
from storage.unit import SqlUnit

T = TypeVar("T")

_ORGANIZATION, _KEY = Mapper(organizations, Organization), Mapper(api_keys, ApiKey)
_EVENT, _MESSAGE, _REFUND = Mapper(inbox, InboxEvent), Mapper(outbox, OutboxMessage), Mapper(refunds, Refund)
_SETTINGS = Mapper(gateway_settings, GatewaySettings)


def _by_state(table: Table) -> Sql:
    return Sql(select(table).where(table.c.state == bindparam("state")).order_by(table.c.id).limit(bindparam("most")))


_ORGANIZATIONS = Sql(select(organizations).order_by(organizations.c.id))
_KEYS_OF = Sql(select(api_keys).where(api_keys.c.organization_id == bindparam("organization_id")).order_by(api_keys.c.id))
_EVENTS, _MESSAGES, _REFUNDS = _by_state(inbox), _by_state(outbox), _by_state(refunds)
_SEALED = Sql(select(gateway_settings).order_by(gateway_settings.c.organization_id, gateway_settings.c.gateway))
_SAVE_SEALED = save_version(gateway_settings, "organization_id", "gateway")
_THIS_MEMBER = (
    members.c.organization_id == bindparam("organization_was"),
    members.c.person_id == bindparam("person_was"),
)
_SET_PARTY = Sql(update(members).where(*_THIS_MEMBER).values(party=bindparam("party")))
_REMOVE = Sql(delete(members).where(*_THIS_MEMBER))


class DeskRows:
    def __init__(self, unit: Unit) -> None:
        self._session = cast(SqlUnit, unit).session

    def organizations(self) -> Sequence[Organization]:
        return self._all(_ORGANIZATION, _ORGANIZATIONS)

    def set_party(self, member: Member) -> None:
        self._session.run(_SET_PARTY, organization_was=member.organization_id, person_was=member.person_id, party=member.party.value)

    def remove_member(self, organization_id: OrganizationId, person_id: PersonId) -> None:
        self._session.run(_REMOVE, organization_was=organization_id, person_was=person_id)

    def api_keys(self, organization_id: OrganizationId) -> Sequence[ApiKey]:
        return self._all(_KEY, _KEYS_OF, organization_id=organization_id)

    def events(self, states: Sequence[InboxState], limit: int) -> Sequence[InboxEvent]:
        return self._in_states(_EVENT, _EVENTS, states, limit)

    def messages(self, states: Sequence[OutboxState], limit: int) -> Sequence[OutboxMessage]:
        return self._in_states(_MESSAGE, _MESSAGES, states, limit)

    def refunds(self, states: Sequence[RefundState], limit: int) -> Sequence[Refund]:
        return self._in_states(_REFUND, _REFUNDS, states, limit)

    def sealed(self) -> Sequence[GatewaySettings]:
        return self._all(_SETTINGS, _SEALED)

    def save_sealed(self, settings: GatewaySettings) -> None:
        save_value(self._session, _SETTINGS, _SAVE_SEALED, settings, "organization_id", "gateway")

    def _in_states(self, mapper: Mapper[T], sql: Sql, states: Sequence[StrEnum], limit: int) -> list[T]:
        return [row for state in states for row in self._all(mapper, sql, state=state.value, most=limit)]

    def _all(self, mapper: Mapper[T], sql: Sql, **params: Any) -> list[T]:
        return [mapper.read(row) for row in self._session.run(sql, **params).fetchall()]
