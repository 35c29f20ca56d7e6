"""How a database is opened: URLs, engine options, and transactions that wait for SQLite's lock without blocking.

SQLite's own busy timeout sleeps inside the driver and would freeze every greenlet of the process, so it is 0 here,
and whoever opens a transaction tries again in short cooperative sleeps.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

# Execution options of an engine or a connection.
WRITES = "rollcall_writes"
"""True: take SQLite's write lock at the start of the transaction. A read that turns into a write fails at once."""
LOCK_WAIT_S = "rollcall_lock_wait_s"

_LOCK_WAIT_S = 5.0
_READ_ONLY_POSTGRES = "25006"
_SQLITE_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
_POOL = {"pool_timeout": 5, "hide_parameters": True}
_POSTGRES_ARGS = {
    "connect_timeout": 2,
    "options": "-c statement_timeout=5000 -c idle_in_transaction_session_timeout=30000",
    # A server that vanished without a word: the kernel gives up instead of waiting for a quarter of an hour.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 5000,
}


def normalise_url(url: str) -> str:
    """`url` with the driver named and the path of a SQLite file absolute; raises ValueError with one clear sentence."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError(
            "DATABASE_URL is no database URL: use sqlite:///path or postgresql://user@host/name."
        ) from None
    if parsed.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        return _sqlite_url(parsed)
    raise ValueError(f"DATABASE_URL names {parsed.drivername!r}: Rollcall keeps its data in sqlite or postgresql.")


def _sqlite_url(url: URL) -> str:
    name = url.database or ":memory:"
    if ":memory:" in name or url.query.get("mode") == "memory":
        raise ValueError("DATABASE_URL names a database in memory, which is not kept: use sqlite:///path.")
    if not name.startswith("file:"):
        url = url.set(database=str(Path(name).absolute()))
    return url.render_as_string(hide_password=False)


def engine_options(url: str) -> dict[str, Any]:
    """Keyword arguments of `create_engine` for a URL from `normalise_url`."""
    args = {"connect_args": _connect_args(url), **_POOL}
    return args if _is_sqlite(url) else {**args, "pool_pre_ping": True}


def pooled_engine(url: str) -> Engine:
    """An engine for a process that serves; `url` is from `normalise_url`."""
    return create_engine(url, **engine_options(url))


def single_connection_engine(url: str) -> Engine:
    """An engine without a pool, for migrations: what they do to their connection ends with it."""
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=_connect_args(url))
    prepare_engine(engine)
    return engine


def _is_sqlite(url: str) -> bool:
    return url.startswith("sqlite")


def _connect_args(url: str) -> dict[str, Any]:
    if _is_sqlite(url):
        # isolation_level None: the driver opens no transaction of its own accord, `_begin` does.
        return {"isolation_level": None, "timeout": 0}
    said = make_url(url).query
    args = {name: value for name, value in _POSTGRES_ARGS.items() if name not in said}
    return args | ({"options": f"{_POSTGRES_ARGS['options']} {said['options']}"} if "options" in said else {})


def prepare_engine(engine: Engine) -> None:
    """Install what an engine needs on connect, on begin and on errors. Doing it twice does nothing."""
    if event.contains(engine, "handle_error", _give_up_readers):
        return
    event.listen(engine, "handle_error", _give_up_readers)
    if engine.dialect.name != "sqlite":
        return
    event.listen(engine, "connect", _connect)
    event.listen(engine, "begin", _begin)


def _connect(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in _SQLITE_PRAGMAS:
        _patiently(lambda text=pragma: connection.execute(f"PRAGMA {text}"), _LOCK_WAIT_S)  # type: ignore[misc]


def _give_up_readers(context: ExceptionContext) -> None:
    """A connection that was opened when it could only read stays so for ever; a new one is as the database is then."""
    if _reads_only(context.original_exception):
        context.is_disconnect = True


def _reads_only(failure: BaseException) -> bool:
    if isinstance(failure, sqlite3.Error):
        return getattr(failure, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY
    return getattr(failure, "sqlstate", None) == _READ_ONLY_POSTGRES


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    driver: Any = connection.connection.dbapi_connection
    try:
        _patiently(lambda: _open(driver, bool(options.get(WRITES))), float(options.get(LOCK_WAIT_S, _LOCK_WAIT_S)))
    except sqlite3.Error as failure:
        if _reads_only(failure):
            connection.invalidate(failure)
        raise


def _open(driver: sqlite3.Connection, writes: bool) -> None:
    if writes:
        driver.execute("BEGIN IMMEDIATE")
        return
    driver.execute("BEGIN")
    try:
        # The first read may find the lock held for a moment (recovery after a crash): meet that here, where we wait.
        driver.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
    except sqlite3.Error:
        driver.rollback()
        raise


def _patiently(attempt: Callable[[], object], wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            attempt()
            return
        except sqlite3.OperationalError as failure:
            if failure.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
        time.sleep(random.uniform(0.001, 0.01))
