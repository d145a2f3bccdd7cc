"""M-Pesa by hand: questions to the gateway about receipts, and money that named nothing of ours."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"
branch_labels = None
depends_on = None

Whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_DUE = "state IN ('ASKED', 'SENDING', 'PENDING')"


def whole(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, Whole, nullable=null, autoincrement=False)


def text(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=null)


def small(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, nullable=False, autoincrement=False)


def refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}")


def upgrade() -> None:
    op.create_table(
        "lookups",
        whole("id"), text("gateway"), whole("owner"), text("receipt"), text("cause"), text("state"), whole("created_at"),
        whole("attempt_id", null=True), whole("checkout_id", null=True), text("source"), whole("expects_minor", null=True), text("ref", null=True),
        text("result", null=True), whole("tries"), whole("act_at", null=True), whole("done_at", null=True), small("version"),
        sa.PrimaryKeyConstraint("id", name="pk_lookups"), refers("lookups", "attempt_id", "attempts.id"),
        refers("lookups", "checkout_id", "checkouts.id"),
        sa.UniqueConstraint("cause", name="uq_lookups_cause"),
        sa.CheckConstraint("state IN ('ASKED', 'SENDING', 'PENDING', 'DONE', 'FAILED')", name=op.f("ck_lookups_state")),
    )  # fmt: skip
    op.create_index("ix_lookups_checkout_id", "lookups", ["checkout_id"])
    op.create_index("ix_lookups_due", "lookups", ["act_at"], sqlite_where=sa.text(_DUE), postgresql_where=sa.text(_DUE))
    op.create_table(
        "strays",
        whole("id"), text("gateway"), whole("owner"), text("receipt"), whole("amount_minor"), text("currency"), text("account"),
        text("payer_ends"), text("state"), whole("created_at"), whole("attempt_id", null=True), whole("matched_at", null=True),
        small("version"), sa.PrimaryKeyConstraint("id", name="pk_strays"), refers("strays", "attempt_id", "attempts.id"),
        sa.UniqueConstraint("gateway", "receipt", name="uq_strays_gateway_receipt"),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_strays_amount")),
        sa.CheckConstraint("state IN ('WAITING', 'MATCHED')", name=op.f("ck_strays_state")),
    )  # fmt: skip
    op.create_index("ix_checkouts_buyer_id", "checkouts", ["buyer_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_checkouts_buyer_id", "checkouts")
    op.drop_table("strays")
    op.drop_table("lookups")
