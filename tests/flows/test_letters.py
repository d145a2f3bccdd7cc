"""Letters from end to end in a town: signing up, a whole sale told by email, letters that come back, and readers who have had enough."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from domain.person import Channel, ChannelKind, ChannelState
from domain.ports import Unit
from domain.tokens import Purpose
from domain.wants import Wants
from payloom.streets import TOWN_CALLBACKS
from payloom.tour_people import Browser, Chatter, Page
from tests.bot.town import Here, living_town
from town.mail.letters import Letter

NEEMA = "neema@example.com"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
BOUNCES = f"/mail/{TOWN_CALLBACKS}/bounce"


@dataclass
class Mailed:
    """A town, a browser without JavaScript, and whoever buys in it."""

    here: Here
    browser: Browser
    buyer: Chatter
    track: str = ""

    async def buys(self, lang: str = "en") -> Page:
        """A guest pays on the page; the order's page."""
        form = await self.browser.open(f"/buy/{self.here.link}?lang={lang}")
        pay = (await self.browser.submit(form, "/buy/", phone=f"0{self.buyer.msisdn[3:]}", name="Neema")).path
        await self.buyer.pin("right")

        async def paid() -> Page | None:
            shown = await self.browser.open(pay)
            return shown if shown.path.startswith("/track/") else None

        page: Page = await self.here.wire.eventually(paid, "the order's page")
        self.track = page.path
        return page

    async def asks(self, address: str = NEEMA) -> Page:
        page = await self.browser.submit(await self.browser.open(self.track), "/mail?", email=address)
        await self.here.wire.settle()
        return page

    async def types(self, code: str) -> Page:
        page = await self.browser.submit(await self.browser.open(self.track), "/mail/code", code=code)
        await self.here.wire.settle()
        return page

    async def signs_up(self, address: str = NEEMA) -> None:
        await self.asks(address)
        await self.types(code_in(self.inbox(address)[-1]))

    def inbox(self, address: str = NEEMA) -> list[Letter]:
        return self.here.streets.town.mail.letters(address)

    async def fault(self, fault: str, times: int = 1, **detail: Any) -> None:
        await self.here.wire.act("/faults", provider="mail", fault=fault, times=times, detail=detail)

    async def post(self, path: str, data: Any, **headers: str) -> int:
        async with self.here.wire.session.post(self.here.wire.base + path, data=data, headers=headers, allow_redirects=False) as answer:
            await self.here.wire.settle()
            return answer.status

    async def rows(self) -> list[tuple[str, str, str]]:
        """What was to be told outside Telegram."""

        def read(unit: Unit) -> list[tuple[str, str, str]]:
            sql = "SELECT fact, channel || ':' || state, error FROM outbox WHERE channel <> 'telegram' ORDER BY id"
            return [(str(a), str(b), str(c)) for a, b, c in unit.session.plain(sql).fetchall()]  # type: ignore[attr-defined]

        found: list[tuple[str, str, str]] = await self.here.read(read)
        return found

    async def channels(self) -> dict[str, str]:
        def read(unit: Unit) -> dict[str, str]:
            sql = "SELECT address, state FROM channels WHERE kind = 'email'"
            return {str(a): str(b) for a, b in unit.session.plain(sql).fetchall()}  # type: ignore[attr-defined]

        found: dict[str, str] = await self.here.read(read)
        return found


@pytest.fixture
async def mailed(tmp_path: Path) -> AsyncIterator[Mailed]:
    async with living_town(tmp_path) as here:
        yield Mailed(here, Browser(here.wire, "Neema"), await here.somebody("Neema"))


def code_in(letter: Letter) -> str:
    found = re.search(r"\d{6}", letter.subject)
    assert found is not None, letter.subject
    return found.group()


def stop_of(letter: Letter) -> str:
    return next(link.partition("://")[2].partition("/")[2] for link in letter.links if "/mail/stop/" in link)


async def test_a_whole_sale_is_told_to_a_buyer_who_has_only_email(mailed: Mailed) -> None:
    """O1, X3: from the page of a guest to the last letter; every button of a letter leads to the order."""
    amina, here = mailed.here.amina, mailed.here
    page = await mailed.buys()
    assert "News by e-mail" in page.text
    assert mailed.inbox() == []
    page = await mailed.asks("  Neema@Example.COM ")
    assert "n•••@example.com" in page.text
    code = mailed.inbox()[-1]
    assert code.links == () and "Sneakers" not in code.text and "Amina" not in code.text and "Neema" not in code.text, (
        "nothing of the order, for nobody has proved anything"
    )
    assert (await mailed.channels()) == {NEEMA: "BLOCKED"}
    page = await mailed.types(code_in(code))
    assert (await mailed.channels()) == {NEEMA: "ACTIVE"}
    assert "Letters about this order go to" in page.text
    await amina.tap("act.accept")
    await amina.tap("act.ship")
    await amina.say("Rider Otieno")
    await amina.tap("do.skip")
    await amina.tap("act.delivered")
    page = await mailed.browser.open(f"{mailed.track}/confirm")
    await mailed.browser.submit(page, "/confirm")
    await here.wire.settle()
    await here.wire.pass_time(120)
    told = [letter.subject.partition(" · ")[0] for letter in mailed.inbox()[1:]]
    assert told == [
        "Paid. Your money is safe",
        "The seller is getting it ready",
        "On its way to you",
        "Has it arrived?",
        "All done. Thank you!",
    ]
    for letter in mailed.inbox()[1:]:
        assert any(link.endswith(mailed.track) for link in letter.links)
    assert {state for _, state, _ in await mailed.rows()} == {"email:SENT"}


async def test_only_news_can_be_ended_by_one_click_and_money_is_still_told(mailed: Mailed) -> None:
    """RFC 8058: the POST of a mail program, without a cookie, a page or a redirect; looking changes nothing."""
    await mailed.buys()
    await mailed.signs_up()
    paid = mailed.inbox()[-1]
    assert paid.header("List-Unsubscribe") == "", "what happens to one's own money is no mailing list"
    await mailed.here.amina.tap("act.accept")
    news = mailed.inbox()[-1]
    assert news.header("List-Unsubscribe-Post") == "List-Unsubscribe=One-Click"
    address = news.header("List-Unsubscribe").strip("<>")
    stop = "/" + address.partition("://")[2].partition("/")[2]
    page = await mailed.browser.open(stop)
    assert page.status == 200 and "n•••@example.com" in page.text
    assert await mailed.post(stop, ONE_CLICK, Origin="https://mail.example", **{"Sec-Fetch-Site": "cross-site"}) == 200
    assert await mailed.post(stop, ONE_CLICK) == 200, "as often as they like"
    page = await mailed.browser.open(stop)
    assert "no other news" in page.text
    before = len(mailed.inbox())
    await mailed.here.amina.tap("act.ship")
    await mailed.here.amina.say("Rider Otieno")
    await mailed.here.amina.tap("do.skip")
    assert [letter.subject.partition(" · ")[0] for letter in mailed.inbox()[before:]] == ["On its way to you"]


async def test_no_letters_at_all_and_the_way_back(mailed: Mailed) -> None:
    await mailed.buys()
    await mailed.signs_up()
    stop = "/" + stop_of(mailed.inbox()[-1])
    page = await mailed.browser.open(stop)
    form = next(one for one in page.forms if one.action == stop)
    assert form.method == "post"
    assert await mailed.post(stop, {"want": "none"}) == 303
    assert (await mailed.channels()) == {NEEMA: "BLOCKED"}
    before = len(mailed.inbox())
    await mailed.here.amina.tap("act.accept")
    assert len(mailed.inbox()) == before
    assert "no letters from us" in (await mailed.browser.open(stop)).text
    other = await mailed.here.somebody("Otieno")
    stranger = Mailed(mailed.here, mailed.browser, other)
    await stranger.buys()
    page = await stranger.asks()
    assert "wanted no letters" in page.text, "and nobody else can have one with a code sent there"
    assert len(mailed.inbox()) == before
    assert await mailed.post(stop, {"want": "again"}) == 303
    assert (await mailed.channels()) == {NEEMA: "ACTIVE"}


async def test_tokens_of_others_open_nothing(mailed: Mailed) -> None:
    await mailed.buys()
    await mailed.signs_up()
    tokens = mailed.here.streets.house.hall.tokens
    letter = mailed.inbox()[-1]
    number = tokens.read(Purpose.LETTER, letter.message_id.strip("<>").partition("@")[0])
    assert number is not None
    for token in (tokens.make(Purpose.LETTER, number), tokens.make(Purpose.TRACK, number), "0" * 48, "x"):
        assert await mailed.post(f"/mail/stop/{token}", ONE_CLICK) == 404
        assert (await mailed.browser.open(f"/mail/stop/{token}")).status == 404
    strange = f"/track/{tokens.make(Purpose.PAY, number)}/mail"
    assert await mailed.post(strange, {"email": NEEMA}) == 404
    assert (await mailed.channels()) == {NEEMA: "ACTIVE"}


async def test_a_wrong_code_is_counted_and_five_are_the_end(mailed: Mailed) -> None:
    """T18: on the page, through real units; then another code can be had, three in an hour."""
    await mailed.buys()
    hour_ends_s = 3_600 - mailed.here.streets.core.clock.now().timestamp() % 3_600
    await mailed.here.wire.pass_time(hour_ends_s + 1)  # the hour is the clock's, and what follows takes eleven minutes
    await mailed.asks()
    right = code_in(mailed.inbox()[-1])
    wrong = f"{(int(right) + 1) % 10**6:06}"
    for _ in range(5):
        page = await mailed.types(wrong)
        assert page.status == 409
    page = await mailed.types(right)
    assert page.status == 409 and (await mailed.channels()) == {NEEMA: "BLOCKED"}
    await mailed.asks()
    second = code_in(mailed.inbox()[-1])
    if second != right:
        assert (await mailed.types(right)).status == 409, "the earlier one is worthless"
    await mailed.here.wire.pass_time(11 * 60)
    page = await mailed.browser.open(mailed.track)
    assert not any("/mail/code" in form.action for form in page.forms), "too late: a new one is asked for"
    await mailed.asks()
    page = await mailed.asks()
    assert page.status == 429 or "already" in page.text
    assert len(mailed.inbox()) == 3
    assert (await mailed.types(code_in(mailed.inbox()[-1]))).status == 200
    assert (await mailed.channels()) == {NEEMA: "ACTIVE"}


@pytest.mark.parametrize(
    "typed",
    ["", "neema", "neema@", "neema@localhost", "a b@example.com", "neema@example.com\nBcc: all@example.com", "x" * 300 + "@example.com"],
)
async def test_what_is_no_address_is_told_at_the_field(mailed: Mailed, typed: str) -> None:
    await mailed.buys()
    page = await mailed.asks(typed)
    assert page.status == 409 and ("e-mail address" in page.text)
    assert mailed.here.streets.town.mail.inboxes.addresses() == {}


async def test_an_address_is_given_in_the_chat_and_taken_away(mailed: Mailed) -> None:
    """The orders of a guest who was known by that address alone come along."""
    await mailed.buys()
    await mailed.signs_up()
    buyer = mailed.buyer
    await buyer.start()
    await buyer.tap("English")
    await buyer.tap("do.i_buy")
    await buyer.say("/email")
    await buyer.hears("email.ask")
    await buyer.say("not an address")
    await buyer.hears("does not look like an e-mail address")
    await buyer.say("NEEMA@example.com")
    await buyer.hears("email.code", also=NEEMA)
    code = code_in(mailed.inbox()[-1])
    await buyer.say("000 000" if code != "000000" else "111111")
    await buyer.say(f"{code[:3]} {code[3:]}")
    await buyer.hears("email.on")
    await buyer.say("/purchases")
    await buyer.hears("purchases.title")
    assert (await mailed.channels()) == {NEEMA: "ACTIVE"}
    await buyer.say("/email")
    await buyer.hears("email.now", also=NEEMA)
    await buyer.tap("do.no_email")
    await buyer.hears("email.off")
    assert (await mailed.channels()) == {NEEMA: "BLOCKED"}


async def test_a_letter_that_comes_back_is_told_another_way(mailed: Mailed) -> None:
    """Hard: the address is blocked and the next way is used. A forged report does nothing, a repeated one nothing more."""
    await mailed.buys()
    await mailed.signs_up()
    forged = b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; neema@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <0123@payloom.test>\r\n\r\n--b--\r\n"
    assert await mailed.post(BOUNCES, forged) == 200
    assert await mailed.post("/mail/another-secret-of-sixteen/bounce", forged) == 404
    assert (await mailed.channels()) == {NEEMA: "ACTIVE"}
    soft = mailed.inbox()[-1]
    await mailed.here.wire.act(f"/mail/{soft.number}/bounce", status="4.4.1")
    await mailed.here.wire.settle()
    await mailed.here.wire.settle()
    assert (await mailed.channels()) == {NEEMA: "ACTIVE"}
    assert any(error == "delayed:4.4.1" for _, _, error in await mailed.rows())
    before = await mailed.rows()
    await mailed.here.wire.act(f"/mail/{soft.number}/bounce", status="5.1.1")

    async def blocked() -> bool:
        return (await mailed.channels()) == {NEEMA: "BLOCKED"}

    await mailed.here.wire.eventually(blocked, "the address is blocked")
    assert len(await mailed.rows()) == len(before), "nobody is left to tell: this buyer has no other way"


async def test_a_letter_that_comes_back_reaches_them_by_sms(mailed: Mailed) -> None:
    """Whoever has another way is told there; a report that comes again tells nothing again."""
    await mailed.buys()
    await mailed.signs_up()
    number = f"+{mailed.buyer.msisdn}"

    def phone_too(unit: Unit) -> None:
        person = unit.people.by_address(ChannelKind.EMAIL, NEEMA)
        assert person is not None
        unit.people.save(replace(person, wants=Wants(channel=ChannelKind.EMAIL)))
        unit.people.add_channel(Channel(ChannelKind.SMS, number, person.id, ChannelState.ACTIVE, unit.now))

    await mailed.here.streets.house.hall.store.write(phone_too)
    await mailed.fault("bounce")
    await mailed.here.amina.tap("act.accept")

    async def told() -> bool:
        return ("order_accepted", "sms:SENT", "") in await mailed.rows()

    await mailed.here.wire.eventually(told, "the SMS")
    assert (await mailed.channels()) == {NEEMA: "BLOCKED"}
    assert [state for fact, state, _ in await mailed.rows() if fact == "order_accepted"] == ["email:SENT", "sms:SENT"]


@pytest.mark.parametrize("fault, detail", [("busy", {}), ("greylist", {}), ("full", {}), ("bad_login", {}), ("cut", {"where": "sender"})])
async def test_what_the_mail_server_puts_off_comes_later_and_once(mailed: Mailed, fault: str, detail: dict[str, Any]) -> None:
    await mailed.buys()
    await mailed.signs_up()
    before = len(mailed.inbox())
    await mailed.fault(fault, **detail)
    await mailed.here.amina.tap("act.accept")
    assert ("order_accepted", "email:WAITING") in [row[:2] for row in await mailed.rows()]
    await mailed.here.wire.pass_time(3600)
    (letter,) = mailed.inbox()[before:]
    assert letter.subject.startswith("The seller is getting it ready") and "before" not in letter.text
    assert (await mailed.channels()) == {NEEMA: "ACTIVE"}


async def test_a_letter_that_may_have_arrived_is_sent_again_and_says_so(mailed: Mailed) -> None:
    """O2: the connection is lost after the last dot; the same Message-ID, so that a reader may drop the second."""
    await mailed.buys()
    await mailed.signs_up()
    before = len(mailed.inbox())
    await mailed.fault("drop")
    await mailed.here.amina.tap("act.accept")
    await mailed.here.wire.pass_time(60)
    first, second = mailed.inbox()[before:]
    assert first.message_id == second.message_id and second.again
    said = "You may have had this letter before"
    assert said not in first.text and said in second.text and said in second.html


async def test_a_mailbox_that_does_not_exist_is_not_written_to_again(mailed: Mailed) -> None:
    await mailed.buys()
    await mailed.signs_up()
    await mailed.fault("unknown")
    await mailed.here.amina.tap("act.accept")
    assert (await mailed.channels()) == {NEEMA: "BLOCKED"}
    assert ("order_accepted", "email:SKIPPED", "gone") in await mailed.rows()


async def test_names_cannot_write_headers(mailed: Mailed) -> None:
    """W6: a line break in what a seller wrote stays a space in the subject, the text and the page."""

    def rename(unit: Unit) -> None:
        for link in (unit.links.by_code(mailed.here.link),):
            assert link is not None
            unit.links.save(replace(link, name="Shoes\r\nBcc: all@example.com <script>alert(1)</script>"))

    await mailed.here.streets.house.hall.store.write(rename)
    await mailed.buys()
    await mailed.signs_up()
    letter = mailed.inbox()[-1]
    assert letter.header("Bcc") == "" and "<script" not in letter.html.lower()
    assert "Shoes Bcc" in letter.text.replace("\n", " ")
    assert mailed.here.streets.town.mail.inboxes.addresses() == {NEEMA: len(mailed.inbox())}


async def test_an_arabic_reader_reads_from_the_right(mailed: Mailed) -> None:
    await mailed.buys("ar")
    page = await mailed.browser.submit(await mailed.browser.open(f"{mailed.track}?lang=ar"), "/mail?", email=NEEMA)
    assert "رمز" in page.text
    await mailed.here.wire.settle()
    (code,) = mailed.inbox()
    assert 'dir="rtl"' in code.html and code_in(code) in code.subject
    await mailed.types(code_in(code))
    assert 'dir="rtl"' in mailed.inbox()[-1].html and "الطلب" in mailed.inbox()[-1].subject


async def test_a_body_that_is_no_report_or_too_large(mailed: Mailed) -> None:
    assert await mailed.post(BOUNCES, b"Subject: I am on holiday\r\n\r\nBack soon.\r\n") == 200
    assert await mailed.post(BOUNCES, io.BytesIO(b"x" * (2 << 20))) == 413
    head = 'multipart/report; report-type=delivery-status; boundary="b"'
    body = b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; a@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
    assert await mailed.post(BOUNCES, body, **{"Content-Type": head}) == 200
    async with mailed.here.wire.session.get(f"{mailed.here.wire.base}/metrics") as answer:
        metrics = await answer.text()
    assert 'kind="bounce",result="unknown_id"' in metrics or "unknown_id" in metrics
    assert "not_a_report" in metrics
