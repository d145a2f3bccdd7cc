"""Orders, their escrow, and the wallet. A seller's key acts for its organization, a tracking token for the buyer of its one order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from domain.errors import NotFound
from domain.ids import OrderId
from domain.life import OrderState
from domain.money import Money
from domain.order import Order
from domain.ports import Unit
from domain.rights import Action, Party, require
from usecases import disputes, orders, views
from usecases.api_keys import Caller
from usecases.orders import Confirmed
from web.api.v1 import schemas
from web.api.v1.endpoint import Call, Done, Endpoint, Who, Work
from web.api.v1.links import amount, shown

_LOOK_AT: Final = 500
"""Orders looked at for one page of a filtered list; a page may be short, or empty, and still have a `next_cursor`."""


def _number(call: Call) -> str:
    number = call.path["number"]
    if len(number) != 8 or not (number.isascii() and number.isdigit()):
        raise NotFound(what="order")
    return number


def _view(unit: Unit, caller: Caller, number: str) -> schemas.OrderShown:
    return order_shown(views.order_for(unit, caller.actor, number))


def order_shown(view: views.OrderView) -> schemas.OrderShown:
    order, dispute, refund = view.order, view.dispute, view.refund
    buyer = schemas.Buyer(
        name=order.buyer_name, phone=order.phone.e164 if order.phone is not None else None, address=order.address, note=order.note
    )
    return schemas.OrderShown(
        number=order.number,
        state=order.state,
        escrow=order.escrow,
        item=order.item,
        quantity=order.quantity,
        amount=amount(order.total),
        shop=view.shop,
        link=view.link_code,
        buyer=buyer,
        courier=order.courier,
        tracking=order.tracking,
        confirmed_by_gateway=order.proved,
        receipt=view.receipt,
        paid_at=order.paid_at,
        accepted_at=order.accepted_at,
        shipped_at=order.shipped_at,
        delivered_at=order.delivered_at,
        ended_at=order.ended_at,
        acts=list(view.acts),
        dispute=schemas.DisputeShown(
            reason=dispute.reason, words=dispute.words, state=dispute.state, opened_at=dispute.opened_at, ended_at=dispute.ended_at
        )
        if dispute is not None
        else None,
        dispute_ends=view.dispute_ends,
        refund=schemas.RefundShown(amount=amount(refund.money), reason=refund.reason, state=refund.state) if refund is not None else None,
        delivery_code=order.delivery_code if view.party is Party.BUYER else None,
    )


def _pages(
    unit: Unit, caller: Caller, page: schemas.Page, wanted: Callable[[Order], bool], look_at: int = _LOOK_AT
) -> tuple[list[Order], str | None]:
    """One page of the organization's orders, newest first, and from where the next goes on."""
    require(caller.actor.party, Action.WORK_ON_ORDER)
    if caller.actor.organization_id is None:
        raise NotFound(what="organization")
    after = OrderId(int(page.cursor, 16)) if page.cursor is not None else None
    looked_at = unit.orders.of_organization(caller.actor.organization_id, after, look_at)
    found: list[Order] = []
    for order in looked_at:
        found += [order] if wanted(order) else []
        if len(found) == page.limit and order is not looked_at[-1]:
            return found, f"{order.id:x}"
    return found, f"{looked_at[-1].id:x}" if len(looked_at) == look_at else None


def _list(unit: Unit, caller: Caller, call: Call) -> Done:
    page: schemas.OrderPage = call.query
    look_at = page.limit + 1 if page.state is None else _LOOK_AT
    found, cursor = _pages(unit, caller, page, lambda order: page.state in {None, order.state}, look_at)
    rows = [
        schemas.OrderRow(
            number=order.number, state=order.state, escrow=order.escrow, item=order.item, quantity=order.quantity, amount=amount(order.total),
            buyer_name=order.buyer_name, paid_at=order.paid_at,
        )
        for order in found
    ]  # fmt: skip
    return shown(200, schemas.OrdersShown(orders=rows, next_cursor=cursor))


def _escrow_list(unit: Unit, caller: Caller, call: Call) -> Done:
    page: schemas.EscrowPage = call.query
    found, cursor = _pages(unit, caller, page, lambda order: order.escrow is not None and page.status in {None, order.escrow})
    rows = [
        schemas.EscrowRow(
            order=order.number, status=order.escrow, order_state=order.state, amount=amount(order.total), paid_at=order.paid_at,
            next_step=str(order.due) if order.due is not None else None, next_step_at=order.due_at,
        )
        for order in found
        if order.escrow is not None
    ]  # fmt: skip
    return shown(200, schemas.EscrowsShown(escrow=rows, next_cursor=cursor))


def _get(unit: Unit, caller: Caller, call: Call) -> Done:
    return shown(200, _view(unit, caller, _number(call)))


def _accept(unit: Unit, caller: Caller, call: Call) -> Done:
    orders.accept_order(unit, caller.actor, _number(call))
    return shown(200, _view(unit, caller, _number(call)))


def _ship(unit: Unit, caller: Caller, call: Call) -> Done:
    body: schemas.ShipBody = call.body
    orders.ship_order(unit, caller.actor, _number(call), body.courier, body.tracking)
    return shown(200, _view(unit, caller, _number(call)))


def _delivered(unit: Unit, caller: Caller, call: Call) -> Done:
    orders.mark_delivered(unit, caller.actor, _number(call))
    return shown(200, _view(unit, caller, _number(call)))


def _refund(unit: Unit, caller: Caller, call: Call) -> Done:
    """Before shipping, or to end a dispute."""
    number = _number(call)
    order = orders.the_order(unit, caller.actor, number, Action.CANCEL_WITH_REFUND)
    if order.state is OrderState.DISPUTED and caller.actor.party is not Party.BUYER:
        disputes.refund_dispute(unit, caller.actor, number)
    else:
        orders.cancel_order(unit, caller.actor, number)
    return shown(200, _view(unit, caller, number))


def _delivery_code(unit: Unit, caller: Caller, call: Call) -> Done:
    body: schemas.DeliveryCodeBody = call.body
    number = _number(call)
    confirmed = orders.confirm_by_code(unit, caller.actor, number, body.code)
    return Done(422, problem="wrong_code") if confirmed is Confirmed.WRONG else _confirmed(unit, caller, number, confirmed)


def _release(unit: Unit, caller: Caller, call: Call) -> Done:
    """By whom the rights allow: through the API that is the buyer, with the tracking token."""
    number = _number(call)
    return _confirmed(unit, caller, number, orders.confirm_delivery(unit, caller.actor, number))


def _confirmed(unit: Unit, caller: Caller, number: str, confirmed: Confirmed) -> Done:
    result: Any = str(confirmed)
    status = 202 if confirmed is Confirmed.WAITING else 200
    return shown(status, schemas.Confirmation(result=result, order=_view(unit, caller, number)))


def _dispute(unit: Unit, caller: Caller, call: Call) -> Done:
    body: schemas.DisputeBody = call.body
    number = _number(call)
    disputes.open_dispute(unit, caller.actor, number, body.reason, body.words)
    return shown(201, _view(unit, caller, number))


def _wallet(unit: Unit, caller: Caller, call: Call) -> Done:
    page: schemas.WalletPage = call.query
    view = views.wallet_view(unit, caller.actor, page.limit)

    def amounts(minor: dict[str, int]) -> list[schemas.Amount]:
        return [amount(Money(number, currency)) for currency, number in sorted(minor.items())]

    history = [
        schemas.HistoryRow(kind=row["kind"], order=row["number"], at=row["at"], amount=amount(Money(-row["amount_minor"], row["currency"])))
        for row in view.history
    ]
    return shown(
        200,
        schemas.WalletShown(
            shop=view.shop.name, balance=amounts(view.available), held=amounts(view.held), owed=amounts(view.owed), history=history
        ),
    )


def _step(path: str, name: str, work: Work, *, summary: str, description: str, **more: Any) -> Endpoint:
    more = {
        "answers": {200: schemas.OrderShown},
        "body": schemas.Nothing,
        "body_optional": True,
        "refusals": ("illegal_transition",),
        **more,
    }
    return Endpoint("POST", f"/api/v1/{path}", name, work=work, who=Who.BEARER, summary=summary, description=description, **more)


_CONFIRMED: Final[dict[int, Any]] = {200: schemas.Confirmation, 202: schemas.Confirmation}
ENDPOINTS: Final = (
    Endpoint(
        "GET", "/api/v1/orders", "listOrders", summary="List your orders, newest first", answers={200: schemas.OrdersShown}, work=_list,
        who=Who.BEARER, query=schemas.OrderPage, description="All members. With `state`, pages may be short: go on until `next_cursor` is null.",
    ),
    Endpoint(
        "GET", "/api/v1/orders/{number}", "getOrder", summary="Look at an order", answers={200: schemas.OrderShown}, work=_get,
        who=Who.BEARER, description="All members; the buyer with the tracking token.",
    ),
    _step("orders/{number}/accept", "acceptOrder", _accept, summary="Accept an order", description="All members."),
    _step(
        "orders/{number}/ship", "shipOrder", _ship, summary="Say that it is on its way", description="All members.", body=schemas.ShipBody,
    ),
    _step(
        "orders/{number}/delivered", "markDelivered", _delivered, summary="Say that it was delivered",
        description="All members. The buyer then has seven days.",
    ),
    _step(
        "orders/{number}/refund", "refundOrder", _refund, summary="Give the money back",
        description="Managers and owners, before shipping or to end a dispute; the buyer, before shipping.",
    ),
    _step(
        "orders/{number}/delivery-code", "enterDeliveryCode", _delivery_code, summary="Enter the code that the buyer told",
        description="All members. It counts as the buyer's confirmation and releases the money.", answers=_CONFIRMED,
        body=schemas.DeliveryCodeBody, body_optional=False, refusals=("illegal_transition", "wrong_code", "limit_reached", "not_proved_yet"),
    ),
    Endpoint(
        "GET", "/api/v1/escrow", "listEscrow", summary="List what is held for you", answers={200: schemas.EscrowsShown}, work=_escrow_list,
        who=Who.BEARER, query=schemas.EscrowPage,
        description="All members. With `status`, pages may be short: go on until `next_cursor` is null.",
    ),
    _step(
        "escrow/{number}/release", "releaseEscrow", _release, summary="Release the money to the seller",
        description="The buyer, with the tracking token.", answers=_CONFIRMED, refusals=("illegal_transition", "not_proved_yet"),
    ),
    _step(
        "escrow/{number}/dispute", "openDispute", _dispute, summary="Open a dispute",
        description="The buyer, with the tracking token. The money stays held.", answers={201: schemas.OrderShown},
        body=schemas.DisputeBody, body_optional=False,
    ),
    Endpoint(
        "GET", "/api/v1/wallet", "getWallet", summary="Look at the wallet", answers={200: schemas.WalletShown}, work=_wallet,
        who=Who.BEARER, query=schemas.WalletPage, description="Managers and owners.",
    ),
)  # fmt: skip
