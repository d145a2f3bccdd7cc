"""Anybody may ask whether a payment is real. Only wrong tries are counted, so they are answers and not errors."""

from __future__ import annotations

from domain.check import (
    ASKER_WRONG,
    NUMBER_WRONG,
    Answer,
    Asked,
    LinkChecked,
    PaymentChecked,
    Unanswered,
    fits,
    read_check,
    standing,
)
from domain.gsm import cut
from domain.ids import OrderId
from domain.link import why_not_for_sale
from domain.ports import Unit
from usecases.views import MOST_COUNTED

MOST_ITEM = 40
_NOBODY = OrderId(0)


def check_payment(unit: Unit, typed: str, asker: str) -> Answer:
    """`asker` names who is counted: `ip:...`, `sms:+254...`, `telegram:...`. A wrong code and a number that never was take the same way."""
    asked = read_check(typed)
    if asked is None:
        return Unanswered.UNREADABLE
    if _is_slowed(unit, asked, asker):
        return Unanswered.TOO_OFTEN
    answer = answer_to(unit, asked)
    if answer is Unanswered.UNKNOWN:
        _count_wrong(unit, asked, asker)
    return answer


def answer_to(unit: Unit, asked: Asked) -> Answer:
    """The same without counting: for a screen that was answered already and is shown again."""
    return _link(unit, asked.link_code) if asked.link_code else _payment(unit, asked)


def _payment(unit: Unit, asked: Asked) -> Answer:
    order = unit.orders.by_number(asked.number)
    genuine = fits(unit.tokens, _NOBODY if order is None else order.id, asked.check_code)
    if order is None or not genuine:
        return Unanswered.UNKNOWN
    return PaymentChecked(
        order.number, standing(order), cut(order.item, MOST_ITEM), order.quantity, order.total, order.paid_at, order.ended_at,
        unit.links.get(order.link_id).code,
    )  # fmt: skip


def _link(unit: Unit, code: str) -> Answer:
    link = unit.links.by_code(code)
    if link is None:
        return Unanswered.UNKNOWN
    shop = unit.organizations.get(link.organization_id)
    why_not = why_not_for_sale(link, unit.now)
    return LinkChecked(link.code, cut(link.name, MOST_ITEM), link.price, shop.name, unit.orders.completed(shop.id, MOST_COUNTED), why_not)


def _limits(asked: Asked, asker: str) -> list[tuple[tuple[str, int, int], str]]:
    return [(ASKER_WRONG, asker), *([(NUMBER_WRONG, asked.number)] if asked.number else [])]


def _is_slowed(unit: Unit, asked: Asked, asker: str) -> bool:
    limits = _limits(asked, asker)
    return any(unit.limits.seen(name, whose, window_s, unit.now) >= most for (name, window_s, most), whose in limits)


def _count_wrong(unit: Unit, asked: Asked, asker: str) -> None:
    for (name, window_s, _), whose in _limits(asked, asker):
        unit.limits.count(name, whose, window_s, unit.now)
