"""One-time codes: what is kept of them is a keyed digest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels = None
depends_on = None

Whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "codes",
        sa.Column("flow", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("person_id", Whole, nullable=True, autoincrement=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("created_at", Whole, nullable=False, autoincrement=False),
        sa.Column("expires_at", Whole, nullable=False, autoincrement=False),
        sa.Column("tries", Whole, nullable=False, autoincrement=False),
        sa.Column("used_at", Whole, nullable=True, autoincrement=False),
        sa.Column("version", sa.Integer, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("flow", "subject", name="pk_codes"),
        sa.UniqueConstraint("flow", "digest", name="uq_codes_flow_digest"),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name="fk_codes_person_id"),
    )
    op.create_index("ix_codes_expires_at", "codes", ["expires_at"])


def downgrade() -> None:
    op.drop_table("codes")
