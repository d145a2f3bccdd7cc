"""The house: every table, and the triggers that keep the books and the audit trail append-only.

Written out in full, for both engines; it never imports storage.tables, which moves on. tests/storage/test_migrations.py proves that the last
migration ends where the tables are.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels = None
depends_on = None

APPEND_ONLY = ("entries", "postings", "audit", "audit_seals")
TABLES = (
    "answered", "audit", "audit_seals", "entries", "gateway_settings", "inbox", "limits", "marks", "organizations", "persons", "wallets",
    "api_keys", "channels", "conversations", "files", "links", "members", "outbox", "postings", "checkouts", "link_days", "payments",
    "attempts", "orders", "refunds", "cards", "disputes",
)  # fmt: skip

Whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def whole(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, Whole, nullable=null, autoincrement=False)


def text(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=null)


def flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean, nullable=False)


def small(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, nullable=False, autoincrement=False)


def blob(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary, nullable=False)


def key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}")


def unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=f"uq_{table}_{'_'.join(columns)}")


def check(name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{name}"))


def index(name: str, table: str, *columns: str, where: str | None = None, once: bool = False) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(name, table, list(columns), unique=once, sqlite_where=condition, postgresql_where=condition)


def upgrade() -> None:
    answered()
    audit()
    audit_seals()
    entries()
    gateway_settings()
    inbox()
    limits()
    marks()
    organizations()
    persons()
    wallets()
    api_keys()
    channels()
    conversations()
    files()
    links()
    members()
    outbox()
    postings()
    checkouts()
    link_days()
    payments()
    attempts()
    orders()
    refunds()
    cards()
    disputes()
    refuse_changes()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")


def refuse_changes() -> None:
    """The database itself refuses UPDATE, DELETE (and TRUNCATE) of rows that are only ever added."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$"
        )
        for table in APPEND_ONLY:
            op.execute(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )
    else:
        for table in APPEND_ONLY:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )


def answered() -> None:
    op.create_table(
        "answered",
        text("scope"), text("key"), text("request_digest"), whole("status"), text("body"), whole("created_at"),
        key("answered", "scope", "key"),
    )  # fmt: skip


def audit() -> None:
    op.create_table(
        "audit",
        whole("id"), text("subject"), whole("seq"), whole("at"), text("actor"), text("action"), text("data"), text("previous"),
        text("mark"), key("audit", "id"), unique("audit", "subject", "seq"),
    )  # fmt: skip


def audit_seals() -> None:
    op.create_table(
        "audit_seals",
        whole("n"), whole("upto_id"), whole("count"), whole("at"), text("previous"), text("mark"), key("audit_seals", "n"),
    )  # fmt: skip


def entries() -> None:
    op.create_table(
        "entries",
        whole("id"), text("kind"), text("cause"), whole("at"), whole("organization_id", null=True), key("entries", "id"),
        unique("entries", "kind", "cause"),
    )  # fmt: skip


def gateway_settings() -> None:
    op.create_table(
        "gateway_settings",
        whole("organization_id"), text("gateway"), text("sealed"), whole("tested_at", null=True), whole("created_at"), small("version"),
        key("gateway_settings", "organization_id", "gateway"),
    )  # fmt: skip


def inbox() -> None:
    op.create_table(
        "inbox",
        whole("id"), text("gateway"), text("event_key"), text("kind"), blob("raw"), text("headers"), text("source"), whole("received_at"),
        text("state"), whole("tries"), whole("act_at", null=True), text("error"), small("version"), key("inbox", "id"),
        unique("inbox", "gateway", "event_key"), check("inbox_state", "state IN ('STORED', 'APPLIED', 'IGNORED', 'PARKED')"),
    )  # fmt: skip
    index("ix_inbox_todo", "inbox", "gateway", "act_at", where="state = 'STORED'")


def limits() -> None:
    op.create_table(
        "limits",
        text("name"), text("subject"), whole("window"), whole("count"), key("limits", "name", "subject", "window"),
    )  # fmt: skip


def marks() -> None:
    op.create_table(
        "marks",
        text("name"), text("value"), key("marks", "name"),
    )  # fmt: skip


def organizations() -> None:
    op.create_table(
        "organizations",
        whole("id"), text("name"), text("country"), text("currency"), whole("fee_bps"), whole("created_at"), text("late_money"),
        flag("frozen"), text("features"), small("version"), key("organizations", "id"),
        check("organizations_fee", "fee_bps BETWEEN 0 AND 10000"),
    )  # fmt: skip


def persons() -> None:
    op.create_table(
        "persons",
        whole("id"), text("name"), text("language"), text("role"), text("phone", null=True), whole("created_at"), flag("welcomed"),
        small("version"), key("persons", "id"),
    )  # fmt: skip
    index("ix_persons_phone", "persons", "phone")


def wallets() -> None:
    op.create_table(
        "wallets",
        text("account"), text("currency"), whole("owed_minor"), key("wallets", "account", "currency"),
        check("wallets_never_below_zero", "owed_minor >= 0"),
    )  # fmt: skip


def api_keys() -> None:
    op.create_table(
        "api_keys",
        whole("id"), whole("organization_id"), whole("person_id"), text("prefix"), text("digest"), text("name"), whole("created_at"),
        whole("expires_at", null=True), whole("used_at", null=True), whole("revoked_at", null=True), small("version"),
        key("api_keys", "id"), refers("api_keys", "organization_id", "organizations.id"), refers("api_keys", "person_id", "persons.id"),
        unique("api_keys", "prefix"),
    )  # fmt: skip
    index("ix_api_keys_organization_id", "api_keys", "organization_id")


def channels() -> None:
    op.create_table(
        "channels",
        text("kind"), text("address"), whole("person_id"), text("state"), whole("created_at"), small("version"),
        key("channels", "kind", "address"), refers("channels", "person_id", "persons.id"),
    )  # fmt: skip
    index("ix_channels_person_id", "channels", "person_id")


def conversations() -> None:
    op.create_table(
        "conversations",
        whole("person_id"), text("channel"), text("dialog"), text("step"), text("data"), text("shown"), whole("updated_at"),
        small("version"), key("conversations", "person_id", "channel"), refers("conversations", "person_id", "persons.id"),
    )  # fmt: skip


def files() -> None:
    op.create_table(
        "files",
        whole("id"), whole("organization_id", null=True), whole("person_id", null=True), text("kind"), text("content_type"),
        whole("width"), whole("height"), blob("body"), whole("created_at"), text("name"), key("files", "id"),
        refers("files", "organization_id", "organizations.id"), refers("files", "person_id", "persons.id"),
    )  # fmt: skip
    index("ix_files_kind", "files", "kind")


def links() -> None:
    op.create_table(
        "links",
        whole("id"), text("code"), whole("organization_id"), whole("created_by", null=True), text("name"), text("description"),
        whole("amount_minor"), text("currency"), text("state"), whole("created_at"), text("key"), text("pictures"),
        whole("stock", null=True), text("customer_phone", null=True), whole("expires_at", null=True), whole("digital_file", null=True),
        flag("single_use"), small("version"), key("links", "id"), refers("links", "organization_id", "organizations.id"),
        refers("links", "created_by", "persons.id"), unique("links", "code"), unique("links", "key"),
        check("links_amount", "amount_minor > 0"), check("links_state", "state IN ('ACTIVE', 'INACTIVE', 'USED', 'EXPIRED', 'SOLD_OUT')"),
        check("links_stock", "stock IS NULL OR stock >= 0"),
    )  # fmt: skip
    index("ix_links_expiring", "links", "expires_at", where="expires_at IS NOT NULL AND state = 'ACTIVE'")
    index("ix_links_organization_id_id", "links", "organization_id", "id")


def members() -> None:
    op.create_table(
        "members",
        whole("organization_id"), whole("person_id"), text("party"), whole("created_at"), key("members", "organization_id", "person_id"),
        refers("members", "organization_id", "organizations.id"), refers("members", "person_id", "persons.id"),
        check("members_party", "party IN ('staff', 'manager', 'owner')"),
    )  # fmt: skip
    index("ix_members_person_id", "members", "person_id")


def outbox() -> None:
    op.create_table(
        "outbox",
        whole("id"), text("fact"), text("key"), whole("person_id"), text("channel"), whole("urgency"), text("payload"), text("state"),
        whole("created_at"), whole("act_at"), whole("order_id", null=True), whole("tries"), whole("sent_at", null=True), text("error"),
        small("version"), key("outbox", "id"), refers("outbox", "person_id", "persons.id"),
        unique("outbox", "key", "person_id", "channel"),
        check("outbox_state", "state IN ('WAITING', 'SENDING', 'SENT', 'SKIPPED', 'DEAD')"),
    )  # fmt: skip
    index("ix_outbox_dead", "outbox", "id", where="state = 'DEAD'")
    index("ix_outbox_unsent", "outbox", "urgency", "act_at", where="state IN ('WAITING', 'SENDING')")


def postings() -> None:
    op.create_table(
        "postings",
        whole("entry_id"), small("n"), text("account"), whole("amount_minor"), text("currency"), key("postings", "entry_id", "n"),
        refers("postings", "entry_id", "entries.id"), check("postings_amount", "amount_minor <> 0"),
    )  # fmt: skip
    index("ix_postings_account_entry_id", "postings", "account", "entry_id")


def checkouts() -> None:
    op.create_table(
        "checkouts",
        whole("id"), text("number"), whole("organization_id"), whole("link_id"), whole("buyer_id", null=True), whole("quantity"),
        whole("amount_minor"), text("currency"), text("state"), text("phone", null=True), text("name"), text("address"), text("note"),
        text("language"), text("source"), whole("created_at"), whole("expires_at"), text("key"), whole("reserved"),
        whole("ended_at", null=True), whole("order_id", null=True), small("version"), key("checkouts", "id"),
        refers("checkouts", "organization_id", "organizations.id"), refers("checkouts", "link_id", "links.id"),
        refers("checkouts", "buyer_id", "persons.id"), unique("checkouts", "key"), unique("checkouts", "number"),
        check("checkouts_amount", "amount_minor > 0"), check("checkouts_quantity", "quantity > 0"),
        check("checkouts_state", "state IN ('OPEN', 'PAYING', 'PAID', 'EXPIRED', 'CANCELLED')"),
    )  # fmt: skip
    index("ix_checkouts_link_id", "checkouts", "link_id")
    index("ix_checkouts_open", "checkouts", "expires_at", where="state IN ('OPEN', 'PAYING')")


def link_days() -> None:
    op.create_table(
        "link_days",
        whole("link_id"), whole("day"), whole("visits"), key("link_days", "link_id", "day"), refers("link_days", "link_id", "links.id"),
    )  # fmt: skip


def payments() -> None:
    op.create_table(
        "payments",
        whole("id"), whole("checkout_id"), whole("organization_id"), text("method"), text("gateway"), whole("amount_minor"),
        text("currency"), text("state"), whole("created_at"), flag("direct"), whole("settled_at", null=True), small("version"),
        key("payments", "id"), refers("payments", "checkout_id", "checkouts.id"),
        refers("payments", "organization_id", "organizations.id"), unique("payments", "checkout_id", "gateway"),
        check("payments_amount", "amount_minor > 0"),
        check("payments_state", "state IN ('CREATED', 'PENDING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'EXPIRED', 'PARTLY_REFUNDED', 'REFUNDED')"),
    )  # fmt: skip
    index("uq_payments_one_success", "payments", "checkout_id", where="settled_at IS NOT NULL", once=True)


def attempts() -> None:
    op.create_table(
        "attempts",
        whole("id"), whole("payment_id"), whole("checkout_id"), whole("organization_id"), text("gateway"), flag("direct"),
        whole("amount_minor"), text("currency"), text("state"), text("phone", null=True), whole("created_at"), text("key"), flag("live"),
        text("short_code"), text("ref", null=True), text("receipt", null=True), text("result", null=True), whole("asked"),
        whole("ask_at", null=True), whole("settled_at", null=True), whole("proved_at", null=True), flag("disproved"), text("source"),
        small("version"), key("attempts", "id"), refers("attempts", "payment_id", "payments.id"),
        refers("attempts", "checkout_id", "checkouts.id"), refers("attempts", "organization_id", "organizations.id"),
        unique("attempts", "gateway", "receipt"), unique("attempts", "gateway", "ref"), unique("attempts", "key"),
        check("attempts_amount", "amount_minor > 0"),
        check("attempts_state", "state IN ('CREATED', 'SENDING', 'PENDING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'EXPIRED')"),
    )  # fmt: skip
    index("ix_attempts_checkout_id", "attempts", "checkout_id")
    index("ix_attempts_payment_id", "attempts", "payment_id")
    index("ix_attempts_to_ask", "attempts", "ask_at", where="ask_at IS NOT NULL")
    index("ix_attempts_unsent", "attempts", "created_at", where="state IN ('CREATED', 'SENDING')")
    index("uq_attempts_one_live", "attempts", "checkout_id", where="live", once=True)


def orders() -> None:
    op.create_table(
        "orders",
        whole("id"), text("number"), whole("checkout_id"), whole("attempt_id"), whole("organization_id"), whole("link_id"),
        whole("buyer_id", null=True), text("phone", null=True), text("buyer_name"), text("address"), text("note"), text("language"),
        text("item"), whole("quantity"), whole("amount_minor"), text("currency"), text("state"), text("escrow", null=True),
        flag("digital"), text("delivery_code"), whole("paid_at"), flag("proved"), text("release_wanted", null=True),
        whole("accepted_at", null=True), whole("shipped_at", null=True), whole("delivered_at", null=True), whole("ended_at", null=True),
        text("courier"), text("tracking"), text("before_dispute", null=True), whole("code_tries"), text("last_due", null=True),
        whole("last_due_at", null=True), text("due", null=True), whole("due_at", null=True), small("version"), key("orders", "id"),
        refers("orders", "checkout_id", "checkouts.id"), refers("orders", "attempt_id", "attempts.id"),
        refers("orders", "organization_id", "organizations.id"), refers("orders", "link_id", "links.id"),
        refers("orders", "buyer_id", "persons.id"), unique("orders", "checkout_id"), unique("orders", "number"),
        check("orders_amount", "amount_minor > 0"),
        check("orders_escrow", "escrow IN ('PENDING', 'HELD', 'DISPUTED', 'RELEASED', 'REFUNDED', 'SPLIT', 'VOID')"),
        check("orders_state", "state IN ('PAID', 'ACCEPTED', 'SHIPPED', 'DELIVERED', 'COMPLETED', 'DISPUTED', 'REFUNDED', 'VOID')"),
    )  # fmt: skip
    index("ix_orders_buyer_id_id", "orders", "buyer_id", "id")
    index("ix_orders_due", "orders", "due_at", where="due_at IS NOT NULL")
    index("ix_orders_link_id", "orders", "link_id")
    index("ix_orders_organization_id_id", "orders", "organization_id", "id")
    index("ix_orders_work", "orders", "organization_id", "id", where="state IN ('PAID', 'ACCEPTED', 'SHIPPED', 'DELIVERED', 'DISPUTED')")


def refunds() -> None:
    op.create_table(
        "refunds",
        whole("id"), whole("attempt_id"), whole("organization_id"), whole("order_id", null=True), text("gateway"), flag("direct"),
        whole("amount_minor"), text("currency"), text("reason"), text("cause"), text("source"), text("state"), whole("created_at"),
        text("ref", null=True), text("result", null=True), whole("tries"), whole("act_at", null=True), whole("done_at", null=True),
        small("version"), key("refunds", "id"), refers("refunds", "attempt_id", "attempts.id"),
        refers("refunds", "organization_id", "organizations.id"), unique("refunds", "cause"), check("refunds_amount", "amount_minor > 0"),
        check("refunds_state", "state IN ('ASKED', 'SENDING', 'PENDING', 'DONE', 'FAILED')"),
    )  # fmt: skip
    index("ix_refunds_attempt_id", "refunds", "attempt_id")
    index("ix_refunds_due", "refunds", "act_at", where="state IN ('ASKED', 'SENDING', 'PENDING')")


def cards() -> None:
    op.create_table(
        "cards",
        whole("order_id"), whole("person_id"), text("channel"), text("message_ref"), text("face"), small("version"),
        key("cards", "order_id", "person_id", "channel"), refers("cards", "order_id", "orders.id"),
        refers("cards", "person_id", "persons.id"),
    )  # fmt: skip


def disputes() -> None:
    op.create_table(
        "disputes",
        whole("id"), whole("order_id"), whole("organization_id"), text("reason"), text("words"), text("pictures"), text("state"),
        whole("opened_at"), whole("ended_at", null=True), flag("unanswered"), small("version"), key("disputes", "id"),
        refers("disputes", "order_id", "orders.id"), refers("disputes", "organization_id", "organizations.id"),
        check("disputes_state", "state IN ('OPEN', 'ANSWERED', 'SETTLED', 'DECIDED', 'WITHDRAWN')"),
    )  # fmt: skip
    index("ix_disputes_order_id", "disputes", "order_id")
    index("uq_disputes_one_open", "disputes", "order_id", where="state IN ('OPEN', 'ANSWERED')", once=True)
