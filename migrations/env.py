"""What `flask db …` runs: every command in one transaction, one command at a time per database.

Logging stays as the application has it; each step is told on stderr.
"""

from __future__ import annotations

from typing import Any

import click
from alembic import context
from alembic.util import CommandError
from flask import current_app

from app.core.errors import StorageUnavailable
from app.storage.migrate import migration_connection

extension = current_app.extensions["migrate"]


def tell(step: Any, **_: Any) -> None:
    verb = "upgraded to" if step.is_upgrade else "downgraded from"
    script = step.up_revision
    click.echo(f"Database {verb} {script.revision}: {script.doc}", err=True)


def skip_empty(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """`flask db migrate` without a change writes no file."""
    if getattr(context.config.cmd_opts, "autogenerate", False) and directives[0].upgrade_ops.is_empty():
        directives[:] = []
        click.echo("No change to migrate.", err=True)


def options() -> dict[str, Any]:
    return {
        "process_revision_directives": skip_empty,
        **extension.configure_args,
        "target_metadata": extension.db.metadata,
        "transactional_ddl": True,
        "on_version_apply": tell,
    }


def run_offline() -> None:
    """`flask db upgrade --sql`: print the statements."""
    context.configure(url=extension.db.engine.url, literal_binds=True, **options())
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    try:
        with migration_connection(extension.db.engine.url) as connection:
            context.configure(connection=connection, **options())
            with context.begin_transaction():
                context.run_migrations()
    except StorageUnavailable as failure:
        # The one error besides its own that `flask db` shows as a sentence.
        raise CommandError(failure.message) from failure


if context.is_offline_mode():
    run_offline()
else:
    run_online()
