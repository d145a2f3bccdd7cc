"""Texts and captions of messages, from the parameters of a call into fields of a `Message`, with Telegram's limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from town.telegram.errors import bad
from town.telegram.formatting import find_entities, parse_html, trim, units
from town.telegram.markdown import parse_markdown, parse_markdown_v2
from town.telegram.params import Params

Json = dict[str, Any]

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
MOST_ENTITIES = 100
ENTITY_FIELDS = ("url", "user", "language", "custom_emoji_id", "unix_time", "date_time_format")


def _given_entities(given: Any, text: str) -> list[Json]:
    """Entities the bot sent itself; those outside the text are cut, as Telegram does."""
    if not isinstance(given, list):
        raise bad("can't parse entities: expected an Array of MessageEntity")
    size = units(text)
    kept = []
    for entity in given:
        try:
            kind, start, length = str(entity["type"]), int(entity["offset"]), int(entity["length"])
        except (TypeError, KeyError, ValueError):
            raise bad("can't parse entities: a MessageEntity needs type, offset and length") from None
        end = min(start + length, size)
        if 0 <= start < end:
            more = {name: entity[name] for name in ENTITY_FIELDS if entity.get(name) is not None}
            kept.append({"type": kind, "offset": start, "length": end - start, **more})
    return sorted(kept, key=lambda entity: (entity["offset"], -entity["length"]))


def formatted(source: str, parse_mode: str | None, given: Any = None) -> tuple[str, list[Json]]:
    """Text and entities of a source in a parse mode, trimmed, with the entities Telegram finds by itself."""
    if "\0" in source:
        source = source.replace("\0", " ")
    mode = (parse_mode or "").lower()
    if mode == "html":
        text, entities = parse_html(source)
    elif mode == "markdownv2":
        text, entities = parse_markdown_v2(source)
    elif mode == "markdown":
        text, entities = parse_markdown(source)
    elif mode in {"", "none"}:
        text, entities = source, _given_entities(given, source) if given else []
    else:
        raise bad("unsupported parse_mode")
    text, entities = trim(text, entities)
    return text, find_entities(text, entities)[:MOST_ENTITIES]


def text_fields(source: str, parse_mode: str | None, given: Any = None) -> Json:
    """`text` and `entities` of a message: 1 to 4096 characters after parsing."""
    text, entities = formatted(source, parse_mode, given)
    if not text:
        raise bad("message text is empty")
    if len(text) > TEXT_LIMIT:
        raise bad("message is too long")
    return {"text": text, "entities": entities} if entities else {"text": text}


def caption_fields(source: str | None, parse_mode: str | None, given: Any = None) -> Json:
    """`caption` and `caption_entities` of a message: up to 1024 characters after parsing; nothing when empty."""
    if not source:
        return {}
    text, entities = formatted(source, parse_mode, given)
    if len(text) > CAPTION_LIMIT:
        raise bad("message caption is too long")
    if not text:
        return {}
    return {"caption": text, "caption_entities": entities} if entities else {"caption": text}


def text_of(params: Params) -> Json:
    """From the parameters `text`, `parse_mode`, `entities`."""
    return text_fields(params.words("text"), params.text("parse_mode"), params.rows("entities"))


def caption_of(params: Params) -> Json:
    """From the parameters `caption`, `parse_mode`, `caption_entities`."""
    return caption_fields(params.text("caption"), params.text("parse_mode"), params.rows("caption_entities"))


def caption_in(item: Mapping[str, Any]) -> Json:
    """From an `InputMedia` or an inline result, which carry the same fields."""
    return caption_fields(item.get("caption"), item.get("parse_mode"), item.get("caption_entities"))
