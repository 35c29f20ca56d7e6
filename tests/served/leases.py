"""Who probes, as the database says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine

from app.storage import lease
from app.storage.database import Database, engine_options
from app.storage.lease import Lease


@contextmanager
def opened(url: str) -> Iterator[Database]:
    engine = create_engine(url, **engine_options(url))
    yield Database(engine)
    engine.dispose()


def held(database: Database) -> Lease | None:
    with database.read() as tx:
        row = lease.read(tx)
    return row if row.holder else None


def leader(database: Database) -> int | None:
    """The process id of the holder."""
    row = held(database)
    return int(row.holder.split("/")[1]) if row else None
