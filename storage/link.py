"""Payment links and their figures as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, func, or_, select, update

from domain.ids import LinkId, OrganizationId
from domain.life import LinkState
from domain.link import Link, LinkFigures
from storage.mapping import Mapper, Repository, to_us
from storage.statements import Sql, maker
from storage.tables import checkouts, link_days, links, orders

_BY_CODE = Sql(select(links).where(links.c.code == bindparam("code")))
_BY_KEY = Sql(select(links).where(links.c.key == bindparam("key")))
_OF_ORGANIZATION = Sql(
    select(links)
    .where(links.c.organization_id == bindparam("organization_id"), links.c.id < bindparam("after"))
    .order_by(links.c.id.desc())
    .limit(bindparam("most"))
)
_SEARCH = Sql(
    select(links)
    .where(
        links.c.organization_id == bindparam("organization_id"),
        links.c.state == LinkState.ACTIVE.value,
        or_(func.lower(links.c.name).like(bindparam("pattern"), escape="\\"), links.c.code == bindparam("code")),
    )
    .order_by(links.c.id.desc())
    .limit(bindparam("most"))
)
_TAKE = Sql(
    update(links)
    .where(links.c.id == bindparam("id_was"), or_(links.c.stock.is_(None), links.c.stock >= bindparam("quantity")))
    .values(stock=links.c.stock - bindparam("quantity"), version=links.c.version + 1)
)
_GIVE_BACK = Sql(
    update(links)
    .where(links.c.id == bindparam("id_was"), links.c.stock.is_not(None))
    .values(stock=links.c.stock + bindparam("quantity"), version=links.c.version + 1)
)
_VISITS = Sql(
    select(link_days.c.link_id, func.sum(link_days.c.visits))
    .where(link_days.c.link_id == bindparam("link_id"))
    .group_by(link_days.c.link_id)
)
_CHECKOUTS = Sql(
    select(func.count()).select_from(checkouts).where(checkouts.c.link_id == bindparam("link_id"), checkouts.c.group_id.is_(None))
)
_PAID = Sql(
    select(func.count(), func.coalesce(func.sum(orders.c.amount_minor), 0)).where(
        orders.c.link_id == bindparam("link_id"), orders.c.state.not_in(("REFUNDED", "VOID"))
    )
)
_COUNT = Sql(
    lambda dialect: (
        insert := maker(dialect)(link_days).values(link_id=bindparam("link_id"), day=bindparam("day"), visits=bindparam("visits"))
    ).on_conflict_do_update(index_elements=["link_id", "day"], set_={"visits": link_days.c.visits + insert.excluded.visits})
)
_EXPIRED = Sql(
    select(links.c.id)
    .where(links.c.state == LinkState.ACTIVE.value, links.c.expires_at <= bindparam("now"))
    .order_by(links.c.expires_at)
    .limit(bindparam("most"))
)
_LAST = 2**63 - 1


class LinkRows(Repository[Link]):
    mapper = Mapper(links, Link)

    def by_code(self, code: str) -> Link | None:
        return self.one(_BY_CODE, code=code)

    def by_key(self, key: str) -> Link | None:
        return self.one(_BY_KEY, key=key)

    def of_organization(self, organization_id: OrganizationId, after: LinkId | None, limit: int) -> Sequence[Link]:
        return self.all(_OF_ORGANIZATION, organization_id=organization_id, after=after if after is not None else _LAST, most=limit)

    def search(self, organization_id: OrganizationId, words: str, limit: int) -> Sequence[Link]:
        escaped = words.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return self.all(_SEARCH, organization_id=organization_id, pattern=f"%{escaped}%", code=words.upper(), most=limit)

    def take_stock(self, link_id: LinkId, quantity: int) -> bool:
        return self.session.run(_TAKE, id_was=link_id, quantity=quantity).rowcount == 1

    def give_back_stock(self, link_id: LinkId, quantity: int) -> None:
        self.session.later(_GIVE_BACK, {"id_was": link_id, "quantity": quantity})

    def figures(self, link_ids: Sequence[LinkId]) -> dict[LinkId, LinkFigures]:
        return {link_id: self._figures(link_id) for link_id in link_ids}

    def _figures(self, link_id: LinkId) -> LinkFigures:
        visits = self.session.run(_VISITS, link_id=link_id).fetchone()
        begun = self.session.run(_CHECKOUTS, link_id=link_id).fetchone()
        paid, revenue = self.session.run(_PAID, link_id=link_id).fetchone()
        return LinkFigures(int(visits[1]) if visits else 0, begun[0], paid, int(revenue))

    def count_visits(self, visits: dict[LinkId, int], day: int) -> None:
        self.session.many(_COUNT, [{"link_id": link_id, "day": day, "visits": count} for link_id, count in visits.items()])

    def expired(self, now: datetime, limit: int) -> Sequence[LinkId]:
        return [LinkId(row[0]) for row in self.session.run(_EXPIRED, now=to_us(now), most=limit).fetchall()]
