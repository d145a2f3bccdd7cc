"""Group pay: one checkout split among payers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision: str | None = "0008"
branch_labels = None
depends_on = None

Whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_SHARES = "group_id IS NOT NULL"


def upgrade() -> None:
    op.add_column("checkouts", sa.Column("group_id", Whole, nullable=True, autoincrement=False))
    op.add_column("checkouts", sa.Column("shares", Whole, nullable=False, autoincrement=False, server_default=sa.text("0")))
    op.add_column("checkouts", sa.Column("paid_by", Whole, nullable=True, autoincrement=False))
    op.create_index("ix_checkouts_group_id", "checkouts", ["group_id"], sqlite_where=sa.text(_SHARES), postgresql_where=sa.text(_SHARES))
    op.create_index("uq_checkouts_paid_by", "checkouts", ["paid_by"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_checkouts_paid_by", "checkouts")
    op.drop_index("ix_checkouts_group_id", "checkouts")
    for column in ("paid_by", "shares", "group_id"):
        op.drop_column("checkouts", column)
