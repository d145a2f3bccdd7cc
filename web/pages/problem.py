"""/track/{token}/problem: the buyer says what is wrong, with up to five pictures. Their money waits from then on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from aiohttp import BodyPartReader, web

from domain.errors import BadInput, DomainError, NotFound
from domain.ids import FileId, OrderId
from domain.life import OrderState
from domain.order import OrderAct, Reason
from domain.ports import Unit
from domain.records import StoredFile
from domain.rights import Actor
from templates.words import words
from usecases import disputes
from usecases.views import OrderView
from web.bodies import BROKEN, form_of
from web.door import DOOR, Door, Picture
from web.language import language
from web.pages import track
from web.pages.answers import see_other
from web.refusals import sentence

MOST_PICTURES: Final = 5
ORDINARY_BODY: Final = 64 * 1024
MOST_BYTES: Final = 12 * 1024 * 1024
MOST_PICTURE: Final = 10 * 1024 * 1024
_MOST_TEXT: Final = 16 * 1024
_MOST_PARTS: Final = 20
READ_S: Final = 120.0


@dataclass(slots=True)
class Told:
    """What came with the form: texts by field, pictures as they were sent."""

    reason: str = ""
    words: str = ""
    raw: list[bytes] = field(default_factory=list)
    wrong: dict[str, str] = field(default_factory=dict)


def _open(view: OrderView) -> bool:
    return OrderAct.PROBLEM in view.acts or view.order.state is OrderState.DISPUTED


async def show(request: web.Request) -> web.Response:
    door = request.app[DOOR]
    view = await door.hall.store.read(track.read_order, track.order_of(request, door))
    if not _open(view):
        return see_other(f"/track/{view.track_token}")
    return track.order_page(request, "problem.html", view, told=Told(), reasons=tuple(Reason), pictures=door.pictures is not None)


async def tell(request: web.Request) -> web.Response:
    """POST: opens the dispute, or adds to the open one."""
    door = request.app[DOOR]
    order_id = track.order_of(request, door)
    view = await door.hall.store.read(track.read_order, order_id)
    t = words(language(request, view.order.language))
    told = await _read(request)
    more = view.order.state is OrderState.DISPUTED
    if not more and told.reason not in set(Reason):
        told.wrong["reason"] = t("errors.bad_input.reason.unknown")
    if not told.words.strip() and not (more and told.raw):
        told.wrong["words"] = t("errors.bad_input.words.empty")
    if not told.wrong:
        try:
            made = await _pictures(door, told.raw)
            reason = Reason(told.reason) if not more else None
            await door.hall.store.write(_tell, track.buyer_of(order_id), order_id, view.order.number, reason, told.words, made)
        except NotFound:
            raise
        except DomainError as refusal:
            field_name = refusal.field if isinstance(refusal, BadInput) else ""
            told.wrong["pictures" if field_name.startswith("picture") else field_name] = sentence(t, refusal)
        else:
            return see_other(f"/track/{view.track_token}")
    return track.order_page(request, "problem.html", view, 422, told=told, reasons=tuple(Reason), pictures=door.pictures is not None)


def _tell(
    unit: Unit, actor: Actor, order_id: OrderId, number: str, reason: Reason | None, said: str, pictures: list[tuple[Picture, ...]]
) -> None:
    """The pictures are kept and the dispute is opened, or added to, in one unit."""
    order = unit.orders.get(order_id)
    kept = []
    for sizes in pictures:
        first = FileId(unit.new_id())
        for n, (width, height, content_type, body) in enumerate(sizes):
            number_of_size = first if n == 0 else FileId(unit.new_id())
            unit.files.add(
                StoredFile(number_of_size, order.organization_id, None, f"picture:{first}", content_type, width, height, body, unit.now,
                           disputes.evidence_name(order.id))
            )  # fmt: skip
        kept.append(first)
    if reason is None:
        disputes.add_evidence(unit, actor, number, said, kept)
    else:
        disputes.open_dispute(unit, actor, number, reason, said, kept)


async def _pictures(door: Door, raw: list[bytes]) -> list[tuple[Picture, ...]]:
    """Each picture decoded and written anew. Raises BadInput."""
    if len(raw) > MOST_PICTURES:
        raise BadInput("pictures", "too_many", limit=MOST_PICTURES)
    if not raw or door.pictures is None:
        return []
    return [await door.pictures(one) for one in raw]


async def _read(request: web.Request) -> Told:
    """The form, part by part, within its limits: a part too many or too long ends it with 413."""
    told = Told()
    if not request.content_type.startswith("multipart/"):
        form = await form_of(request.clone(client_max_size=ORDINARY_BODY))
        told.reason, told.words = str(form.get("reason", "")), str(form.get("words", ""))
        return told
    read = 0
    try:
        async with asyncio.timeout(READ_S):
            reader = await request.multipart()
            for _ in range(_MOST_PARTS):
                part = await reader.next()
                if part is None:
                    return told
                if not isinstance(part, BodyPartReader):
                    raise web.HTTPBadRequest
                body = await _part(part, MOST_PICTURE if part.name == "pictures" else _MOST_TEXT)
                read += len(body)
                if read > MOST_BYTES:
                    raise web.HTTPRequestEntityTooLarge(MOST_BYTES, read)
                _keep(told, part.name, body)
    except BROKEN as malformed:
        raise web.HTTPBadRequest from malformed
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    raise web.HTTPRequestEntityTooLarge(MOST_BYTES, read)


def _keep(told: Told, name: str | None, body: bytes) -> None:
    if name == "pictures" and body:
        told.raw.append(body)
    elif name == "reason":
        told.reason = body.decode("utf-8", "replace")[:40]
    elif name == "words":
        told.words = body.decode("utf-8", "replace")


async def _part(part: BodyPartReader, most: int) -> bytes:
    found = bytearray()
    while chunk := await part.read_chunk(65_536):
        found += chunk
        if len(found) > most:
            raise web.HTTPRequestEntityTooLarge(most, len(found))
    return bytes(found)
