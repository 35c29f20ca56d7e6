"""What tests of health say of workers and what they ask the database."""

from __future__ import annotations

from dataclasses import replace

from app.core.worker import Health, Worker
from app.storage import health, revision, workers
from app.storage.database import Database

NOW = 1_795_600_000.0


def number(database: Database) -> int:
    with database.read() as tx:
        return revision.current(tx)


def reread(database: Database, worker: Worker) -> Health:
    with database.read() as tx:
        found = workers.find(tx, worker.id)
    assert found
    return found.health


def due(database: Database, now: float, limit: int = 100) -> list[int]:
    with database.read() as tx:
        return [worker.id for worker in health.due(tx, now, limit)]


def record(database: Database, worker: Worker, new: Health, epoch: int, old: Health | None = None) -> bool:
    with database.write() as tx:
        return health.record(tx, worker.id, old or worker.health, new, epoch)


def up(old: Health, at: float = NOW, interval_s: float = 2.0) -> Health:
    """A success at that time."""
    streak, since = max(old.streak, 0) + 1, old.since if old.probe == "up" else at
    seen = {"last_probe_at": at, "last_ok_at": at, "due_at": at + interval_s, "interval_s": interval_s}
    return replace(old, probe="up", streak=streak, since=since, **seen)
