"""Payment links: made, edited, switched off and on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from domain.errors import BadInput, NotFound
from domain.ids import FileId, LinkId, OrganizationId, PersonId, link_code
from domain.life import LINK, LinkState
from domain.link import MOST_DESCRIPTION, MOST_PICTURES, Link, check_stock
from domain.money import Money, payable
from domain.person import clean_name, clean_text
from domain.phone import Phone
from domain.ports import Unit
from domain.rights import CLOCK, Action, Actor, Party, require
from usecases.tell import text_person

_CODE_BITS = 63
_CODE_TRIES = 20


@dataclass(frozen=True, slots=True)
class NewLink:
    """What a seller says of a product. `key` makes it repeatable: the same key returns the same link."""

    key: str
    name: str
    price: Money
    description: str = ""
    pictures: tuple[FileId, ...] = ()
    stock: int | None = None
    customer_phone: Phone | None = None
    expires_at: datetime | None = None
    digital_file: FileId | None = None


def create_link(unit: Unit, actor: Actor, new: NewLink) -> Link:
    require(actor.party, Action.EDIT_LINKS)
    organization_id = _scope(actor)
    key = f"{organization_id}:{new.key}"
    known = unit.links.by_key(key)
    if known is not None:
        return known
    _own_files(unit, actor, new.pictures)
    if new.digital_file is not None:
        _own_files(unit, actor, (new.digital_file,))
    link = Link(
        id=LinkId(unit.new_id()),
        code=_fresh_code(unit),
        organization_id=organization_id,
        created_by=actor.person_id,
        name=clean_name(new.name),
        description=clean_text(new.description, "description", MOST_DESCRIPTION),
        price=payable(new.price),
        state=LinkState.ACTIVE if new.stock != 0 else LinkState.SOLD_OUT,
        created_at=unit.now,
        key=key,
        pictures=new.pictures,
        stock=None if new.stock is None else check_stock(new.stock),
        customer_phone=new.customer_phone,
        expires_at=_future(unit, new.expires_at),
        digital_file=new.digital_file,
    )
    unit.links.add(link)
    unit.trail.add(f"link:{link.id}", actor, "created", code=link.code, price_minor=link.price.amount_minor, currency=link.price.currency)
    return link


def tell_link(unit: Unit, link: Link, person_id: PersonId, key: str) -> None:
    """Whoever made it on a phone that cannot copy gets it as an SMS, to forward."""
    facts = {"name": link.name, "code": link.code, "amount_minor": link.price.amount_minor, "currency": link.price.currency}
    text_person(unit, person_id, "link_made", f"{link.id}:{key}", **facts)


def _own_files(unit: Unit, actor: Actor, files: Sequence[FileId]) -> None:
    """Pictures and goods are the seller's own: what somebody else sent is answered like a file that does not exist."""
    if len(files) > MOST_PICTURES:
        raise BadInput("pictures", "too_many", limit=MOST_PICTURES)
    for number in files:
        file = unit.files.get(number)
        if file.organization_id != actor.organization_id and file.person_id != actor.person_id:
            raise NotFound(what="file")


def _fresh_code(unit: Unit) -> str:
    for _ in range(_CODE_TRIES):
        code = link_code(unit.chance(_CODE_BITS))
        if unit.links.by_code(code) is None:
            return code
    raise BadInput("code", "none_left")


def _future(unit: Unit, instant: datetime | None) -> datetime | None:
    if instant is not None and instant <= unit.now:
        raise BadInput("expires_at", "in_the_past")
    return instant


def _scope(actor: Actor) -> OrganizationId:
    if actor.organization_id is None:
        raise NotFound(what="organization")
    return actor.organization_id


def own_link(unit: Unit, actor: Actor, code: str) -> Link:
    """A link of the actor's organization. Another's is answered like one that does not exist."""
    require(actor.party, Action.EDIT_LINKS)
    link = unit.links.by_code(code)
    if link is None or link.organization_id != actor.organization_id:
        raise NotFound(what="link")
    return link


def edit_link(unit: Unit, actor: Actor, code: str, changes: Mapping[str, Any]) -> Link:
    """Change name, description, price, pictures, stock or expiry. Checkouts begun before keep what they showed."""
    link = own_link(unit, actor, code)
    fields: dict[str, Any] = {}
    if "name" in changes:
        fields["name"] = clean_name(changes["name"])
    if "description" in changes:
        fields["description"] = clean_text(changes["description"], "description", MOST_DESCRIPTION)
    if "price" in changes:
        fields["price"] = payable(changes["price"])
    if "pictures" in changes:
        _own_files(unit, actor, changes["pictures"])
        fields["pictures"] = tuple(changes["pictures"])
    if "stock" in changes:
        fields["stock"] = None if changes["stock"] is None else check_stock(changes["stock"])
    if "expires_at" in changes:
        fields["expires_at"] = _future(unit, changes["expires_at"])
    edited = replace(link, **fields)
    edited = replace(edited, state=_state_for_stock(edited, actor.party))
    saved = unit.links.save(edited)
    unit.trail.add(f"link:{link.id}", actor, "edited", fields=sorted(fields))
    unit.wake("link", id=link.id)
    return saved


def _state_for_stock(link: Link, party: Party) -> LinkState:
    if link.stock == 0 and link.state is LinkState.ACTIVE:
        LINK.move(link.state, LinkState.SOLD_OUT, party)
        return LinkState.SOLD_OUT
    if link.stock != 0 and link.state is LinkState.SOLD_OUT:
        LINK.move(link.state, LinkState.ACTIVE, party)
        return LinkState.ACTIVE
    return link.state


def set_link_state(unit: Unit, actor: Actor, code: str, state: LinkState) -> Link:
    """Deactivate or activate. The same again is a success that does nothing."""
    link = own_link(unit, actor, code)
    if state is LinkState.ACTIVE and link.stock == 0:
        raise BadInput("stock", "none_left")
    if LINK.move(link.state, state, actor.party) is None:
        return link
    expires = None if link.expires_at is not None and link.expires_at <= unit.now else link.expires_at
    saved = unit.links.save(replace(link, state=state, expires_at=expires if state is LinkState.ACTIVE else link.expires_at))
    unit.trail.add(f"link:{link.id}", actor, str(state).lower())
    unit.wake("link", id=link.id)
    return saved


def take_from_stock(unit: Unit, link: Link, quantity: int, by: Party) -> bool:
    """Reserve units; the last one marks the link sold out. True when there were enough."""
    if not unit.links.take_stock(link.id, quantity):
        return False
    left = unit.links.get(link.id) if link.stock is not None else link
    if left.stock == 0 and left.state is LinkState.ACTIVE:
        LINK.move(left.state, LinkState.SOLD_OUT, by)
        unit.links.save(replace(left, state=LinkState.SOLD_OUT))
        unit.wake("link", id=link.id)
    return True


def give_back_to_stock(unit: Unit, link_id: LinkId, quantity: int, by: Party) -> None:
    """Units of a checkout that ended, or of a refunded order, can be sold again."""
    if not quantity:
        return
    unit.links.give_back_stock(link_id, quantity)
    link = unit.links.get(link_id)
    if link.state is LinkState.SOLD_OUT and link.stock:
        LINK.move(link.state, LinkState.ACTIVE, by)
        unit.links.save(replace(link, state=LinkState.ACTIVE))
        unit.wake("link", id=link_id)


def expire_link(unit: Unit, link_id: LinkId) -> bool:
    link = unit.links.get(link_id)
    if link.state is not LinkState.ACTIVE or link.expires_at is None or link.expires_at > unit.now:
        return False
    LINK.move(link.state, LinkState.EXPIRED, Party.CLOCK)
    unit.links.save(replace(link, state=LinkState.EXPIRED))
    unit.trail.add(f"link:{link.id}", CLOCK, "expired")
    unit.wake("link", id=link_id)
    return True
