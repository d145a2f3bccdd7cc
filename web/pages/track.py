"""/track/{token}: the buyer's order, with what happened, what comes next and when. The token acts as the buyer of this one order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from domain.errors import DomainError, NotFound
from domain.ids import FileId, OrderId
from domain.life import OrderState, RefundState
from domain.order import DISPUTE_ANSWER, NEVER_SHIPPED, RELEASE_AFTER, TAKEN_AS_DELIVERED, Due, Order, OrderAct
from domain.ports import Unit
from domain.records import StoredFile
from domain.rights import Actor, Party
from domain.tokens import Purpose
from templates.methods import method_name
from templates.words import words
from usecases import disputes, orders, views
from usecases.mail import OrderMail, order_mail
from usecases.views import OrderView
from web.door import DOOR, Door
from web.language import language
from web.pages.answers import page, see_other
from web.refusals import sentence
from web.static import SCRIPTS

_ENDED: Final = frozenset({OrderState.COMPLETED, OrderState.REFUNDED, OrderState.VOID})
_CODE_SHOWN: Final = frozenset({OrderState.PAID, OrderState.ACCEPTED, OrderState.SHIPPED, OrderState.DELIVERED})


@dataclass(frozen=True, slots=True)
class Mark:
    """One point of the timeline; `at` None is still to come."""

    step: str
    at: datetime | None = None
    note: str = ""


def order_of(request: web.Request, door: Door) -> OrderId:
    """Raises NotFound for any token that is not one of ours for this."""
    number = door.hall.tokens.read(Purpose.TRACK, request.match_info["token"])
    if number is None:
        raise NotFound(what="order")
    return OrderId(number)


def buyer_of(order_id: OrderId) -> Actor:
    """Whoever holds the tracking token. Only a door that has read the token may make this."""
    return Actor(Party.BUYER, "web", order_id=order_id)


def read_order(unit: Unit, order_id: OrderId) -> OrderView:
    return views.order_by_id(unit, order_id, Party.BUYER)


def read_page(unit: Unit, order_id: OrderId) -> tuple[OrderView, OrderMail]:
    return read_order(unit, order_id), order_mail(unit, order_id)


def timeline(view: OrderView) -> Sequence[Mark]:
    """What happened, oldest first, and then what is still to come."""
    order = view.order
    marks = [Mark("paid", order.paid_at)]
    if order.digital:
        steps: list[Mark] = []
    else:
        courier = " ".join(part for part in (order.courier, order.tracking) if part)
        steps = [Mark("accepted", order.accepted_at), Mark("shipped", order.shipped_at, courier), Mark("delivered", order.delivered_at)]
    if order.state in _ENDED or order.state is OrderState.DISPUTED:
        marks += [mark for mark in steps if mark.at is not None]
    else:
        later = max((n for n, mark in enumerate(steps) if mark.at is not None), default=-1)
        marks += [mark for n, mark in enumerate(steps) if mark.at is not None or n > later]
    if view.dispute is not None:
        marks.append(Mark("disputed", view.dispute.opened_at))
        if view.dispute.ended_at is not None:
            marks.append(Mark(f"dispute_{str(view.dispute.state).lower()}", view.dispute.ended_at))
    ends = {OrderState.REFUNDED: "refunded", OrderState.VOID: "void"}
    last = "settlement" if order.state is OrderState.DISPUTED else ends.get(order.state, "completed")
    marks.append(Mark(last, order.ended_at))
    dated = sorted((mark for mark in marks if mark.at is not None), key=lambda mark: mark.at or order.paid_at)
    return [*dated, *(mark for mark in marks if mark.at is None)]


def what_next(view: OrderView) -> tuple[str, dict[str, Any]]:
    """The key of the sentence that says what comes next, and the instant it names."""
    order, held = view.order, view.order.escrow is not None
    if order.state is OrderState.DISPUTED and view.dispute is not None:
        return ("unanswered" if view.dispute.unanswered else "disputed"), {"at": view.dispute.opened_at + DISPUTE_ANSWER}
    if order.state is OrderState.REFUNDED:
        done = view.refund is not None and view.refund.state is RefundState.DONE
        failed = view.refund is not None and view.refund.state is RefundState.FAILED
        return "refund_done" if done else "refund_by_hand" if failed else "refund_coming", {}
    if order.state in _ENDED:
        return {OrderState.VOID: "void"}.get(order.state, "completed" if not order.digital else "digital"), {}
    if order.state is OrderState.FROZEN:
        return "frozen", {}
    if order.release_wanted is not None:
        return "confirming", {}
    if order.digital:
        return "digital_soon", {}
    if not held:
        return "direct", {}
    if order.delivered_at is not None:
        at = order.due_at if order.due is Due.RELEASE and order.due_at is not None else order.delivered_at + RELEASE_AFTER
        return "delivered", {"at": at}
    if order.shipped_at is not None:
        return "shipped", {"at": order.shipped_at + TAKEN_AS_DELIVERED}
    return "paid", {"at": order.paid_at + NEVER_SHIPPED}


def headline(view: OrderView) -> str:
    order = view.order
    if order.release_wanted is not None and order.state not in {*_ENDED, OrderState.FROZEN}:
        return "confirming"
    return str(order.state).lower()


def _face(view: OrderView) -> str:
    refund = str(view.refund.state) if view.refund is not None else ""
    return f"{view.order.state}.{view.order.version}.{refund}"


async def show(request: web.Request) -> web.Response:
    door = request.app[DOOR]
    order_id = order_of(request, door)
    view, how = await door.hall.store.read(read_page, order_id)
    return order_page(request, "track.html", view, mail=how, mail_typed="", mail_wrong="")


def order_page(request: web.Request, name: str, view: OrderView, status: int = 200, **more: Any) -> web.Response:
    door, order = request.app[DOOR], view.order
    key, values = what_next(view)
    spoken = language(request, order.language)
    over = order.state in _ENDED and not views.refund_is_under_way(view.refund)
    values = {
        "view": view,
        "order": order,
        "acts": view.acts,
        "headline": headline(view),
        "marks": timeline(view),
        "next": key,
        "next_values": values,
        "code": order.delivery_code if order.state in _CODE_SHOWN and not order.digital else "",
        "download": order.state is OrderState.COMPLETED and view.digital_file is not None,
        "follow": f"https://t.me/{door.hall.house.bot_username}?start=f{view.follow_token}"
        if order.buyer_id is None and order.state not in _ENDED
        else "",
        "live": "" if over else f"/track/{view.track_token}/events",
        "face": _face(view),
        "direct": order.escrow is None,
        "method": method_name(words(spoken), view.method),
        "back": f"/track/{view.track_token}",
        "scripts": (SCRIPTS["live"], SCRIPTS["form"]) if name == "track.html" else (SCRIPTS["form"],),
        **more,
    }
    return page(request, name, spoken, status, **values)


async def events(request: web.Request) -> web.StreamResponse:
    """GET .../events: told when the page should look again."""
    door = request.app[DOOR]
    order_id = order_of(request, door)

    async def face() -> tuple[str, bool]:
        view = await door.hall.store.read(read_order, order_id)
        return _face(view), view.order.state in _ENDED and not views.refund_is_under_way(view.refund)

    return await door.live.stream(request, "order", order_id, face)


def ask(name: str, act: OrderAct) -> Callable[[web.Request], Any]:
    """GET of a step that is asked once more; back to the order when it cannot be done (any more)."""

    async def handler(request: web.Request) -> web.Response:
        door = request.app[DOOR]
        view = await door.hall.store.read(read_order, order_of(request, door))
        if act not in view.acts:
            return see_other(f"/track/{view.track_token}")
        return order_page(request, name, view, step=str(act), wrong="")

    return handler


def do(act: OrderAct, unit_of_work: Callable[[Unit, Actor, str], Any]) -> Callable[[web.Request], Any]:
    """POST of such a step: one unit, then the order as it is now. Repeating it does nothing."""

    async def handler(request: web.Request) -> web.Response:
        door = request.app[DOOR]
        order_id = order_of(request, door)
        view = await door.hall.store.read(read_order, order_id)
        try:
            await door.hall.store.write(unit_of_work, buyer_of(order_id), view.order.number)
        except NotFound:
            raise
        except DomainError as refusal:
            now = await door.hall.store.read(read_order, order_id)
            t = words(language(request, now.order.language))
            return order_page(request, "ask.html", now, 409, step=str(act), wrong=sentence(t, refusal))
        return see_other(f"/track/{view.track_token}")

    return handler


confirm = do(OrderAct.CONFIRM, orders.confirm_delivery)
cancel = do(OrderAct.CANCEL, orders.cancel_order)
withdraw = do(OrderAct.WITHDRAW, disputes.withdraw_dispute)


def read_download(unit: Unit, order_id: OrderId) -> StoredFile:
    """Raises NotFound until the order is completed."""
    order: Order = unit.orders.get(order_id)
    file = unit.links.get(order.link_id).digital_file
    if file is None or order.state is not OrderState.COMPLETED:
        raise NotFound(what="file")
    return unit.files.get(FileId(file))


async def download(request: web.Request) -> web.Response:
    """GET /download/{token}: the digital goods, as an attachment and nothing else."""
    door = request.app[DOOR]
    file = await door.hall.store.read(read_download, order_of(request, door))
    name = "".join(char for char in file.name if char.isalnum() or char in " ._-").strip(" .")[:80] or "download"
    response = web.Response(body=file.body, headers={"Content-Type": "application/octet-stream", "Cache-Control": "no-store"})
    response.headers["Content-Disposition"] = _attachment(name)
    return response


def _attachment(name: str) -> str:
    plain = name.encode("ascii", "ignore").decode().strip(" .") or "download"
    spelled = "".join(chr(byte) if (chr(byte).isalnum() and byte < 128) or chr(byte) in "._-" else f"%{byte:02X}" for byte in name.encode())
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{spelled}"
