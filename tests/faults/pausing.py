"""A process that is stopped, though not inside of a transaction: there it would keep its locks."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
from sqlalchemy import make_url

from tests.serving import wait_for

BUSY = "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND xact_start IS NOT NULL"


@contextmanager
def paused(pid: int, url: str) -> Iterator[float]:
    """Stopped inside the block; gives the moment. `url`: of its database."""

    def is_stopped_outside() -> bool:
        os.kill(pid, signal.SIGSTOP)
        if not _is_locked(url):
            return True
        os.kill(pid, signal.SIGCONT)
        return False

    wait_for("a moment outside of transactions", is_stopped_outside)
    try:
        yield time.monotonic()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _is_locked(url: str) -> bool:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(parsed.database or "", timeout=0.5, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            return False
    plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        row = connection.execute(BUSY).fetchone()
    return row is None or row[0] > 0
