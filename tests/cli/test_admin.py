"""`payloom admin`: what it does is done, what it may not do is one sentence, and it works while the server runs."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import BadInput, DomainError, IllegalTransition, LimitReached, NotFound, Stale
from domain.ids import InboxId, OutboxId, PersonId
from domain.life import InboxState, OutboxState
from domain.ports import Unit
from domain.records import InboxEvent
from domain.rights import Actor, Party
from payloom.admin_rows import DeskRows
from payloom.admin_words import sentence
from payloom.settings import look
from storage.statements import Session
from tests.cli.ground import House, end, free_port, running
from tests.storage.ground import NOON, message, opened, raw, surroundings
from usecases import admin


def done_in(house: House, unit: Any, *args: Any) -> Any:
    """A unit of work in the closed house."""

    async def work() -> Any:
        signed = replace(surroundings(), audit_key=look(secret_key=house.env["PAYLOOM_SECRET_KEY"])[0].audit_key)
        async with opened(house.url, signed) as store:
            return await store.write(unit, *args)

    return asyncio.run(work())


def shop(house: House, name: str = "Mama Amina", owner: str = "7") -> str:
    done = house.admin("organization", "create", name, "--owner", owner, "--json")
    assert done.code == 0, done.err
    return str(done.data["id"])


def roles(house: House, organization: str) -> dict[str, str]:
    return {one["telegram_id"]: one["role"] for one in house.admin("member", "list", organization, "--json").data}


def marks(house: House, name: str) -> Any:
    with raw(house.url) as session:
        row = session.connection.execute("SELECT value FROM marks WHERE name = ?", (name,)).fetchone()
    return None if row is None else json.loads(row[0])


def actions(session: Session) -> list[str]:
    return [f"{row[0]} {row[1]}" for row in session.plain("SELECT actor, action FROM audit ORDER BY id").fetchall()]


def test_a_shop_is_opened_for_somebody_who_has_written_to_the_bot(house: House) -> None:
    assert house.admin("organization", "list").out == "no organization yet\n"
    number = shop(house)
    (only,) = house.admin("organization", "list", "--json").data
    assert only == {
        "id": int(number),
        "name": "Mama Amina",
        "country": "KE",
        "currency": "KES",
        "fee_bps": 250,
        "frozen": False,
        "features": [],
    }
    assert roles(house, number) == {"7": "owner"}
    assert "Mama Amina" in house.admin("organization", "list").out
    stranger = house.admin("organization", "create", "Nobody's", "--owner", "999")
    assert (stranger.code, stranger.err.count("\n"), "press Start" in stranger.err) == (1, 1, True)
    assert house.admin("organization", "create", "Gold", "--owner", "7", "--currency", "XXX").err == "payloom: this currency is not known\n"
    assert len(house.admin("organization", "list", "--json").data) == 1
    with raw(house.url) as session:
        assert actions(session) == ["admin@admin opened"]


def test_members_come_change_and_go_but_an_owner_stays(house: House) -> None:
    """W18."""
    number = shop(house)
    assert house.admin("member", "add", "mama amina", "8").code == 0
    assert house.admin("member", "add", number, "8").code == 0
    assert roles(house, number) == {"7": "owner", "8": "staff"}
    for words in (("remove", number, "7"), ("role", number, "7", "staff")):
        assert "without an owner" in house.admin("member", *words).err
    assert roles(house, number) == {"7": "owner", "8": "staff"}
    assert house.admin("member", "role", number, "8", "owner").code == 0
    assert house.admin("member", "remove", number, "7").code == 0
    assert roles(house, number) == {"8": "owner"}
    assert "does not act for" in house.admin("member", "remove", number, "7").err
    assert "there is no organization" in house.admin("member", "list", "nobody").err
    assert house.admin("member", "add", number, "9", "--role", "king").code == 2


def test_a_name_that_two_shops_have_asks_for_the_id(house: House) -> None:
    first, second = shop(house), shop(house, owner="8")
    refused = house.admin("freeze", "Mama Amina")
    assert refused.code == 1
    assert first in refused.err
    assert second in refused.err


def test_api_keys_are_shown_once_listed_without_secret_and_revoked(house: House) -> None:
    number = shop(house)
    made = house.admin("api-key", "create", number, "--name", "till", "--json").data
    assert made["key"].startswith(f"plk_{made['prefix']}_")
    listed = house.admin("api-key", "list", number)
    assert made["prefix"] in listed.out
    assert made["key"] not in listed.out + house.admin("api-key", "list", number, "--json").out
    assert house.admin("api-key", "revoke", made["key"]).code == 0
    assert house.admin("api-key", "list", number, "--json").data[0]["revoked"]
    assert "there is no API key" in house.admin("api-key", "revoke", "0" * 12).err
    house.admin("member", "add", number, "8", "--role", "manager")
    assert "no owner" in house.admin("api-key", "create", number, "--name", "x", "--owner", "8").err
    assert house.admin("api-key", "create", number, "--name", "x", "--owner", "7").code == 0


def test_every_key_of_a_shop_is_revoked_at_once_and_those_of_others_are_not(house: House) -> None:
    """W20: revoke all, for a key that was stolen and nobody knows which."""
    number, other = shop(house), shop(house, "Other", "8")
    for name in ("till", "site"):
        house.admin("api-key", "create", number, "--name", name)
    house.admin("api-key", "create", other, "--name", "theirs")
    assert len(house.admin("api-key", "revoke-all", number, "--json").data) == 2
    assert all(key["revoked"] for key in house.admin("api-key", "list", number, "--json").data)
    assert [key["revoked"] for key in house.admin("api-key", "list", other, "--json").data] == [""]
    assert "no key was open" in house.admin("api-key", "revoke-all", number).out
    assert "there is no organization" in house.admin("api-key", "revoke-all", "424242").err


def test_switches_freeze_and_alerts(house: House) -> None:
    number = shop(house)
    assert house.admin("feature", number, "late_money", "on", "--json").data["features"] == ["late_money"]
    assert house.admin("feature", number, "late_money", "off", "--json").data["features"] == []
    assert "small letters" in house.admin("feature", number, "DROP TABLE", "on").err
    for word, frozen in (("freeze", True), ("freeze", True), ("unfreeze", False)):
        assert house.admin(word, number, "--json").data["frozen"] is frozen
    assert "nobody gets the alerts" in house.admin("admins", "list").out
    for number_of in ("7", "8", "7"):
        assert house.admin("admins", "add", number_of).code == 0
    assert [one["id"] for one in house.admin("admins", "list", "--json").data] == [8, 7]
    assert house.admin("admins", "remove", "8").out == "alerts go to Person 7\n"
    assert marks(house, "admins") == {"persons": [7]}


def test_the_clock_is_trusted_from_now_on(house: House) -> None:
    done_in(house, lambda unit: unit.marks.put("clock", {"highest": "2099-01-01T00:00:00+00:00"}))
    assert "start the worker" in house.admin("trust-clock").out
    assert marks(house, "clock")["highest"] < "2099"
    assert house.ask("doctor", "--json").data["findings"]
    assert done_in(house, lambda unit: admin.trust_clock(unit, admin.DESK)) is None


def test_a_number_is_left_alone_and_may_be_prompted_again(house: House) -> None:
    assert house.admin("never-prompt", "0712 345678").out.startswith("+254712***678 gets no M-Pesa prompt")
    assert marks(house, "never_prompt:+254712345678") == {"never": True}
    assert house.admin("never-prompt", "0712345678", "--again").code == 0
    assert marks(house, "never_prompt:+254712345678") == {"never": False}
    assert house.admin("never-prompt", "hello").err == "payloom: this is no phone number\n"


def test_what_is_not_there_is_said_so(house: House) -> None:
    for words in (
        ("refund", "retry", "1"), ("refund", "confirm", "1"), ("inbox", "replay", "1"), ("outbox", "retry", "1"), ("resolve", "12345678", "release"),
        ("resolve", "12345678", "split", "--refund", "10"),
    ):  # fmt: skip
        done = house.admin(*words)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1), words
        assert done.err.startswith("payloom: there is no"), words
    assert house.admin("resolve", "12345678", "split").code == 2
    assert house.admin("resolve", "12345678", "release", "--refund", "5").code == 2
    for listing, said in ((("refund", "list"), "no refund"), (("inbox", "list"), "no event"), (("outbox", "dead"), "no message")):
        assert said in house.admin(*listing).out


def test_a_dead_message_is_told_again(house: House) -> None:
    def die(unit: Unit) -> None:
        unit.outbox.add([replace(message(50), person_id=PersonId(7), state=OutboxState.DEAD)])

    done_in(house, die)
    assert [one["id"] for one in house.admin("outbox", "dead", "--json").data] == [50]
    assert house.admin("outbox", "retry", "50").code == 0
    assert house.admin("outbox", "dead", "--json").data == []
    assert house.admin("outbox", "retry", "50").code == 1


def test_all_that_died_of_an_error_or_of_any_are_told_again(house: House) -> None:
    def die(unit: Unit) -> None:
        dead = replace(message(50), person_id=PersonId(7), state=OutboxState.DEAD)
        for number, error in ((50, "http_400"), (51, "http_400"), (52, "bad_credentials"), (53, "no_channel")):
            unit.outbox.add([replace(dead, id=OutboxId(number), key=f"k{number}", error=error)])

    def dead() -> list[int]:
        return sorted(one["id"] for one in house.admin("outbox", "list", "--json").data)

    done_in(house, die)
    assert "2 on telegram died of: http_400" in house.admin("outbox", "list").out
    assert house.admin("outbox", "retry", "--error", "http_400").out == "2 messages are told again\n"
    assert dead() == [52, 53]
    nothing = house.admin("outbox", "retry", "--error", "http_400", "--json")
    assert (nothing.code, nothing.data) == (1, {"count": 0})
    assert house.admin("outbox", "retry", "--all", "--json").data == {"count": 2}
    assert dead() == []
    for words in ((), ("50", "--all"), ("--error", "http_400", "--all"), ("50", "--error", "x")):
        assert house.admin("outbox", "retry", *words).code == 2, words


def _event(number: int, gateway: str, state: InboxState, body: bytes = b"{}") -> InboxEvent:
    return InboxEvent(InboxId(number), gateway, f"e{number}", "stk", body, {}, "", NOON, state, tries=20, error="unreadable")


def test_a_parked_event_is_applied_again_and_an_applied_one_is_not(house: House) -> None:
    def store(unit: Unit) -> None:
        for event in (
            _event(1, "daraja", InboxState.PARKED),
            _event(2, "telegram", InboxState.PARKED),
            _event(3, "daraja", InboxState.APPLIED),
            _event(4, "daraja", InboxState.PARKED, _callback()),
        ):
            unit.inbox.add(event)

    done_in(house, store)
    assert {one["id"] for one in house.admin("inbox", "list", "--json").data} == {1, 2, 4}
    assert "still cannot be read" in house.admin("inbox", "replay", "1").err
    assert "the worker takes it up" in house.admin("inbox", "replay", "2").out
    assert "applied already" in house.admin("inbox", "replay", "3").err
    waits = house.admin("inbox", "replay", "4", "--json")
    assert (waits.code, waits.data["error"]) == (1, "not_found")


def _callback() -> bytes:
    body = {"MerchantRequestID": "m", "CheckoutRequestID": "ws_1", "ResultCode": 1032, "ResultDesc": "Request cancelled by user"}
    return json.dumps({"Body": {"stkCallback": body}}).encode()


def test_commands_work_while_the_server_runs(house: House) -> None:
    port = free_port()
    with running("run", env={**house.env, "PAYLOOM_PORT": str(port)}, cwd=house.folder, port=port) as process:
        number = shop(house)
        assert roles(house, number) == {"7": "owner"}
        refused = house.admin("member", "remove", number, "7")
        assert (refused.code, "without an owner" in refused.err) == (1, True)
        assert house.admin("rotate-keys").code == 0
        assert end(process) == 0
    assert roles(house, number) == {"7": "owner"}


def test_the_socket_of_a_process_that_was_killed_is_in_nobodys_way(house: House) -> None:
    port = free_port()
    env = {**house.env, "PAYLOOM_PORT": str(port)}
    with running("run", env=env, cwd=house.folder, port=port) as process:
        process.kill()
        process.wait()
    assert (house.folder / "payloom.db.sock").exists()
    number = shop(house)
    with running("run", env=env, cwd=house.folder, port=port) as process:
        assert roles(house, number) == {"7": "owner"}
        assert end(process) == 0


async def test_only_an_admin_stands_at_the_desk(house_url: str) -> None:
    """W18: the units ask for the right themselves."""
    owner = Actor(Party.OWNER, "web")

    def each(unit: Unit) -> None:
        desk = DeskRows(unit)
        for refused in (
            lambda: admin.create_organization(unit, owner, "x", "7", "", "", None),
            lambda: admin.set_member(unit, desk, owner, "1", "7", Party.OWNER),
            lambda: admin.remove_member(unit, desk, owner, "1", "7"),
            lambda: admin.set_feature(unit, desk, owner, "1", "x", True),
            lambda: admin.freeze(unit, desk, owner, "1", True),
            lambda: admin.set_admin(unit, owner, "7", True),
            lambda: admin.trust_clock(unit, owner),
            lambda: admin.replay_event(unit, owner, InboxId(1)),
            lambda: admin.reseal(unit, desk, owner, lambda sealed, _: sealed, None),  # type: ignore[arg-type]
        ):
            with pytest.raises(NotFound):
                refused()
        with pytest.raises(BadInput):
            admin.set_member(unit, desk, admin.DESK, "1", "7", Party.BUYER)

    async with opened(house_url) as store:
        await store.write(each)


@pytest.fixture
def house_url(house: House) -> str:
    return house.url


@pytest.mark.parametrize(
    "error,said",
    [
        (NotFound(table="organizations", id=5), "there is no organization 5: `payloom admin organization list` shows them all"),
        (NotFound(life="order"), "there is no such thing here"),
        (IllegalTransition(life="order", source="PAID", target="release"), "this order is PAID: only a disputed one can be resolved"),
        (IllegalTransition(life="link", source="USED", target="ACTIVE"), "this link is USED and cannot become ACTIVE"),
        (BadInput("colour", "odd"), "the colour cannot be used (odd)"),
        (BadInput("role", "unknown", options=["a", "b"]), "a role is one of a, b"),
        (LimitReached(limit="x"), "too many of these for now: it works again at ?"),
        (Stale(), "somebody else changed it at the same moment: try again"),
        (DomainError(), "this is refused (error)"),
    ],
)
def test_every_refusal_is_a_sentence(error: DomainError, said: str) -> None:
    assert sentence(error) == said
