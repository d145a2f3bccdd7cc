"""What alembic runs: over the connection it is given by payloom.migrate, and over nothing else."""

from __future__ import annotations

from typing import Any

from alembic import context
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from storage.tables import metadata


def _number_it(_: MigrationContext, __: Any, directives: list[MigrationScript]) -> None:
    """A new migration is called by the next number, so that the order can be read in the folder."""
    head = ScriptDirectory.from_config(context.config).get_current_head()
    for script in directives:
        script.rev_id = f"{int(head or 0) + 1:04}"


def _only_ours(_: Any, name: str | None, kind: str, __: bool, ___: Any) -> bool:
    return kind != "table" or name != "alembic_version"


def run(connection: Any) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
        transactional_ddl=True,
        process_revision_directives=_number_it,
        include_object=_only_ours,
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
