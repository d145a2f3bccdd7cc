"""The town's mail: an SMTP server on loopback, inboxes to look into, and bounces. RFC 5321, 4954 (login), 3461 and 3464 (bounces).

Faults of the provider `mail`: greylist, busy (4xx); unknown, full, policy, spam (5xx); bad_login; drop (the letter is taken, the answer never
comes; `kept: false` also loses the letter); hang and cut (`where`: sender, recipient, dot; `seconds`); bounce (`status`, default 5.1.1).
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from town.core import Core
from town.mail.bounces import bounce
from town.mail.letters import Inboxes, Letter, id_of
from town.mail.smtp import Conversation, Desk, HandedIn

HOST = "127.0.0.1"
CSP = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'none'; frame-ancestors 'self'"
)
"""What a real inbox lets a letter do: look like itself, and open links in a new window. No script, no picture from elsewhere."""
Bounced = Callable[[bytes], Awaitable[object]]


class MailServer:
    """`bounced` gets every delivery report as raw mail. With `tls` the server demands STARTTLS before anything else (tests)."""

    def __init__(
        self, core: Core, port: int = 0, *, bounced: Bounced | None = None, user: str = "town", password: str = "town-mail",
        tls: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        self.inboxes = Inboxes()
        self.bounced = bounced
        self.port = port
        self._core = core
        self._wanted = port
        self._user, self._password, self._tls = user, password, tls
        self._desk = Desk(core, self._take)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd narrates every line; the journal says what matters

    @property
    def url(self) -> str:
        """What SMTP_URL is for a product that uses this server."""
        return f"smtp+plain://{self._user}:{self._password}@{HOST}:{self.port}"

    async def start(self) -> None:
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                lambda: Conversation(self._desk, self._user, self._password, self._tls), HOST, self._wanted
            )
            self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """End every conversation, also those that hang. Safe to repeat."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            for conversation in list(self._desk.open):
                conversation.hang_up()
            await server.wait_closed()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _take(self, came: HandedIn) -> None:
        """Into the inbox, or back to the sender."""
        fault = self._desk.fault("bounce")
        if fault is None:
            letter = self.inboxes.put(came.address, came.raw, self._core.clock.now())
            self._core.journal.add(
                "mail.letter", to=letter.to, number=letter.number, subject=letter.subject, message_id=letter.message_id, again=letter.again
            )
            return
        status = str(fault.detail.get("status", "5.1.1"))
        self._core.journal.add("mail.bounced", to=came.address, status=status, message_id=id_of(came.raw))
        wanted = "DELAY" if status.startswith("4") else "FAILURE"
        if self.bounced is None or (came.notify and wanted not in came.notify):
            return
        mark = f"{self._core.chance.getrandbits(64):016x}"
        report = bounce(came.raw, came.sender, came.address, self._core.clock.now(), status=status, envelope_id=came.envelope_id, mark=mark)
        task = asyncio.get_running_loop().create_task(self._return(self.bounced, report, came.address))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _return(self, bounced: Bounced, report: bytes, address: str) -> None:
        try:
            await bounced(report)
        except Exception as problem:  # noqa: BLE001 - whoever receives it is not the town; what went wrong there is written down
            self._core.journal.add("mail.bounce_failed", to=address, problem=f"{type(problem).__name__}: {problem}")

    def letters(self, address: str) -> list[Letter]:
        """What lies in an inbox, oldest first."""
        return self.inboxes.of(address)

    def state(self) -> dict[str, Any]:
        return {"url": f"smtp+plain://{HOST}:{self.port}", "inboxes": self.inboxes.addresses()}

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get(r"/town/api/mail/{address}/{number:\d{1,9}}.html", self._get_html),
            web.get("/town/api/mail/{address}", self._get_inbox),
        ]

    async def _get_inbox(self, request: web.Request) -> web.Response:
        return web.json_response([letter.shown() for letter in self.letters(request.match_info["address"])])

    async def _get_html(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        letter = next((one for one in self.letters(request.match_info["address"]) if one.number == number), None)
        if letter is None:
            return web.json_response({"error": "There is no such letter."}, status=404)
        headers = {
            "Content-Security-Policy": CSP,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }
        # Links of a letter open beside the inbox, as they do in a real one.
        shown = re.sub(r"(<head[^>]*>)", r'\1<base target="_blank">', letter.html, count=1, flags=re.IGNORECASE)
        return web.Response(text=shown, content_type="text/html", charset="utf-8", headers=headers)
