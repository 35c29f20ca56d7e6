"""The right to probe: one row, and atomic steps on it. When a lease counts as dead is the observer's judgement."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from app.storage.failures import BEHIND, SchemaBehind
from app.storage.models import LEASE


@dataclass(frozen=True, slots=True)
class Lease:
    """`holder` is '' while nobody probes. `epoch` grows with each change of hands, `beat` with each sign of life."""

    holder: str
    epoch: int
    beat: int


_READ = select(LEASE.c.holder, LEASE.c.epoch, LEASE.c.beat)
_HELD = select(LEASE.c.id).where(LEASE.c.epoch == bindparam("epoch_is")).with_for_update()
_STEP = (
    update(LEASE)
    .where(LEASE.c.epoch == bindparam("epoch_is"), LEASE.c.beat == bindparam("beat_is"))
    .values(holder=bindparam("holder"), epoch=bindparam("epoch"), beat=bindparam("beat"))
    .returning(LEASE.c.id)
)


def read(tx: Session) -> Lease:
    row = tx.execute(_READ).one_or_none()
    if row is None:
        raise SchemaBehind(BEHIND)
    return Lease(*row)


def take(tx: Session, holder: str, seen: Lease) -> Lease | None:
    """Take over the lease as it was seen; None when it has moved on since."""
    return _step(tx, seen, Lease(holder, seen.epoch + 1, seen.beat + 1))


def beat(tx: Session, mine: Lease) -> Lease | None:
    """A sign of life; None when somebody else took the lease."""
    return _step(tx, mine, Lease(mine.holder, mine.epoch, mine.beat + 1))


def release(tx: Session, mine: Lease) -> None:
    """Hand the lease on. The epoch moves too, so that no result of this term can be written any more."""
    _step(tx, mine, Lease("", mine.epoch + 1, mine.beat + 1))


def still_held(tx: Session, epoch: int) -> bool:
    """Does the term `epoch` still run? If so, nobody can end it before this transaction does."""
    return tx.execute(_HELD, {"epoch_is": epoch}).first() is not None


def _step(tx: Session, before: Lease, after: Lease) -> Lease | None:
    values = {"holder": after.holder, "epoch": after.epoch, "beat": after.beat}
    moved = tx.execute(_STEP, {"epoch_is": before.epoch, "beat_is": before.beat, **values}).first()
    return after if moved else None
