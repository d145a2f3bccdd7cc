"""Payment links: what is sold, for how much, and whether it can be bought now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from domain.errors import BadInput, NotForSale
from domain.ids import FileId, LinkId, OrganizationId, PersonId
from domain.life import LinkState
from domain.money import Money, names_currency
from domain.phone import Phone

MOST_PICTURES: Final = 5
MOST_QUANTITY: Final = 1000
MOST_DESCRIPTION: Final = 1000


@dataclass(frozen=True, slots=True)
class Link:
    """A product payment link. `stock` None means unlimited; `key` is what made it (an update, an API key), unique; `hits` are page visits."""

    id: LinkId
    code: str
    organization_id: OrganizationId
    created_by: PersonId | None
    name: str
    description: str
    price: Money
    state: LinkState
    created_at: datetime
    key: str
    pictures: tuple[FileId, ...] = ()
    stock: int | None = None
    customer_phone: Phone | None = None
    expires_at: datetime | None = None
    digital_file: FileId | None = None
    single_use: bool = False
    version: int = 0


@dataclass(frozen=True, slots=True)
class LinkFigures:
    """What happened through a link. Money is what was paid and not refunded, in minor units of its currency."""

    visits: int
    checkouts: int
    paid: int
    revenue_minor: int


def check_for_sale(link: Link, quantity: int, now: datetime) -> None:
    """Raises BadInput for a quantity that is none, NotForSale when this many cannot be bought at this instant."""
    if not 1 <= quantity <= MOST_QUANTITY:
        raise BadInput("quantity", "out_of_range", limit=MOST_QUANTITY)
    if link.expires_at is not None and now >= link.expires_at:
        raise NotForSale(reason="expired")
    reasons = {LinkState.INACTIVE: "inactive", LinkState.EXPIRED: "expired", LinkState.USED: "used", LinkState.SOLD_OUT: "sold_out"}
    if link.state in reasons:
        raise NotForSale(reason=reasons[link.state])
    if link.stock is not None and link.stock < quantity:
        raise NotForSale(reason="sold_out" if link.stock == 0 else "few_left", left=link.stock)


def why_not_for_sale(link: Link, now: datetime) -> str | None:
    """The reason for which not even one can be bought, for a page that shows it all the same."""
    try:
        check_for_sale(link, 1, now)
    except NotForSale as refusal:
        return str(refusal.facts["reason"])
    return None


def check_stock(text_or_number: int) -> int:
    """The same count if a shelf can hold it: 0 to a million. Raises BadInput."""
    if not 0 <= text_or_number <= 1_000_000:
        raise BadInput("stock", "out_of_range", limit=1_000_000)
    return text_or_number


@dataclass(frozen=True, slots=True)
class QuickSell:
    """`Red sneakers 2500` understood: a name and the typed price, not parsed yet."""

    name: str
    price: str


def read_quick_sell(text: str) -> QuickSell | None:
    """A name followed by something with a digit, such as `Red sneakers 2500`, `Dress KSh 1,500/-` or `Bag 900 bob`; None when it is not that.

    `Sofa 15 500` may be a sofa of 15,500 or the fifteenth sofa: None, unless a currency stands before the number.
    """
    words = text.split()
    if len(words) < 2 or len(text) > 200 or "\n" in text.strip() or text.startswith("/"):
        return None
    begin = len(words) - 1
    if names_currency(words[begin]):
        begin -= 1
    number = begin
    if not any(char.isdecimal() for char in words[number]):
        return None
    while begin > 0 and _is_group(words[begin]) and words[begin - 1].isdecimal() and len(words[begin - 1]) <= 3:
        begin -= 1
    spaced = begin < number
    if begin > 0 and names_currency(words[begin - 1]):
        begin -= 1
        spaced = False
    return QuickSell(" ".join(words[:begin]), " ".join(words[begin:])) if begin > 0 and not spaced else None


def _is_group(word: str) -> bool:
    return word[:3].isdecimal() and len(word) >= 3 and not word[3:4].isdecimal()


class Links(Protocol):
    def get(self, link_id: LinkId) -> Link: ...
    def by_code(self, code: str) -> Link | None: ...
    def by_key(self, key: str) -> Link | None: ...
    def of_organization(self, organization_id: OrganizationId, after: LinkId | None, limit: int) -> Sequence[Link]: ...
    def search(self, organization_id: OrganizationId, words: str, limit: int) -> Sequence[Link]: ...
    def add(self, link: Link) -> None: ...
    def save(self, link: Link) -> Link: ...
    def take_stock(self, link_id: LinkId, quantity: int) -> bool:
        """One guarded write: true when there was enough (or no limit), and it is taken."""
        ...

    def give_back_stock(self, link_id: LinkId, quantity: int) -> None: ...
    def figures(self, link_ids: Sequence[LinkId]) -> dict[LinkId, LinkFigures]: ...
    def count_visits(self, visits: dict[LinkId, int], day: int) -> None:
        """Add visits; `day` is days since 1970-01-01 UTC."""
        ...

    def expired(self, now: datetime, limit: int) -> Sequence[LinkId]: ...
