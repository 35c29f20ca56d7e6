"""Results of probes: what is written, and what an old leader or an old result can no longer do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from app.core.worker import Health, Worker
from app.storage import health, lease, revision, workers
from app.storage.database import Database
from app.storage.lease import Lease
from app.storage.models import HEALTH
from tests.storage.conftest import PATIENCE_S, Run
from tests.storage.probed import NOW, number, record, reread, up


def test_a_result_comes_back_as_it_was_written(database: Database, mine: Lease, add: Callable[[], Worker]) -> None:
    worker = add()
    after = Health("down", -3, NOW + 0.1, NOW + 1 / 3, NOW - 1e-6, NOW + 0.7, "refused", NOW + 2.2, 2.2)
    assert record(database, worker, after, mine.epoch)
    assert reread(database, worker) == after


def test_a_verdict_is_a_new_revision_and_times_are_not(
    database: Database, mine: Lease, add: Callable[[], Worker]
) -> None:
    worker, other = add(), add()
    before = number(database)
    first = up(worker.health)
    assert record(database, worker, first, mine.epoch)
    assert number(database) == before + 1
    assert record(database, worker, up(first, NOW + 2), mine.epoch, first)
    with database.read() as tx:
        assert revision.current(tx) == before + 1
        assert [changed.id for changed in workers.changed_since(tx, before)] == [worker.id]
    assert reread(database, other) == other.health


def test_a_sweep_is_one_revision(database: Database, mine: Lease, add: Callable[[], Worker]) -> None:
    sweep = [add() for _ in range(5)]
    before = number(database)
    with database.write() as tx:
        results = [(worker.id, worker.health, up(worker.health)) for worker in reversed(sweep)]
        assert health.record_all(tx, results, mine.epoch) == {worker.id for worker in sweep}
    with database.read() as tx:
        assert len(workers.changed_since(tx, before)) == 5
        assert revision.current(tx) == before + 1


def test_nothing_to_write(database: Database, mine: Lease) -> None:
    with database.write() as tx:
        assert health.record_all(tx, [], mine.epoch) == set()
    assert number(database) == 0


def test_a_result_from_an_older_state_is_dropped(database: Database, mine: Lease, add: Callable[[], Worker]) -> None:
    worker, other = add(), add()
    first = up(worker.health)
    assert record(database, worker, first, mine.epoch)
    before = number(database)
    with database.write() as tx:
        results = [
            (worker.id, worker.health, replace(up(worker.health, NOW + 9), probe="down")),
            (other.id, other.health, up(other.health)),
        ]
        assert health.record_all(tx, results, mine.epoch) == {other.id}
    assert reread(database, worker) == first
    with database.read() as tx:
        assert [changed.id for changed in workers.changed_since(tx, before)] == [other.id]


@pytest.mark.parametrize("field", ["probe", "streak", "last_probe_at"])
def test_the_old_state_is_verdict_streak_and_time(
    database: Database, mine: Lease, add: Callable[[], Worker], field: str
) -> None:
    worker = add()
    assert record(database, worker, up(worker.health), mine.epoch)
    written = reread(database, worker)
    other = {"probe": "down", "streak": 2, "last_probe_at": NOW - 1e-6}[field]
    assert not record(database, worker, up(written, NOW + 1), mine.epoch, replace(written, **{field: other}))
    assert record(database, worker, up(written, NOW + 1), mine.epoch, written)


def test_a_leader_that_overslept_writes_nothing(database: Database, mine: Lease, add: Callable[[], Worker]) -> None:
    worker = add()
    with database.write() as tx:
        theirs = lease.take(tx, "other", mine)
    assert theirs
    before = number(database)
    assert not record(database, worker, up(worker.health), mine.epoch)
    assert number(database) == before
    assert record(database, worker, up(worker.health), theirs.epoch)


def test_a_released_lease_writes_nothing(database: Database, mine: Lease, add: Callable[[], Worker]) -> None:
    worker = add()
    with database.write() as tx:
        lease.release(tx, mine)
    assert not record(database, worker, up(worker.health), mine.epoch)


def test_a_row_of_a_later_epoch_is_left_alone(database: Database, mine: Lease, add: Callable[[], Worker]) -> None:
    worker = add()
    with database.write() as tx:
        tx.execute(HEALTH.update().values(epoch=mine.epoch + 1))
    assert not record(database, worker, up(worker.health), mine.epoch)


def test_a_worker_that_was_deleted_meanwhile(database: Database, mine: Lease, add: Callable[[], Worker]) -> None:
    worker = add()
    with database.write() as tx:
        workers.delete(tx, worker.id)
    assert not record(database, worker, up(worker.health), mine.epoch)


def test_an_error_quotes_bytes_that_no_database_takes(
    database: Database, mine: Lease, add: Callable[[], Worker]
) -> None:
    worker = add()
    after = replace(up(worker.health), last_error="said \0 and \udcff " + "x" * 1000)
    assert record(database, worker, after, mine.epoch)
    assert (reread(database, worker).last_error or "").startswith("said   and ? xxx")
    assert len(reread(database, worker).last_error or "") == 200


def test_sweeps_and_operators_never_wait_for_each_other_in_a_circle(
    database: Database, mine: Lease, add: Callable[[], Worker], run: Run
) -> None:
    fleet = [add() for _ in range(6)]

    def sweep() -> None:
        for turn in range(10):
            with database.write() as tx:
                found = [worker for worker in workers.find_all(tx) if turn % 2 or worker.id % 2]
                results = [(each.id, each.health, up(each.health, NOW + turn)) for each in reversed(found)]
                assert health.record_all(tx, results, mine.epoch) == {each.id for each in found}

    def operate() -> None:
        for turn in range(10):
            with database.write() as tx:
                for worker in fleet:
                    workers.set_weight(tx, worker.id, turn, NOW)

    def bench() -> None:
        for turn in range(10):
            with database.write() as tx:
                health.lower_due(tx, [worker.id for worker in reversed(fleet)], NOW - turn)

    for thread in [run(sweep), run(operate), run(bench)]:
        thread.join(PATIENCE_S)
    with database.read() as tx:
        assert tx.execute(select(HEALTH.c.streak)).scalars().all() != []
        assert {worker.weight for worker in workers.find_all(tx)} == {9}
