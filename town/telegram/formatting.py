"""Text with formatting: parse mode HTML into text and entities, entities back into safe HTML, entities found by themselves.

Offsets and lengths of entities are counted in UTF-16 code units (core.telegram.org/bots/api#messageentity). The wording
of the errors is tdlib's.
"""

from __future__ import annotations

import html
import itertools
import re
from typing import Any

from town.telegram.errors import Refused, bad

Json = dict[str, Any]

SIMPLE_TAGS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline", "s": "strikethrough",
    "strike": "strikethrough", "del": "strikethrough", "tg-spoiler": "spoiler", "code": "code", "pre": "pre",
}  # fmt: skip
OTHER_TAGS = {"a", "span", "tg-emoji", "blockquote"}
TOKEN = re.compile(r"""<(?:[^<>"']|"[^"]*"|'[^']*')*>?|&#?\w{1,10};|[^<&]+|&""")
TAG = re.compile(r"<([a-zA-Z][a-zA-Z0-9-]*)((?:\s[^>]*)?)/?>\Z", re.DOTALL)
ATTRIBUTE = re.compile(r"""([a-zA-Z-]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+))?""")
NAMED = {"&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"'}
FOUND = re.compile(
    r"(?P<url>https?://[^\s<>\"]+[^\s<>\".,;:!?)'])|(?<![\w/@.])(?P<bot_command>/[a-zA-Z0-9_]{1,64}(?:@[a-zA-Z0-9_]{3,32})?)(?![\w/])"
    r"|(?P<email>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)|(?<![\w/@.])(?P<mention>@[a-zA-Z]\w{3,31})|(?<![\w#])(?P<hashtag>#\w*[^\W\d]\w*)"
)
SAFE_LINK = re.compile(r"(?:https?://|tg://|mailto:|tel:)", re.IGNORECASE)
OPENING = {
    "bold": "<b>", "italic": "<i>", "underline": "<u>", "strikethrough": "<s>", "spoiler": '<span class="spoiler">',
    "code": "<code>", "pre": "<pre>", "blockquote": "<blockquote>", "expandable_blockquote": "<blockquote>",
}  # fmt: skip
CLOSING = {"spoiler": "</span>", "expandable_blockquote": "</blockquote>"}


def units(text: str) -> int:
    """Length in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def parse_problem(reason: str) -> Refused:
    return bad(f"can't parse entities: {reason}")


def _attributes(source: str) -> dict[str, str]:
    return {name.lower(): html.unescape((value or "").strip("\"'")) for name, value in ATTRIBUTE.findall(source)}


def _entity(tag: str, attributes: dict[str, str]) -> Json | None:
    """The entity a start tag asks for; None when the tag is allowed but means nothing (a link without address)."""
    if tag in SIMPLE_TAGS:
        language = attributes.get("class", "").removeprefix("language-") if tag == "code" else ""
        return {"type": SIMPLE_TAGS[tag], "language": language} if language else {"type": SIMPLE_TAGS[tag]}
    if tag == "blockquote":
        return {"type": "expandable_blockquote" if "expandable" in attributes else "blockquote"}
    if tag == "span":
        return {"type": "spoiler"}
    if tag == "tg-emoji":
        return {"type": "custom_emoji", "custom_emoji_id": attributes.get("emoji-id", "")}
    href = attributes.get("href", "")
    if not re.match(r"(?:(?:https?|ton)://|tg:|mailto:|tel:|[\w-]+(?:\.[\w-]+)+)", href, re.IGNORECASE):
        return None
    return {"type": "text_link", "url": href if ":" in href else f"http://{href}"}


class _HtmlReader:
    """One pass over HTML source, keeping a stack of open tags."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.pieces: list[str] = []
        self.entities: list[Json] = []
        self.at = 0
        self.open: list[tuple[str, int, Json | None]] = []

    def byte(self, position: int) -> int:
        return len(self.source[:position].encode())

    def read(self) -> tuple[str, list[Json]]:
        for match in TOKEN.finditer(self.source):
            token = match[0]
            if token[0] == "<":
                self._tag(token, match.start())
                continue
            if token[0] == "&" and len(token) > 1:
                token = self._character(token)
            self.pieces.append(token)
            self.at += units(token)
        if self.open:
            raise parse_problem(f'Can\'t find end tag corresponding to start tag "{self.open[-1][0]}"')
        self.entities.sort(key=lambda entity: (entity["offset"], -entity["length"]))
        return "".join(self.pieces), self.entities

    @staticmethod
    def _character(token: str) -> str:
        return html.unescape(token) if token.startswith("&#") else NAMED.get(token, token)

    def _tag(self, token: str, position: int) -> None:
        if not token.endswith(">"):
            raise parse_problem(f"Unclosed start tag at byte offset {self.byte(position)}")
        if token.startswith("</"):
            self._close(token[2:-1].strip().lower(), position)
            return
        match = TAG.match(token)
        tag = match[1].lower() if match else token[1:-1].split(" ", maxsplit=1)[0]
        if not match or (tag not in SIMPLE_TAGS and tag not in OTHER_TAGS):
            raise parse_problem(f'Unsupported start tag "{tag}" at byte offset {self.byte(position)}')
        attributes = _attributes(match[2])
        if tag == "span" and attributes.get("class") != "tg-spoiler":
            raise parse_problem(f'Tag "span" must have class "tg-spoiler" at byte offset {self.byte(position)}')
        if tag == "tg-emoji" and not attributes.get("emoji-id"):
            raise parse_problem(f'Tag "tg-emoji" must have attribute "emoji-id" at byte offset {self.byte(position)}')
        self.open.append((tag, self.at, _entity(tag, attributes)))

    def _close(self, tag: str, position: int) -> None:
        if not self.open:
            raise parse_problem(f"Unexpected end tag at byte offset {self.byte(position)}")
        opened, start, entity = self.open.pop()
        if tag and opened != tag:
            place = self.byte(position)
            raise parse_problem(f'Unmatched end tag at byte offset {place}, expected "</{opened}>", found "</{tag}>"')
        if entity is None or self.at == start:
            return
        if opened == "pre":
            inner = next((e for e in self.entities if e["type"] == "code" and e["offset"] == start), None)
            if inner is not None and inner["length"] == self.at - start:
                self.entities.remove(inner)
                entity.update({"language": inner["language"]} if "language" in inner else {})
        elif opened == "code" and "language" in entity and not (self.open and self.open[-1][0] == "pre"):
            entity.pop("language")
        self.entities.append({"type": entity["type"], "offset": start, "length": self.at - start, **entity})


def parse_html(source: str) -> tuple[str, list[Json]]:
    """Text and entities of parse mode HTML; refuses what Telegram refuses."""
    if "<" not in source and "&" not in source:
        return source, []
    return _HtmlReader(source).read()


def trim(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    """Without the white space around, as Telegram stores texts; entities moved and cut with it."""
    bare = text.strip()
    if bare == text:
        return text, entities
    cut = units(text[: len(text) - len(text.lstrip())])
    size = units(bare)
    kept = []
    for entity in entities:
        start = max(entity["offset"] - cut, 0)
        end = min(entity["offset"] + entity["length"] - cut, size)
        if end > start:
            kept.append({**entity, "offset": start, "length": end - start})
    return bare, kept


def find_entities(text: str, entities: list[Json]) -> list[Json]:
    """Add what Telegram finds by itself: commands, addresses, mentions, hashtags; never inside code or links."""
    if not any(mark in text for mark in "/@#"):
        return entities
    taken = [(e["offset"], e["offset"] + e["length"]) for e in entities if e["type"] in {"code", "pre", "text_link", "text_mention"}]
    added = []
    for match in FOUND.finditer(text):
        start, length = units(text[: match.start()]), units(match[0])
        if not any(start < end and begin < start + length for begin, end in taken):
            added.append({"type": match.lastgroup, "offset": start, "length": length})
    return sorted(entities + added, key=lambda entity: (entity["offset"], -entity["length"])) if added else entities


def _tags(entity: Json, words: str) -> tuple[str, str]:
    """Opening and closing tag of an entity in safe HTML; empty when it is shown as plain words."""
    kind = entity["type"]
    if kind in OPENING:
        opening = OPENING[kind]
        return opening, CLOSING.get(kind, f"</{opening[1:-1]}>")
    link = {"text_link": entity.get("url", ""), "url": words, "email": f"mailto:{words}"}.get(kind, "")
    if not SAFE_LINK.match(link):
        return "", ""
    return f'<a href="{html.escape(link)}" rel="noopener" target="_blank">', "</a>"


def to_html(text: str, entities: list[Json]) -> str:
    """Safe HTML of a text: everything escaped, only tags written here, links only to http(s), tg, mailto, tel."""
    if not entities:
        return html.escape(text).replace("\n", "<br>")
    raw = text.encode("utf-16-le")

    def part(start: int, end: int) -> str:
        return raw[2 * start : 2 * end].decode("utf-16-le", "replace")

    tagged = [(e["offset"], e["offset"] + e["length"], *_tags(e, part(e["offset"], e["offset"] + e["length"]))) for e in entities]
    edges = sorted({0, len(raw) // 2, *(edge for start, end, *_ in tagged for edge in (start, end))})
    out: list[str] = []
    for start, end in itertools.pairwise(edges):
        around = [t for t in tagged if t[0] <= start and end <= t[1]]
        out.extend(t[2] for t in around)
        out.append(html.escape(part(start, end)).replace("\n", "<br>"))
        out.extend(t[3] for t in reversed(around))
    return "".join(out)
