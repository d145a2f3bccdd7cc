"""The SMTP conversation of the town's mail server: aiosmtpd, with the extension DSN (RFC 3461), and faults at every step."""

from __future__ import annotations

import asyncio
import hmac
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from town.core import Core, Fault

PROVIDER = "mail"
MOST_BYTES = 10 * 1024 * 1024
HANG_S = 3600.0
_DSN = re.compile(r"\s+(RET|ENVID|NOTIFY|ORCPT)=(\S+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HandedIn:
    """What came through the door: envelope and letter. `notify` is what the sender wants to be told ("" when it did not say)."""

    sender: str
    address: str
    raw: bytes
    envelope_id: str
    notify: str


class Conversation(SMTP):
    """One connection. What DSN adds to MAIL and RCPT is taken off here, for aiosmtpd does not know it (and would shout it in capitals)."""

    def __init__(self, handler: Desk, user: str, password: str, tls: ssl.SSLContext | None) -> None:
        self.dsn: dict[str, str] = {}
        self._desk = handler
        self._user, self._password = user.encode(), password.encode()
        super().__init__(
            handler, hostname="mail.town.test", ident="Town mail", loop=asyncio.get_running_loop(), data_size_limit=MOST_BYTES,
            enable_SMTPUTF8=True, auth_require_tls=False, authenticator=self._may_enter, tls_context=tls, require_starttls=tls is not None,
        )  # fmt: skip

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._desk.open.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._desk.open.discard(self)
        super().connection_lost(error)

    def hang_up(self) -> None:
        """End the connection without a word."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name for it
        self.dsn = {}
        await super().smtp_MAIL(self._without_dsn(arg))

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        await super().smtp_RCPT(self._without_dsn(arg))

    def _without_dsn(self, arg: str | None) -> str | None:
        if arg is None:
            return None
        self.dsn.update((name.upper(), value) for name, value in _DSN.findall(arg))
        return _DSN.sub("", arg)

    def _may_enter(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth_data: Any) -> AuthResult:
        """A wrong password has to be `handled=False`: otherwise aiosmtpd leaves it to us to answer, and the client waits."""
        if self._desk.fault("bad_login") or not isinstance(auth_data, LoginPassword):
            return AuthResult(success=False, handled=False)
        fits = hmac.compare_digest(auth_data.login, self._user) and hmac.compare_digest(auth_data.password, self._password)
        return AuthResult(success=fits, handled=False, auth_data=None)


class Desk:
    """What the server does at each step. Faults: see `town.mail.server`."""

    def __init__(self, core: Core, take: Callable[[HandedIn], Awaitable[None]]) -> None:
        self.open: set[Conversation] = set()
        self._core = core
        self._take = take

    def fault(self, *names: str) -> Fault | None:
        return self._core.faults.take(PROVIDER, *names)

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's names
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-DSN", "250-ENHANCEDSTATUSCODES", *responses[-1:]]

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not session.authenticated:
            return self._refuse("530 5.7.0 Authentication required", address)
        if await self._trouble("sender", server):
            return ""
        if self.fault("busy"):
            return self._refuse("421 4.3.2 Too busy, closing", address)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if await self._trouble("recipient", server):
            return ""
        if self.fault("greylist"):
            return self._refuse(f"451 4.7.1 <{address}>: Greylisted, please try again later", address)
        if self.fault("unknown"):
            return self._refuse(f"550 5.1.1 <{address}>: Recipient address rejected: no such user here", address)
        if self.fault("full"):
            return self._refuse(f"552 5.2.2 <{address}>: Mailbox full", address)
        if self.fault("policy"):
            return self._refuse("554 5.7.1 Service refused by local policy", address)
        if len(envelope.rcpt_tos) >= 100:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Conversation, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.fault("spam"):
            return self._refuse("554 5.7.1 Message refused as spam", *envelope.rcpt_tos)
        raw = envelope.original_content or b""
        dropped = self.fault("drop")
        if dropped is None or dropped.detail.get("kept", True):
            for address in envelope.rcpt_tos:
                came = HandedIn(envelope.mail_from or "", address, raw, server.dsn.get("ENVID", ""), server.dsn.get("NOTIFY", "").upper())
                await self._take(came)
        if dropped is not None:
            self._core.journal.add("mail.dropped", to=list(envelope.rcpt_tos))
            server.hang_up()
            return ""
        if await self._trouble("dot", server):
            return ""
        return "250 2.0.0 OK: queued"

    async def _trouble(self, where: str, server: SMTP) -> bool:
        """A planted `hang` or `cut` whose detail `where` names this step happens here. `hang` waits `seconds`, or until somebody gives up."""
        for waiting in self._core.faults.waiting():
            if waiting["provider"] == PROVIDER and waiting["fault"] in ("hang", "cut") and waiting.get("where", "recipient") == where:
                fault = self.fault(waiting["fault"])
                break
        else:
            return False
        self._core.journal.add(f"mail.{waiting['fault']}", where=where)
        if waiting["fault"] == "cut" and isinstance(server, Conversation):
            server.hang_up()
            return True
        await asyncio.sleep(float(fault.detail.get("seconds", HANG_S)) if fault else 0)
        return False

    def _refuse(self, said: str, *addresses: str) -> str:
        self._core.journal.add("mail.refused", to=list(addresses), said=said)
        return said
