"""Reconciliation: what a gateway's records and our books disagree about, which days were read, and stray money on its way back."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision: str | None = "0006"
branch_labels = None
depends_on = None

Whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_UNSETTLED = "state = 'OPEN'"
_STRAYS, _STRAYS_BACK = "'WAITING', 'MATCHED'", "'WAITING', 'MATCHED', 'RETURNING', 'RETURNED'"


def whole(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, Whole, nullable=null, autoincrement=False)


def text(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=null)


def small(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, nullable=False, autoincrement=False)


def _allow(before: str, after: str) -> None:
    """Another list in a CHECK. SQLite keeps its text alone, and changes it in place as its documentation says (lang_altertable, section 7)."""
    was, becomes = f"state IN ({before})", f"state IN ({after})"
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.drop_constraint(op.f("ck_strays_state"), "strays", type_="check")
        op.create_check_constraint(op.f("ck_strays_state"), "strays", becomes)
        return
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema=ON")
    change = "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = 'strays'"
    connection.exec_driver_sql(change, (was, becomes))
    connection.exec_driver_sql(f"PRAGMA schema_version={version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema=OFF")


def upgrade() -> None:
    _allow(_STRAYS, _STRAYS_BACK)
    for column in (text("ref", null=True), text("result", null=True), whole("asked_at", null=True), whole("returned_at", null=True)):
        op.add_column("strays", column)
    op.create_table(
        "readings",
        whole("id"), text("gateway"), whole("owner"), text("day"), text("how"), whole("theirs"), whole("ours"), whole("unasked"),
        text("fees"), text("why"), whole("tries"), whole("act_at"), whole("read_at", null=True), small("version"),
        sa.PrimaryKeyConstraint("id", name="pk_readings"),
        sa.UniqueConstraint("gateway", "owner", "day", name="uq_readings_gateway_owner_day"),
    )  # fmt: skip
    op.create_table(
        "differences",
        whole("id"), text("gateway"), whole("owner"), text("about"), text("kind"), text("key"), text("receipt", null=True),
        whole("attempt_id", null=True), whole("theirs_minor", null=True), text("theirs_currency", null=True), whole("ours_minor", null=True),
        text("ours_currency", null=True), whole("at"), text("state"), whole("found_at"), whole("ended_at", null=True), text("note"),
        small("version"), sa.PrimaryKeyConstraint("id", name="pk_differences"),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempts.id"], name="fk_differences_attempt_id"),
        sa.UniqueConstraint("gateway", "owner", "about", "kind", "key", name="uq_differences_gateway_owner_about_kind_key"),
        sa.CheckConstraint("state IN ('OPEN', 'SETTLED', 'GONE')", name=op.f("ck_differences_state")),
    )  # fmt: skip
    unsettled = sa.text(_UNSETTLED)
    op.create_index("ix_differences_open", "differences", ["at"], sqlite_where=unsettled, postgresql_where=unsettled)


def downgrade() -> None:
    op.drop_table("differences")
    op.drop_table("readings")
    for column in ("returned_at", "asked_at", "result", "ref"):
        op.drop_column("strays", column)
    _allow(_STRAYS_BACK, _STRAYS)
