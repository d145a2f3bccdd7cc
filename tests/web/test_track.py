"""The order, as its buyer sees and moves it."""

from __future__ import annotations

import io
from datetime import timedelta

import aiohttp
import pytest
from yarl import URL

from domain.errors import NotFound
from domain.ids import FileId
from domain.life import OrderState
from domain.order import Reason
from domain.payment import Outcome, Reply
from domain.ports import Unit
from domain.records import StoredFile
from domain.rights import Actor, Party
from domain.tokens import Purpose
from tests.web.ground import OWNER, SHOP, Ground
from usecases import disputes, orders, settlement
from web.pages.track import buyer_of

PNG = b"\x89PNG\r\n\x1a\n and so on"


def told(reason: str = "broken", words: str = "The sole came off.", *pictures: bytes) -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("reason", reason)
    form.add_field("words", words)
    for n, picture in enumerate(pictures):
        form.add_field("pictures", io.BytesIO(picture), filename=f"{n}.png", content_type="image/png")
    return form


async def test_the_page_shows_number_code_receipt_and_what_comes_next_and_when(ground: Ground) -> None:
    """L7, O4."""
    track, order = await ground.sold()
    text = await (await ground.get(track)).text()
    assert order.number in text and f"{order.delivery_code[:3]}<span> </span>{order.delivery_code[3:]}" in text
    assert "TKL" in text and "If nothing is sent by 5 Dec, 10:21" in text and "+254712***001" in text
    assert "https://t.me/PayLoomBot?start=f" in text
    assert str(order.phone) not in text


async def test_confirming_is_asked_once_more_and_releases_once(ground: Ground) -> None:
    """O3, S2."""
    track, order = await ground.sold()
    await ground.prove(order)
    await ground.seller(orders.mark_delivered, order)
    page = await (await ground.get(track)).text()
    assert "on 28 Nov, 10:21" in page and f'href="{track}/confirm"' in page
    assert (await ground.now(order)).state is OrderState.DELIVERED
    asked = await (await ground.get(f"{track}/confirm")).text()
    assert "Yes, I have it" in asked and (await ground.now(order)).state is OrderState.DELIVERED
    for _ in range(3):
        assert (await ground.post(f"{track}/confirm")).status == 303
    assert (await ground.now(order)).state is OrderState.COMPLETED
    balance = await ground.hall.store.read(lambda unit: unit.books.balance(f"wallet:{SHOP}"))
    assert balance == {"KES": -243_750}
    done = await (await ground.get(track)).text()
    assert "All done" in done and order.delivery_code[:3] + "<span>" not in done
    assert (await ground.get(f"{track}/confirm")).status == 303, "nothing is asked any more"


async def test_a_confirmation_before_the_gateway_agreed_waits_for_it(ground: Ground) -> None:
    """C7."""
    track, order = await ground.sold()
    await ground.post(f"{track}/confirm")
    assert (await ground.now(order)).state is OrderState.PAID
    assert "M-Pesa is still confirming" in await (await ground.get(track)).text()
    await ground.prove(order)
    assert (await ground.now(order)).state is OrderState.COMPLETED


async def test_cancelling_before_shipping_sends_everything_back_and_says_how_far_it_is(ground: Ground) -> None:
    """O9."""
    track, _ = await ground.sold()
    assert "Yes, cancel it" in await (await ground.get(f"{track}/cancel")).text()
    for _ in range(2):
        assert (await ground.post(f"{track}/cancel")).status == 303
    assert "Ksh 2,500 is on its way back" in await (await ground.get(track)).text()
    assert (await ground.counts())[6] == 1


async def test_after_shipping_it_can_not_be_cancelled_any_more(ground: Ground) -> None:
    track, order = await ground.sold()
    await ground.seller(orders.ship_order, order, "G4S", "XY-12")
    page = await (await ground.get(track)).text()
    assert "G4S XY-12" in page and f"{track}/cancel" not in page
    answer = await ground.post(f"{track}/cancel")
    assert answer.status == 409
    assert "cannot be done any more" in await answer.text()
    assert (await ground.now(order)).state is OrderState.SHIPPED


async def test_a_problem_freezes_the_money_with_words_and_pictures_and_can_be_taken_back(ground: Ground) -> None:
    """O7."""
    track, order = await ground.sold()
    assert (await ground.post(f"{track}/problem", told("broken", "The sole came off.", PNG, PNG))).status == 303
    dispute = await ground.hall.store.read(lambda unit: unit.disputes.of_order(order.id))
    assert dispute is not None and dispute.reason is Reason.BROKEN and len(dispute.pictures) == 2
    assert [size[1] for size in await ground.hall.store.read(lambda unit: unit.files.sizes(dispute.pictures[0]))] == [720, 360]
    page = await (await ground.get(track)).text()
    assert "Your money is on hold" in page and "The sole came off." in page and "2 pictures" in page and "24 Nov, 10:21" in page
    assert (await ground.post(f"{track}/problem", told("", "And the colour is another.", PNG))).status == 303
    assert (await ground.post(f"{track}/problem", told("", "Once more."))).status == 303
    now = await ground.hall.store.read(lambda unit: unit.disputes.of_order(order.id))
    assert now is not None and len(now.pictures) == 3 and now.words == "The sole came off.\nAnd the colour is another.\nOnce more."
    assert "Yes, it is settled" in await (await ground.get(f"{track}/withdraw")).text()
    assert (await ground.post(f"{track}/withdraw")).status == 303
    assert (await ground.now(order)).state is OrderState.PAID


async def test_a_problem_without_reason_or_words_comes_back_with_what_is_missing(ground: Ground) -> None:
    track, order = await ground.sold()
    answer = await ground.post(f"{track}/problem", told("because", " "))
    text = await answer.text()
    assert answer.status == 422
    assert 'id="reason-wrong"' in text and 'id="words-wrong"' in text
    assert (await ground.now(order)).state is OrderState.PAID


async def test_what_is_no_picture_is_refused_beside_its_field_and_keeps_the_words(ground: Ground) -> None:
    """W12."""
    track, order = await ground.sold()
    for pictures in ((b"<svg onload=alert(1)>",), (PNG,) * 6):
        answer = await ground.post(f"{track}/problem", told("broken", "Look at this.", *pictures))
        text = await answer.text()
        assert answer.status == 422
        assert 'id="pictures-wrong"' in text and "Look at this." in text
    assert (await ground.now(order)).state is OrderState.PAID
    assert (await ground.counts())[5] == 0


async def test_too_much_evidence_is_refused_before_it_is_kept(ground: Ground) -> None:
    """W14."""
    track, _ = await ground.sold()
    assert (await ground.post(f"{track}/problem", told("broken", "big", PNG + bytes(11 * 1024 * 1024)))).status == 413
    assert (await ground.post(f"{track}/problem", told("broken", "x" * 20_000, PNG))).status == 413
    assert (await ground.post(f"{track}/problem", told("broken", "x" * 70_000))).status == 413
    assert (await ground.post(f"{track}/problem", told("broken", "x" * 3_000))).status == 422


async def test_the_tracking_token_opens_one_order_only(ground: Ground) -> None:
    """W3, W13: nor do its pictures go into another order's dispute."""
    mine, order = await ground.sold()
    _, other = await ground.sold()
    with pytest.raises(NotFound):
        await ground.hall.store.write(orders.confirm_delivery, buyer_of(order.id), other.number)
    await ground.post(f"{mine}/problem", told("broken", "Mine.", PNG))
    dispute = await ground.hall.store.read(lambda unit: unit.disputes.of_order(order.id))
    assert dispute is not None
    for stranger in (buyer_of(other.id), Actor(Party.BUYER, "web")):
        with pytest.raises(NotFound):
            await ground.hall.store.write(disputes.open_dispute, stranger, other.number, Reason.BROKEN, "Not mine", dispute.pictures)
    assert (await ground.now(other)).state is OrderState.PAID


async def test_a_digital_purchase_hands_over_its_file_once_it_is_completed(ground: Ground) -> None:
    """O10."""

    def add_file(unit: Unit) -> FileId:
        number = FileId(unit.new_id())
        unit.files.add(StoredFile(number, SHOP, OWNER, "digital", "text/html", 0, 0, b"<script>x</script>", unit.now, 'song "é"\r\n.mp3'))
        return number

    file = await ground.hall.store.write(add_file)
    track, order = await ground.sold(digital_file=file)
    download = track.replace("/track/", "/download/")
    assert (await ground.get(download)).status == 404
    page = await (await ground.get(track)).text()
    assert "In a moment you can download it here" in page and "delivery code" not in page
    await ground.prove(order)
    assert f'href="{download}"' in await (await ground.get(track)).text()
    answer = await ground.get(download)
    assert await answer.read() == b"<script>x</script>"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="song .mp3"')
    assert answer.headers["Cache-Control"] == "no-store"
    assert (await ground.get(f"/pictures/{ground.hall.tokens.make(Purpose.FILE, file)}/360")).status == 404, "a file is no picture"


async def test_files_are_found_by_their_own_token_and_by_nothing_else(ground: Ground) -> None:
    """W13: ../, absolute, encoded, a number, another order's token, a token for something else: all answered alike, and a picture as evidence
    is no download."""

    def add_file(unit: Unit) -> FileId:
        number = FileId(unit.new_id())
        unit.files.add(StoredFile(number, SHOP, OWNER, "digital", "application/zip", 0, 0, b"SONG", unit.now, "../../etc/passwd"))
        return number

    file = await ground.hall.store.write(add_file)
    mine, order = await ground.sold(digital_file=file)
    other, stranger = await ground.sold()
    await ground.prove(order)
    await ground.prove(stranger)
    await ground.post(f"{other}/problem", told("broken", "Look.", PNG))
    dispute = await ground.hall.store.read(lambda unit: unit.disputes.of_order(stranger.id))
    assert dispute is not None
    make = ground.hall.tokens.make
    paths = ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "/etc/passwd", "%2Fetc%2Fpasswd", "..%5c..%5cwin.ini",
             "....//etc/passwd", "file:%2f%2f%2fetc%2fpasswd", str(file), f"{file:x}", "%00", f"{make(Purpose.FILE, file)}%00.jpg"]  # fmt: skip
    wrong = [
        make(Purpose.FILE, file),
        make(Purpose.TRACK, file),
        make(Purpose.PAY, order.id),
        make(Purpose.FILE, order.id),
        other.rpartition("/")[2],
    ]
    for token in paths + wrong:
        answer = await ground.client.get(URL(f"/download/{token}", encoded=True), allow_redirects=False)
        assert answer.status == 404 and b"SONG" not in await answer.read(), token
    seen = make(Purpose.FILE, dispute.pictures[0])
    for token in [*paths, make(Purpose.TRACK, stranger.id), make(Purpose.PAY, dispute.pictures[0]), seen[:-1], make(Purpose.FILE, file)]:
        for width in ("360", "..", "0x10", "99999", "-1", "%2e%2e"):
            answer = await ground.client.get(URL(f"/pictures/{token}/{width}", encoded=True), allow_redirects=False)
            assert answer.status == 404, (token, width)
    answer = await ground.get(mine.replace("/track/", "/download/"))
    assert (await answer.read(), answer.headers["Content-Disposition"][:38]) == (b"SONG", 'attachment; filename="etcpasswd"; file')


async def test_a_payment_that_m_pesa_denies_is_said_without_blame(ground: Ground) -> None:
    track, order = await ground.sold()
    await ground.hall.store.write(settlement.record_fetch, order.attempt_id, Reply(Outcome.DECLINED, result="no_answer"))
    assert "this payment did not happen" in await (await ground.get(track)).text()


@pytest.mark.parametrize("language,said", [("en", "On its way to you"), ("sw", "Iko njiani kukufikia"), ("ar", "في الطريق إليك")])
async def test_every_state_is_told_in_every_language(ground: Ground, language: str, said: str) -> None:
    track, order = await ground.sold()
    await ground.seller(orders.ship_order, order)
    assert said in await (await ground.get(f"{track}?lang={language}")).text()


async def test_after_the_window_a_problem_can_not_be_opened_any_more(ground: Ground) -> None:
    track, order = await ground.sold()
    await ground.seller(orders.mark_delivered, order)
    for days in (5, 1):
        ground.clock.move(timedelta(days=days, seconds=1))
        await ground.hall.store.write(orders.run_order_timer, order.id)
    ground.clock.move(timedelta(days=1))
    assert f"{track}/problem" in await (await ground.get(track)).text(), "the last instant is still within"
    ground.clock.move(timedelta(seconds=1))
    assert f"{track}/problem" not in await (await ground.get(track)).text()
    answer = await ground.post(f"{track}/problem", told())
    assert answer.status == 422
    assert (await ground.now(order)).state is OrderState.DELIVERED
