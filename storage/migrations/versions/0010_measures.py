"""What /metrics counts among all events and all postings that ever were: the parked ones, and what lies in suspense."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision: str | None = "0009"
branch_labels = None
depends_on = None

_PARKED = sa.text("state = 'PARKED'")
_IN_SUSPENSE = sa.text("substr(account, 1, 9) = 'suspense:'")


def upgrade() -> None:
    op.create_index("ix_inbox_parked", "inbox", ["id"], sqlite_where=_PARKED, postgresql_where=_PARKED)
    op.create_index(
        "ix_postings_suspense", "postings", ["currency", "amount_minor"], sqlite_where=_IN_SUSPENSE, postgresql_where=_IN_SUSPENSE
    )


def downgrade() -> None:
    op.drop_index("ix_postings_suspense", "postings")
    op.drop_index("ix_inbox_parked", "inbox")
