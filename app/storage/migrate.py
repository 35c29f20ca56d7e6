"""The connection that migrations run on: one at a time per database, however many processes try at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from app.core.errors import StorageUnavailable
from app.storage.engine import LOCK_WAIT_S, WRITES, single_connection_engine
from app.storage.failures import translated

_ADVISORY_LOCK = 7_236_520_819
"""Rollcall's own number among the advisory locks of a PostgreSQL database."""
_WAIT_S = 60.0


@contextmanager
def migration_connection(url: URL) -> Iterator[Connection]:
    """A connection inside a transaction that holds the database's migration lock; commits on the way out.

    Raises StorageUnavailable. Foreign keys are off on SQLite, where a changed table is copied and the old one dropped:
    with them on, that would delete every row that points at it.
    """
    engine = single_connection_engine(url.render_as_string(hide_password=False))
    with translated(), engine.connect() as connection:
        connection = connection.execution_options(**{WRITES: True, LOCK_WAIT_S: _WAIT_S})
        if engine.dialect.name == "sqlite":
            driver: Any = connection.connection.dbapi_connection
            driver.execute("PRAGMA foreign_keys=OFF")
        with connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            yield connection
            _check_references(connection)


def _check_references(connection: Connection) -> None:
    if connection.dialect.name == "sqlite" and connection.execute(text("PRAGMA foreign_key_check")).first():
        raise StorageUnavailable("A migration left rows that point at nothing; it was undone.")
