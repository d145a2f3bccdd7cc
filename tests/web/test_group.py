"""N6, group pay on the web: the link is split without JavaScript, each pays their share, the page follows, everything goes back when it must."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.cookies import SimpleCookie

import pytest
from aiohttp import ClientResponse

from domain.ids import CheckoutId
from domain.life import CheckoutState
from domain.ports import Unit
from domain.tokens import Purpose
from tests.web.ground import SHOP, Ground, key_in, stk_body
from usecases.gateways import PLATFORM
from usecases.group import GroupView, expire, group_view

START = {"name": "Wanjiru Kamau", "phone": "0799 111 222", "address": "Kilimani", "note": "", "quantity": "1", "shares": "3"}


@dataclass
class Party:
    """A group on the web: its address, and the cookie of whoever began it."""

    ground: Ground
    path: str = ""
    cookie: dict[str, str] = field(default_factory=dict)
    payers: int = 0

    async def start(self, link: str, **typed: str) -> None:
        key = key_in(await (await self.ground.get(f"/buy/{link}/split")).text())
        answer = await self.ground.post(f"/buy/{link}/split", {**START, "key": key, **typed})
        assert answer.status == 303, await answer.text()
        self.path = answer.headers["Location"]
        kept = SimpleCookie(answer.headers["Set-Cookie"])["starter"]
        assert kept["path"] == self.path and kept["httponly"] and kept["samesite"] == "Lax"
        self.cookie = {"Cookie": f"starter={kept.value}"}
        self.ground.client.session.cookie_jar.clear()

    @property
    def checkout_id(self) -> CheckoutId:
        number = self.ground.hall.tokens.read(Purpose.GROUP, self.path.rpartition("/")[2])
        assert number is not None
        return CheckoutId(number)

    async def text(self, **more: object) -> str:
        answer = await self.ground.get(self.path, **more)
        assert answer.status == 200
        return await answer.text()

    async def take(self, **typed: str) -> str:
        """The path of the payer's own pay page."""
        self.payers += 1
        key = key_in(await self.text())
        form = {
            "name": f"Payer{self.payers} Secret",
            "phone": f"0722 000 {self.payers:03}",
            "shares": "1",
            "method": "mpesa",
            "key": key,
            **typed,
        }
        answer = await self.ground.post(self.path, form, headers={"X-Forwarded-For": f"10.1.0.{self.payers}"})
        assert answer.status == 303, await answer.text()
        await self.ground.hall.drain()
        return answer.headers["Location"]

    async def pay(self, **typed: str) -> str:
        pay = await self.take(**typed)
        attempt = await self.ground.attempt_of(pay)
        money = attempt.money.amount_minor // 100
        assert (await self.ground.client.post(self.ground.callback(attempt), data=stk_body(attempt, 0, amount=money))).status == 200
        return pay

    async def view(self) -> GroupView:
        return await self.ground.hall.store.read(group_view, self.checkout_id)


@pytest.fixture
def party(ground: Ground) -> Party:
    return Party(ground)


async def test_the_product_page_offers_to_split_and_the_form_makes_a_group(ground: Ground, party: Party) -> None:
    link = await ground.link()
    assert f'href="/buy/{link.code}/split"' in await (await ground.get(f"/buy/{link.code}")).text()
    await party.start(link.code)
    text = await party.text()
    assert "Ksh 0" in text and "Ksh 834" in text and "Wanjiru is buying" in text and "Kamau" not in text
    assert f'value="https://pay.example{party.path}"' in text and "t.me/share/url" in text and "wa.me" in text
    assert "Call it off" not in text and "0799" not in text and "99111222" not in text
    mine = await party.text(headers=party.cookie)
    assert "Call it off" in mine and "Your own address" in mine


@pytest.mark.parametrize(
    "typed,said",
    [
        ({"name": " "}, "Please"), ({"phone": ""}, "phone"), ({"phone": "07"}, "0712 345 678"), ({"shares": "1"}, "from 2 to 20"),
        ({"shares": "x"}, "from 2 to 20"), ({"quantity": "0"}, "quantity"), ({"quantity": "2000"}, "1000"), ({"note": "x" * 501}, "500"),
    ],
)  # fmt: skip
async def test_what_cannot_be_begun_is_said_beside_its_field_and_kept(ground: Ground, typed: dict[str, str], said: str) -> None:
    link = await ground.link()
    before = await ground.counts()
    answer = await ground.post(f"/buy/{link.code}/split", {**START, "key": "k" * 32, **typed})
    text = await answer.text()
    assert answer.status == 422 and said.lower() in text.lower() and "Kilimani" in text
    assert await ground.counts() == before


async def test_a_form_pressed_twice_begins_one_group(ground: Ground) -> None:
    link = await ground.link(stock=1)
    form = {**START, "key": "0123456789abcdef0123456789abcdef"}
    answers = await asyncio.gather(*(ground.post(f"/buy/{link.code}/split", form) for _ in range(3)))
    assert len({answer.headers["Location"] for answer in answers}) == 1


async def test_what_is_sold_out_or_goes_straight_to_the_seller_leads_back_to_the_product(ground: Ground) -> None:
    link = await ground.link(stock=1)
    await ground.begin(link)
    ground.clock.move(timedelta(seconds=2))
    answer = await ground.post(f"/buy/{link.code}/split", {**START, "key": "k" * 32})
    assert answer.status == 303 and answer.headers["Location"] == f"/buy/{link.code}"


async def test_each_pays_and_the_last_share_makes_the_order_of_whoever_began_it(ground: Ground, party: Party) -> None:
    link = await ground.link()
    await party.start(link.code)
    first = await party.pay()
    answer = await ground.get(first)
    assert answer.status == 303 and answer.headers["Location"] == party.path, "who has paid sees how the group stands"
    text = await party.text()
    assert "Ksh 834 of Ksh 2,500" in text and "Payer1" in text and "Secret" not in text and "2 shares free" in text
    await party.pay(shares="2")
    full = await party.text()
    assert "All paid. The order is placed" in full and "/track/" not in full, "a payer does not get the powers of the buyer"
    mine = await ground.get(party.path, headers=party.cookie)
    assert mine.status == 303 and mine.headers["Location"].startswith("/track/")
    track = await (await ground.get(mine.headers["Location"])).text()
    assert "Wanjiru" in track
    assert (await party.view()).order is not None


async def test_the_secret_address_gives_the_order_back_on_another_phone(ground: Ground, party: Party) -> None:
    await party.start((await ground.link()).code)
    shown = re.findall(r'value="https://pay\.example(/group/[0-9a-f]+)" aria-label', await party.text(headers=party.cookie))
    assert shown[0] == party.path and len(shown) == 2
    secret = shown[1]
    answer = await ground.get(secret)
    assert answer.status == 303 and answer.headers["Location"] == party.path and "starter=" in answer.headers["Set-Cookie"]
    other = f"{party.path[:-1]}{'1' if party.path.endswith('0') else '0'}"
    assert secret != party.path and (await ground.get(other)).status == 404


async def test_wrong_words_take_no_share(ground: Ground, party: Party) -> None:
    await party.start((await ground.link()).code)
    for typed, said in (
        ({"name": ""}, "Please"), ({"phone": "07"}, "0712 345 678"), ({"phone": ""}, "phone"), ({"shares": "21"}, "from 1 to 20"),
        ({"shares": "4"}, "Only 3 shares are free"), ({"method": "visa", "phone": ""}, "Not set up"),
    ):  # fmt: skip
        form = {"name": "Ann", "phone": "0722 000 111", "shares": "1", "method": "mpesa", "key": "k" * 32, **typed}
        answer = await ground.post(party.path, form)
        text = await answer.text()
        assert answer.status == 422 and said.lower() in text.lower(), (typed, said)
    assert (await party.view()).group.taken == [] and ground.gateway.asked == []


async def test_a_share_form_pressed_twice_rings_once(ground: Ground, party: Party) -> None:
    """O7."""
    await party.start((await ground.link()).code)
    form = {"name": "Ann", "phone": "0722 000 111", "shares": "1", "method": "mpesa", "key": "0123456789abcdef0123456789abcdef"}
    answers = await asyncio.gather(*(ground.post(party.path, form) for _ in range(3)))
    await ground.hall.drain()
    assert len({answer.headers["Location"] for answer in answers}) == 1 and len(ground.gateway.asked) == 1
    assert ground.gateway.asked[0].money.amount_minor == 83_400


async def test_two_who_race_for_the_last_share_get_it_once(ground: Ground, party: Party) -> None:
    await party.start((await ground.link()).code, shares="2")
    await party.pay()
    forms = [{"name": f"N{n}", "phone": f"0733 000 {n:03}", "shares": "1", "method": "mpesa", "key": f"{n:032}"} for n in range(5)]
    answers = await asyncio.gather(*(ground.post(party.path, form) for form in forms))
    await ground.hall.drain()
    assert sorted(answer.status for answer in answers) == [303, 409, 409, 409, 409]
    assert len(ground.gateway.asked) == 2, "the others were asked for nothing"
    lost = next(answer for answer in answers if answer.status == 409)
    assert "Every share is paid or kept" in await lost.text()
    assert "Every share is paid or being paid" in await party.text()


async def test_a_failed_payer_tries_again_on_their_own_page_and_comes_back_to_the_group(ground: Ground, party: Party) -> None:
    await party.start((await ground.link()).code)
    pay = await party.take()
    await ground.pay(pay, 1032)
    text = await (await ground.get(pay)).text()
    assert "Not paid yet" in text and "Ksh 834" in text
    await ground.post(f"{pay}/cancel")
    assert f'href="{party.path}"' in await (await ground.get(pay)).text()
    assert (await party.view()).group.free == 3


async def test_money_that_came_twice_for_a_share_is_told_on_its_own_page(ground: Ground, party: Party) -> None:
    await party.start((await ground.link()).code)
    pay = await party.take()
    first = await ground.attempt_of(pay)
    await ground.pay(pay, 1)
    ground.clock.move(timedelta(seconds=20))
    await ground.post(f"{pay}/retry")
    await ground.hall.drain()
    again = await ground.attempt_of(pay)
    for attempt in (first, again):
        await ground.client.post(ground.callback(attempt), data=stk_body(attempt, 0, amount=834))
    assert "About your money" in await (await ground.get(pay)).text()


async def test_only_whoever_began_it_may_call_it_off(ground: Ground, party: Party) -> None:
    await party.start((await ground.link()).code)
    await party.pay()
    assert (await ground.post(f"{party.path}/cancel")).status == 404
    for _ in range(2):
        answer = await ground.post(f"{party.path}/cancel", headers=party.cookie)
        assert answer.status == 303 and answer.headers["Location"] == party.path
    text = await party.text()
    assert "Called off" in text and "goes back" in text
    assert (await party.view()).group.whole.state is CheckoutState.CANCELLED
    late = await ground.post(party.path, {"name": "Ann", "phone": "0722 000 111", "shares": "1", "method": "mpesa", "key": "k" * 32})
    assert late.status == 409 and "No money was taken" in await late.text()


async def test_a_full_group_is_not_called_off(ground: Ground, party: Party) -> None:
    await party.start((await ground.link()).code, shares="2")
    await party.pay(shares="2")
    assert (await ground.post(f"{party.path}/cancel", headers=party.cookie)).status == 303
    assert (await party.view()).order is not None


async def test_the_time_is_over_for_everybody_even_before_the_clock_comes_by(ground: Ground, party: Party) -> None:
    await party.start((await ground.link()).code)
    await party.pay()
    ground.clock.move(timedelta(hours=24))
    assert "The time is over" in await party.text()
    await ground.hall.store.write(expire, party.checkout_id)
    assert "The time is over" in await party.text()


async def test_the_page_is_told_when_a_share_is_paid_and_when_it_is_full(ground: Ground, party: Party) -> None:
    await party.start((await ground.link()).code, shares="2")
    stream = await ground.get(f"{party.path}/events")
    first = await asyncio.wait_for(_state(stream), 5)
    await party.pay()
    second = await asyncio.wait_for(_state(stream), 5)
    while "PAID" not in second:
        second = await asyncio.wait_for(_state(stream), 5)
    assert first != second
    await party.pay()
    rest = await asyncio.wait_for(stream.text(), 5)
    assert "PAID.over" in rest
    assert (await ground.get("/group/" + "0" * 48)).status == 404


async def _state(stream: ClientResponse) -> str:
    while True:
        line = (await stream.content.readline()).decode()
        if line.startswith("data: "):
            return line


async def test_a_name_is_data_on_every_page(ground: Ground, party: Party) -> None:
    await party.start((await ground.link()).code, name="<b>Eve</b>")
    await party.pay(name='"><script>alert(1)</script>')
    assert "<script>alert" not in await party.text() and "<b>Eve" not in await party.text()


@pytest.mark.parametrize("spoken", ["sw", "ar"])
async def test_the_pages_speak_every_language(ground: Ground, party: Party, spoken: str) -> None:
    link = await ground.link()
    await party.start(link.code)
    await party.pay()
    for path in (party.path, f"/buy/{link.code}/split"):
        text = await (await ground.get(f"{path}?lang={spoken}")).text()
        assert f'lang="{spoken}"' in text and "web.group" not in text


def own_short_code(unit: Unit) -> None:
    ours = unit.settings.get(PLATFORM, "daraja")
    assert ours is not None
    unit.settings.put(replace(ours, organization_id=SHOP))


async def test_a_shop_with_its_own_short_code_takes_no_shares(ground: Ground, party: Party) -> None:
    link = await ground.link()
    await party.start(link.code)
    await ground.hall.store.write(own_short_code)
    assert "goes straight to the seller" in (await party.text()).lower()
    other = await ground.link()
    assert "/split" not in await (await ground.get(f"/buy/{other.code}")).text()
    answer = await ground.get(f"/buy/{other.code}/split")
    assert answer.status == 303 and answer.headers["Location"] == f"/buy/{other.code}"
