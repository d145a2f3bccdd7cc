"""Notices: what people want to be told and how, the provider's id of what was sent, and a pace that all processes share.

A column that is added stands at the end, and keeps its default: SQLite can neither place it nor take the default away without a new table.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None

Whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("persons", sa.Column("wants", sa.Text, nullable=False, server_default=sa.text("'{}'")))
    op.add_column("outbox", sa.Column("ref", sa.Text, nullable=True))
    op.add_column("outbox", sa.Column("report", sa.Text, nullable=False, server_default=sa.text("''")))
    known, sending = sa.text("ref IS NOT NULL"), sa.text("state = 'SENDING'")
    op.create_index("uq_outbox_channel_ref", "outbox", ["channel", "ref"], unique=True, sqlite_where=known, postgresql_where=known)
    op.create_index("ix_outbox_sending", "outbox", ["person_id", "channel"], sqlite_where=sending, postgresql_where=sending)
    unsent = sa.text("state IN ('WAITING', 'SENDING')")
    op.drop_index("ix_outbox_unsent", "outbox")
    op.create_index("ix_outbox_unsent", "outbox", ["channel", "urgency", "act_at", "id"], sqlite_where=unsent, postgresql_where=unsent)
    past = sa.text("order_id IS NULL AND state IN ('SENT', 'SKIPPED')")
    op.create_index("ix_outbox_past", "outbox", ["created_at"], sqlite_where=past, postgresql_where=past)
    op.create_table(
        "paces",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("free_at", Whole, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("name", name="pk_paces"),
    )


def downgrade() -> None:
    op.drop_table("paces")
    unsent = sa.text("state IN ('WAITING', 'SENDING')")
    op.drop_index("ix_outbox_past", "outbox")
    op.drop_index("ix_outbox_unsent", "outbox")
    op.create_index("ix_outbox_unsent", "outbox", ["urgency", "act_at"], sqlite_where=unsent, postgresql_where=unsent)
    op.drop_index("ix_outbox_sending", "outbox")
    op.drop_index("uq_outbox_channel_ref", "outbox")
    op.drop_column("outbox", "report")
    op.drop_column("outbox", "ref")
    op.drop_column("persons", "wants")
