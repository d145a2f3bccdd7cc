"""The town's control API: act as a person on Telegram, plant faults, move the clock, see everything, follow the events.

Answers are JSON. What a person could not do is refused with 4xx and `{"error": "one sentence"}`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from aiohttp import BodyPartReader, web

from town.core import Core, Fault
from town.telegram import Acting, Tapping, Telegram, views
from town.telegram.api import file_response
from town.telegram.errors import Impossible, Refused
from town.telegram.files import UPLOAD_LIMIT, sample_picture
from town.telegram.miniapp import init_data, web_app_address
from town.telegram.params import parsed
from town.telegram.people import Message
from town.telegram.till import GOOD_CARD, Till

Json = dict[str, Any]
Act = Callable[[int, "Given"], Awaitable[Any]]

HEARTBEAT_S = 15.0
LONGEST_WAIT_S = 60.0
LAST_YEAR = 2999
encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode


class Given:
    """What a control request brought: fields, and files of a multipart body as (name, mime, content)."""

    def __init__(self, fields: Mapping[str, Any], files: Mapping[str, tuple[str, str, bytes]]) -> None:
        self.fields = fields
        self.files = files

    def text(self, name: str, default: str | None = None) -> str:
        value = self.fields.get(name, default)
        if value is None:
            value = default
        if not isinstance(value, str):
            raise Impossible(f"`{name}` must be a text." if value is not None else f"`{name}` is missing.")
        return value

    def whole(self, name: str) -> int | None:
        value = self.fields.get(name)
        if value is None or value == "":
            return None
        try:
            return int(str(value))
        except ValueError:
            raise Impossible(f"`{name}` must be a whole number.") from None

    def needed(self, name: str) -> int:
        value = self.whole(name)
        if value is None:
            raise Impossible(f"`{name}` is missing.")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        value = self.fields.get(name, default)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            try:
                return float(value)
            except ValueError:
                pass
        raise Impossible(f"`{name}` must be a number.")


async def read_given(request: web.Request) -> Given:
    """JSON, form or multipart; the query string counts too."""
    fields: dict[str, Any] = dict(request.query)
    if not request.can_read_body:
        return Given(fields, {})
    if request.content_type == "multipart/form-data":
        return await _read_files(request, fields)
    if request.content_type == "application/x-www-form-urlencoded":
        fields.update(await request.post())
        return Given(fields, {})
    body = await request.read()
    if body.strip():
        try:
            sent = parsed(body.decode())
        except ValueError:
            raise Impossible("The body is not JSON.") from None
        if not isinstance(sent, dict):
            raise Impossible("The body must be a JSON object.")
        fields.update(sent)
    return Given(fields, {})


async def _read_files(request: web.Request, fields: dict[str, Any]) -> Given:
    files: dict[str, tuple[str, str, bytes]] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            continue
        content = bytearray()
        while chunk := await part.read_chunk(256 * 1024):
            content += chunk
            if len(content) > UPLOAD_LIMIT:
                raise Impossible("A file has at most 50 MB.", 413)
        if part.filename is not None:
            files[part.name] = (part.filename, part.headers.get("Content-Type", ""), bytes(content))
        else:
            fields[part.name] = content.decode()
    return Given(fields, files)


def answering(doing: Callable[[web.Request], Awaitable[Any]]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A handler that gives JSON, or passes a response through, or tells in one sentence why not."""

    async def handler(request: web.Request) -> web.StreamResponse:
        try:
            result = await doing(request)
        except Impossible as impossible:
            return web.json_response({"error": impossible.sentence}, status=impossible.status)
        except Refused as refused:
            return web.json_response({"error": f"Telegram says: {refused.description}."}, status=400)
        if isinstance(result, web.StreamResponse):
            return result
        return web.Response(text=encode(result), content_type="application/json", headers={"Cache-Control": "no-store"})

    return handler


class Control:
    """The control API. `states` give more parts of the state by name (phones, daraja)."""

    def __init__(self, core: Core, telegram: Telegram, states: Mapping[str, Callable[[], Any]], base: str = "/town/api") -> None:
        self.core = core
        self.telegram = telegram
        self.acting = Acting(telegram)
        self.tapping = Tapping(self.acting)
        self.till = Till(self.acting)
        self.states = states
        self.base = base
        self.closing = False

    def routes(self) -> list[web.AbstractRouteDef]:
        one = f"{self.base}/telegram/{{user:-?\\d+}}"
        acts: dict[str, Act] = {
            "send": self._send, "tap": self._tap, "photo": self._photo, "document": self._document, "contact": self._contact,
            "start": self._start, "inline": self._inline, "inline/choose": self._choose, "location": self._location,
            "profile": self._profile, "block": self._block, "unblock": self._unblock, "edit": self._edit, "open": self._open,
            "group": self._group, "invoice": self._invoice, "pay": self._pay,
        }  # fmt: skip
        looks: dict[str, Act] = {
            "messages": self._messages, "commands": self._commands, "others": self._others, "menu": self._menu, "profile": self._who,
            "init_data": self._init_data,
        }  # fmt: skip
        return [
            *(web.post(f"{one}/{name}", answering(self._as_person(act))) for name, act in acts.items()),
            *(web.get(f"{one}/{name}", answering(self._as_person(look))) for name, look in looks.items()),
            web.get(f"{self.base}/telegram/file/{{unique}}", self._file),
            web.get(f"{self.base}/clock", answering(self._get_clock)),
            web.post(f"{self.base}/clock", answering(self._post_clock)),
            web.get(f"{self.base}/faults", answering(self._get_faults)),
            web.post(f"{self.base}/faults", answering(self._post_faults)),
            web.delete(f"{self.base}/faults", answering(self._delete_faults)),
            web.get(f"{self.base}/state", answering(self._state)),
            web.get(f"{self.base}/events", self._events),
        ]

    @staticmethod
    def _as_person(act: Act) -> Callable[[web.Request], Awaitable[Any]]:
        async def doing(request: web.Request) -> Any:
            return await act(int(request.match_info["user"]), await read_given(request))

        return doing

    def close(self) -> None:
        """End the event streams."""
        self.closing = True
        self.core.journal.add("town.stopped")

    def _shown(self, user: int, message: Message) -> Json:
        return {"message_id": message.id, "message": views.message_view(self.telegram, message, user)}

    # -- acts

    async def _send(self, user: int, given: Given) -> Json:
        sent = self.acting.send(user, given.text("text"), given.whole("chat"), given.whole("reply_to"))
        return self._shown(user, sent)

    async def _edit(self, user: int, given: Given) -> Json:
        return self._shown(user, self.acting.edit(user, given.needed("message_id"), given.text("text")))

    async def _tap(self, user: int, given: Given) -> Json:
        wait_s = min(max(given.number("wait_s", 2.0), 0.0), LONGEST_WAIT_S)
        chat = given.whole("chat")
        if "button" in given.fields:
            return await self.tapping.tap(user, given.whole("message_id"), given.text("button"), wait_s, chat)
        return await self.tapping.tap_data(user, given.needed("message_id"), given.text("data"), wait_s, chat)

    async def _open(self, user: int, given: Given) -> Json:
        return self.tapping.follow(user, given.text("url"))

    async def _photo(self, user: int, given: Given) -> Json:
        uploaded = given.files.get("photo")
        if uploaded is None and "sample" not in given.fields:
            raise Impossible("Send a multipart file `photo`, or JSON with `sample`: a word for a made picture.")
        content = uploaded[2] if uploaded else await asyncio.to_thread(sample_picture, given.text("sample"))
        sent = self.acting.photo(user, content, given.text("caption", ""), given.whole("chat"), given.text("album", ""))
        return self._shown(user, sent)

    async def _document(self, user: int, given: Given) -> Json:
        uploaded = given.files.get("document")
        if uploaded is None:
            raise Impossible("Send a multipart file `document`.")
        return self._shown(user, self.acting.document(user, *uploaded, given.text("caption", ""), given.whole("chat")))

    async def _contact(self, user: int, given: Given) -> Json:
        other = given.fields.get("other")
        if other is not None and not isinstance(other, dict):
            raise Impossible("`other` must be an object with phone_number and first_name.")
        return self._shown(user, self.acting.contact(user, given.text("phone", ""), other))

    async def _start(self, user: int, given: Given) -> Json:
        return self._shown(user, self.acting.start(user, given.text("payload", "")))

    async def _inline(self, user: int, given: Given) -> Json:
        return await self.acting.inline(user, given.text("query", ""), given.text("offset", ""), given.text("chat_type", "sender"))

    async def _choose(self, user: int, given: Given) -> Json:
        to = given.whole("to")
        result_id = str(given.fields.get("result_id", ""))
        shown = await self.acting.choose(user, given.text("query", ""), result_id, user if to is None else to)
        return {"message_id": shown["message_id"], "message": shown}

    async def _location(self, user: int, given: Given) -> Json:
        return self._shown(user, self.acting.location(user, given.number("lat"), given.number("lon")))

    async def _profile(self, user: int, given: Given) -> Json:
        person = self.telegram.people.person(user)
        for name in ("first_name", "last_name", "username", "language_code", "phone"):
            if name in given.fields:
                setattr(person, name, given.text(name, ""))
        if not person.first_name:
            person.first_name = f"User {user}"
        return await self._who(user, given)

    async def _block(self, user: int, given: Given) -> Json:
        self.acting.block(user)
        return await self._who(user, given)

    async def _unblock(self, user: int, given: Given) -> Json:
        self.acting.unblock(user)
        return await self._who(user, given)

    async def _group(self, user: int, given: Given) -> Json:
        others = given.fields.get("members") or []
        if not isinstance(others, list) or not all(isinstance(one, int) for one in others):
            raise Impossible("`members` must be a list of user ids.")
        group = self.acting.make_group(user, given.text("title", "Group"), others, given.whole("chat"))
        return {"chat": group.id, "title": group.title, "members": sorted(group.members)}

    async def _invoice(self, user: int, given: Given) -> Json:
        """The payment sheet of an invoice, by its `slug` or the `message_id` that holds it."""
        return self.till.sheet(self.till.invoice(user, given.text("slug", ""), given.whole("message_id")))

    async def _pay(self, user: int, given: Given) -> Json:
        """Pay it with the `card` whose number is given."""
        invoice = self.till.invoice(user, given.text("slug", ""), given.whole("message_id"))
        return await self.till.pay(user, invoice, given.text("card", GOOD_CARD))

    # -- looks

    async def _messages(self, user: int, given: Given) -> list[Json]:
        """`after`: only newer numbers; `wait_s`: wait for one from the bot; `chat`: a group instead of the chat with the bot."""
        after, chat_id = given.whole("after") or 0, given.whole("chat")
        loop = asyncio.get_running_loop()
        until = loop.time() + min(given.number("wait_s", 0), LONGEST_WAIT_S)
        while True:
            seen = self._seen(user, chat_id, after)
            left = until - loop.time()
            if left <= 0 or self.closing or any(one["from"] == "bot" for one in seen):
                return seen
            await self.core.journal.wait(left)

    def _seen(self, user: int, chat_id: int | None, after: int) -> list[Json]:
        people = self.telegram.people
        chat = people.private(people.person(user)) if chat_id is None else people.chats.get(chat_id)
        if chat is None or user not in chat.members:
            raise Impossible(f"User {user} is in no chat {chat_id}.", 404)
        return [views.message_view(self.telegram, one, user) for one in chat.messages.values() if one.id > after]

    async def _others(self, user: int, given: Given) -> list[Json]:
        return views.others_view(self.telegram, self.telegram.people.person(user).id)

    async def _commands(self, user: int, given: Given) -> list[Json]:
        return self.telegram.menu_commands(self.telegram.people.person(user))

    async def _menu(self, user: int, given: Given) -> Json:
        """The menu button of the chat with the bot, a Mini App's address ready to open."""
        buttons = self.telegram.profile.menu_buttons
        own: Json = buttons.get(user, {"type": "default"})
        button: Json = own if own["type"] != "default" else buttons.get(0, own)
        shown: Json = {"type": button["type"], "text": button.get("text"), "url": None}
        if button["type"] == "web_app":
            person = self.telegram.people.person(user)
            data = init_data(person, self.telegram.bot_token, self.core.clock.now(), query_id=f"AAF{self.telegram.number_id()}")
            shown["url"] = web_app_address(button["web_app"]["url"], data)
        return shown

    async def _init_data(self, user: int, given: Given) -> Json:
        person = self.telegram.people.person(user)
        return {"init_data": init_data(person, self.telegram.bot_token, self.core.clock.now(), given.text("start_param", ""))}

    async def _who(self, user: int, given: Given) -> Json:
        person = self.telegram.people.person(user)
        names = ("id", "first_name", "last_name", "username", "language_code", "phone", "started", "blocked")
        return {name: getattr(person, name) for name in names}

    async def _file(self, request: web.Request) -> web.Response:
        stored = self.telegram.files.by_unique(request.match_info["unique"])
        return file_response(stored) if stored else web.json_response({"error": "There is no such file (any more)."}, status=404)

    # -- the town itself

    def _clock(self) -> Json:
        return {"now": self.core.clock.now().isoformat()}

    async def _get_clock(self, request: web.Request) -> Json:
        return self._clock()

    async def _post_clock(self, request: web.Request) -> Json:
        given = await read_given(request)
        seconds = given.number("advance_s")
        try:
            if (self.core.clock.now() + timedelta(seconds=seconds)).year > LAST_YEAR:
                raise OverflowError
            now = await self.core.pass_time(seconds)
        except (ValueError, OverflowError):
            raise Impossible(f"Time only moves forward, and not beyond the year {LAST_YEAR}.") from None
        self.core.journal.add("clock.advanced", seconds=seconds, now=now.isoformat())
        return self._clock()

    async def _get_faults(self, request: web.Request) -> Json:
        return {"faults": self.core.faults.waiting()}

    async def _post_faults(self, request: web.Request) -> Json:
        given = await read_given(request)
        times = given.whole("times")
        times = 1 if times is None else times
        if times < 1:
            raise Impossible("`times` is 1 or more.")
        detail = {name: value for name, value in given.fields.items() if name not in {"provider", "fault", "times", "detail"}}
        detail.update(given.fields["detail"] if isinstance(given.fields.get("detail"), dict) else {})
        fault = Fault(given.text("provider"), given.text("fault"), times, detail)
        self.core.faults.plant(fault)
        self.core.journal.add("fault.planted", provider=fault.provider, fault=fault.fault, times=times)
        return {"faults": self.core.faults.waiting()}

    async def _delete_faults(self, request: web.Request) -> Json:
        self.core.faults.clear()
        return {"faults": []}

    async def _state(self, request: web.Request) -> Json:
        parts = {name: state() for name, state in self.states.items()}
        faults = self.core.faults.waiting()
        return {"now": self.core.clock.now().isoformat(), "telegram": views.state_view(self.telegram), **parts, "faults": faults}

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events from the journal, after `Last-Event-ID` or `?after=`."""
        last = request.headers.get("Last-Event-ID") or request.query.get("after") or "0"
        number = int(last) if last.isdigit() else 0
        stream = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        stream.content_type = "text/event-stream"
        await stream.prepare(request)
        await stream.write(b": the town\n\n")
        try:
            while not self.closing:
                events = self.core.journal.since(number)
                for event in events:
                    number = event["n"]
                    await stream.write(f"id: {number}\ndata: {encode(event)}\n\n".encode())
                if not events and not await self.core.journal.wait(HEARTBEAT_S):
                    await stream.write(b": still here\n\n")
        except (ConnectionError, asyncio.CancelledError):
            if self.closing:
                return stream
            raise
        return stream
