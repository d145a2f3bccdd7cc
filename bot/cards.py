"""How an order looks in a chat: a timeline, what happens next, and what may be done. The same for cards and for dialogs."""

from __future__ import annotations

from typing import Any

from bot.dialog import Choice, short_key
from domain.life import DisputeState, OrderState, RefundState
from domain.order import Due, OrderAct
from domain.rights import MEMBERS
from templates.methods import method_name
from templates.words import Words
from usecases.views import OrderView


def small_order_text(t: Words, view: OrderView) -> str:
    """The order in a few lines: headline, what and for whom, where to, what happens next, and for the buyer the delivery code."""
    order, seller = view.order, view.party in MEMBERS
    lines = [
        t.html(f"chat.card.state_{'seller' if seller else 'buyer'}.{order.state}", number=order.number, method=method_name(t, view.method)),
        t.html("chat.card.item", item=order.item, count=order.quantity, total=order.total),
        t.html("ussd.card.buyer", name=order.buyer_name, phone=order.phone or "-") if seller else t.html("chat.card.shop", shop=view.shop),
        t.html("chat.value", value=order.address) if seller and order.address else "",
        t.html("ussd.card.code", code=spoken_code(view)) if _holds_code(view) else "",
        t.html("ussd.card.check", check=view.check_number),
        what_next(t, view, small=True),
    ]
    return "\n".join(line for line in lines if line)


def spoken_code(view: OrderView) -> str:
    """The delivery code as people read it aloud: `739 216`."""
    code = view.order.delivery_code
    return f"{code[:3]} {code[3:]}"


def _holds_code(view: OrderView) -> bool:
    return view.party not in MEMBERS and OrderAct.CONFIRM in view.acts and not view.order.digital


def order_text(t: Words, view: OrderView) -> str:
    """Headline, who and what, the timeline, what happens next, and for the buyer the delivery code."""
    order = view.order
    seller = view.party in MEMBERS
    lines = [
        t.html(f"chat.card.state_{'seller' if seller else 'buyer'}.{order.state}", number=order.number, method=method_name(t, view.method)),
        "",
        t.html("chat.card.item", item=order.item, count=order.quantity, total=order.total),
        t.html("chat.card.buyer", name=order.buyer_name, phone=order.phone or "-") if seller else t.html("chat.card.shop", shop=view.shop),
    ]
    if order.address:
        lines.append(t.html("chat.card.address", address=order.address))
    if order.note:
        lines.append(t.html("chat.card.note", note=order.note))
    if order.courier or order.tracking:
        lines.append(t.html("chat.card.courier", courier=order.courier or "-", tracking=order.tracking or "-"))
    lines += ["", *_timeline(t, view)]
    after = what_next(t, view)
    if after:
        lines += ["", after]
    if _holds_code(view):
        lines += ["", t.html("chat.card.code", code=spoken_code(view))]
    lines += ["", t.html("chat.card.check", check=view.check_number)]
    return "\n".join(lines)


def _timeline(t: Words, view: OrderView) -> list[str]:
    order = view.order
    steps = [("paid", order.paid_at), ("accepted", order.accepted_at), ("shipped", order.shipped_at), ("delivered", order.delivered_at)]
    lines = [f"✅ {t.html(f'chat.timeline.{name}')} · {t.moment(at)}" for name, at in steps if at is not None]
    if order.state is OrderState.DISPUTED and view.dispute is not None:
        lines.append(f"⚠️ {t.html('chat.timeline.disputed')} · {t.moment(view.dispute.opened_at)}")
    if order.ended_at is not None:
        icon = "💚" if order.state is OrderState.COMPLETED else "↩️"
        lines.append(
            f"{icon} {t.html(f'chat.timeline.{order.state.lower()}', method=method_name(t, view.method))} · {t.moment(order.ended_at)}"
        )
    else:
        lines += [f"◻️ {t.html(f'chat.timeline.{name}')}" for name, at in steps[2:] if at is None and not order.digital]
    return lines


def what_next(t: Words, view: OrderView, *, small: bool = False) -> str:
    """One sentence about what happens by itself, and when."""
    key, values = _what_next(view, t)
    return t.html(short_key(t, key) if small else key, method=method_name(t, view.method), **values) if key else ""


def _what_next(view: OrderView, t: Words) -> tuple[str, dict[str, Any]]:
    order = view.order
    side = "seller" if view.party in MEMBERS else "buyer"
    if order.state is OrderState.REFUNDED and view.refund is not None:
        done = view.refund.state is RefundState.DONE
        return f"chat.next.{'refund_done' if done else 'refund_under_way'}", {"total": view.refund.money}
    if order.release_wanted and order.state is not OrderState.COMPLETED:
        return "chat.next.checking", {}
    if order.state is OrderState.DISPUTED and view.dispute is not None:
        reason = t(f"chat.reason.{view.dispute.reason}")
        words = view.dispute.words
        key = f"chat.next.disputed_{side}" if view.dispute.state is DisputeState.OPEN else f"chat.next.answered_{side}"
        return key, {"reason": reason, "words": words or "-", "total": order.total}
    if order.due is Due.RELEASE or order.due in {Due.WARN_RELEASE_1, Due.WARN_RELEASE_2}:
        ends = view.dispute_ends or order.due_at
        return (f"chat.next.release_{side}", {"when": ends, "total": order.total}) if ends is not None else ("", {})
    if order.state in {OrderState.PAID, OrderState.ACCEPTED}:
        return f"chat.next.{'held' if order.escrow is not None else 'direct'}_{side}", {"total": order.total}
    if order.state is OrderState.SHIPPED:
        return f"chat.next.shipped_{side}", {"total": order.total}
    return "", {}


def order_choices(t: Words, view: OrderView) -> list[Choice]:
    """What may be done now, as presses on the card. The first one is what usually comes next; a buyer confirms last what was not sent yet."""
    number = view.order.number
    early = view.order.state in {OrderState.PAID, OrderState.ACCEPTED}
    acts = sorted(view.acts, key=lambda act: early and act is OrderAct.CONFIRM)
    return [Choice(t(f"chat.act.{act}"), f"o:{number}:{act}") for act in acts]


def download_choice(t: Words, view: OrderView, base_url: str) -> Choice | None:
    """Digital goods of a completed order, for the buyer."""
    if view.party in MEMBERS or view.digital_file is None or view.order.state is not OrderState.COMPLETED:
        return None
    return Choice(t("chat.do.download"), url=f"{base_url}/download/{view.track_token}")
