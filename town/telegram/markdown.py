"""The parse modes MarkdownV2 and (old) Markdown, into text and entities. The wording of the errors is tdlib's."""

from __future__ import annotations

import re
from typing import Any

from town.telegram.errors import Refused, bad
from town.telegram.formatting import units

Json = dict[str, Any]

RESERVED = "_*[]()~`>#+-=|{}.!"
MARKS = {"*": "bold", "_": "italic", "__": "underline", "~": "strikethrough", "||": "spoiler"}
CODE_BLOCK = re.compile(r"(?:([a-zA-Z0-9+#-]+)?\n)?")
OLD_MARKS = {"*": "bold", "_": "italic"}


class _Reader:
    """Source and position, the text so far, and the marks that are open."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.i = 0
        self.pieces: list[str] = []
        self.at = 0
        self.open: list[tuple[str, int]] = []
        self.entities: list[Json] = []
        self.quote_at: int | None = None

    def problem(self, reason: str, position: int) -> Refused:
        return bad(f"can't parse entities: {reason} at byte offset {len(self.source[:position].encode())}")

    def put(self, text: str) -> None:
        self.pieces.append(text)
        self.at += units(text)

    def add(self, kind: str, start: int, **more: str) -> None:
        if self.at > start:
            self.entities.append({"type": kind, "offset": start, "length": self.at - start, **more})

    def toggle(self, mark: str, kind: str) -> None:
        if self.open and self.open[-1][0] == mark:
            self.add(kind, self.open.pop()[1])
        elif any(opened == mark for opened, _ in self.open):
            raise self.problem(f"Can't find end of {kind.capitalize()} entity", self.i)
        else:
            self.open.append((mark, self.at))

    def code(self, fence: str, escapes: bool) -> None:
        """From after the opening fence to the closing one."""
        begin, start = self.i - len(fence), self.at
        language = ""
        if fence == "```":
            match = CODE_BLOCK.match(self.source, self.i)
            if match and match[0]:
                language, self.i = match[1] or "", match.end()
        while not self.source.startswith(fence, self.i):
            if self.i >= len(self.source):
                raise self.problem(f"Can't find end of {'Pre' if fence == '```' else 'Code'} entity", begin)
            if escapes and self.source[self.i] == "\\" and self.i + 1 < len(self.source):
                self.i += 1
            self.put(self.source[self.i])
            self.i += 1
        self.i += len(fence)
        more = {"language": language} if language else {}
        self.add("pre" if fence == "```" else "code", start, **more)

    def address(self, start: int, begin: int) -> None:
        """The `(url)` after `[text]`."""
        url = ""
        if self.source.startswith("(", self.i):
            match = re.compile(r"\(((?:\\.|[^)\\])*)\)", re.DOTALL).match(self.source, self.i)
            if not match:
                raise self.problem("Can't find end of a URL", begin)
            url, self.i = re.sub(r"\\(.)", r"\1", match[1]), match.end()
        if re.match(r"(?:https?|tg|ton|mailto|tel):", url, re.IGNORECASE):
            self.add("text_link", start, url=url)

    def result(self) -> tuple[str, list[Json]]:
        self.entities.sort(key=lambda entity: (entity["offset"], -entity["length"]))
        return "".join(self.pieces), self.entities


def _end_quote(reader: _Reader) -> None:
    if reader.quote_at is not None:
        reader.add("blockquote", reader.quote_at)
        reader.quote_at = None


def _step_v2(reader: _Reader) -> None:
    """Read one mark or character of MarkdownV2."""
    source, i = reader.source, reader.i
    line_start = i == 0 or source[i - 1] == "\n"
    char = source[i]
    if line_start and char == ">":
        reader.i += 1
        if reader.quote_at is None:
            reader.quote_at = reader.at
        return
    if line_start:
        _end_quote(reader)
    if char == "\\" and i + 1 < len(source) and 0 < ord(source[i + 1]) < 127:
        reader.put(source[i + 1])
        reader.i += 2
        return
    mark = source[i : i + 2] if source[i : i + 2] in MARKS else char
    if source.startswith("```", i) or char == "`":
        fence = "```" if source.startswith("```", i) else "`"
        reader.i += len(fence)
        reader.code(fence, escapes=True)
    elif mark in MARKS:
        reader.i += len(mark)
        reader.toggle(mark, MARKS[mark])
    elif char == "[":
        reader.i += 1
        reader.open.append(("[", reader.at))
    elif char == "]" and reader.open and reader.open[-1][0] == "[":
        reader.i += 1
        reader.address(reader.open.pop()[1], i)
    elif char in RESERVED:
        raise bad(f"can't parse entities: Character '{char}' is reserved and must be escaped with the preceding '\\'")
    else:
        reader.put(char)
        reader.i += 1


def parse_markdown_v2(source: str) -> tuple[str, list[Json]]:
    """Text and entities of parse mode MarkdownV2."""
    reader = _Reader(source)
    while reader.i < len(source):
        _step_v2(reader)
    _end_quote(reader)
    if reader.open:
        kind = MARKS.get(reader.open[-1][0], "text_link").capitalize()
        raise reader.problem(f"Can't find end of {kind} entity", len(source))
    return reader.result()


def parse_markdown(source: str) -> tuple[str, list[Json]]:
    """Text and entities of the old parse mode Markdown: no nesting, escapes outside entities only."""
    reader = _Reader(source)
    while reader.i < len(source):
        i, char = reader.i, source[reader.i]
        if char == "\\" and source[i + 1 : i + 2] in tuple("_*`["):
            reader.put(source[i + 1])
            reader.i += 2
        elif char == "`":
            fence = "```" if source.startswith("```", i) else "`"
            reader.i += len(fence)
            reader.code(fence, escapes=False)
        elif char in OLD_MARKS or char == "[":
            end = source.find("]" if char == "[" else char, i + 1)
            if end < 0:
                raise reader.problem("Can't find end of the entity starting", i)
            start = reader.at
            reader.put(source[i + 1 : end])
            reader.i = end + 1
            if char == "[":
                reader.address(start, i)
            else:
                reader.add(OLD_MARKS[char], start)
        else:
            reader.put(char)
            reader.i += 1
    return reader.result()
