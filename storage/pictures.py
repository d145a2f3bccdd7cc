"""Pictures decoded and made anew: a few sizes for phones, nothing of the original's metadata, and a bound on what may be decoded."""

from __future__ import annotations

import asyncio
import io
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from domain.errors import BadInput

WIDTHS: Final = (1080, 720, 360)
MOST_BYTES: Final = 12 * 2**20
MOST_PIXELS: Final = 40_000_000
MOST_SIDE: Final = 20_000
"""A JPEG has at most 65,500 pixels on a side; a picture this long is nothing that anybody photographs."""
QUALITY: Final = 80
KINDS: Final = ("JPEG", "PNG", "WEBP", "GIF")


class Pictures:
    """Implements `domain.ports.PictureMaker` in threads, two at once, so that decoding never holds up the loop."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(2)

    async def sizes(self, raw: bytes) -> tuple[tuple[int, int, str, bytes], ...]:
        async with self._room:
            return await asyncio.to_thread(make_sizes, raw)


def make_sizes(raw: bytes) -> tuple[tuple[int, int, str, bytes], ...]:
    """JPEGs, largest first; a small original is not blown up. Raises BadInput(picture): too_large, not_a_picture."""
    if len(raw) > MOST_BYTES:
        raise BadInput("picture", "too_large", limit=MOST_BYTES)
    try:
        with Image.open(io.BytesIO(raw), formats=KINDS) as opened:
            if opened.width * opened.height > MOST_PIXELS or max(opened.size) > MOST_SIDE:
                raise BadInput("picture", "too_large", limit=MOST_PIXELS)
            upright = ImageOps.exif_transpose(opened)
            flat = Image.new("RGB", upright.size, "white")
            layered = upright.convert("RGBA")
            flat.paste(layered, mask=layered.getchannel("A"))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadInput("picture", "not_a_picture") from error
    widths = [width for width in WIDTHS if width < flat.width] or []
    if flat.width <= WIDTHS[0]:
        widths = [flat.width, *widths]
    return tuple(_encode(flat, width) for width in widths)


def _encode(picture: Image.Image, width: int) -> tuple[int, int, str, bytes]:
    height = max(1, picture.height * width // picture.width)
    out = io.BytesIO()
    picture.resize((width, height), Image.Resampling.LANCZOS).save(out, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    return width, height, "image/jpeg", out.getvalue()
