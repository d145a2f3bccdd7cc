"""Late money: the decision of the seller about what arrived after its checkout ended. Shops that are there keep the policy they have."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision: str | None = "0007"
branch_labels = None
depends_on = None

Whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_WAITS = "state = 'WAITING'"


def whole(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, Whole, nullable=null, autoincrement=False)


def text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False)


def refers(column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_late_money_{column}")


def upgrade() -> None:
    op.create_table(
        "late_money",
        whole("id"), text("number"), whole("attempt_id"), whole("checkout_id"), whole("organization_id"), whole("amount_minor"),
        text("currency"), text("state"), whole("created_at"), whole("decide_by"), text("ended_by"), whole("ended_at", null=True),
        sa.Column("version", sa.Integer, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("id", name="pk_late_money"), refers("attempt_id", "attempts.id"), refers("checkout_id", "checkouts.id"),
        refers("organization_id", "organizations.id"),
        sa.UniqueConstraint("number", name="uq_late_money_number"), sa.UniqueConstraint("attempt_id", name="uq_late_money_attempt_id"),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_late_money_amount")),
        sa.CheckConstraint("state IN ('WAITING', 'ACCEPTED', 'REFUNDED', 'VOID')", name=op.f("ck_late_money_state")),
    )  # fmt: skip
    waits = sa.text(_WAITS)
    op.create_index("uq_late_money_one_waits", "late_money", ["checkout_id"], unique=True, sqlite_where=waits, postgresql_where=waits)
    op.create_index("ix_late_money_due", "late_money", ["decide_by"], sqlite_where=waits, postgresql_where=waits)
    op.create_index("ix_late_money_work", "late_money", ["organization_id", "decide_by"], sqlite_where=waits, postgresql_where=waits)


def downgrade() -> None:
    op.drop_table("late_money")
