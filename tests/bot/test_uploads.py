"""W12: what people send to the bot as photos and as files, when it is not what it says."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator

import pytest
from PIL import Image

from domain.records import StoredFile
from tests.bot.test_telegram_mouth import upload
from tests.bot.town import Here, living_town

CANARY = b"CANARY <script>alert(1)</script>"


@pytest.fixture(scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Here]:
    async with living_town(tmp_path_factory.mktemp("uploads")) as town:
        yield town


def photo(width: int = 400, height: int = 300) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "S", 2: (1.0, 17.0, 11.0), 3: "E", 4: (36.0, 49.0, 2.0)})
    out = io.BytesIO()
    Image.new("RGB", (width, height), (9, 90, 9)).save(out, "JPEG", exif=exif, comment=CANARY)
    return out.getvalue()


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("../../x", CANARY)
    return out.getvalue()


async def files(here: Here) -> list[StoredFile]:
    def read(unit: object) -> list[StoredFile]:
        rows = unit.session.plain("SELECT id FROM files ORDER BY id").fetchall()  # type: ignore[attr-defined]
        return [unit.files.get(row[0]) for row in rows]  # type: ignore[attr-defined]

    return await here.read(read)  # type: ignore[no-any-return]


async def sends(here: Here, kind: str, content: bytes, name: str, mime: str) -> None:
    sent = await upload(here, here.amina.number, kind, content, name, mime, caption="Green bag 900")
    assert sent["status"] == 200, sent

    async def answered() -> bool:
        return bool((await here.newest(here.amina))["message_id"] > sent["message_id"])

    await here.wire.eventually(answered, "it is answered")


@pytest.mark.parametrize("kind", ["photo", "document"])
async def test_a_photo_with_more_in_it_is_kept_as_a_photo_only(here: Here, kind: str) -> None:
    """W12: polyglot, comment, EXIF location; sent as a photo and as a file."""
    await here.amina.say("/menu")
    before = len(await files(here))
    await sends(here, kind, photo() + archive(), "photo.jpg", "image/jpeg")
    kept = (await files(here))[before:]
    assert kept and {file.content_type for file in kept} == {"image/jpeg"}
    for file in kept:
        assert b"CANARY" not in file.body and b"PK\x03\x04" not in file.body
        assert not Image.open(io.BytesIO(file.body)).getexif()


SENT = {
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "photo.svg", "image/svg+xml"),
    "zip": (archive(), "../../etc/photo.jpg", "image/jpeg"),
    "page": (CANARY, "photo.html", "text/html"),
    "macro": (b"\xd0\xcf\x11\xe0" + CANARY, "price.xls", "application/vnd.ms-excel"),
}


@pytest.mark.parametrize("what", SENT)
async def test_a_file_is_never_shown_as_a_picture(here: Here, what: str) -> None:
    """W12: SVG, an archive that calls itself a picture, a page, a macro: kept as bytes to download, if at all."""
    await here.amina.say("/menu")
    before = len(await files(here))
    content, name, mime = SENT[what]
    await sends(here, "document", content, name, mime)
    assert {(file.kind, file.content_type) for file in (await files(here))[before:]} <= {("document", "application/octet-stream")}
    assert (await here.place(here.amina)).dialog != "sell" or (await here.place(here.amina)).step != "check"
    await here.amina.say("/help")


async def test_a_picture_that_no_jpeg_can_hold_is_answered_and_not_tried_again(here: Here) -> None:
    """W12: pixel flood and its long thin kin, in a file of a few bytes."""
    for size in ((1, 70_000), (9_000, 9_000)):
        out = io.BytesIO()
        Image.new("1", size).save(out, "PNG")
        await here.amina.say("/menu")
        await sends(here, "document", out.getvalue(), "photo.png", "image/png")
    states = await here.read(lambda unit: unit.session.plain("SELECT DISTINCT state FROM inbox WHERE gateway = 'telegram'").fetchall())
    assert [state for (state,) in states] == ["APPLIED"]
