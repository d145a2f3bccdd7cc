"""People, organizations and conversations as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import and_, bindparam, select, update

from domain.ids import OrganizationId, PersonId
from domain.person import Channel, ChannelKind, Conversation, Member, Organization, Person
from domain.phone import Phone
from domain.rights import Party
from domain.wants import Way
from storage.ahead import REACH, REACH_MEMBERS
from storage.mapping import Mapper, Repository, save_value, to_json, wants_of
from storage.statements import Session, Sql, insert_into, insert_unless_there, save_version, select_by
from storage.tables import channels, conversations, members, organizations, persons

_CHANNEL = Mapper(channels, Channel)
_MEMBER = Mapper(members, Member)
_CONVERSATION = Mapper(conversations, Conversation)

_BY_ADDRESS = Sql(
    select(persons)
    .join(channels, channels.c.person_id == persons.c.id)
    .where(channels.c.kind == bindparam("kind"), channels.c.address == bindparam("address"))
)
_BY_PHONE = Sql(select(persons).where(persons.c.phone == bindparam("phone")).order_by(persons.c.id))
_ARRIVED = Sql(
    select(persons, conversations)
    .join(channels, channels.c.person_id == persons.c.id)
    .outerjoin(conversations, and_(conversations.c.person_id == persons.c.id, conversations.c.channel == bindparam("channel")))
    .where(channels.c.kind == bindparam("kind"), channels.c.address == bindparam("address"))
)
_CHANNELS_OF = Sql(select(channels).where(channels.c.person_id == bindparam("person_id")).order_by(channels.c.created_at))
_ADD_CHANNEL = insert_into(channels)
_SAVE_CHANNEL = save_version(channels, "kind", "address")

_ADD_MEMBER = insert_into(members)
_PARTY = Sql(
    select(members.c.party).where(members.c.person_id == bindparam("person_id"), members.c.organization_id == bindparam("organization_id"))
)
_MEMBERS_OF = Sql(select(members).where(members.c.organization_id == bindparam("organization_id")).order_by(members.c.created_at))
_OF_PERSON = Sql(
    select(organizations)
    .join(members, members.c.organization_id == organizations.c.id)
    .where(members.c.person_id == bindparam("person_id"))
    .order_by(members.c.created_at)
)

_GET_CONVERSATION = select_by(conversations, "person_id", "channel")
_ADD_CONVERSATION = insert_unless_there(conversations)
_NOTE_SHOWN = Sql(
    update(conversations)
    .where(
        conversations.c.person_id == bindparam("person_id_was"),
        conversations.c.channel == bindparam("channel_was"),
        conversations.c.version == bindparam("version_was"),
    )
    .values(shown=bindparam("shown"))
)
_SAVE_CONVERSATION = save_version(conversations, "person_id", "channel")


class PersonRows(Repository[Person]):
    mapper = Mapper(persons, Person)

    def by_address(self, kind: ChannelKind, address: str) -> Person | None:
        return self.one(_BY_ADDRESS, kind=kind, address=address)

    def expect(self, kind: ChannelKind, address: str, channel: ChannelKind) -> None:
        row, width = self.session.run(_ARRIVED, kind=kind, address=address, channel=channel).fetchone(), len(persons.columns)
        person, place = ([], []) if row is None else ([row[:width]], [row[width:]] if row[width] is not None else [])
        self.session.foresee(_BY_ADDRESS, person, kind=kind, address=address)
        if person:
            self.session.foresee(self.GET, person, id=row[0])
            self.session.foresee(_GET_CONVERSATION, place, person_id=row[0], channel=channel)

    def save(self, person: Person) -> Person:
        saved = super().save(person)
        row = self.mapper.row(saved)  # the next to ask reads what stands here, without a write before
        self.session.foresee(self.GET, [[row[column.name] for column in persons.columns]], id=saved.id)
        return saved

    def by_phone(self, phone: Phone) -> Sequence[Person]:
        return self.all(_BY_PHONE, phone=phone.e164)

    def add_channel(self, channel: Channel) -> None:
        self.session.later(_ADD_CHANNEL, _CHANNEL.row(channel))

    def channels(self, person_id: PersonId) -> Sequence[Channel]:
        return [_CHANNEL.read(row) for row in self.session.run(_CHANNELS_OF, person_id=person_id).fetchall()]

    def save_channel(self, channel: Channel) -> Channel:
        return save_value(self.session, _CHANNEL, _SAVE_CHANNEL, channel, "kind", "address")

    def reach(self, person_id: PersonId) -> Sequence[tuple[PersonId, Way]]:
        return [_way(row) for row in self.session.run(REACH, person_id=person_id).fetchall()]

    def reach_members(self, organization_id: OrganizationId) -> Sequence[tuple[PersonId, Way]]:
        return [_way(row) for row in self.session.run(REACH_MEMBERS, organization_id=organization_id).fetchall()]


def _way(row: Sequence[Any]) -> tuple[PersonId, Way]:
    person_id, kind, phone, wants = row
    return PersonId(person_id), Way(ChannelKind(kind), wants_of(wants), None if phone is None else Phone(phone))


class OrganizationRows(Repository[Organization]):
    mapper = Mapper(organizations, Organization)

    def add_member(self, member: Member) -> None:
        self.session.later(_ADD_MEMBER, _MEMBER.row(member))

    def party_of(self, person_id: PersonId, organization_id: OrganizationId) -> Party | None:
        row = self.session.run(_PARTY, person_id=person_id, organization_id=organization_id).fetchone()
        return None if row is None else Party(row[0])

    def of_person(self, person_id: PersonId) -> Sequence[Organization]:
        return self.all(_OF_PERSON, person_id=person_id)

    def members(self, organization_id: OrganizationId) -> Sequence[Member]:
        return [_MEMBER.read(row) for row in self.session.run(_MEMBERS_OF, organization_id=organization_id).fetchall()]


class ConversationRows:
    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, person_id: PersonId, channel: ChannelKind) -> Conversation | None:
        row = self.session.run(_GET_CONVERSATION, person_id=person_id, channel=channel).fetchone()
        return None if row is None else _CONVERSATION.read(row)

    def put(self, conversation: Conversation) -> Conversation:
        if conversation.version:
            return save_value(self.session, _CONVERSATION, _SAVE_CONVERSATION, conversation, "person_id", "channel")
        row = {**_CONVERSATION.row(conversation), "version": 1}
        self.session.later(_ADD_CONVERSATION, row, {"table": "conversations"})
        return replace(conversation, version=1)

    def note_shown(self, person_id: PersonId, channel: ChannelKind, version: int, shown: dict[str, Any]) -> None:
        self.session.later(
            _NOTE_SHOWN, {"person_id_was": person_id, "channel_was": channel, "version_was": version, "shown": to_json(shown)}
        )
