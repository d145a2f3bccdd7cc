"""Letters over real SMTP on loopback: what every answer of a server, and every silence, means for the outbox (safety.md, O1 to O3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ports import Delivery
from gateways.messages.email import Mail, Server, is_address
from tests.gateways.email_ground import CUT, HANG, NOON, SENDER, ALetter, Script, certificates, scripted, until
from tests.gateways.provider import HandClock
from town.core import Core, Fault
from town.mail import MailServer

AMINA = "amina@example.com"
MARK = "0f" * 24


def mail(url: str, sender: str = SENDER, whole_s: float = 5.0) -> Mail:
    return Mail(url, sender, HandClock(NOON), whole_s=whole_s)


@pytest.fixture
async def town() -> AsyncIterator[MailServer]:
    server = MailServer(Core(1))
    await server.start()
    yield server
    await server.stop()


def plant(town: MailServer, fault: str, times: int = 1, **detail: object) -> None:
    town._core.faults.plant(Fault("mail", fault, times, detail))


# --- the letter ------------------------------------------------------------------------------------------------------


async def test_a_letter_arrives_whole(town: MailServer) -> None:
    sent = await mail(town.url).send(AMINA, ALetter(), MARK)
    assert sent.delivery is Delivery.SENT and sent.error == ""
    (letter,) = town.letters(AMINA)
    assert (letter.subject, letter.sender, letter.to) == ("Paid · order 4821", SENDER, AMINA)
    assert letter.text == ALetter.text, "also the line that begins with a dot"
    assert letter.html.strip() == ALetter.html
    assert letter.message_id == sent.ref and letter.message_id == f"<{MARK}@pay.example>"
    assert letter.header("Auto-Submitted") == "auto-generated"
    assert letter.header("Date") == "Sat, 21 Nov 2026 09:00:05 +0000"
    assert letter.header("List-Unsubscribe") == ""


async def test_text_and_html_are_two_readings_of_one_letter(town: MailServer) -> None:
    await mail(town.url).send(AMINA, ALetter(), MARK)
    parsed = message_from_bytes(town.letters(AMINA)[0].raw, policy=policy.default)
    assert parsed.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in parsed.iter_parts()] == ["text/plain", "text/html"], (
        "the richest one last (RFC 2046, 5.1.4)"
    )


async def test_one_click_unsubscribe(town: MailServer) -> None:
    """RFC 8058: both headers, and https first."""
    await mail(town.url).send(AMINA, ALetter(unsubscribe="https://pay.example/u/abc"), "k")
    letter = town.letters(AMINA)[0]
    assert letter.header("List-Unsubscribe") == "<https://pay.example/u/abc>"
    assert letter.header("List-Unsubscribe-Post") == "List-Unsubscribe=One-Click"


async def test_other_scripts_in_names_and_words(town: MailServer) -> None:
    """RFC 2047 in the headers; no line of the raw letter is longer than 998 octets or holds anything but ASCII."""
    letter = ALetter("تم الدفع · \u2068طلب 4821\u2069 " + ("طويل " * 40).strip(), "دُفع " * 900, "<p>" + "مال " * 900 + "</p>")
    sent = await mail(town.url, "بيلوم <no-reply@pay.example>").send(AMINA, letter, "k")
    assert sent.delivery is Delivery.SENT
    (came,) = town.letters(AMINA)
    assert came.subject == letter.subject
    assert came.sender == "بيلوم <no-reply@pay.example>"
    assert came.text.rstrip("\n") == letter.text and came.html.rstrip("\n") == letter.html
    assert came.raw.isascii() and max(map(len, came.raw.split(b"\r\n"))) <= 998
    assert b"\n" not in came.raw.replace(b"\r\n", b""), "every line ends as lines of mail do"


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"], include_characters=" "), min_size=1, max_size=120))
def test_every_subject_is_read_as_it_was_written(subject: str) -> None:
    """RFC 2047, 6.2: what is between two encoded words is not there, so no space of ours may stand there."""
    subject = " ".join(subject.split(" ")).strip() or "x"
    raw = mail("smtp+plain://127.0.0.1")._message(AMINA, ALetter(subject), "<1@pay.example>").as_bytes(policy=policy.SMTP)
    assert str(message_from_bytes(raw, policy=policy.default)["Subject"]) == subject
    assert max(map(len, raw.partition(b"\r\n\r\n")[0].split(b"\r\n"))) <= 998


async def test_the_message_id_is_the_same_on_every_try(town: MailServer) -> None:
    ours = mail(town.url)
    for _ in range(2):
        await ours.send(AMINA, ALetter(), MARK)
    first, second = town.letters(AMINA)
    assert first.message_id == second.message_id and (first.again, second.again) == (False, True)


async def test_the_server_is_told_our_id_for_its_bounce(town: MailServer) -> None:
    """RFC 3461, where the server speaks it."""
    script = Script(EHLO="250-script\r\n250-DSN\r\n250 AUTH PLAIN")
    async with scripted(script) as url:
        sent = await mail(url).send(AMINA, ALetter(), MARK)
    assert sent.ref is not None
    assert f"MAIL FROM:<no-reply@pay.example> RET=HDRS ENVID={sent.ref.strip('<>')}" in script.heard
    assert f"RCPT TO:<{AMINA}> NOTIFY=FAILURE,DELAY" in script.heard


@pytest.mark.parametrize("subject", ["Paid\r\nBcc: all@example.com", "Paid\nX: y", "Paid\rX", "Paid\x00", "Paid\u2028X: y", "Paid\x0bX"])
async def test_a_line_break_in_a_header_is_refused(town: MailServer, subject: str) -> None:
    """W9: nothing that ends a line for anybody gets into a header."""
    sent = await mail(town.url).send(AMINA, ALetter(subject), "k")
    assert sent.delivery is Delivery.REFUSED and "line break" in sent.error
    assert town.letters(AMINA) == []


@pytest.mark.parametrize(
    "link", ["https://pay.example/u/a\r\nBcc: b@example.com", "javascript:alert(1)", "https://pay.example/>x", "https://a b"]
)
async def test_only_an_address_of_the_web_unsubscribes(town: MailServer, link: str) -> None:
    assert (await mail(town.url).send(AMINA, ALetter(unsubscribe=link), "k")).delivery is Delivery.REFUSED


@pytest.mark.parametrize(
    "address",
    ["", "amina", "@example.com", "amina@", "a b@example.com", "amina@example.com\r\nRCPT TO:<b@example.com>", "<a@b.com>", "a@b@example.com",
     "a,b@example.com", "amina@exa_mple.com", "amina@-x.com", "a@" + "b" * 64 + ".com", "a" * 65 + "@example.com", 'x"@example.com', "a@x..com"],
)  # fmt: skip
async def test_what_is_no_address_is_not_tried(town: MailServer, address: str) -> None:
    assert not is_address(address)
    assert await mail(town.url).send(address, ALetter(), MARK) == await mail("smtps://127.0.0.1:1").send(address, ALetter(), MARK)
    assert town.state()["inboxes"] == {}


async def test_addresses_of_other_scripts(town: MailServer) -> None:
    """The domain goes as DNS knows it; a name of other letters needs SMTPUTF8 (RFC 6531), and is refused where that is not spoken."""
    assert (await mail(town.url).send("amina@مثال.com", ALetter(), MARK)).delivery is Delivery.SENT
    assert (await mail(town.url).send("أمينة@example.com", ALetter(), MARK)).delivery is Delivery.SENT
    assert set(town.state()["inboxes"]) == {"amina@xn--mgbh0fb.com", "أمينة@example.com"}
    async with scripted(Script()) as url:
        sent = await mail(url).send("أمينة@example.com", ALetter(), MARK)
    assert (sent.delivery, sent.error) == (Delivery.REFUSED, "no_smtputf8")


# --- what a server answers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault, delivery",
    [("greylist", Delivery.LATER), ("busy", Delivery.LATER), ("full", Delivery.LATER), ("unknown", Delivery.GONE),
     ("policy", Delivery.REFUSED), ("spam", Delivery.REFUSED)],
)  # fmt: skip
async def test_an_answer_of_the_town(town: MailServer, fault: str, delivery: Delivery) -> None:
    """O1: 4xx waits; 5xx about the person is GONE; 5xx about us or the letter is REFUSED. The next letter goes through."""
    plant(town, fault)
    sent = await mail(town.url).send(AMINA, ALetter(), MARK)
    assert sent.delivery is delivery and (sent.retry_after_s > 0) is (delivery is Delivery.LATER)
    assert AMINA not in sent.error, "the log shall not hold anybody's address"
    assert town.letters(AMINA) == []
    assert (await mail(town.url).send(AMINA, ALetter(), MARK)).delivery is Delivery.SENT


@pytest.mark.parametrize(
    "step, said, delivery",
    [
        ("greeting", "421 4.7.0 try later", Delivery.LATER),
        ("greeting", "554 5.7.1 not you", Delivery.REFUSED),
        ("EHLO", "451 4.3.0 trouble", Delivery.LATER),
        ("AUTH", "454 4.7.0 temporary authentication failure", Delivery.LATER),
        ("MAIL", "452 4.3.1 no room", Delivery.LATER),
        ("MAIL", "550 5.7.1 sender not allowed", Delivery.REFUSED),
        ("RCPT", "450 4.2.0 greylisted", Delivery.LATER),
        ("RCPT", "452 4.2.2 full", Delivery.LATER),
        ("RCPT", "552 mailbox full", Delivery.LATER),
        ("RCPT", "550 no such user", Delivery.GONE),
        ("RCPT", "551 not local", Delivery.GONE),
        ("RCPT", "553 5.1.3 bad address", Delivery.GONE),
        ("RCPT", "550-5.1.1 no such\r\n550 5.1.1 user", Delivery.GONE),
        ("RCPT", "550 5.2.1 mailbox disabled", Delivery.GONE),
        ("RCPT", "550 5.7.26 unauthenticated sender", Delivery.REFUSED),
        ("RCPT", "251 will forward", Delivery.SENT),
        ("DATA", "451 4.3.0 later", Delivery.LATER),
        ("DATA", "554 5.5.1 no valid recipients", Delivery.REFUSED),
        ("dot", "250", Delivery.SENT),
        ("dot", "251 taken", Delivery.SENT),
        ("dot", "421 4.3.2 closing", Delivery.LATER),
        ("dot", "451 4.7.1 later", Delivery.LATER),
        ("dot", "550 5.1.1 no such user after all", Delivery.GONE),
        ("dot", "550 content refused", Delivery.REFUSED),
        ("dot", "554 5.6.0 content refused", Delivery.REFUSED),
        ("dot", "552 5.2.2 full", Delivery.LATER),
        ("dot", "552 5.3.4 too big", Delivery.REFUSED),
    ],
)
async def test_an_answer_at_a_step(step: str, said: str, delivery: Delivery) -> None:
    """O1: reply classes of RFC 5321 with the codes of RFC 3463, wherever they come."""
    async with scripted(Script(**{step: said})) as url:
        sent = await mail(url).send(AMINA, ALetter(), MARK)
    assert sent.delivery is delivery, sent


async def test_a_wrong_password(town: MailServer) -> None:
    """One try by one mechanism, for several can lock an account; neither name nor password is told to anybody."""
    plant(town, "bad_login", times=2)
    sent = await mail(town.url).send(AMINA, ALetter(), MARK)
    assert (sent.delivery, sent.error) == (Delivery.LATER, "bad_credentials")
    assert len(town._core.faults.waiting()) == 1
    wrong = await mail(town.url.replace("town-mail", "canary-password")).send(AMINA, ALetter(), MARK)
    assert (wrong.delivery, wrong.error) == (Delivery.LATER, "bad_credentials")


async def test_each_way_to_log_in() -> None:
    async with scripted(Script(EHLO="250-script\r\n250 SIZE 1000")) as url:
        assert (await mail(url).send(AMINA, ALetter(), MARK)).error == "no_login"
    script = Script(EHLO="250-script\r\n250 AUTH GSSAPI")
    async with scripted(script) as url:
        assert (await mail(url).send(AMINA, ALetter(), MARK)).error == "no_login"
    assert not any(line.startswith("AUTH") for line in script.heard)
    script = Script()
    async with scripted(script) as url:
        assert (await mail(url.replace("user:password@", "")).send(AMINA, ALetter(), MARK)).delivery is Delivery.SENT
    assert not any(line.startswith("AUTH") for line in script.heard), "without a name nobody logs in"


# --- silence ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [CUT, HANG, "hello", "999 what", "25", "2"])
@pytest.mark.parametrize("step", ["greeting", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "dot"])
async def test_a_lost_connection_a_silent_server_and_nonsense(step: str, trouble: str) -> None:
    """O2, O3: before everything was handed over it is safe to try again; after the final dot nobody knows."""
    async with scripted(Script(**{step: trouble})) as url, asyncio.timeout(4):
        sent = await mail(url, whole_s=0.4).send(AMINA, ALetter(), MARK)
    assert sent.delivery is (Delivery.UNKNOWN if step == "dot" else Delivery.LATER), sent
    assert sent.ref is None and sent.error


async def test_taken_but_never_answered(town: MailServer) -> None:
    """O2: the letter is in the inbox and we do not know. The next try carries the same Message-ID."""
    plant(town, "drop")
    ours = mail(town.url)
    assert (await ours.send(AMINA, ALetter(), MARK)).delivery is Delivery.UNKNOWN
    assert (await ours.send(AMINA, ALetter(), MARK)).delivery is Delivery.SENT
    assert [letter.again for letter in town.letters(AMINA)] == [False, True]
    plant(town, "drop", kept=False)
    assert (await ours.send("b@example.com", ALetter(), MARK)).delivery is Delivery.UNKNOWN
    assert town.letters("b@example.com") == []


@pytest.mark.parametrize(
    "where, delivery", [("sender", Delivery.LATER), ("recipient", Delivery.LATER), ("dot", Delivery.UNKNOWN)], ids=["sender", "rcpt", "dot"]
)
async def test_the_town_hangs(town: MailServer, where: str, delivery: Delivery) -> None:
    """O2: the whole conversation has a deadline."""
    plant(town, "hang", where=where)
    async with asyncio.timeout(3):
        assert (await mail(town.url, whole_s=0.3).send(AMINA, ALetter(), MARK)).delivery is delivery
    plant(town, "cut", where=where)
    assert (await mail(town.url).send(AMINA, ALetter(), MARK)).delivery is delivery
    assert (await mail(town.url).send(AMINA, ALetter(), MARK)).delivery is Delivery.SENT


async def test_a_server_that_stays_after_its_answer_does_not_keep_us() -> None:
    async with scripted(Script(QUIT=HANG)) as url, asyncio.timeout(3):
        assert (await mail(url).send(AMINA, ALetter(), MARK)).delivery is Delivery.SENT


async def test_nobody_there() -> None:
    """O2: refused connections and hosts that do not exist are safe to try again."""
    assert (await mail("smtp+plain://127.0.0.1:1").send(AMINA, ALetter(), MARK)).delivery is Delivery.LATER
    assert (await mail("smtps://no-such-host.invalid:465").send(AMINA, ALetter(), MARK)).delivery is Delivery.LATER


async def test_somebody_who_is_stopped_leaves_no_connection(town: MailServer) -> None:
    plant(town, "hang", where="recipient")
    task = asyncio.create_task(mail(town.url).send(AMINA, ALetter(), MARK))
    await until(lambda: any(event["kind"] == "mail.hang" for event in town._core.journal.since(0)))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not town._desk.open)


# --- TLS -------------------------------------------------------------------------------------------------------------


async def test_starttls_is_demanded_and_the_certificate_checked(tmp_path: Path) -> None:
    """The password and the letter travel only over TLS with a certificate that is checked, also where somebody takes the offer away."""
    server, trusting = certificates(tmp_path)
    town = MailServer(Core(1), tls=server)
    await town.start()
    url = town.url.replace("smtp+plain", "smtp")
    try:
        sent = await Mail(url, SENDER, HandClock(), tls=trusting).send(AMINA, ALetter(), MARK)
        assert sent.delivery is Delivery.SENT, sent
        strange = await Mail(url, SENDER, HandClock()).send(AMINA, ALetter(), MARK)
        assert (strange.delivery, strange.error) == (Delivery.LATER, "bad_certificate")
        assert len(town.letters(AMINA)) == 1
    finally:
        await town.stop()
    script = Script()
    async with scripted(script) as plain:
        stripped = await Mail(plain.replace("smtp+plain", "smtp"), SENDER, HandClock(), tls=trusting).send(AMINA, ALetter(), MARK)
    assert (stripped.delivery, stripped.error) == (Delivery.LATER, "no_tls")
    assert [line.split()[0] for line in script.heard] == ["EHLO"]


async def test_implicit_tls(tmp_path: Path) -> None:
    server, trusting = certificates(tmp_path)
    script = Script()
    listening = await asyncio.start_server(script.serve, "127.0.0.1", 0, ssl=server)
    url = f"smtps://user:password@127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening:
        assert (await Mail(url, SENDER, HandClock(), tls=trusting).send(AMINA, ALetter(), MARK)).delivery is Delivery.SENT
        strange = await Mail(url, SENDER, HandClock()).send(AMINA, ALetter(), MARK)
        assert (strange.delivery, strange.error) == (Delivery.LATER, "bad_certificate")


# --- settings --------------------------------------------------------------------------------------------------------


def test_addresses_of_servers() -> None:
    assert Server.read("smtp://u%40x:p%3Ay@mail.example") == Server("mail.example", 587, "starttls", "u@x", "p:y")
    assert Server.read("smtps://mail.example/") == Server("mail.example", 465, "implicit")
    assert Server.read("smtp+plain://[::1]:2525") == Server("::1", 2525, "none")


@pytest.mark.parametrize(
    "url",
    ["", "http://mail.example", "smtp://", "smtp://u@mail.example", "smtp://mail.example/x", "smtp://mail.example?tls=no",
     "smtp+plain://mail.example", "smtp+plain://10.0.0.1", "smtp+plain://localhost.example.com", "smtp+plain://u:canary@mail.example"],
)  # fmt: skip
def test_what_is_no_server(url: str) -> None:
    """W26: the complaint does not repeat a password."""
    with pytest.raises(ValueError, match="SMTP_URL") as problem:
        Server.read(url)
    assert "canary" not in str(problem.value)


@pytest.mark.parametrize("sender", ["", "PayLoom", "PayLoom <nobody>", "PayLoom\r\nBcc: x@example.com <a@pay.example>", "أ@pay.example"])
def test_what_is_no_sender(sender: str) -> None:
    with pytest.raises(ValueError, match="MAIL_FROM"):
        mail("smtps://mail.example", sender)
