"""GET /pictures/{token}/{width}: a picture we made ourselves, in the size nearest above; it never changes, so it may be kept for ever."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from domain.errors import NotFound
from domain.ids import FileId
from domain.ports import Unit
from domain.records import StoredFile
from domain.tokens import Purpose
from web.door import DOOR

_SHOWN: Final = frozenset({"image/webp", "image/jpeg", "image/png"})
_FOR_EVER: Final = "public, max-age=31536000, immutable"


def read_picture(unit: Unit, file_id: FileId, width: int) -> StoredFile:
    """Raises NotFound for what is no picture."""
    sizes = unit.files.sizes(file_id)
    wide_enough = [number for number, has, _ in sizes if has >= width]
    picture = unit.files.get(wide_enough[-1] if wide_enough else sizes[0][0] if sizes else file_id)
    if not picture.kind.startswith("picture") or picture.content_type not in _SHOWN:
        raise NotFound(what="picture")
    return picture


async def show(request: web.Request) -> web.Response:
    door = request.app[DOOR]
    number = door.hall.tokens.read(Purpose.FILE, request.match_info["token"])
    width = request.match_info["width"]
    if number is None or len(width) > 4:
        raise NotFound(what="picture")
    tag = f'"{number:x}-{width}"'
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers={"ETag": tag, "Cache-Control": _FOR_EVER})
    picture = await door.hall.store.read(read_picture, FileId(number), int(width))
    return web.Response(body=picture.body, headers={"Content-Type": picture.content_type, "ETag": tag, "Cache-Control": _FOR_EVER})
