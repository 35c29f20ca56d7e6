"""What the prober saw, and who is due. Written only by the holder of the lease; due times may be lowered by anyone.

Locks are always taken in the order lease, revision, worker, health, and rows of one table in the order of their ids,
so that no two transactions wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import bindparam, insert, update
from sqlalchemy.orm import Session

from app.core.worker import UNPROBED, Health, Worker
from app.storage import lease, revision
from app.storage.models import HEALTH, WORKER
from app.storage.rows import WORKERS, to_worker

_ROUNDING_S = 0.01
_ERROR_LENGTH = 200

_PROBED = WORKERS.where(WORKER.c.admin != "offline").limit(bindparam("limit"))
_DUE = _PROBED.where(HEALTH.c.due_at <= bindparam("now")).order_by(HEALTH.c.due_at)
_TOO_FAR_OFF = _PROBED.where(HEALTH.c.planned_at > bindparam("now")).order_by(HEALTH.c.planned_at)
_OF_WORKER = update(HEALTH).where(HEALTH.c.worker_id == bindparam("of_worker"))
_LOWER = _OF_WORKER.where(HEALTH.c.due_at > bindparam("now")).values(due_at=bindparam("now"))
_RECORD = _OF_WORKER.where(
    HEALTH.c.epoch <= bindparam("mine"),
    HEALTH.c.probe == bindparam("old_probe"),
    HEALTH.c.streak == bindparam("old_streak"),
    HEALTH.c.last_probe_at.is_not_distinct_from(bindparam("old_probe_at", type_=HEALTH.c.last_probe_at.type)),
).returning(HEALTH.c.worker_id)
_STAMP = update(WORKER).where(WORKER.c.id == bindparam("of_worker"))

Result = tuple[int, Health, Health]
"""Worker id, its health when the probe began, its health now."""


def due(tx: Session, now: float, limit: int) -> list[Worker]:
    """At most `limit` workers to probe now, the longest waiting first; never those that are offline.

    A due time farther off than its interval is due as well: the clock was set back since it was written.
    """
    rows = tx.execute(_DUE, {"now": now, "limit": limit}).all()
    if len(rows) < limit:
        rows = [*rows, *tx.execute(_TOO_FAR_OFF, {"now": now + _ROUNDING_S, "limit": limit - len(rows)})]
    return [to_worker(row) for row in rows]


def record(tx: Session, worker_id: int, old: Health, new: Health, epoch: int) -> bool:
    """One result; see record_all."""
    return bool(record_all(tx, [(worker_id, old, new)], epoch))


def record_all(tx: Session, results: Iterable[Result], epoch: int) -> set[int]:
    """Write the results of a sweep; the ids of those that were written. Only a changed verdict is a new revision.

    None is written when the lease of that epoch is over, nor a result whose worker is no longer as it was found.
    """
    if not lease.still_held(tx, epoch):
        return set()
    ordered = sorted(results, key=lambda result: result[0])
    if any(old.probe != new.probe for _, old, new in ordered):
        revision.lock(tx)
    written = [result for result in ordered if _write(tx, result, epoch)]
    _announce(tx, [worker_id for worker_id, old, new in written if old.probe != new.probe])
    return {worker_id for worker_id, _, _ in written}


def lower_due(tx: Session, worker_ids: Iterable[int], now: float) -> None:
    """Let these be probed with the next sweep, unless they are offline."""
    values = [{"of_worker": worker_id, "now": now} for worker_id in sorted(set(worker_ids))]
    if values:
        tx.execute(_LOWER, values)


def start(tx: Session, worker_id: int, now: float) -> None:
    """The row of a new worker, due at once."""
    tx.execute(insert(HEALTH).values(worker_id=worker_id, epoch=0, **{**_columns(UNPROBED), "since": now}))


def forget(tx: Session, worker_id: int, now: float) -> None:
    """What was seen of it belongs to an earlier life: unknown, and due at once. The times stay."""
    values = {"probe": UNPROBED.probe, "streak": UNPROBED.streak, "since": now, "due_at": UNPROBED.due_at}
    tx.execute(_OF_WORKER.values(**values), {"of_worker": worker_id})


def rest(tx: Session, worker_id: int) -> None:
    """Nobody wants it probed any more."""
    tx.execute(_OF_WORKER.values(due_at=None), {"of_worker": worker_id})


def wake(tx: Session, worker_id: int) -> None:
    """It is wanted again, and due at once."""
    tx.execute(_OF_WORKER.values(due_at=UNPROBED.due_at), {"of_worker": worker_id})


def _write(tx: Session, result: Result, epoch: int) -> bool:
    worker_id, old, new = result
    seen = {"old_probe": old.probe, "old_streak": old.streak, "old_probe_at": old.last_probe_at}
    values = {"of_worker": worker_id, "mine": epoch, **seen, "epoch": epoch, **_columns(new)}
    return tx.execute(_RECORD, values).first() is not None


def _announce(tx: Session, worker_ids: Sequence[int]) -> None:
    if worker_ids:
        number = revision.bump(tx)
        tx.execute(_STAMP, [{"of_worker": worker_id, "changed": number} for worker_id in worker_ids])


def _columns(health: Health) -> dict[str, Any]:
    return {
        "probe": health.probe,
        "streak": health.streak,
        "since": health.since,
        "last_probe_at": health.last_probe_at,
        "last_ok_at": health.last_ok_at,
        "last_fail_at": health.last_fail_at,
        "last_error": health.last_error and _storable(health.last_error),
        "due_at": health.due_at,
        "interval_s": health.interval_s,
        "planned_at": health.due_at - health.interval_s,
    }


def _storable(text: str) -> str:
    """It may quote a worker's bytes, and one character that PostgreSQL refuses would undo the whole sweep."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()[:_ERROR_LENGTH]
