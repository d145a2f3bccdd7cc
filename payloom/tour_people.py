"""The people of the tour: a chat on Telegram, a phone that rings, a browser without JavaScript. All of it over HTTP, as a person would."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import aiohttp

from payloom.tour_print import Printer, Spoken
from templates.words import catalog

ANSWER_WITHIN_S = 8.0
LOOK_AGAIN_S = 0.03
Json = dict[str, Any]


class Expectation(Exception):
    """What had to be true and was not."""


def expect(true: object, what: str) -> None:
    if not true:
        raise Expectation(what)


def phrase(key: str) -> str:
    """What people see of a text of the chats, by its key: its longest stretch without values; anything else is taken as it is."""
    text = catalog("en").get(key if key.startswith("errors.") else f"chat.{key}", key)
    whole = text if isinstance(text, str) else text["other"]
    return max(re.split(r"\{\w+\}|\n", re.sub(r"</?\w+>", "", whole)), key=len).strip()


@dataclass(slots=True)
class Wire:
    """HTTP to the town's control API and to the product's pages."""

    session: aiohttp.ClientSession
    base: str
    printer: Printer

    async def act(self, path: str, **fields: Any) -> Any:
        async with self.session.post(f"{self.base}/town/api{path}", json=fields) as response:
            answer = await response.json()
            expect(response.status < 400, f"the town refused {path}: {answer}")
            return answer

    async def look(self, path: str) -> Any:
        async with self.session.get(f"{self.base}/town/api{path}") as response:
            return await response.json()

    async def settle(self) -> None:
        """Everything that is due happens now."""
        await self.act("/clock", advance_s=0)

    async def pass_time(self, seconds: float, why: str = "") -> None:
        if why:
            self.printer.note(f"⏩ {why}")
        await self.act("/clock", advance_s=seconds)

    async def fault(self, fault: str, times: int = 1, **detail: Any) -> None:
        await self.act("/faults", provider="daraja", fault=fault, times=times, detail=detail)

    async def no_faults(self) -> None:
        async with self.session.delete(f"{self.base}/town/api/faults") as response:
            expect(response.status == 200, "the town forgets its faults")

    async def eventually(
        self, true: Callable[[], Awaitable[Any]], what: str, *, step_s: float = 0, within_s: float = ANSWER_WITHIN_S
    ) -> Any:
        """What `true` gives as soon as it is something; the town's clock moves `step_s` between looks."""
        end = time.monotonic() + within_s
        while True:
            found = await true()
            if found:
                return found
            expect(time.monotonic() < end, what)
            await asyncio.sleep(LOOK_AGAIN_S)
            await self.act("/clock", advance_s=step_s)


@dataclass(slots=True)
class Chatter:
    """Somebody on Telegram, with a phone that M-Pesa can ring."""

    wire: Wire
    number: int
    name: str
    msisdn: str = ""
    seen: dict[int, Json] = field(default_factory=dict)

    @property
    def printer(self) -> Printer:
        return self.wire.printer

    async def arrive(self, language: str = "en") -> None:
        await self.wire.act(f"/telegram/{self.number}/profile", first_name=self.name, language_code=language, phone=f"+{self.msisdn}")

    async def start(self, payload: str = "") -> None:
        self._said(f"/start {payload}".strip())
        await self._answered(await self.wire.act(f"/telegram/{self.number}/start", payload=payload))

    async def open(self, url: str) -> None:
        """Follow a link to the bot."""
        self._said(url)
        sent = await self.wire.act(f"/telegram/{self.number}/open", url=url)
        expect(sent.get("sent"), f"{url} leads to the bot")
        await self._answered({"message_id": sent["sent"]})

    async def say(self, text: str) -> None:
        self._said(text)
        await self._answered(await self.wire.act(f"/telegram/{self.number}/send", text=text))

    async def photo(self, sample: str, caption: str = "") -> None:
        self._said(f"[photo: {sample}] {caption}".rstrip())
        await self._answered(await self.wire.act(f"/telegram/{self.number}/photo", sample=sample, caption=caption))

    async def file(self, name: str, content: bytes) -> None:
        self._said(f"[file: {name}]")
        form = aiohttp.FormData()
        form.add_field("document", content, filename=name, content_type="application/pdf")
        async with self.wire.session.post(f"{self.wire.base}/town/api/telegram/{self.number}/document", data=form) as response:
            expect(response.status == 200, f"{self.name} sends a file")
            sent = await response.json()
        await self._answered(sent)

    async def share_number(self) -> None:
        self._said(f"[shares +{self.msisdn}]")
        await self._answered(await self.wire.act(f"/telegram/{self.number}/contact"))

    async def tap(self, label: str, on: str = "") -> Json:
        """Press the newest button with this label (the key of a text), on a message that holds `on`; its outcome (toast, copy, url)."""
        label, on = phrase(label), phrase(on)
        for message in reversed(await self.messages()):
            for button in [one for row in message["buttons"] for one in row]:
                if label in button["text"] and on in message["text"]:
                    return await self._press(message, button["text"])
        raise Expectation(f"{self.name} sees a button “{label}”")

    async def _press(self, message: Json, button: str) -> Json:
        self._said(f"[{button}]")
        outcome: Json = await self.wire.act(f"/telegram/{self.number}/tap", message_id=message["message_id"], button=button)
        if outcome["toast"]:
            self.printer.say(Spoken("bot", self.name, f"({outcome['toast']})"))
        await self.wire.settle()
        await self.catch_up()
        return outcome

    async def messages(self) -> list[Json]:
        found: list[Json] = await self.wire.look(f"/telegram/{self.number}/messages")
        return found

    async def catch_up(self) -> None:
        """Print what is new or changed."""
        for message in await self.messages():
            number, known = message["message_id"], self.seen.get(message["message_id"])
            if message["from"] != "bot" or (known is not None and known["text"] == message["text"]):
                self.seen[number] = message
                continue
            self.seen[number] = message
            buttons = [button["text"] for row in [*message["buttons"], *(message["keyboard"] or [])] for button in row]
            text = f"[photo] {message['text']}" if message["photo"] else message["text"]
            if known is not None:
                before = known["text"].splitlines()
                text = "\n".join(
                    [message["text"].splitlines()[0], *(line for line in message["text"].splitlines()[1:] if line not in before)]
                )
            self.printer.say(Spoken("bot", self.name, text, buttons, edited=known is not None))

    async def hears(self, words: str, also: str = "", *, step_s: float = 0) -> Json:
        """Wait until some message of the bot to them holds these words (the key of a text), and `also`."""
        said = phrase(words)

        async def heard() -> Json | None:
            await self.catch_up()
            return next(
                (one for one in reversed(list(self.seen.values())) if one["from"] == "bot" and said in one["text"] and also in one["text"]),
                None,
            )

        message: Json = await self.wire.eventually(heard, f"{self.name} reads “{said}” {also}".strip(), step_s=step_s)
        return message

    async def read(self, words: str) -> bool:
        return any(one["from"] == "bot" and phrase(words) in one["text"] for one in await self.messages())

    async def _answered(self, sent: Json) -> None:
        after = sent["message_id"]
        answer = await self.wire.look(f"/telegram/{self.number}/messages?after={after}&wait_s={ANSWER_WITHIN_S:.0f}")
        expect(any(one["from"] == "bot" for one in answer), f"the bot answers {self.name}")
        await self.wire.settle()
        await self.catch_up()

    def _said(self, text: str) -> None:
        self.printer.say(Spoken(self.name, "bot", text))

    # -- the phone

    async def rung(self) -> Json:
        """Wait for the M-Pesa prompt on their phone."""

        async def prompts() -> list[Json]:
            phone = await self.wire.look(f"/phone/{self.msisdn}")
            waiting: list[Json] = phone["prompts"]
            return waiting

        prompt: Json = (await self.wire.eventually(prompts, f"the phone of {self.name} rings"))[0]
        return prompt

    async def pin(self, answer: str = "right") -> None:
        prompt = await self.rung()
        words = {"right": "types the PIN", "cancel": "cancels", "wrong": "types a wrong PIN", "broke": "has too little"}
        self.printer.note(f"📱 {self.name}'s phone: “{prompt['text']}” - {self.name} {words[answer]}")
        await self.wire.act(f"/phone/{self.msisdn}/pin", answer=answer)

    async def balance_minor(self) -> int:
        return int((await self.wire.look(f"/phone/{self.msisdn}"))["balance_minor"])


@dataclass(slots=True)
class Form:
    """A form of a page: where it goes, what is in it before anybody types, and the values of its buttons by their names."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    """Reads forms and links as a browser does: inputs, text areas, chosen options, checked radios."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self._inside: Form | None = None
        self._select = self._area = ""
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "form":
            self._inside = Form(given.get("action", ""), given.get("method", "get"))
            self.forms.append(self._inside)
        elif tag in {"script", "style"}:
            self._hidden += 1
        elif self._inside is not None:
            self._field(tag, given, self._inside)

    def _field(self, tag: str, given: dict[str, str], form: Form) -> None:
        name = given.get("name", "")
        if tag == "button":
            form.buttons.append((name, given.get("value", "")))
        elif tag == "input" and name and not (given.get("type") in {"radio", "checkbox"} and "checked" not in given):
            form.fields[name] = given.get("value", "")
        elif tag == "textarea" and name:
            self._area = name
            form.fields[name] = ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in given or self._select not in form.fields):
            form.fields[self._select] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = None
        elif tag == "textarea":
            self._area = ""
        elif tag == "select":
            self._select = ""
        elif tag in {"script", "style"}:
            self._hidden -= 1

    def handle_data(self, data: str) -> None:
        if self._area and self._inside is not None:
            self._inside.fields[self._area] += data
        elif not self._hidden and data.strip():
            self.words.append(" ".join(data.split()))


@dataclass(slots=True)
class Page:
    """A page as somebody without JavaScript has it before them."""

    status: int
    path: str
    url: str
    html: str
    text: str
    forms: list[Form]
    links: list[str]


@dataclass(slots=True)
class Browser:
    """Opens pages and sends their forms."""

    wire: Wire
    who: str

    async def open(self, path: str) -> Page:
        async with self.wire.session.get(path if "://" in path else self.wire.base + path) as response:
            return self._read(response, await response.text())

    async def submit(self, page: Page, action: str, **typed: str) -> Page:
        """Send the form whose address holds `action`, with what is in it and what is typed."""
        form = next((one for one in page.forms if action in one.action), None)
        if form is None:
            raise Expectation(f"{page.path} has a form for {action}")
        return await self._send(page, form, {}, typed)

    async def press(self, page: Page, value: str, **typed: str) -> Page:
        """Press the button with this value, with what is in its form and what is typed."""
        form, name = next(((one, name) for one in page.forms for name, stands in one.buttons if stands == value), (None, ""))
        if form is None:
            raise Expectation(f"{page.path} has a button for {value}")
        return await self._send(page, form, {name: value}, typed)

    async def _send(self, page: Page, form: Form, pressed: dict[str, str], typed: dict[str, str]) -> Page:
        missing = typed.keys() - form.fields.keys()
        expect(not missing, f"the form at {page.path} has the fields {sorted(missing)}")
        async with self.wire.session.post(urljoin(page.url, form.action), data={**form.fields, **typed, **pressed}) as response:
            return self._read(response, await response.text())

    def _read(self, response: aiohttp.ClientResponse, html: str) -> Page:
        reader = _Reader()
        reader.feed(html)
        page = Page(response.status, response.url.path, str(response.url), html, "\n".join(reader.words), reader.forms, reader.links)
        self.wire.printer.note(f"🌐 {self.who}: {_short(page.path)} ({page.status})")
        return page


def _short(path: str) -> str:
    """The address without the long ids that gateways put into it."""
    return re.sub(r"(?<=/)([\w-]{12})[\w-]{12,}", r"\1…", path)
