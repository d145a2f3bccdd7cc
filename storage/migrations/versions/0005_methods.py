"""Hosted pages of gateways, and chargebacks: the address a payer goes on at, the states of frozen money, each case at a bank."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"
branch_labels = None
depends_on = None

Whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_CHECKS = (
    ("payments", "state", "'PARTLY_REFUNDED', 'REFUNDED'", "'PARTLY_REFUNDED', 'REFUNDED', 'DISPUTED_BY_BANK', 'CHARGED_BACK'",
     "'CREATED', 'PENDING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'EXPIRED', "),
    ("orders", "state", "'REFUNDED', 'VOID'", "'REFUNDED', 'VOID', 'FROZEN'",
     "'PAID', 'ACCEPTED', 'SHIPPED', 'DELIVERED', 'COMPLETED', 'DISPUTED', "),
    ("orders", "escrow", "'SPLIT', 'VOID'", "'SPLIT', 'VOID', 'FROZEN', 'CHARGED_BACK'",
     "'PENDING', 'HELD', 'DISPUTED', 'RELEASED', 'REFUNDED', "),
)  # fmt: skip
"""Table, column, the end of the list as it was and as it is, its beginning."""


def whole(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, Whole, nullable=null, autoincrement=False)


def text(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=null)


def refers(column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_chargebacks_{column}")


def _allow(table: str, column: str, before: str, after: str) -> None:
    """Another list in a CHECK. SQLite keeps its text alone, and changes it in place as its documentation says (lang_altertable, section 7)."""
    was, becomes = f"{column} IN ({before})", f"{column} IN ({after})"
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f(f"ck_{table}_{column}"), table, type_="check")
        op.create_check_constraint(op.f(f"ck_{table}_{column}"), table, becomes)
        return
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema=ON")
    connection.exec_driver_sql("UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = ?", (was, becomes, table))
    connection.exec_driver_sql(f"PRAGMA schema_version={version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema=OFF")


def upgrade() -> None:
    for table, column, before, after, first in _CHECKS:
        _allow(table, column, first + before, first + after)
    op.add_column("attempts", text("url", null=True))
    op.create_table(
        "chargebacks",
        whole("id"), whole("attempt_id"), whole("organization_id"), whole("order_id"), text("gateway"),
        sa.Column("direct", sa.Boolean, nullable=False), text("ref"), whole("amount_minor"), text("currency"), text("source"), text("before"),
        text("state"), whole("opened_at"), whole("ended_at", null=True), sa.Column("version", sa.Integer, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("id", name="pk_chargebacks"), refers("attempt_id", "attempts.id"),
        refers("organization_id", "organizations.id"), refers("order_id", "orders.id"),
        sa.UniqueConstraint("gateway", "ref", name="uq_chargebacks_gateway_ref"),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_chargebacks_amount")),
        sa.CheckConstraint("state IN ('OPEN', 'WON', 'LOST')", name=op.f("ck_chargebacks_state")),
    )  # fmt: skip
    op.create_index("ix_chargebacks_attempt_id", "chargebacks", ["attempt_id"])


def downgrade() -> None:
    op.drop_table("chargebacks")
    op.drop_column("attempts", "url")
    for table, column, before, after, first in _CHECKS:
        _allow(table, column, first + after, first + before)
