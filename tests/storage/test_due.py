"""Who is to be probed now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import event

from app.core.worker import Worker
from app.storage import health, workers
from app.storage.database import Database
from app.storage.lease import Lease
from tests.databases import opened
from tests.storage.probed import NOW, due, number, record, reread, up


def test_a_new_worker_is_due_whatever_the_clock_says(database: Database, add: Callable[[], Worker]) -> None:
    worker = add()
    assert due(database, 1.0) == [worker.id]


def test_who_is_due_and_in_which_order(database: Database, mine: Lease, add: Callable[[], Worker]) -> None:
    late, later, resting = add(), add(), add()
    for worker, interval_s in ((later, 3.0), (late, 2.0), (resting, 50.0)):
        assert record(database, worker, up(worker.health, NOW, interval_s), mine.epoch)
    new = add()
    assert due(database, NOW + 1.9) == [new.id]
    assert due(database, NOW + 2.0) == [new.id, late.id]
    assert due(database, NOW + 3.0) == [new.id, late.id, later.id]
    assert due(database, NOW + 3.0, limit=2) == [new.id, late.id]
    assert due(database, NOW + 3.0, limit=0) == []


def test_due_workers_come_whole(database: Database, add: Callable[[], Worker]) -> None:
    worker = add()
    with database.read() as tx:
        assert health.due(tx, NOW, 10) == [worker]


def test_a_due_time_farther_off_than_its_interval_is_due(
    database: Database, mine: Lease, add: Callable[[], Worker]
) -> None:
    """The clock was set back by an hour after a probe; without this nobody would be probed for an hour."""
    worker = add()
    assert record(database, worker, up(worker.health, NOW, interval_s=60.0), mine.epoch)
    assert due(database, NOW) == []
    assert due(database, NOW + 59) == []
    assert due(database, NOW - 3600) == [worker.id]
    assert due(database, NOW - 3600, limit=0) == []
    written = reread(database, worker)
    assert record(database, worker, up(written, NOW - 3600, interval_s=60.0), mine.epoch, written)
    assert due(database, NOW - 3600) == []


def test_a_due_time_may_be_lowered_and_never_raised(database: Database, mine: Lease, add: Callable[[], Worker]) -> None:
    worker, other, waiting = add(), add(), add()
    for each in (worker, other):
        assert record(database, each, up(each.health), mine.epoch)
    before = number(database)
    with database.write() as tx:
        health.lower_due(tx, [worker.id, waiting.id, worker.id, 999], NOW + 0.5)
        health.lower_due(tx, [], NOW)
    assert due(database, NOW + 0.6) == [waiting.id, worker.id]
    assert reread(database, waiting).due_at == 0.0
    assert number(database) == before
    written = reread(database, worker)
    assert record(database, worker, up(written, NOW + 0.6), mine.epoch, up(worker.health))


def test_what_is_offline_is_not_probed_and_is_due_once_it_is_back(
    database: Database, mine: Lease, add: Callable[[], Worker]
) -> None:
    worker, draining = add(), add()
    assert record(database, worker, up(worker.health), mine.epoch)
    with database.write() as tx:
        workers.set_admin(tx, worker.id, "offline", NOW)
        workers.set_admin(tx, draining.id, "draining", NOW)
        health.lower_due(tx, [worker.id], NOW)
    assert due(database, NOW + 1e6) == [draining.id]
    assert due(database, NOW - 1e6) == [draining.id]
    with database.write() as tx:
        assert workers.set_admin(tx, worker.id, "enabled", NOW).health.probe == "up"
    assert sorted(due(database, NOW)) == [worker.id, draining.id]


def test_a_probe_that_was_on_its_way_when_the_worker_went_offline(
    database: Database, mine: Lease, add: Callable[[], Worker]
) -> None:
    worker = add()
    with database.write() as tx:
        workers.set_admin(tx, worker.id, "offline", NOW)
    assert record(database, worker, up(worker.health), mine.epoch)
    assert due(database, NOW + 1e6) == []


def test_due_looks_at_few_rows_of_many(sqlite_url: str) -> None:
    """Both questions are answered from an index, without a sort."""
    asked: list[tuple[str, Any]] = []
    with opened(sqlite_url).read() as tx:
        event.listen(tx.get_bind(), "before_cursor_execute", lambda *args: asked.append((args[2], args[3])))
        health.due(tx, NOW, 5)
        (due_at, planned_at) = [
            tx.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all() for sql, values in asked[:2]
        ]
    for plan, index in ((due_at, "due_at"), (planned_at, "planned_at")):
        steps = [row[3] for row in plan]
        assert steps[0].startswith(f"SEARCH worker_health USING INDEX ix_worker_health_{index}"), steps
        assert not any("TEMP B-TREE" in step for step in steps), steps
