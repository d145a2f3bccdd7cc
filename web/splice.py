"""A page with one hole: compressed once, and filled for each visitor without compressing again.

What goes into the hole stands in the stream as a stored block (RFC 1951, 3.2.4). It replaces a block that was compressed with bytes that occur
nowhere else, so that nothing after the hole refers back into it.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

_RAW: Final = -15
_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
"""RFC 1952: deflate, no name, no time, best compression, unknown system."""


class Spliced:
    """`hole` is how many bytes are missing between `before` and `after`; neither may hold the control bytes 1 to 8."""

    __slots__ = ("_after", "_before", "_crc", "_head", "_size", "_tail", "hole")

    def __init__(self, before: bytes, hole: int, after: bytes) -> None:
        self._before, self.hole, self._after = before, hole, after
        deflate = zlib.compressobj(9, zlib.DEFLATED, _RAW)
        head = deflate.compress(before) + deflate.flush(zlib.Z_SYNC_FLUSH)
        nowhere_else = (b"\x01\x02\x03\x04\x05\x06\x07\x08" * (hole // 8 + 1))[:hole]
        deflate.compress(nowhere_else)
        deflate.flush(zlib.Z_SYNC_FLUSH)
        self._head = _HEADER + head + b"\x00" + struct.pack("<HH", hole, hole ^ 0xFFFF)
        self._tail = deflate.compress(after) + deflate.flush(zlib.Z_FINISH)
        self._crc = zlib.crc32(before)
        self._size = (len(before) + hole + len(after)) & 0xFFFFFFFF

    def plain(self, filling: bytes) -> bytes:
        return b"".join((self._before, self._filled(filling), self._after))

    def gzip(self, filling: bytes) -> bytes:
        crc = zlib.crc32(self._after, zlib.crc32(self._filled(filling), self._crc))
        return b"".join((self._head, filling, self._tail, struct.pack("<II", crc, self._size)))

    def _filled(self, filling: bytes) -> bytes:
        if len(filling) != self.hole:
            raise ValueError(f"{self.hole} bytes are missing, not {len(filling)}")
        return filling


def gzip(body: bytes) -> bytes:
    """A whole page, compressed for one answer."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, _RAW)
    packed = deflate.compress(body) + deflate.flush(zlib.Z_FINISH)
    return b"".join((_HEADER, packed, struct.pack("<II", zlib.crc32(body), len(body) & 0xFFFFFFFF)))
