"""What a database can do wrong, as one sentence each: no SQL, no parameters, no URL."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core.errors import InvalidField, RollcallError, StorageUnavailable

_LOCKED = "The database stayed locked by another process; nothing was changed, try again."
_SLOW = "The database took too long; nothing was changed, try again."
_FULL = "The disk of the database is full; nothing was changed, make room and try again."
_READ_ONLY = "The database is read-only; check who may write its files, or its PostgreSQL role."
_BUSY = "Every connection to the database is in use; try again."
_GONE = "The database cannot be reached; check that it runs and that DATABASE_URL is right."
_TEXT = "A text holds a character that cannot be stored (NUL, or one half of a surrogate pair); remove it."
_NUMBER = "A number is too large to be stored."
BEHIND = "The database's tables do not fit this version of Rollcall; run `flask db upgrade`."

_SQLITE = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_IOERR: "The disk of the database fails; nothing was changed, check the disk.",
    sqlite3.SQLITE_CANTOPEN: "The database file cannot be opened; check that its folder exists and may be written.",
    sqlite3.SQLITE_CORRUPT: "The database file is damaged; restore it from a backup.",
    sqlite3.SQLITE_NOTADB: "The file that DATABASE_URL names is no SQLite database.",
}
_POSTGRES = {
    "25006": _READ_ONLY,
    "40001": "Another change came first; nothing was changed, try again.",
    "40P01": "Another change came first; nothing was changed, try again.",
    "42501": "The database refuses this PostgreSQL role; grant it its own tables.",
    "53100": _FULL,
    "53300": "PostgreSQL accepts no more connections; try again, or raise its max_connections.",
    "55P03": _LOCKED,
    "57014": _SLOW,
}
_MISSING = {"42P01", "42703", "3F000"}


class SchemaBehind(StorageUnavailable):
    """The tables are missing, or not those of this version."""

    code = "schema_behind"


@contextmanager
def translated() -> Iterator[None]:
    """Raise every failure of the driver as StorageUnavailable, text that no database takes as InvalidField."""
    try:
        yield
    except PoolTimeout as failure:
        raise StorageUnavailable(_BUSY) from failure
    except DBAPIError as failure:
        raise explain(failure.orig or failure) from failure
    except _driver_errors() as failure:
        raise explain(failure) from failure
    except (UnicodeEncodeError, OverflowError) as failure:
        raise InvalidField(_TEXT if isinstance(failure, UnicodeError) else _NUMBER) from failure


def _driver_errors() -> tuple[type[Exception], ...]:
    """psycopg is there once an engine for PostgreSQL was made; nobody else needs the 10 MB that it takes."""
    psycopg: Any = sys.modules.get("psycopg")
    return (sqlite3.Error, psycopg.Error) if psycopg else (sqlite3.Error,)


def explain(failure: BaseException) -> RollcallError:
    return _explain_sqlite(failure) if isinstance(failure, sqlite3.Error) else _explain_postgres(failure)


def _explain_postgres(failure: BaseException) -> RollcallError:
    import psycopg

    state = failure.sqlstate if isinstance(failure, psycopg.Error) else None
    if isinstance(failure, psycopg.DataError):
        return InvalidField(_NUMBER if state == "22003" else _TEXT)
    if state in _MISSING:
        return SchemaBehind(BEHIND)
    if state in _POSTGRES:
        return StorageUnavailable(_POSTGRES[state])
    if isinstance(failure, (psycopg.OperationalError, psycopg.InterfaceError)):
        return StorageUnavailable(_GONE)
    return StorageUnavailable(f"The database failed ({type(failure).__name__}); see the log.")


def _explain_sqlite(failure: sqlite3.Error) -> RollcallError:
    if str(failure).startswith(("no such table", "no such column")) or " has no column named " in str(failure):
        return SchemaBehind(BEHIND)
    # Errors that Python itself raises have no code: a closed connection, a value of a wrong type.
    code = getattr(failure, "sqlite_errorcode", 0) & 0xFF
    sentence = _SQLITE.get(code, f"The database failed ({type(failure).__name__}); see the log.")
    return StorageUnavailable(sentence)
