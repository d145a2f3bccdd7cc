"""The Bot API over HTTP: reads a call in any of its encodings, misbehaves when told to, runs the method, answers.

Bot API 10.1, https://core.telegram.org/bots/api#making-requests.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from typing import Any

from aiohttp import BodyPartReader, web

from town.core import Fault
from town.telegram import account, answering, editing, invoices, sending  # noqa: F401  (they register their methods)
from town.telegram.errors import Impossible, Refused, bad, forbidden, too_many
from town.telegram.files import UPLOAD_LIMIT, StoredFile
from town.telegram.params import METHODS, Params, Upload, parsed
from town.telegram.service import Telegram
from town.telegram.shapes import encode

Json = dict[str, Any]

BODY_LIMIT = UPLOAD_LIMIT + 1024 * 1024
FAULTS_BEFORE = ("429", "500", "blocked", "slow", "html", "drop")
UNTROUBLED = frozenset({"getupdates", "getme", "setwebhook", "deletewebhook", "getwebhookinfo"})
"""Methods a planted fault passes over unless the fault names them: they run all the time and would use it up."""
UNKNOWN = Refused(404, "Not Found")
TOO_LARGE = Refused(413, "Request Entity Too Large")


class BotApi:
    """Routes of one bot's API under `base`/telegram."""

    def __init__(self, telegram: Telegram) -> None:
        self.telegram = telegram
        telegram.updates.reply = self._reply_of_webhook

    def routes(self) -> list[web.AbstractRouteDef]:
        base = f"{self.telegram.base_path}/telegram"
        return [
            web.get(f"{base}/file/bot{{token}}/{{path:.+}}", self.download),
            web.route("*", f"{base}/bot{{token}}/{{method}}", self.handle),
            web.route("*", f"{base}/{{rest:.*}}", self._nowhere),
        ]

    async def _nowhere(self, request: web.Request) -> web.Response:
        return _answer(404, UNKNOWN.body())

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One call of a method."""
        self.telegram.requests += 1
        try:
            if not self.telegram.token_matches(request.match_info["token"]):
                raise Refused(401, "Unauthorized")
            known = METHODS.get(request.match_info["method"].lower())
            if known is None or request.method not in {"GET", "POST"}:
                raise UNKNOWN
            values, files = await read_call(request)
            fault = self._fault(known.name, values)
            if fault is not None:
                early = await self._misbehave(fault)
                if early is not None:
                    return early
            result = await self.run(known.name, values, files)
        except Refused as refused:
            return _answer(refused.code, refused.body())
        if fault is not None and fault.fault == "drop":
            return _hang_up(request)
        return _answer(200, {"ok": True, "result": result})

    async def run(self, name: str, values: Mapping[str, Any], files: Mapping[str, Upload]) -> Any:
        """Run a method and give its result; raises Refused."""
        known = METHODS.get(name.lower())
        if known is None:
            raise UNKNOWN
        try:
            result = known.run(self.telegram, Params(known.reads, values, files))
            return await result if inspect.isawaitable(result) else result
        except Impossible as impossible:
            raise bad(impossible.sentence) from None

    def _fault(self, name: str, values: Mapping[str, Any]) -> Fault | None:
        """The planted fault for this call. A fault's details may narrow it to a `method` or a `chat_id`."""
        faults = self.telegram.core.faults
        passed: set[str] = set()
        for waiting in faults.waiting():
            kind = waiting["fault"]
            if waiting["provider"] != "telegram" or kind not in FAULTS_BEFORE or kind in passed:
                continue
            if _concerns(waiting, name, values):
                return faults.take("telegram", kind)
            passed.add(kind)
        return None

    async def _misbehave(self, fault: Fault) -> web.Response | None:
        """What a fault does before the method runs; None when the method still runs."""
        if fault.fault == "429":
            raise too_many(int(fault.detail.get("retry_after", 1)))
        if fault.fault == "500":
            raise Refused(500, "Internal Server Error")
        if fault.fault == "blocked":
            raise forbidden("bot was blocked by the user")
        if fault.fault == "html":
            return web.Response(text="<html><body><h1>502 Bad Gateway</h1></body></html>", content_type="text/html")
        if fault.fault == "slow":
            await asyncio.sleep(float(fault.detail.get("seconds", 3)))
        return None

    async def _reply_of_webhook(self, body: Json) -> None:
        """Run a method that a webhook put into its answer. Nobody learns how it went, as in Telegram."""
        try:
            await self.run(str(body.get("method")), {name: value for name, value in body.items() if name != "method"}, {})
        except Refused as refused:
            self.telegram.core.journal.add("telegram.webhook_reply_failed", problem=refused.description)

    async def download(self, request: web.Request) -> web.Response:
        """GET of a `file_path` that getFile gave."""
        if not self.telegram.token_matches(request.match_info["token"]):
            return _answer(401, Refused(401, "Unauthorized").body())
        stored = self.telegram.files.by_path(request.match_info["path"])
        return _answer(404, UNKNOWN.body()) if stored is None else file_response(stored)


def _concerns(fault: Mapping[str, Any], name: str, values: Mapping[str, Any]) -> bool:
    """True when a waiting fault is meant for this call."""
    wanted = fault.get("method")
    if (name.lower() in UNTROUBLED) if wanted is None else (str(wanted).lower() != name.lower()):
        return False
    if fault["fault"] == "blocked" and "chat_id" not in values:
        return False
    return "chat_id" not in fault or str(fault["chat_id"]) == str(values.get("chat_id"))


def file_response(stored: StoredFile) -> web.Response:
    """A stored file; only pictures are shown in place, everything else is saved by a browser."""
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=3600"}
    if not stored.width:
        headers["Content-Disposition"] = "attachment"
    return web.Response(body=stored.content, content_type=stored.mime if stored.width else "application/octet-stream", headers=headers)


def _answer(status: int, body: Json) -> web.Response:
    return web.Response(status=status, body=encode(body).encode(), content_type="application/json")


def _hang_up(request: web.Request) -> web.StreamResponse:
    """Close the connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def read_call(request: web.Request) -> tuple[dict[str, Any], dict[str, Upload]]:
    """Parameters and files of a call; those in the body win over those in the address."""
    values: dict[str, Any] = dict(request.query)
    if not request.can_read_body:
        return values, {}
    if (request.content_length or 0) > BODY_LIMIT:
        raise TOO_LARGE
    kind = request.content_type
    try:
        if kind == "application/json":
            body = await request.read()
            sent = parsed(body.decode()) if body else {}
            if not isinstance(sent, dict):
                raise bad("object expected as request body")
            values.update(sent)
        elif kind == "multipart/form-data":
            files = await _read_multipart(request, values)
            return values, files
        elif kind == "application/x-www-form-urlencoded":
            values.update(await request.post())
    except web.HTTPRequestEntityTooLarge:
        raise TOO_LARGE from None
    except ValueError:
        raise bad("can't parse request body") from None
    return values, {}


async def _read_multipart(request: web.Request, values: dict[str, Any]) -> dict[str, Upload]:
    files: dict[str, Upload] = {}
    size = 0
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            continue
        content = bytearray()
        while chunk := await part.read_chunk(256 * 1024):
            content += chunk
            size += len(chunk)
            if size > BODY_LIMIT:
                raise TOO_LARGE
        if part.filename is not None:
            files[part.name] = Upload(part.filename, part.headers.get("Content-Type", ""), bytes(content))
        else:
            values[part.name] = content.decode()
    return files
