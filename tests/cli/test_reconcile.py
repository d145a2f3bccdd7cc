"""`payloom reconcile` and the desk's work list: days are read, what differs is listed with its tool, asked about and settled; strays and suspense."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.by_hand import Told
from domain.ids import AttemptId, OrganizationId, PersonId
from domain.money import Money
from domain.payment import About, Method, Notice, Outcome, Proof, Reply
from domain.phone import Phone
from domain.ports import Unit
from domain.reconcile import Found, Kind, Reading, Window
from domain.rights import Actor, Party
from tests.cli.ground import House
from tests.cli.test_admin import done_in, shop
from tests.factories import ABILITIES
from tests.web.api.ground import sell
from usecases import links, settlement
from usecases.checkouts import NewCheckout, start_checkout
from usecases.gateways import PLATFORM, save_credentials
from usecases.payments import NewAttempt, begin_attempt, open_attempt, record_reply
from usecases.readings import begin_reading, keep_reading
from usecases.strays import keep_apart
from usecases.suspense import begin_return

DESK = Actor(Party.ADMIN, "admin")
PRICE = Money(250_000, "KES")
DARAJA = {"consumer_key": "k", "consumer_secret": "s", "short_code": "600000", "passkey": "p"}
PHONE = Phone("+254712345678")


def opens(house: House, **more: str) -> None:
    """The platform's accounts are those of the settings from now on, sealed with the house's own key."""
    done_in(house, lambda unit: unit.session.plain("DELETE FROM gateway_settings").rowcount)
    given = {f"mpesa_{name}": value for name, value in (DARAJA | more).items()}
    house.env |= {f"PAYLOOM_{name.upper()}": value for name, value in given.items()}


def sold(house: House) -> AttemptId:
    """A shop of person 7 sells to person 9 by M-Pesa, today."""
    number = OrganizationId(int(shop(house)))

    def work(unit: Unit) -> AttemptId:
        save_credentials(unit, DESK, "daraja", DARAJA, tested=True)
        link = links.create_link(unit, Actor(Party.OWNER, "web", PersonId(7), number), links.NewLink("k", "Sneakers", PRICE, stock=5))
        return sell(unit, link.code, "c", buyer=PersonId(9)).attempt_id

    made = AttemptId(int(done_in(house, work)))
    opens(house)
    return made


def differs(house: House, *found: Found) -> None:
    """A day was read, and this was found."""

    def work(unit: Unit) -> None:
        day = unit.now.date().isoformat()
        begun = begin_reading(unit, "daraja", PLATFORM, day, unit.now, asked=True)
        assert isinstance(begun, Reading)
        keep_reading(
            unit, replace(begun, how="list"), Window(unit.now - timedelta(days=1), unit.now + timedelta(days=1)), found, lambda _: True
        )

    done_in(house, work)


def missing(kind: Kind = Kind.MISSING_HERE, **changes: Any) -> Found:
    return replace(Found(kind, About.PAYMENT, "SJK4H7L2QX", datetime.now(UTC), PRICE, None, "SJK4H7L2QX"), **changes)


def test_a_house_without_gateways_says_what_to_do(house: House) -> None:
    done = house.ask("reconcile")
    assert (done.code, "payloom admin gateway set" in done.err) == (1, True)


def test_a_day_without_a_list_is_asked_about_one_by_one_and_says_so(house: House) -> None:
    """Daraja is away here: what nobody answers for is no difference, and is counted."""
    sold(house)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    done = house.ask("reconcile", "--gateway", "daraja", "--day", today)
    assert done.code == 0, done.err
    assert "no list there; 1 here, asked about one by one (0 answers): what is only there cannot be seen" in done.out
    assert "1 could not be asked about" in done.out
    (one,) = house.ask("reconcile", "--day", today, "--json").data
    assert (one["how"], one["ours"], one["unasked"], one["read"], one["differences"]) == ("asked", 1, 1, True, [])
    quiet = house.ask("reconcile")
    assert (quiet.code, "everything agrees" in quiet.out) == (0, True)


def test_a_list_that_cannot_be_read_is_said_and_fails(house: House) -> None:
    house.env |= {"PAYLOOM_MOYASAR_SECRET_KEY": "sk_test_1", "PAYLOOM_MOYASAR_WEBHOOK_SECRET": "w" * 20}
    done = house.ask("reconcile")
    assert done.code == 1
    assert "moyasar of the platform" in done.err
    assert "could not be read" in done.err


def test_an_account_whose_secrets_cannot_be_opened_does_not_keep_the_others_from_it(house: House) -> None:
    opens(house)
    number = OrganizationId(int(shop(house)))
    owner = Actor(Party.OWNER, "web", PersonId(7), number)
    done_in(house, lambda unit: save_credentials(unit, owner, "daraja", DARAJA, tested=True))
    done = house.ask("reconcile")
    assert done.code == 1
    assert "daraja of Mama Amina: its secrets cannot be opened" in done.err
    assert "daraja of the platform" in done.err


@pytest.mark.parametrize(
    "words,told",
    [
        (("--gateway", "nobody"), "this gateway is not known"),
        (("--since", "2026-02-02", "--until", "2026-02-01"), "end before they begin"),
        (("--day", "2999-01-01"), "has not come yet"),
        (("--since", "2020-01-01"), "more than 92 days"),
        (("--day", "2026-02-01", "--since", "2026-02-01"), "--day, or --since and --until"),
        (("--day", "yesterday"), "yesterday"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(house: House, words: tuple[str, ...], told: str) -> None:
    words = (*words, "--until", f"{datetime.now(UTC):%Y-%m-%d}") if words == ("--since", "2020-01-01") else words
    done = house.ask("reconcile", *words)
    assert done.code != 0
    assert told in done.err


def test_what_differs_is_listed_with_its_tool_and_settled_with_a_note(house: House) -> None:
    sold(house)
    differs(house, missing(), missing(Kind.AMOUNT, key="R2", receipt="R2", ours=Money(1, "KES")))
    done = house.ask("reconcile", "--day", f"{datetime.now(UTC):%Y-%m-%d}")
    assert done.code == 1
    listed = house.admin("reconcile", "list")
    for words in ("missing here", "amount", "2500.00 KES", "pay it back in the gateway's portal", "daraja of the platform"):
        assert words in listed.out
    first = next(one for one in house.admin("reconcile", "list", "--json").data if one["class"] == "missing_here")
    number = str(first["id"])
    assert house.admin("reconcile", "settle", number, "--note", " ").code == 1
    settled = house.admin("reconcile", "settle", number, "--note", "another shop of ours", "--json")
    assert (settled.code, settled.data["state"], settled.data["note"]) == (0, "SETTLED", "another shop of ours")
    assert [one["class"] for one in house.admin("reconcile", "list", "--json").data] == ["amount"]
    assert "there is no such difference" in house.admin("reconcile", "settle", "1", "--note", "x").err
    assert "no payment of ours is known for it" in house.admin("reconcile", "ask", number).err


def test_nothing_to_settle_is_said(house: House) -> None:
    assert "nothing differs" in house.admin("reconcile", "list").out


def test_the_gateway_is_asked_about_our_payment(house: House) -> None:
    attempt_id = sold(house)
    differs(house, missing(Kind.MISSING_THERE, key=f"attempt:{attempt_id}", attempt_id=attempt_id, theirs=None, ours=PRICE))
    (one,) = house.admin("reconcile", "list", "--json").data
    assert one["settle_with"] == f"payloom admin reconcile ask {one['id']}"
    done = house.admin("reconcile", "ask", str(one["id"]))
    assert (done.code, "it is still there" in done.err) == (1, True)


# --- strays and suspense


def a_stray(house: House) -> str:
    """Returns its id as it is listed."""
    sold(house)
    done_in(house, lambda unit: keep_apart(unit, PLATFORM, Told("SKL41BC22D", PRICE, "600000", "nonsense", "678")))
    (one,) = house.admin("stray", "list", "--json").data
    assert (one["state"], one["amount"], one["receipt"], one["payer"]) == ("WAITING", "2500.00 KES", "SKL41BC22D", "...678")
    return str(one["id"])


def test_money_of_nobody_is_given_back_by_hand_when_the_gateway_cannot(house: House) -> None:
    number = a_stray(house)
    refused = house.admin("stray", "return", number)
    assert (refused.code, "did not send 2500.00 KES back (configuration)" in refused.err) == (1, True)
    done = house.admin("stray", "return", number, "--by-hand", "SKL99")
    assert (done.code, "went back to whoever paid it" in done.out) == (0, True)
    assert "no money waits for its owner" in house.admin("stray", "list").out
    assert "there is no such money" in house.admin("stray", "return", "1", "--by-hand", "x").err
    assert "only what waits" in house.admin("stray", "keep", number).err


def test_a_return_without_an_answer_is_not_sent_again_before_somebody_looked(house: House) -> None:
    number = a_stray(house)

    def ask(unit: Unit) -> None:
        (stray,) = unit.by_hand.strays_waiting(1)
        save_credentials(unit, DESK, "daraja", DARAJA, tested=True)
        begin_return(unit, DESK, stray.id)

    done_in(house, ask)
    opens(house)
    assert "it is on its way back already" in house.admin("stray", "return", number).err
    assert "RETURNING" in house.admin("stray", "list").out
    assert "waits for its owner again" in house.admin("stray", "keep", number).out


def test_money_of_nobody_is_matched_to_a_checkout(house: House) -> None:
    number = a_stray(house)
    checkout = done_in(
        house, lambda unit: start_checkout(unit, NewCheckout("c2", code_of(unit), 1, "B", "K", "", PHONE, "en", "web")).number
    )
    assert "no checkout or order" in house.admin("stray", "match", number, "nothing").err
    done = house.admin("stray", "match", number, str(checkout))
    assert (done.code, "it paid for" in done.out) == (0, True)
    assert "it was matched before" in house.admin("stray", "match", number, str(checkout)).out


def code_of(unit: Unit) -> str:
    (row,) = unit.session.plain("SELECT code FROM links").fetchall()  # type: ignore[attr-defined]
    return str(row[0])


def unfit(house: House, *, denied: bool = False) -> str:
    sold(house)

    def work(unit: Unit) -> AttemptId:
        checkout = start_checkout(unit, NewCheckout("c3", code_of(unit), 1, "B", "K", "", PHONE, "en", "web"))
        save_credentials(unit, DESK, "daraja", DARAJA, tested=True)
        attempt = open_attempt(unit, NewAttempt("a3", checkout.id, Method.MPESA, None, "web"), ABILITIES)
        begin_attempt(unit, attempt.id)
        record_reply(unit, attempt.id, Reply(Outcome.PENDING, "ws_3"))
        settlement.apply_notice(
            unit, Notice("daraja", "e3", "stk", Outcome.SUCCEEDED, Proof.HINT, attempt.id, "ws_3", "R3", PRICE, payee="999999")
        )
        if denied:
            settlement.record_fetch(unit, attempt.id, Reply(Outcome.DECLINED))
        return attempt.id

    number = str(done_in(house, work))
    opens(house)
    return number


def test_a_payment_that_did_not_fit_is_listed_and_goes_back(house: House) -> None:
    number = unfit(house)
    listed = house.admin("suspense", "list")
    assert ("2500.00 KES" in listed.out, number in listed.out) == (True, True)
    assert "never denied" in house.admin("suspense", "write-off", number).err
    done = house.admin("suspense", "return", number)
    assert (done.code, "is on its way back" in done.out) == (0, True)
    assert "nothing of this payment waits" in house.admin("suspense", "return", number).err
    assert "no payment waits for a person" in house.admin("suspense", "list").out


def test_a_payment_that_never_came_is_written_off(house: House) -> None:
    number = unfit(house, denied=True)
    assert "says that this money never came" in house.admin("suspense", "return", number, "--by-hand", "x").err
    done = house.admin("suspense", "write-off", number)
    assert (done.code, "2500.00 KES left the books" in done.out) == (0, True)
