"""The number that grows with every change of the fleet. It tells every process that there is something to read."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.storage.failures import BEHIND, SchemaBehind
from app.storage.models import REVISION

_CURRENT = select(REVISION.c.number)
_LOCK = _CURRENT.with_for_update()
_BUMP = update(REVISION).values(number=REVISION.c.number + 1).returning(REVISION.c.number)


def current(tx: Session) -> int:
    """Read it before the rows: what changes meanwhile is then read once too often, never once too seldom."""
    number: int | None = tx.execute(_CURRENT).scalar_one_or_none()
    return _known(number)


def bump(tx: Session) -> int:
    """The revision of the change that follows in this transaction.

    Call it before the change. On PostgreSQL the row's lock makes changes follow each other, so that revisions
    become visible in their order, and taking it first keeps two changes from waiting for each other.
    """
    number: int | None = tx.execute(_BUMP).scalar_one_or_none()
    return _known(number)


def lock(tx: Session) -> None:
    """Be the only one to change the fleet until this transaction ends, without a change as yet."""
    tx.execute(_LOCK)


def _known(number: int | None) -> int:
    if number is None:
        raise SchemaBehind(BEHIND)
    return number
