"""Back room: letters by SMTP through aiosmtplib. RFC 5321 (the conversation), 5322 and 2047 (the letter), 3461 (DSN), 3463 (codes), 3834, 8058.

SMTP knows no idempotency: a letter whose answer was lost after the final dot is UNKNOWN. Sent again it carries the same Message-ID, so that
a receiver may drop the second one. The words are made in another back room (templates/letters.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email import policy
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib
import structlog

from domain.ports import Clock, Delivery, Letter, Sent
from gateways.messages.email_bounce import Bounce as Bounce
from gateways.messages.email_bounce import read_bounce as read_bounce
from gateways.messages.email_bounce import xtext

CONNECT_S: Final = 5.0
WHOLE_S: Final = 30.0
MOST_ENVID: Final = 100
GOODBYE_S: Final = 1.0
GREYLISTED_S: Final = 120.0
"""A server that says "not now" is asked again after this long; greylisting usually lets the second try pass after one to five minutes."""
REPAIRED_S: Final = 900.0
"""A server that does not let us in is tried again after this long; with the outbox's number of tries a letter waits for some hours."""
_PORTS: Final = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
_LOOPBACK: Final = re.compile(r"localhost|127(?:\.\d{1,3}){3}|::1")
_BREAKS: Final = re.compile(r"[\r\n\x00\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
"""What ends a line for somebody: a header value may hold none of them."""
_LOCAL: Final = re.compile(r"[^\s\x00-\x1f\x7f<>()\[\]\\,;:@\"]{1,64}")
_HOST: Final = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*", re.IGNORECASE)
_ENHANCED: Final = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_NO_LOGIN: Final = frozenset({534, 535, 538})
_ERROR_LENGTH: Final = 200

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Server:
    """Where letters are handed in. `tls`: `starttls` (demanded, never only hoped for), `implicit`, or `none` on loopback."""

    host: str
    port: int
    tls: str
    user: str = ""
    password: str = ""

    @classmethod
    def read(cls, url: str) -> Server:
        """`smtp://user:password@host:587`, `smtps://...`, `smtp+plain://127.0.0.1:2525`. Raises ValueError, without repeating what was given."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError("SMTP_URL looks like smtp://user:password@host:587 or smtps://user:password@host:465")
        if parts.scheme == "smtp+plain" and not _LOOPBACK.fullmatch(parts.hostname):
            raise ValueError("SMTP_URL: smtp+plain:// is for this machine itself; letters to others travel over smtp:// or smtps://")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if bool(user) is not bool(password):
            raise ValueError("SMTP_URL needs the user and the password, or neither")
        tls = {"smtp": "starttls", "smtps": "implicit", "smtp+plain": "none"}[parts.scheme]
        return cls(parts.hostname, parts.port or _PORTS[parts.scheme], tls, user, password)


class Mail:
    """`sender` is MAIL_FROM, `PayLoom <no-reply@pay.example>`. Bounces go to its address, or to `bounces`.

    `tls` replaces the system's trust (tests). `url` may be asked for with each letter, where the server's port is known only when it stands.
    """

    def __init__(
        self,
        url: str | Callable[[], str],
        sender: str,
        clock: Clock,
        *,
        bounces: str = "",
        tls: ssl.SSLContext | None = None,
        whole_s: float = WHOLE_S,
    ) -> None:
        self._url = url
        if isinstance(url, str):
            Server.read(url)
        self._from = read_sender(sender)
        if bounces and not is_address(bounces):
            raise ValueError("bounces go to one address")
        self._bounces = bounces or self._from.addr_spec
        self._clock = clock
        self._tls = tls
        self._whole_s = whole_s

    async def send(self, address: str, letter: Letter, mark: str) -> Sent:
        """SENT with the Message-ID as ref, whose unguessable part is `mark`. Raises for nothing that a server, the network or an address does."""
        if not is_address(address):
            return Sent(Delivery.REFUSED, error="not an address")
        try:
            message = self._message(address, letter, f"<{mark}@{self._from.domain}>")
        except ValueError as problem:
            return Sent(Delivery.REFUSED, error=f"not a letter: {problem}")
        talk = self._talk()
        try:
            async with asyncio.timeout(self._whole_s):
                await talk.hand_in(self._bounces, address, message)
            sent = Sent(Delivery.SENT, str(message["Message-ID"]))
        except (aiosmtplib.SMTPException, OSError, ValueError) as problem:
            sent = _meaning(problem, talk, address)
        finally:
            await talk.end()
        if sent.delivery is not Delivery.SENT:
            log.info("email_not_sent", delivery=sent.delivery.value, error=sent.error)
        return sent

    async def check(self) -> str:
        """Connect, ask for TLS, log in and say goodbye. What is wrong, empty when nothing is."""
        talk = self._talk()
        try:
            async with asyncio.timeout(self._whole_s):
                await talk.enter()
            talk.stage = "done"
        except (aiosmtplib.SMTPException, OSError, ValueError) as problem:
            sent = _meaning(problem, talk, self._from.addr_spec)
            return sent.error or str(sent.delivery)
        finally:
            await talk.end()
        return ""

    def _talk(self) -> _Talk:
        server = Server.read(self._url if isinstance(self._url, str) else self._url())
        return _Talk(server, self._from.domain, self._tls or (ssl.create_default_context() if server.tls != "none" else None))

    def _message(self, address: str, letter: Letter, message_id: str) -> EmailMessage:
        """Raises ValueError for a line break in a header."""
        local, _, domain = address.rpartition("@")
        message = EmailMessage(policy=policy.SMTP)
        headers = {"Subject": letter.subject, "Message-ID": message_id, "Date": format_datetime(self._clock.now())}
        headers["Auto-Submitted"] = "auto-generated"
        if letter.unsubscribe:
            if not re.fullmatch(r"https?://[\x21-\x3b\x3d\x3f-\x7e]{1,900}", letter.unsubscribe):
                raise ValueError("the unsubscribe address is no address of the web")
            headers["List-Unsubscribe"] = f"<{letter.unsubscribe}>"
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        if any(_BREAKS.search(value) for value in headers.values()):
            raise ValueError("a line break in a header")
        _put(message, "From", self._from.display_name, str(self._from), f" <{self._from.addr_spec}>")
        message["To"] = Address(username=local, domain=domain)
        for name, value in headers.items():
            _put(message, name, value, value)
        message.set_content(letter.text, cte="quoted-printable")
        message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
        return message


def _put(message: EmailMessage, name: str, words: str, ascii_form: str, after: str = "") -> None:
    """A header; words of other scripts are encoded (RFC 2047) and folded here, for EmailMessage loses spaces where it folds them itself."""
    if words.isascii():
        message[name] = ascii_form
    else:
        message.set_raw(name, Header(words, "utf-8", header_name=name).encode(linesep="\r\n") + after)


class _Talk:
    """One conversation with the server. `stage` is how far it came: connect, login, sender, recipient, data, dot (everything was handed over), done."""

    def __init__(self, server: Server, our_domain: str, tls: ssl.SSLContext | None) -> None:
        self.stage = "connect"
        self._server = server
        self._client = aiosmtplib.SMTP(
            hostname=server.host, port=server.port, local_hostname=our_domain, use_tls=server.tls == "implicit",
            start_tls=False, tls_context=tls, timeout=WHOLE_S,
        )  # fmt: skip

    async def enter(self) -> None:
        """Connect, take TLS where it is demanded, log in."""
        client = self._client
        async with asyncio.timeout(CONNECT_S):
            await client.connect()
        await client.ehlo()
        if self._server.tls == "starttls":
            if not client.supports_extension("starttls"):
                raise _NoTls("the server offers no TLS")
            await client.starttls()
            await client.ehlo()
        self.stage = "login"
        if self._server.user:
            await self._login()

    async def hand_in(self, sender: str, address: str, message: EmailMessage) -> None:
        client = self._client
        await self.enter()
        await self._envelope(sender, address, str(message["Message-ID"]).strip("<>"))
        self.stage = "data"
        utf8 = not address.isascii()
        raw = message.as_bytes(policy=policy.SMTPUTF8 if utf8 else policy.SMTP)
        said = await client.execute_command(b"DATA")
        if said.code != 354 or client.protocol is None:
            raise aiosmtplib.SMTPDataError(said.code, said.message)
        self.stage = "dot"
        client.protocol.write(re.sub(rb"(?m)^\.", b"..", raw) + b".\r\n")
        said = await client.protocol.read_response()
        if said.code // 100 != 2:
            raise aiosmtplib.SMTPDataError(said.code, said.message)
        self.stage = "done"

    async def _login(self) -> None:
        """One try by one mechanism: several wrong ones can lock an account."""
        client, known = self._client, self._client.supported_auth_methods
        ways = {"plain": client.auth_plain, "login": client.auth_login, "cram-md5": client.auth_crammd5}
        way = next((ways[name] for name in ways if name in known), None)
        if way is None:
            raise aiosmtplib.SMTPNotSupported("no way to log in")
        await way(self._server.user, self._server.password)

    async def _envelope(self, sender: str, address: str, envelope_id: str) -> None:
        """With DSN the server is told our id, and to send a bounce with the headers only (RFC 3461)."""
        client = self._client
        local, _, domain = address.rpartition("@")
        options, wishes = [], []
        if not local.isascii():
            if not client.supports_extension("smtputf8"):
                raise _NoUtf8("the server takes no such address")
            options.append("SMTPUTF8")
        if client.supports_extension("dsn"):
            options += ["RET=HDRS", *([f"ENVID={xtext(envelope_id)}"] if len(xtext(envelope_id)) <= MOST_ENVID else [])]
            wishes += ["NOTIFY=FAILURE,DELAY"]
        encoding = "ascii" if local.isascii() else "utf-8"
        self.stage = "sender"
        await client.mail(sender, options=options, encoding=encoding)
        self.stage = "recipient"
        await client.rcpt(f"{local}@{ascii_domain(domain)}", options=wishes, encoding=encoding)

    async def end(self) -> None:
        """Say goodbye where the conversation ended well; what comes of it changes nothing."""
        with contextlib.suppress(aiosmtplib.SMTPException, OSError, ValueError):
            if self.stage == "done":
                async with asyncio.timeout(GOODBYE_S):
                    await self._client.quit()
        self._client.close()


class _NoTls(aiosmtplib.SMTPException):
    """Somebody may sit between, or the server is not ready: nothing is said in the open."""


class _NoUtf8(aiosmtplib.SMTPException):
    """RFC 6531 is needed for this address."""


def read_sender(text: str) -> Address:
    """`PayLoom <no-reply@pay.example>`. Raises ValueError."""
    name, address = parseaddr(text)
    if _BREAKS.search(text) or not is_address(address) or not address.isascii():
        raise ValueError("MAIL_FROM is one address, with or without a name: PayLoom <no-reply@pay.example>")
    return Address(display_name=name, addr_spec=address)


def is_address(address: str) -> bool:
    """One bare address that a server can be told: `amina@example.com`, also with letters of other scripts."""
    local, at, domain = address.rpartition("@")
    return bool(at and _LOCAL.fullmatch(local) and _HOST.fullmatch(ascii_domain(domain)) and not _BREAKS.search(address))


def ascii_domain(domain: str) -> str:
    """As DNS knows it (RFC 3490); empty when it is no domain."""
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return ""


def _meaning(problem: Exception, talk: _Talk, address: str) -> Sent:
    """What became of a letter that was not simply taken."""
    error = _said(problem, talk, address)
    if isinstance(problem, aiosmtplib.SMTPResponseException) and problem.code // 100 in (4, 5):
        return _answered(problem.code, problem.message, talk.stage, error)
    if isinstance(problem, _NoUtf8):
        return Sent(Delivery.REFUSED, error="no_smtputf8")
    if talk.stage == "login" and isinstance(problem, aiosmtplib.SMTPNotSupported):
        return Sent(Delivery.LATER, retry_after_s=REPAIRED_S, error="no_login")
    return Sent(Delivery.UNKNOWN if talk.stage == "dot" else Delivery.LATER, error=error)


def _answered(code: int, message: str, stage: str, error: str) -> Sent:
    """RFC 5321, 4.2.1 and RFC 3463. A full mailbox (x.2.2, 552) may have room tomorrow; policy (5.7.x) says nothing about the person."""
    found = _ENHANCED.search(message)
    status = found.group(1) if found else ""
    if code // 100 == 4:
        return Sent(Delivery.LATER, retry_after_s=GREYLISTED_S, error=error)
    if stage == "login":  # no letter's fault: each waits until somebody has put it right
        return Sent(Delivery.LATER, retry_after_s=REPAIRED_S, error="bad_credentials" if code in _NO_LOGIN or status == "5.7.8" else error)
    if stage in ("recipient", "data", "dot"):
        if status == "5.2.2" or (code == 552 and stage == "recipient"):
            return Sent(Delivery.LATER, retry_after_s=GREYLISTED_S, error=error)
        nobody = status.startswith(("5.1.", "5.2.1")) if status else code in (550, 551, 553)
        if nobody and (stage == "recipient" or status):
            return Sent(Delivery.GONE, error=error)
    return Sent(Delivery.REFUSED, error=error)


def _said(problem: Exception, talk: _Talk, address: str) -> str:
    """For the log: what the server said, without the person's address, on one line."""
    match problem:
        case aiosmtplib.SMTPResponseException():
            text = f"{problem.code} {problem.message}"
        case _NoTls():
            text = "no_tls"
        case ssl.SSLCertVerificationError():
            text = "bad_certificate"
        case TimeoutError():
            text = f"no answer: {talk.stage}"
        case _:
            bad = isinstance(problem.__cause__, ssl.SSLCertVerificationError)
            text = "bad_certificate" if bad else f"{type(problem).__name__}: {talk.stage}"
    hidden = re.sub(re.escape(address), "(address)", text, flags=re.IGNORECASE)
    return "".join(char if char.isprintable() else " " for char in hidden)[:_ERROR_LENGTH]
