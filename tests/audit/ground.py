"""What the tests of the audit stand on: a house with sales of every kind, made by the use cases, and a hand that changes rows behind its back."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from domain.by_hand import Told
from domain.ids import AttemptId, CheckoutId, FileId, OrganizationId, PersonId
from domain.late import LatePolicy
from domain.life import AttemptState
from domain.money import Money
from domain.order import Order, Reason
from domain.payment import Ability, About, Attempt, Method, Notice, Outcome, Proof, Reply
from domain.person import Channel, ChannelKind, ChannelState, Language, Member, Organization, Person, Role
from domain.phone import Phone
from domain.ports import Unit
from domain.records import RawEvent, StoredFile
from domain.rights import Actor, Party
from payloom.audit import Report, audit, reader
from payloom.settings import Settings
from storage.statements import POSTGRES, Session
from tests.storage.ground import AUDIT_KEY, NOON, StillClock, Store, raw
from usecases import checkouts, disputes, escrow, group, links, orders, payments, refunds, settlement, strays
from usecases.checkouts import NewCheckout
from usecases.gateways import PLATFORM, save_credentials
from usecases.late import refund_late
from usecases.seals import seal_trail

ABILITY = Ability("daraja", frozenset({Method.MPESA}), frozenset({"KES"}), {"KES": 100}, 100, 25_000_000, True, Proof.HINT)
PRICE = Money(250_000, "KES")
SHOP, OTHER_SHOP = OrganizationId(1), OrganizationId(2)
OWNER, OTHER_OWNER, BUYER, STRANGER = PersonId(1), PersonId(2), PersonId(3), PersonId(4)
SELLER = Actor(Party.OWNER, "telegram", OWNER, SHOP)
ADMIN = Actor(Party.ADMIN, "admin")
READ = reader(Settings(_env_file=None))  # type: ignore[call-arg]
AMINA = Actor(Party.BUYER, "telegram", BUYER)


@dataclass
class World:
    """Orders and attempts by the name of their story; codes of links by their shop."""

    orders: dict[str, int] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    checkouts: dict[str, int] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    short: dict[str, Any] = field(default_factory=dict)


def found(unit: Unit) -> World:
    """Two shops with an owner each, a buyer and a stranger, all of them to be reached; links for goods, for files, and of a direct shop."""
    world = World()
    for number in (OWNER, OTHER_OWNER, BUYER, STRANGER):
        unit.people.add(Person(number, f"Person {number}", Language.EN, Role.BUYER, None, NOON))
        unit.people.add_channel(Channel(ChannelKind.TELEGRAM, str(number), number, ChannelState.ACTIVE, NOON))
    for shop, owner in ((SHOP, OWNER), (OTHER_SHOP, OTHER_OWNER)):
        unit.organizations.add(Organization(shop, f"Shop {shop}", "KE", "KES", 250, NOON))
        unit.organizations.add_member(Member(shop, owner, Party.OWNER, NOON))
    save_credentials(unit, ADMIN, "daraja", {"short_code": "600000"}, tested=True)
    other = Actor(Party.OWNER, "telegram", OTHER_OWNER, OTHER_SHOP)
    save_credentials(unit, other, "daraja", {"short_code": "700000"}, tested=True)
    for whose, person in (("buyers", BUYER), ("strangers", STRANGER)):
        file = StoredFile(FileId(unit.new_id()), None, person, "picture:1", "image/jpeg", 1, 1, b"x", NOON)
        unit.files.add(file)
        world.files[whose] = file.id
    song = StoredFile(FileId(unit.new_id()), SHOP, OWNER, "document", "application/octet-stream", 0, 0, b"x", NOON, "song.mp3")
    unit.files.add(song)
    world.codes["goods"] = links.create_link(unit, SELLER, links.NewLink("goods", "Sneakers", PRICE, stock=500)).code
    world.codes["file"] = links.create_link(unit, SELLER, links.NewLink("file", "Song", PRICE, digital_file=song.id)).code
    world.codes["direct"] = links.create_link(unit, other, links.NewLink("direct", "Maize", PRICE)).code
    return world


def begin(unit: Unit, code: str, key: str, buyer: PersonId | None = BUYER) -> Attempt:
    """A checkout with a prompt on somebody's phone."""
    phone = Phone(f"+2547{int(hashlib.sha256(key.encode()).hexdigest(), 16) % 10**8:08}")
    new = NewCheckout(key, code, 1, "Amina", "Kilimani", "", phone, "en", "web", buyer)
    checkout = checkouts.start_checkout(unit, new)
    attempt = payments.open_attempt(unit, payments.NewAttempt(f"{key}:1", checkout.id, Method.MPESA, phone, "web"), {"daraja": ABILITY})
    return sent(unit, attempt)


def sent(unit: Unit, attempt: Attempt) -> Attempt:
    assert payments.begin_attempt(unit, attempt.id) is not None
    return payments.record_reply(unit, attempt.id, Reply(Outcome.PENDING, f"ws_{attempt.id}"))


def stk(attempt: Attempt, minor: int, receipt: str, code: int = 0) -> RawEvent:
    """What Daraja posts."""
    items = [{"Name": "Amount", "Value": minor // 100}, {"Name": "MpesaReceiptNumber", "Value": receipt}]
    call = {"MerchantRequestID": "m", "CheckoutRequestID": f"ws_{attempt.id}", "ResultCode": code, "CallbackMetadata": {"Item": items}}
    return RawEvent("daraja", "stk", json.dumps({"Body": {"stkCallback": call}}).encode(), "127.0.0.1", {"attempt_id": attempt.id})


def paid(unit: Unit, attempt: Attempt, minor: int | None = None, *, proved: bool = True) -> Order | None:
    """The callback, stored and applied, and what the gateway says when asked."""
    money = Money(attempt.money.amount_minor if minor is None else minor, "KES")
    receipt = f"R{attempt.id}"
    notice = Notice(
        "daraja", f"e{attempt.id}:{minor}", "stk", Outcome.SUCCEEDED, Proof.HINT, attempt.id, f"ws_{attempt.id}", receipt, money
    )
    settlement.receive(unit, stk(attempt, money.amount_minor, receipt), notice.event_key, notice)
    if proved:
        settlement.record_fetch(unit, attempt.id, Reply(Outcome.SUCCEEDED))
    return unit.orders.of_checkout(attempt.checkout_id)


def sell(unit: Unit, world: World, name: str, code: str = "goods", *, proved: bool = True, buyer: PersonId | None = BUYER) -> Order:
    attempt = begin(unit, world.codes[code], name, buyer)
    order = paid(unit, attempt, proved=proved)
    assert order is not None
    world.orders[name], world.attempts[name], world.checkouts[name] = order.id, attempt.id, order.checkout_id
    return order


def returned(unit: Unit, attempt_id: AttemptId, outcome: Outcome = Outcome.SUCCEEDED) -> None:
    """Its refunds are sent and answered."""
    for refund in unit.payments.refunds_of(attempt_id):
        if refunds.begin_refund(unit, refund.id, True) is not None:
            refunds.record_refund(unit, refund.id, Reply(outcome, f"conv_{refund.id}", "no" if outcome is Outcome.DECLINED else None))


def good_sales(unit: Unit, world: World) -> None:
    """Sales in each state that a quiet life leads to."""
    sell(unit, world, "paid")
    sell(unit, world, "unproved", proved=False)
    orders.accept_order(unit, SELLER, sell(unit, world, "accepted").number)
    orders.ship_order(unit, SELLER, sell(unit, world, "shipped").number, "G4S", "1")
    orders.mark_delivered(unit, SELLER, sell(unit, world, "delivered").number)
    done = sell(unit, world, "completed")
    orders.ship_order(unit, SELLER, done.number)
    orders.mark_delivered(unit, SELLER, done.number)
    orders.confirm_delivery(unit, AMINA, done.number)
    waits = sell(unit, world, "wanted", proved=False)
    orders.confirm_delivery(unit, AMINA, waits.number)
    settlement.record_fetch(unit, waits.attempt_id, Reply(Outcome.SUCCEEDED))
    sell(unit, world, "digital", "file")
    sell(unit, world, "direct", "direct")
    guest = sell(unit, world, "guest", buyer=None)
    orders.follow_order(unit, guest.id, BUYER)
    orders.ship_order(unit, SELLER, guest.number)


def hard_sales(unit: Unit, world: World) -> None:
    """Refunds, disputes, and money that does not fit."""
    for name, outcome in (("refunded", Outcome.SUCCEEDED), ("refund_pending", Outcome.PENDING), ("refund_failed", Outcome.DECLINED)):
        orders.cancel_order(unit, AMINA, sell(unit, world, name).number)
        returned(unit, AttemptId(world.attempts[name]), outcome)
    orders.cancel_order(unit, SELLER, sell(unit, world, "refund_asked").number)
    again = sell(unit, world, "refund_retried")
    orders.cancel_order(unit, AMINA, again.number)
    returned(unit, again.attempt_id, Outcome.DECLINED)
    refunds.retry_refund(unit, ADMIN, unit.payments.refunds_of(again.attempt_id)[0].id)
    picture = FileId(world.files["buyers"])
    for name in ("disputed", "withdrawn", "settled", "released", "decided", "split"):
        order = sell(unit, world, name)
        disputes.open_dispute(unit, AMINA, order.number, Reason.BROKEN, "It came broken", [picture])
    disputes.withdraw_dispute(unit, AMINA, number(unit, world, "withdrawn"))
    disputes.refund_dispute(unit, SELLER, number(unit, world, "settled"))
    disputes.resolve_dispute(unit, ADMIN, number(unit, world, "released"), "release")
    disputes.resolve_dispute(unit, ADMIN, number(unit, world, "decided"), "refund")
    disputes.resolve_dispute(unit, ADMIN, number(unit, world, "split"), "split", Money(100_000, "KES"))
    returned(unit, AttemptId(world.attempts["split"]))
    void = sell(unit, world, "void", proved=False)
    settlement.record_fetch(unit, void.attempt_id, Reply(Outcome.DECLINED, result="no_such_payment"))


def banks(unit: Unit, world: World) -> None:
    """Chargebacks: one open, one won, one lost, one after the release."""
    ends = {"bank_asks": (), "bank_won": (Outcome.DECLINED,), "bank_lost": (Outcome.SUCCEEDED,)}
    for name, outcomes in ends.items():
        order = sell(unit, world, name)
        for outcome in (Outcome.PENDING, *outcomes):
            settlement.apply_notice(unit, _bank(order, name, outcome))
    late = sell(unit, world, "bank_late")
    orders.confirm_delivery(unit, AMINA, late.number)
    settlement.apply_notice(unit, _bank(late, "bank_late", Outcome.PENDING))


def parts(unit: Unit, world: World) -> None:
    """A part taken of what is held, asked, won and lost, and released or refunded after; of a dispute; a part given back elsewhere; a debt."""
    part, rest = Money(100_000, "KES"), Money(150_000, "KES")
    for name, outcomes in {"part_asks": (), "part_won": (Outcome.DECLINED,), "part_lost": (Outcome.SUCCEEDED,)}.items():
        order = sell(unit, world, name)
        for outcome in (Outcome.PENDING, *outcomes):
            settlement.apply_notice(unit, _bank(order, name, outcome, part))
    orders.confirm_delivery(unit, AMINA, number(unit, world, "part_lost"))
    argued = sell(unit, world, "part_argued")
    disputes.open_dispute(unit, AMINA, argued.number, Reason.BROKEN, "", ())
    settlement.apply_notice(unit, _bank(argued, "part_argued", Outcome.PENDING, part))
    twice = sell(unit, world, "part_twice")
    for case, money in (("part_one", part), ("part_two", rest)):
        settlement.apply_notice(unit, _bank(twice, case, Outcome.PENDING, money))
    for case, money in (("part_one", part), ("part_two", rest)):
        settlement.apply_notice(unit, _bank(twice, case, Outcome.SUCCEEDED, money))
    back = sell(unit, world, "part_back")
    settlement.apply_notice(unit, replace(_bank(back, "re_elsewhere", Outcome.SUCCEEDED, part), about=About.REFUND))
    orders.cancel_order(unit, AMINA, back.number)
    debts(unit, world)


def debts(unit: Unit, world: World) -> None:
    """Banks take more than the wallet has; the next release pays a part of it; one gives its part up; another debt stays."""
    order = sell(unit, world, "owing")
    orders.confirm_delivery(unit, AMINA, order.number)
    cases = 0
    while not unit.books.balance(f"receivable:{SHOP}"):
        settlement.apply_notice(unit, _bank(order, f"owing_{cases}", Outcome.PENDING))
        cases += 1
    orders.confirm_delivery(unit, AMINA, sell(unit, world, "paying").number)
    settlement.apply_notice(unit, _bank(order, "owing_0", Outcome.DECLINED))
    while not unit.books.balance(f"receivable:{SHOP}").get("KES"):
        settlement.apply_notice(unit, _bank(order, f"owing_{cases}", Outcome.PENDING))
        cases += 1


def _bank(order: Order, case: str, outcome: Outcome, money: Money | None = None) -> Notice:
    key = f"{case}:{outcome}"
    return Notice(
        "daraja", key, "event", outcome, Proof.PROOF, order.attempt_id, money=money, about=About.CHARGEBACK, refund_ref=case
    )  # fmt: skip


def number(unit: Unit, world: World, name: str) -> str:
    return unit.orders.get(world.orders[name]).number  # type: ignore[arg-type]


def odd_money(unit: Unit, world: World) -> None:
    """Double, short, more than asked, late, cancelled, failed, unanswered, and what names nothing of ours."""
    for name, code, minor in (("short", "goods", 100_000), ("surplus", "goods", 300_000)):
        attempt = begin(unit, world.codes[code], name)
        paid(unit, attempt, minor)
        returned(unit, attempt.id)
        world.attempts[name], world.checkouts[name] = attempt.id, attempt.checkout_id
    first = begin(unit, world.codes["goods"], "double")
    payments.end_attempt(unit, first, AttemptState.FAILED, "timeout", Actor(Party.GATEWAY, "daraja"))
    second = payments.open_attempt(
        unit, payments.NewAttempt("double:2", first.checkout_id, Method.MPESA, first.phone, "web"), {"daraja": ABILITY}
    )
    paid(unit, sent(unit, second))
    paid(unit, first)
    returned(unit, first.id)
    gone = begin(unit, world.codes["goods"], "cancelled")
    checkouts.cancel_checkout(unit, gone.checkout_id, AMINA)
    late = begin(unit, world.codes["goods"], "late")
    checkouts.cancel_checkout(unit, late.checkout_id, AMINA)
    paid(unit, late)
    escrow.accept_late(unit, SELLER, late_number(unit, late))
    waits, back = (begin(unit, world.codes["goods"], name) for name in ("late_waits", "late_back"))
    for attempt in (waits, back):
        checkouts.cancel_checkout(unit, attempt.checkout_id, AMINA)
        paid(unit, attempt)
    refund_late(unit, SELLER, late_number(unit, back))
    never = begin(unit, world.codes["direct"], "refused_late")
    checkouts.cancel_checkout(unit, never.checkout_id, AMINA)
    shop = unit.organizations.get(OTHER_SHOP)
    shop = unit.organizations.save(replace(shop, late_money=LatePolicy.REFUND))
    paid(unit, never)
    begin(unit, world.codes["goods"], "ringing")
    strays.keep_apart(unit, PLATFORM, Told("SKL41BC22D", Money(70_000, "KES"), "600100", "no such account"))
    world.attempts |= {"late_waits": waits.id, "late_back": back.id, "double": first.id, "late": late.id, "refused_late": never.id}


def friends(unit: Unit, world: World) -> None:
    """Groups: one half paid, one whose time was over, one that is an order, one that went back, one of which a bank took a share."""
    for name in ("group_open", "group_over", "group_full", "group_back", "group_bank"):
        new = NewCheckout(name, world.codes["goods"], 1, "Amina", "Kilimani", "", Phone("+254712345678"), "en", "web", BUYER, shares=3)
        whole = group.start_group(unit, new, {"daraja": ABILITY})
        world.checkouts[name] = whole.id
        for count in (1,) if name in {"group_open", "group_over"} else (1, 2):
            key = f"{name}:{count}"
            phone = Phone(f"+2547{int(hashlib.sha256(key.encode()).hexdigest(), 16) % 10**8:08}")
            share = group.NewShare(key, count, "Friend", Method.MPESA, phone, "en", "web")
            attempt = sent(unit, group.take_share(unit, whole.id, share, {"daraja": ABILITY}))
            paid(unit, attempt, attempt.money.amount_minor)
            world.attempts[f"{name}.{count}"] = attempt.id
        order = unit.orders.of_checkout(whole.id)
        if order is not None:
            world.orders[name] = order.id
    group.cancel_group(unit, CheckoutId(world.checkouts["group_over"]), AMINA)
    orders.cancel_order(unit, AMINA, number(unit, world, "group_back"))
    for count in (1, 2):
        returned(unit, AttemptId(world.attempts[f"group_back.{count}"]))
    settlement.apply_notice(
        unit, replace(_bank(unit.orders.get(world.orders["group_bank"]), "group_bank", Outcome.PENDING), attempt_id=AttemptId(world.attempts["group_bank.1"]))  # type: ignore[arg-type]
    )  # fmt: skip


def late_number(unit: Unit, attempt: Attempt) -> str:
    late = unit.late.of_attempt(attempt.id)
    assert late is not None
    return late.number


async def lived(store: Store, clock: StillClock) -> World:
    """A house in which everything happened, a little later for each story; sealed at the end, and once more."""
    world = await store.write(found)
    for story in (good_sales, hard_sales, odd_money, banks, parts, friends):
        clock.at += timedelta(minutes=15)
        await store.write(story, world)
        clock.at += timedelta(seconds=30)
        await store.write(seal_trail)
    return world


async def audited(url: str, clock: StillClock, key: bytes = AUDIT_KEY) -> Report:
    return await audit(url, key=key, now=clock.at, read=READ)


@contextlib.contextmanager
def tampering(url: str) -> Iterator[Session]:
    """Somebody with the database's own rights: nothing refuses them, neither triggers nor keys."""
    with raw(url) as session:
        if session.dialect == POSTGRES:
            yield session
            return
        session.plain("PRAGMA foreign_keys=OFF")
        session.plain("PRAGMA ignore_check_constraints=ON")
        for (name,) in session.plain("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            session.plain(f"DROP TRIGGER {name}")
        yield session


def drop_unique(session: Session, table: str, *columns: str) -> None:
    """Take away what keeps a second row out."""
    if session.dialect == POSTGRES:
        session.plain(f"ALTER TABLE {table} DROP CONSTRAINT uq_{table}_{'_'.join(columns)}")
        return
    made = session.plain(f"SELECT sql FROM sqlite_master WHERE name = '{table}' AND type = 'table'").fetchone()[0]
    without = made.replace(f"CONSTRAINT uq_{table}_{'_'.join(columns)} UNIQUE ({', '.join(columns)})", "CHECK (1)")
    assert without != made
    session.plain("PRAGMA legacy_alter_table=ON")  # others go on to refer to the name
    session.plain(f"ALTER TABLE {table} RENAME TO old_{table}")
    session.plain(without)
    session.plain(f"INSERT INTO {table} SELECT * FROM old_{table}")
