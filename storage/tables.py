"""Every table, for both engines. Instants are integer microseconds since 1970 UTC (docs/decisions/0003-instants-and-ids.md)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from domain.by_hand import LookupState, StrayState
from domain.late import LateState
from domain.life import (
    AttemptState,
    ChargebackState,
    CheckoutState,
    DisputeState,
    EscrowState,
    InboxState,
    LinkState,
    OrderState,
    OutboxState,
    PaymentState,
    RefundState,
)
from domain.reconcile import DifferenceState
from domain.webhook import DeliveryState, EndpointState

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Whole = BigInteger().with_variant(Integer, "sqlite")


def _id(name: str = "id") -> Column[Any]:
    return Column(name, Whole, primary_key=True, autoincrement=False)


def _ref(name: str, target: str, *, null: bool = False) -> Column[Any]:
    return Column(name, Whole, ForeignKey(target), nullable=null)


def _whole(name: str, *, null: bool = False) -> Column[Any]:
    return Column(name, Whole, nullable=null)


def _text(name: str, *, null: bool = False) -> Column[Any]:
    return Column(name, Text, nullable=null)


def _flag(name: str) -> Column[Any]:
    return Column(name, Boolean, nullable=False)


def _version() -> Column[Any]:
    return Column("version", Integer, nullable=False)


def _money() -> tuple[Column[Any], Column[Any], CheckConstraint]:
    return _whole("amount_minor"), _text("currency"), CheckConstraint("amount_minor > 0", name="amount")


def _state(states: type[StrEnum], name: str = "state", *, null: bool = False) -> tuple[Column[Any], CheckConstraint]:
    listed = ", ".join(f"'{state}'" for state in states)
    return _text(name, null=null), CheckConstraint(f"{name} IN ({listed})", name=name)


persons = Table(
    "persons", metadata, _id(), _text("name"), _text("language"), _text("role"), _text("phone", null=True), _whole("created_at"),
    _flag("welcomed"), _version(), Column("wants", Text, nullable=False, server_default=text("'{}'")), Index(None, "phone"),
)  # fmt: skip

channels = Table(
    "channels", metadata, Column("kind", Text, primary_key=True), Column("address", Text, primary_key=True),
    _ref("person_id", "persons.id"), _text("state"), _whole("created_at"), _version(), Index(None, "person_id"),
)  # fmt: skip

organizations = Table(
    "organizations", metadata, _id(), _text("name"), _text("country"), _text("currency"), _whole("fee_bps"), _whole("created_at"),
    _text("late_money"), _flag("frozen"), _text("features"), _version(),
    CheckConstraint("fee_bps BETWEEN 0 AND 10000", name="fee"),
)  # fmt: skip

members = Table(
    "members", metadata, Column("organization_id", Whole, ForeignKey("organizations.id"), primary_key=True),
    Column("person_id", Whole, ForeignKey("persons.id"), primary_key=True), _text("party"), _whole("created_at"), Index(None, "person_id"),
    CheckConstraint("party IN ('staff', 'manager', 'owner')", name="party"),
)  # fmt: skip

conversations = Table(
    "conversations", metadata, Column("person_id", Whole, ForeignKey("persons.id"), primary_key=True),
    Column("channel", Text, primary_key=True), _text("dialog"), _text("step"), _text("data"), _text("shown"), _whole("updated_at"), _version(),
)  # fmt: skip

links = Table(
    "links", metadata, _id(), _text("code"), _ref("organization_id", "organizations.id"), _ref("created_by", "persons.id", null=True),
    _text("name"), _text("description"), *_money(), *_state(LinkState), _whole("created_at"), _text("key"), _text("pictures"),
    _whole("stock", null=True), _text("customer_phone", null=True), _whole("expires_at", null=True), _whole("digital_file", null=True),
    _flag("single_use"), _version(),
    UniqueConstraint("code"), UniqueConstraint("key"), Index(None, "organization_id", "id"),
    Index("ix_links_expiring", "expires_at", sqlite_where=text("expires_at IS NOT NULL AND state = 'ACTIVE'"),
          postgresql_where=text("expires_at IS NOT NULL AND state = 'ACTIVE'")),
    CheckConstraint("stock IS NULL OR stock >= 0", name="stock"),
)  # fmt: skip

link_days = Table(
    "link_days", metadata, Column("link_id", Whole, ForeignKey("links.id"), primary_key=True), Column("day", Whole, primary_key=True),
    _whole("visits"),
)  # fmt: skip

files = Table(
    "files", metadata, _id(), _ref("organization_id", "organizations.id", null=True), _ref("person_id", "persons.id", null=True), _text("kind"),
    _text("content_type"), _whole("width"), _whole("height"), Column("body", LargeBinary, nullable=False), _whole("created_at"), _text("name"), Index(None, "kind"),
)  # fmt: skip

_OPEN = "state IN ('OPEN', 'PAYING')"
checkouts = Table(
    "checkouts", metadata, _id(), _text("number"), _ref("organization_id", "organizations.id"), _ref("link_id", "links.id"),
    _ref("buyer_id", "persons.id", null=True), _whole("quantity"), *_money(), *_state(CheckoutState), _text("phone", null=True),
    _text("name"), _text("address"), _text("note"), _text("language"), _text("source"), _whole("created_at"), _whole("expires_at"), _text("key"),
    _whole("reserved"), _whole("ended_at", null=True), _whole("order_id", null=True), _version(),
    _whole("group_id", null=True), Column("shares", Whole, nullable=False, server_default=text("0")), _whole("paid_by", null=True),
    Index("ix_checkouts_group_id", "group_id", sqlite_where=text("group_id IS NOT NULL"), postgresql_where=text("group_id IS NOT NULL")),
    Index("uq_checkouts_paid_by", "paid_by", unique=True), UniqueConstraint("number"), UniqueConstraint("key"), Index(None, "link_id"), Index("ix_checkouts_buyer_id", "buyer_id", "id"),
    Index("ix_checkouts_open", "expires_at", sqlite_where=text(_OPEN), postgresql_where=text(_OPEN)),
    CheckConstraint("quantity > 0", name="quantity"),
)  # fmt: skip

_SETTLED = "settled_at IS NOT NULL"
payments = Table(
    "payments", metadata, _id(), _ref("checkout_id", "checkouts.id"), _ref("organization_id", "organizations.id"), _text("method"),
    _text("gateway"), *_money(), *_state(PaymentState), _whole("created_at"), _flag("direct"), _whole("settled_at", null=True), _version(),
    UniqueConstraint("checkout_id", "gateway"),
    Index("uq_payments_one_success", "checkout_id", unique=True, sqlite_where=text(_SETTLED), postgresql_where=text(_SETTLED)),
)  # fmt: skip

_ASKED = "ask_at IS NOT NULL"
attempts = Table(
    "attempts", metadata, _id(), _ref("payment_id", "payments.id"), _ref("checkout_id", "checkouts.id"),
    _ref("organization_id", "organizations.id"), _text("gateway"), _flag("direct"), *_money(), *_state(AttemptState),
    _text("phone", null=True), _whole("created_at"), _text("key"), _flag("live"), _text("short_code"), _text("ref", null=True),
    _text("receipt", null=True), _text("result", null=True), _whole("asked"), _whole("ask_at", null=True), _whole("settled_at", null=True),
    _whole("proved_at", null=True), _flag("disproved"), _text("source"), _version(), _text("url", null=True),
    UniqueConstraint("key"), UniqueConstraint("gateway", "ref"), UniqueConstraint("gateway", "receipt"), Index(None, "payment_id"),
    Index("uq_attempts_one_live", "checkout_id", unique=True, sqlite_where=text("live"), postgresql_where=text("live")),
    Index(None, "checkout_id"),
    Index("ix_attempts_to_ask", "ask_at", sqlite_where=text(_ASKED), postgresql_where=text(_ASKED)),
    Index("ix_attempts_unsent", "created_at", sqlite_where=text("state IN ('CREATED', 'SENDING')"),
          postgresql_where=text("state IN ('CREATED', 'SENDING')")),
)  # fmt: skip

_REFUNDING = "state IN ('ASKED', 'SENDING', 'PENDING')"
refunds = Table(
    "refunds", metadata, _id(), _ref("attempt_id", "attempts.id"), _ref("organization_id", "organizations.id"), _whole("order_id", null=True),
    _text("gateway"), _flag("direct"), *_money(), _text("reason"), _text("cause"), _text("source"), *_state(RefundState), _whole("created_at"),
    _text("ref", null=True), _text("result", null=True), _whole("tries"), _whole("act_at", null=True), _whole("done_at", null=True), _version(),
    UniqueConstraint("cause"), Index(None, "attempt_id"),
    Index("ix_refunds_due", "act_at", sqlite_where=text(_REFUNDING), postgresql_where=text(_REFUNDING)),
)  # fmt: skip

_DUE = "due_at IS NOT NULL"
_WORK = "state IN ('PAID', 'ACCEPTED', 'SHIPPED', 'DELIVERED', 'DISPUTED')"
orders = Table(
    "orders", metadata, _id(), _text("number"), _ref("checkout_id", "checkouts.id"), _ref("attempt_id", "attempts.id"),
    _ref("organization_id", "organizations.id"), _ref("link_id", "links.id"), _ref("buyer_id", "persons.id", null=True),
    _text("phone", null=True), _text("buyer_name"), _text("address"), _text("note"), _text("language"), _text("item"), _whole("quantity"),
    *_money(), *_state(OrderState), *_state(EscrowState, "escrow", null=True), _flag("digital"), _text("delivery_code"), _whole("paid_at"),
    _flag("proved"), _text("release_wanted", null=True), _whole("accepted_at", null=True), _whole("shipped_at", null=True),
    _whole("delivered_at", null=True), _whole("ended_at", null=True), _text("courier"), _text("tracking"), _text("before_dispute", null=True),
    _whole("code_tries"), _text("last_due", null=True), _whole("last_due_at", null=True), _text("due", null=True), _whole("due_at", null=True),
    _version(),
    UniqueConstraint("number"), UniqueConstraint("checkout_id"), Index(None, "buyer_id", "id"), Index(None, "link_id"),
    Index(None, "organization_id", "id"),
    Index("ix_orders_work", "organization_id", "id", sqlite_where=text(_WORK), postgresql_where=text(_WORK)),
    Index("ix_orders_due", "due_at", sqlite_where=text(_DUE), postgresql_where=text(_DUE)),
)  # fmt: skip

chargebacks = Table(
    "chargebacks", metadata, _id(), _ref("attempt_id", "attempts.id"), _ref("organization_id", "organizations.id"), _ref("order_id", "orders.id"),
    _text("gateway"), _flag("direct"), _text("ref"), *_money(), _text("source"), _text("before"), *_state(ChargebackState), _whole("opened_at"),
    _whole("ended_at", null=True), _version(), UniqueConstraint("gateway", "ref"), Index(None, "attempt_id"),
)  # fmt: skip

disputes = Table(
    "disputes", metadata, _id(), _ref("order_id", "orders.id"), _ref("organization_id", "organizations.id"), _text("reason"), _text("words"),
    _text("pictures"), *_state(DisputeState), _whole("opened_at"), _whole("ended_at", null=True), _flag("unanswered"), _version(),
    Index("uq_disputes_one_open", "order_id", unique=True, sqlite_where=text("state IN ('OPEN', 'ANSWERED')"),
          postgresql_where=text("state IN ('OPEN', 'ANSWERED')")),
    Index(None, "order_id"),
)  # fmt: skip

entries = Table(
    "entries", metadata, _id(), _text("kind"), _text("cause"), _whole("at"), _whole("organization_id", null=True),
    UniqueConstraint("kind", "cause"),
)  # fmt: skip

_IN_SUSPENSE = "substr(account, 1, 9) = 'suspense:'"
postings = Table(
    "postings", metadata, Column("entry_id", Whole, ForeignKey("entries.id"), primary_key=True), Column("n", Integer, primary_key=True),
    _text("account"), _whole("amount_minor"), _text("currency"), Index(None, "account", "entry_id"),
    Index("ix_postings_suspense", "currency", "amount_minor", sqlite_where=text(_IN_SUSPENSE), postgresql_where=text(_IN_SUSPENSE)),
    CheckConstraint("amount_minor <> 0", name="amount"),
)  # fmt: skip

wallets = Table(
    "wallets", metadata, Column("account", Text, primary_key=True), Column("currency", Text, primary_key=True), _whole("owed_minor"),
    CheckConstraint("owed_minor >= 0", name="never_below_zero"),
)  # fmt: skip

_TODO = "state = 'STORED'"
_PARKED = "state = 'PARKED'"
inbox = Table(
    "inbox", metadata, _id(), _text("gateway"), _text("event_key"), _text("kind"), Column("raw", LargeBinary, nullable=False), _text("headers"),
    _text("source"), _whole("received_at"), *_state(InboxState), _whole("tries"), _whole("act_at", null=True), _text("error"), _version(),
    UniqueConstraint("gateway", "event_key"),
    Index("ix_inbox_todo", "gateway", "act_at", sqlite_where=text(_TODO), postgresql_where=text(_TODO)),
    Index("ix_inbox_parked", "id", sqlite_where=text(_PARKED), postgresql_where=text(_PARKED)),
)  # fmt: skip

_UNSENT = "state IN ('WAITING', 'SENDING')"
_PAST = "order_id IS NULL AND state IN ('SENT', 'SKIPPED')"
outbox = Table(
    "outbox", metadata, _id(), _text("fact"), _text("key"), _ref("person_id", "persons.id"), _text("channel"), _whole("urgency"),
    _text("payload"), *_state(OutboxState), _whole("created_at"), _whole("act_at"), _whole("order_id", null=True), _whole("tries"),
    _whole("sent_at", null=True), _text("error"), _version(), _text("ref", null=True),
    Column("report", Text, nullable=False, server_default=text("''")),
    UniqueConstraint("key", "person_id", "channel"),
    Index("uq_outbox_channel_ref", "channel", "ref", unique=True, sqlite_where=text("ref IS NOT NULL"), postgresql_where=text("ref IS NOT NULL")),
    Index("ix_outbox_past", "created_at", sqlite_where=text(_PAST), postgresql_where=text(_PAST)),
    Index("ix_outbox_sending", "person_id", "channel", sqlite_where=text("state = 'SENDING'"), postgresql_where=text("state = 'SENDING'")),
    Index("ix_outbox_unsent", "channel", "urgency", "act_at", "id", sqlite_where=text(_UNSENT), postgresql_where=text(_UNSENT)),
    Index("ix_outbox_dead", "id", sqlite_where=text("state = 'DEAD'"), postgresql_where=text("state = 'DEAD'")),
)  # fmt: skip

cards = Table(
    "cards", metadata, Column("order_id", Whole, ForeignKey("orders.id"), primary_key=True),
    Column("person_id", Whole, ForeignKey("persons.id"), primary_key=True), Column("channel", Text, primary_key=True),
    _text("message_ref"), _text("face"), _version(),
)  # fmt: skip

audit = Table(
    "audit", metadata, _id(), _text("subject"), _whole("seq"), _whole("at"), _text("actor"), _text("action"), _text("data"), _text("previous"),
    _text("mark"), UniqueConstraint("subject", "seq"),
)  # fmt: skip

audit_seals = Table(
    "audit_seals", metadata, _id("n"), _whole("upto_id"), _whole("count"), _whole("at"), _text("previous"), _text("mark"),
)  # fmt: skip

api_keys = Table(
    "api_keys", metadata, _id(), _ref("organization_id", "organizations.id"), _ref("person_id", "persons.id"), _text("prefix"), _text("digest"),
    _text("name"), _whole("created_at"), _whole("expires_at", null=True), _whole("used_at", null=True), _whole("revoked_at", null=True),
    _version(), UniqueConstraint("prefix"), Index(None, "organization_id"),
)  # fmt: skip

answered = Table(
    "answered", metadata, Column("scope", Text, primary_key=True), Column("key", Text, primary_key=True), _text("request_digest"),
    _whole("status"), _text("body"), _whole("created_at"),
)  # fmt: skip

gateway_settings = Table(
    "gateway_settings", metadata, Column("organization_id", Whole, primary_key=True), Column("gateway", Text, primary_key=True),
    _text("sealed"), _whole("tested_at", null=True), _whole("created_at"), _version(),
)  # fmt: skip

limits = Table(
    "limits", metadata, Column("name", Text, primary_key=True), Column("subject", Text, primary_key=True),
    Column("window", Whole, primary_key=True), _whole("count"),
)  # fmt: skip

paces = Table("paces", metadata, Column("name", Text, primary_key=True), _whole("free_at"))

codes = Table(
    "codes", metadata, Column("flow", Text, primary_key=True), Column("subject", Text, primary_key=True),
    _ref("person_id", "persons.id", null=True), _text("digest"), _text("data"), _whole("created_at"), _whole("expires_at"), _whole("tries"),
    _whole("used_at", null=True), _version(), UniqueConstraint("flow", "digest"), Index(None, "expires_at"),
)  # fmt: skip

webhook_endpoints = Table(
    "webhook_endpoints", metadata, _id(), _ref("organization_id", "organizations.id"), _text("url"), _text("types"), *_state(EndpointState),
    _text("sealed"), _whole("created_at"), _whole("secret_no"), _text("sealed_before", null=True), _whole("before_until", null=True),
    _whole("failing_since", null=True), _whole("tried_at", null=True), _text("off_why"), _version(), Index(None, "organization_id", "id"),
)  # fmt: skip

webhook_events = Table(
    "webhook_events", metadata, _id(), _ref("organization_id", "organizations.id"), _text("key"), _text("type"), _text("body"),
    _whole("created_at"), UniqueConstraint("organization_id", "key"),
)  # fmt: skip

_UNDELIVERED = "state IN ('PENDING', 'SENDING')"
webhook_deliveries = Table(
    "webhook_deliveries", metadata, _id(), _ref("event_id", "webhook_events.id"), _ref("endpoint_id", "webhook_endpoints.id"),
    _ref("organization_id", "organizations.id"), _text("type"), *_state(DeliveryState), _whole("created_at"), _whole("act_at"), _whole("tries"),
    _whole("tried_at", null=True), _whole("status", null=True), _whole("took_ms", null=True), _text("error"), _text("answer"), _version(),
    UniqueConstraint("event_id", "endpoint_id"), Index(None, "endpoint_id", "id"),
    Index("ix_webhook_deliveries_due", "endpoint_id", "act_at", sqlite_where=text(_UNDELIVERED), postgresql_where=text(_UNDELIVERED)),
)  # fmt: skip

_ASKED_ABOUT = "state IN ('ASKED', 'SENDING', 'PENDING')"
lookups = Table(
    "lookups", metadata, _id(), _text("gateway"), _whole("owner"), _text("receipt"), _text("cause"), *_state(LookupState), _whole("created_at"),
    _ref("attempt_id", "attempts.id", null=True), _ref("checkout_id", "checkouts.id", null=True), _text("source"),
    _whole("expects_minor", null=True), _text("ref", null=True), _text("result", null=True), _whole("tries"), _whole("act_at", null=True),
    _whole("done_at", null=True), _version(), UniqueConstraint("cause"), Index(None, "checkout_id"),
    Index("ix_lookups_due", "act_at", sqlite_where=text(_ASKED_ABOUT), postgresql_where=text(_ASKED_ABOUT)),
)  # fmt: skip

strays = Table(
    "strays", metadata, _id(), _text("gateway"), _whole("owner"), _text("receipt"), *_money(), _text("account"), _text("payer_ends"),
    *_state(StrayState), _whole("created_at"), _ref("attempt_id", "attempts.id", null=True), _whole("matched_at", null=True), _version(),
    _text("ref", null=True), _text("result", null=True), _whole("asked_at", null=True), _whole("returned_at", null=True),
    UniqueConstraint("gateway", "receipt"),
)  # fmt: skip

readings = Table(
    "readings", metadata, _id(), _text("gateway"), _whole("owner"), _text("day"), _text("how"), _whole("theirs"), _whole("ours"),
    _whole("unasked"), _text("fees"), _text("why"), _whole("tries"), _whole("act_at"), _whole("read_at", null=True), _version(),
    UniqueConstraint("gateway", "owner", "day"),
)  # fmt: skip

_UNSETTLED = "state = 'OPEN'"
differences = Table(
    "differences", metadata, _id(), _text("gateway"), _whole("owner"), _text("about"), _text("kind"), _text("key"), _text("receipt", null=True),
    _ref("attempt_id", "attempts.id", null=True), _whole("theirs_minor", null=True), _text("theirs_currency", null=True),
    _whole("ours_minor", null=True), _text("ours_currency", null=True), _whole("at"), *_state(DifferenceState), _whole("found_at"),
    _whole("ended_at", null=True), _text("note"), _version(), UniqueConstraint("gateway", "owner", "about", "kind", "key"),
    Index("ix_differences_open", "at", sqlite_where=text(_UNSETTLED), postgresql_where=text(_UNSETTLED)),
)  # fmt: skip

_WAITS = "state = 'WAITING'"
late_money = Table(
    "late_money", metadata, _id(), _text("number"), _ref("attempt_id", "attempts.id"), _ref("checkout_id", "checkouts.id"),
    _ref("organization_id", "organizations.id"), *_money(), *_state(LateState), _whole("created_at"), _whole("decide_by"), _text("ended_by"),
    _whole("ended_at", null=True), _version(), UniqueConstraint("number"), UniqueConstraint("attempt_id"),
    Index("uq_late_money_one_waits", "checkout_id", unique=True, sqlite_where=text(_WAITS), postgresql_where=text(_WAITS)),
    Index("ix_late_money_due", "decide_by", sqlite_where=text(_WAITS), postgresql_where=text(_WAITS)),
    Index("ix_late_money_work", "organization_id", "decide_by", sqlite_where=text(_WAITS), postgresql_where=text(_WAITS)),
)  # fmt: skip

marks = Table("marks", metadata, Column("name", Text, primary_key=True), _text("value"))

APPEND_ONLY = ("entries", "postings", "audit", "audit_seals")
"""Tables whose rows the database itself refuses to change or delete (triggers, made by the first migration)."""
