"""Transactions. What happens inside is in workers.py, health.py, revision.py and lease.py."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.storage.engine import WRITES, engine_options, normalise_url, pooled_engine, prepare_engine
from app.storage.failures import BEHIND, SchemaBehind, translated

__all__ = ["SCHEMA", "Database", "SchemaBehind", "Transaction", "engine_options", "normalise_url", "pooled_engine"]

Transaction = Session

SCHEMA = "0003"
"""The migration that this version works with: the newest in migrations/versions."""


class Database:
    """Read and write transactions on an engine. Shared by all threads of a process; a Session is not.

    `address` names it, without a password.

    Every failure of the database leaves as StorageUnavailable with one sentence that may be shown to anyone.
    """

    def __init__(self, engine: Engine) -> None:
        prepare_engine(engine)
        self.address = engine.url.render_as_string(hide_password=True)
        self._reader = engine
        self._writer = engine.execution_options(**{WRITES: True})

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that takes no write lock and keeps nothing that is written in it."""
        with translated(), Session(self._reader) as tx:
            yield tx

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that commits on the way out, and rolls back when an error leaves it."""
        with translated(), Session(self._writer) as tx, tx.begin():
            yield tx

    def now(self, tx: Session) -> float:
        """UTC seconds since 1970 by the database's clock, which on SQLite is this machine's."""
        if self._reader.dialect.name == "sqlite":
            return time.time()
        return float(tx.execute(text("SELECT extract(epoch FROM clock_timestamp())::float8")).scalar_one())

    def check_schema(self) -> None:
        """Raises SchemaBehind unless the tables are those of this version."""
        with self.read() as tx:
            found = tx.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
        if found != [SCHEMA]:
            raise SchemaBehind(BEHIND)
