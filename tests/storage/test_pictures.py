"""W12: what is sent as a picture is decoded and made anew within bounds, or refused; nothing of the original gets through."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest
from PIL import Image

from domain.errors import BadInput
from storage.pictures import MOST_BYTES, make_sizes

CANARY = b"CANARY <script>alert(1)</script>"


def picture(kind: str, width: int = 300, height: int = 200, mode: str = "RGB", **more: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (width, height)).save(out, kind, **more)
    return out.getvalue()


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("../../etc/cron.d/x", CANARY)
    return out.getvalue()


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def flood(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is this large."""
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + png_chunk(b"IDAT", zlib.compress(b"\0" * 64)) + png_chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"not a picture", b"<html>" + CANARY, b"%PDF-1.7\n" + CANARY, b"#!/bin/sh\n", b"\x7fELF" + bytes(60), zipped(),
        b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', b"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><svg/>",
        picture("BMP"), picture("TIFF"), picture("ICO", 64, 64), picture("PDF"), picture("EPS"), picture("JPEG")[:200], picture("PNG")[:60],
        b"GIF89a/*" + bytes(8) + b"*/=1;alert(1)",
    ],
    ids=range(17),
)  # fmt: skip
def test_what_is_no_photo_is_refused(raw: bytes) -> None:
    """W12: wrong type, SVG, zip, PDF, broken off; formats that have more code in them than photos need."""
    with pytest.raises(BadInput) as refused:
        make_sizes(raw)
    assert refused.value.facts["reason"] == "not_a_picture"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_what_is_a_photo_and_something_else_becomes_a_photo_only(kind: str) -> None:
    """W12: polyglot; a page, and an archive that would unpack outside its folder, behind the picture."""
    for more in (CANARY, zipped()):
        made = make_sizes(picture(kind) + more)
        assert [(width, height, media) for width, height, media, _ in made] == [(300, 200, "image/jpeg")]
        assert not any(b"CANARY" in body or b"PK\x03\x04" in body for *_, body in made)


def test_where_and_with_what_it_was_taken_is_not_kept() -> None:
    """W12: EXIF location, comments, profiles; but the turn it asks for is made."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = CANARY.decode()
    exif.get_ifd(0x8825).update({1: "S", 2: (1.0, 17.0, 11.0), 3: "E", 4: (36.0, 49.0, 2.0)})
    for raw in (picture("JPEG", exif=exif, comment=CANARY, icc_profile=CANARY), picture("WEBP", exif=exif), picture("PNG", exif=exif)):
        assert b"CANARY" in raw
        [(width, height, _, body)] = make_sizes(raw)
        assert (width, height) == (200, 300)
        again = Image.open(io.BytesIO(body))
        assert b"CANARY" not in body and not again.getexif() and "comment" not in again.info and "icc_profile" not in again.info


@pytest.mark.parametrize(
    "raw,reason",
    [
        (picture("PNG", 8_000, 6_000, "1"), "too_large"), (flood(2**31 - 1, 2**31 - 1), "not_a_picture"), (flood(20_001, 1_500), "too_large"),
        (picture("PNG", 1, 70_000, "1"), "too_large"), (bytes(MOST_BYTES + 1), "too_large"), (flood(6_000, 6_000), "not_a_picture"),
    ],
)  # fmt: skip
def test_what_would_be_too_much_to_decode_or_to_write_is_refused(raw: bytes, reason: str) -> None:
    """W12: pixel flood, a picture too long for any JPEG, too many bytes."""
    with pytest.raises(BadInput) as refused:
        make_sizes(raw)
    assert refused.value.facts["reason"] == reason


def test_text_that_grows_when_it_is_unpacked_is_not_unpacked() -> None:
    """W12: a bomb in a picture's comment."""
    whole = picture("PNG")
    bomb = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200 * 2**20)))
    with pytest.raises(BadInput):
        make_sizes(whole[:33] + bomb + whole[33:])
