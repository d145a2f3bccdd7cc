"""Late money: what arrived after its checkout ended and waits for the seller, who takes it as an order or gives it back."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pydantic import Field

from domain.errors import NotFound
from domain.late import LateState
from domain.ports import Unit
from usecases import escrow, late, views
from usecases.api_keys import Caller
from usecases.late import LateView
from web.api.v1 import schemas
from web.api.v1.endpoint import Call, Done, Endpoint, Who
from web.api.v1.links import amount, shown
from web.api.v1.orders import order_shown

MOST: Final = 100


class LateShown(schemas.Shown):
    number: str = Field(description="The order that comes of it is called so too.")
    state: LateState
    item: str
    quantity: int
    amount: schemas.Amount = Field(description="What arrived.")
    buyer_name: str
    arrived_at: datetime
    decide_by: datetime = Field(description="Then it goes back by itself.")
    goods_gone: bool = Field(description="It cannot be accepted at the moment: sold out, or the link is switched off.")
    order: str | None


class LatesShown(schemas.Shown):
    late: list[LateShown]


def _number(call: Call) -> str:
    number = call.path["number"]
    if len(number) != 8 or not (number.isascii() and number.isdigit()):
        raise NotFound(what="late")
    return number


def _shown(view: LateView) -> LateShown:
    found = view.late
    return LateShown(
        number=found.number, state=found.state, item=view.item, quantity=view.quantity, amount=amount(found.money), buyer_name=view.name,
        arrived_at=found.created_at, decide_by=found.decide_by, goods_gone=view.gone, order=view.order_number,
    )  # fmt: skip


def _list(unit: Unit, caller: Caller, call: Call) -> Done:
    return shown(200, LatesShown(late=[_shown(view) for view in late.late_list(unit, caller.actor, MOST)]))


def _accept(unit: Unit, caller: Caller, call: Call) -> Done:
    order = escrow.accept_late(unit, caller.actor, _number(call))
    return shown(200, order_shown(views.order_for(unit, caller.actor, order.number)))


def _refund(unit: Unit, caller: Caller, call: Call) -> Done:
    done = late.refund_late(unit, caller.actor, _number(call))
    return shown(200, _shown(late.late_view(unit, caller.actor, done.number)))


ENDPOINTS: Final = (
    Endpoint(
        "GET", "/api/v1/late", "listLate", summary="List the late money that waits for your decision", answers={200: LatesShown}, work=_list,
        who=Who.BEARER, description=f"All members. The first to go back comes first; at most {MOST}.",
    ),
    Endpoint(
        "POST", "/api/v1/late/{number}/accept", "acceptLate", summary="Accept late money: it becomes an order to ship",
        answers={200: schemas.OrderShown}, work=_accept, who=Who.BEARER, body=schemas.Nothing, body_optional=True,
        refusals=("illegal_transition", "not_for_sale"), description="All members. The goods are taken from stock again.",
    ),
    Endpoint(
        "POST", "/api/v1/late/{number}/refund", "refundLate", summary="Give late money back", answers={200: LateShown}, work=_refund,
        who=Who.BEARER, body=schemas.Nothing, body_optional=True, refusals=("illegal_transition",), description="Managers and owners.",
    ),
)  # fmt: skip
