"""Outgoing webhooks: where organizations want to be told, what happened, and each event on its way."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"
branch_labels = None
depends_on = None

Whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_DUE = "state IN ('PENDING', 'SENDING')"


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
        "webhook_endpoints",
        whole("id"), whole("organization_id"), text("url"), text("types"), text("state"), text("sealed"), whole("created_at"),
        whole("secret_no"), text("sealed_before", null=True), whole("before_until", null=True), whole("failing_since", null=True),
        whole("tried_at", null=True), text("off_why"), small("version"), sa.PrimaryKeyConstraint("id", name="pk_webhook_endpoints"),
        refers("webhook_endpoints", "organization_id", "organizations.id"),
        sa.CheckConstraint("state IN ('ENABLED', 'DISABLED', 'DELETED')", name=op.f("ck_webhook_endpoints_state")),
    )  # fmt: skip
    op.create_index("ix_webhook_endpoints_organization_id_id", "webhook_endpoints", ["organization_id", "id"])
    op.create_table(
        "webhook_events",
        whole("id"), whole("organization_id"), text("key"), text("type"), text("body"), whole("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_events"), refers("webhook_events", "organization_id", "organizations.id"),
        sa.UniqueConstraint("organization_id", "key", name="uq_webhook_events_organization_id_key"),
    )  # fmt: skip
    op.create_table(
        "webhook_deliveries",
        whole("id"), whole("event_id"), whole("endpoint_id"), whole("organization_id"), text("type"), text("state"), whole("created_at"),
        whole("act_at"), whole("tries"), whole("tried_at", null=True), whole("status", null=True), whole("took_ms", null=True),
        text("error"), text("answer"), small("version"), sa.PrimaryKeyConstraint("id", name="pk_webhook_deliveries"),
        refers("webhook_deliveries", "event_id", "webhook_events.id"), refers("webhook_deliveries", "endpoint_id", "webhook_endpoints.id"),
        refers("webhook_deliveries", "organization_id", "organizations.id"),
        sa.UniqueConstraint("event_id", "endpoint_id", name="uq_webhook_deliveries_event_id_endpoint_id"),
        sa.CheckConstraint("state IN ('PENDING', 'SENDING', 'DELIVERED', 'FAILED')", name=op.f("ck_webhook_deliveries_state")),
    )  # fmt: skip
    op.create_index("ix_webhook_deliveries_endpoint_id_id", "webhook_deliveries", ["endpoint_id", "id"])
    op.create_index(
        "ix_webhook_deliveries_due",
        "webhook_deliveries",
        ["endpoint_id", "act_at"],
        sqlite_where=sa.text(_DUE),
        postgresql_where=sa.text(_DUE),
    )


def downgrade() -> None:
    for table in ("webhook_deliveries", "webhook_events", "webhook_endpoints"):
        op.drop_table(table)
