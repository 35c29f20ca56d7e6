"""What can be wrong with the database of a running server, each as a block that makes it well again."""

from __future__ import annotations

import contextlib
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import psycopg
from sqlalchemy import make_url

from tests.serving import Server

ROOM = 1024
_AWAY = "ALTER TABLE revision RENAME COLUMN number TO former"
_BACK = "ALTER TABLE revision RENAME COLUMN former TO number"


@contextmanager
def behind(url: str) -> Iterator[None]:
    """A column has another name, as in another version's tables."""
    _run(url, _AWAY)
    try:
        yield
    finally:
        _run(url, _BACK)


@contextmanager
def full(server: Server) -> Iterator[None]:
    """No file of the serving processes may grow beyond ROOM bytes, as on a disk without room."""
    pids = server.pids
    _limit(pids, ROOM)
    try:
        yield
    finally:
        _limit(pids, resource.RLIM_INFINITY)


@contextmanager
def read_only(url: str) -> Iterator[None]:
    """Every connection of PostgreSQL is, from now on, as on a standby that has not taken over yet."""
    name = make_url(url).database
    _run(url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    _run(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND "
        "pid <> pg_backend_pid()",
    )
    try:
        yield
    finally:
        _run(url, f"ALTER DATABASE {name} RESET default_transaction_read_only")


def _limit(pids: set[int], size: int) -> None:
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(pid).rlimit(psutil.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _run(url: str, statement: str) -> None:
    if _is_sqlite(url):
        with closing(sqlite3.connect(_path(url), timeout=10)) as connection:
            connection.execute(statement)
        return
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(statement)


def _is_sqlite(url: str) -> bool:
    return url.startswith("sqlite")


def _path(url: str) -> Path:
    return Path(make_url(url).database or "")
