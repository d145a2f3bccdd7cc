"""The town's mail: an SMTP server on loopback, inboxes to look into, and letters that come back. RFC 5321, 4954 (login), 3461 and 3464.

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
SHOWN = 100
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
            letter = self.inboxes.put(came.address, came.raw, self._core.clock.now(), came.sender, came.envelope_id)
            self._core.journal.add(
                "mail.letter", to=letter.to, number=letter.number, subject=letter.subject, message_id=letter.message_id, again=letter.again
            )
            return
        self._give_back(came, str(fault.detail.get("status", "5.1.1")))

    def _give_back(self, came: HandedIn, status: str) -> bool:
        """Whether a report goes to the sender: it may have said that it does not want this kind."""
        self._core.journal.add("mail.bounced", to=came.address, status=status, message_id=id_of(came.raw))
        wanted = "DELAY" if status.startswith("4") else "FAILURE"
        if self.bounced is None or (came.notify and wanted not in came.notify):
            return False
        mark = f"{self._core.chance.getrandbits(64):016x}"
        report = bounce(came.raw, came.sender, came.address, self._core.clock.now(), status=status, envelope_id=came.envelope_id, mark=mark)
        task = asyncio.get_running_loop().create_task(self._return(self.bounced, report, came.address))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

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
            web.get("/town/api/mail", self._get_all),
            web.post(r"/town/api/mail/{number:\d{1,9}}/bounce", self._post_bounce),
            web.get(r"/town/api/mail/{address}/{number:\d{1,9}}.html", self._get_html),
            web.get("/town/api/mail/{address}", self._get_inbox),
        ]

    async def _get_all(self, request: web.Request) -> web.Response:
        """Newest first, of every inbox, without the HTML: that has an address of its own, where it can do no harm."""
        letters = [{name: value for name, value in letter.shown().items() if name != "html"} for letter in self.inboxes.newest(SHOWN)]
        return web.json_response({"letters": letters}, headers={"Cache-Control": "no-store"})

    async def _post_bounce(self, request: web.Request) -> web.Response:
        """A letter that lies in an inbox comes back after all, as it does where a server further on refuses it. JSON `{"status": "5.1.1"}`."""
        letter = self.inboxes.find(int(request.match_info["number"]))
        if letter is None:
            return web.json_response({"error": "There is no such letter."}, status=404)
        try:
            given = await request.json() if request.can_read_body else {}
            status = str(given.get("status") or "5.1.1")
        except (ValueError, AttributeError):
            return web.json_response({"error": "The body must be a JSON object."}, status=400)
        if not re.fullmatch(r"[45]\.\d{1,3}\.\d{1,3}", status):
            return web.json_response({"error": "`status` looks like 5.1.1 or 4.4.1."}, status=400)
        came = HandedIn(letter.came_from, letter.to, letter.raw, letter.envelope_id, "")
        if not self._give_back(came, status):
            return web.json_response({"error": "Nobody wants to hear of letters that come back."}, status=409)
        return web.json_response({"returned": letter.number, "status": status})

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
