"""Files of the imitated Telegram: kept in memory, 100 MB together, the oldest dropped first. Generated sample pictures."""

from __future__ import annotations

import hashlib
import io
import mimetypes
import random
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw, UnidentifiedImageError

from town.telegram.errors import bad

Json = dict[str, Any]

KEPT_BYTES = 100 * 1024 * 1024
PHOTO_LIMIT = 10 * 1024 * 1024
UPLOAD_LIMIT = 50 * 1024 * 1024
DOWNLOAD_LIMIT = 20 * 1024 * 1024
"""Limits of api.telegram.org: core.telegram.org/bots/api#sending-files and #getfile."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file with its two ids. `width` and `height` are 0 unless it is a photo."""

    file_id: str
    unique_id: str
    path: str
    name: str
    mime: str
    content: bytes
    width: int = 0
    height: int = 0

    def size_shape(self) -> Json:
        """`PhotoSize`."""
        ids = {"file_id": self.file_id, "file_unique_id": self.unique_id}
        return {**ids, "width": self.width, "height": self.height, "file_size": len(self.content)}

    def document_shape(self) -> Json:
        """`Document`."""
        ids = {"file_id": self.file_id, "file_unique_id": self.unique_id}
        return {**ids, "file_name": self.name, "mime_type": self.mime, "file_size": len(self.content)}

    def file_shape(self) -> Json:
        """`File`."""
        ids = {"file_id": self.file_id, "file_unique_id": self.unique_id}
        return {**ids, "file_size": len(self.content), "file_path": self.path}


class Files:
    """What was uploaded, found by file id, by unique id or by path."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self.kept_bytes = kept_bytes
        self._by_id: dict[str, StoredFile] = {}
        self._by_unique: dict[str, StoredFile] = {}
        self._by_path: dict[str, StoredFile] = {}
        self.last_number = 0
        self._held = 0

    def _keep(self, prefix: str, folder: str, name: str, mime: str, content: bytes, size: tuple[int, int] = (0, 0)) -> StoredFile:
        self.last_number = number = self.last_number + 1
        digest = hashlib.sha256(content + number.to_bytes(8, "big")).hexdigest()
        ending = (mimetypes.guess_extension(mime) or ".bin") if "." not in name else name[name.rindex(".") :]
        path = f"{folder}/file_{number}{ending.lower()}"
        stored = StoredFile(f"{prefix}AAxkBAAI{digest[:40]}", f"AQAD{digest[40:52]}", path, name, mime, content, *size)
        self.put_back(stored)
        while self._held > self.kept_bytes and len(self._by_id) > 1:
            self._drop(next(iter(self._by_id.values())))
        return stored

    def put_back(self, stored: StoredFile) -> None:
        self._by_id[stored.file_id] = self._by_unique[stored.unique_id] = self._by_path[stored.path] = stored
        self._held += len(stored.content)

    def all(self) -> list[StoredFile]:
        """Every kept file, the oldest first."""
        return list(self._by_id.values())

    def _drop(self, stored: StoredFile) -> None:
        del self._by_id[stored.file_id], self._by_unique[stored.unique_id], self._by_path[stored.path]
        self._held -= len(stored.content)

    def photo(self, content: bytes) -> StoredFile:
        """Keep a picture; refuses what is no picture, too big or of impossible shape."""
        if len(content) > PHOTO_LIMIT:
            raise bad(f"file of size {len(content)} bytes is too big for a photo; the maximum size is {PHOTO_LIMIT} bytes")
        if not content:
            raise bad("file must be non-empty")
        try:
            with Image.open(io.BytesIO(content)) as picture:
                width, height, kind = picture.width, picture.height, picture.format or "JPEG"
        except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
            raise bad("IMAGE_PROCESS_FAILED") from None
        if width + height > 10_000 or max(width, height) > 20 * min(width, height):
            raise bad("PHOTO_INVALID_DIMENSIONS")
        mime = Image.MIME.get(kind, "image/jpeg")
        return self._keep("AgAC", "photos", f"photo.{kind.lower().replace('jpeg', 'jpg')}", mime, content, (width, height))

    def document(self, name: str, mime: str, content: bytes) -> StoredFile:
        if len(content) > UPLOAD_LIMIT:
            raise bad("file is too big")
        if not content:
            raise bad("file must be non-empty")
        guessed = mime or mimetypes.guess_type(name)[0] or "application/octet-stream"
        return self._keep("BQAC", "documents", name or "file", guessed, content)

    def by_id(self, file_id: str) -> StoredFile:
        """The file with that id; Telegram's refusal when there is none (any more)."""
        found = self._by_id.get(file_id)
        if found is None:
            raise bad("wrong file identifier/HTTP URL specified")
        return found

    def by_unique(self, unique_id: str) -> StoredFile | None:
        return self._by_unique.get(unique_id)

    def by_path(self, path: str) -> StoredFile | None:
        return self._by_path.get(path)

    @property
    def held_bytes(self) -> int:
        return self._held


def sample_picture(word: str) -> bytes:
    """A JPEG that looks a little like a product photo: colours drawn from the word, the word written on it."""
    draw_from = random.Random(word)
    dark = (draw_from.randint(20, 110), draw_from.randint(20, 110), draw_from.randint(20, 110))
    light = (draw_from.randint(170, 250), draw_from.randint(170, 250), draw_from.randint(170, 250))
    picture = Image.new("RGB", (800, 600), light)
    pen = ImageDraw.Draw(picture)
    for _ in range(6):
        x, y, size = draw_from.randint(0, 700), draw_from.randint(0, 500), draw_from.randint(60, 240)
        pen.ellipse((x, y, x + size, y + size), fill=tuple(min(255, part + draw_from.randint(-60, 60)) for part in light))
    pen.rounded_rectangle((150, 200, 650, 400), 40, fill=dark)
    pen.text((400, 300), word[:24], fill="white", anchor="mm", font_size=48)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80)
    return out.getvalue()
