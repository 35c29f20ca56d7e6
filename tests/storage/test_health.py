"""Results of probes: who is due, what is written, and what an old leader or an old result can no longer do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest
from sqlalchemy import select, text

from app.core.registration import Registration
from app.core.worker import Health, Worker
from app.storage import health, lease, revision, workers
from app.storage.database import Database
from app.storage.lease import Lease
from app.storage.models import HEALTH
from tests.storage.conftest import PATIENCE_S, Run

Build = Callable[..., Registration]
NOW = 1_795_600_000.0


@pytest.fixture
def mine(database: Database) -> Lease:
    with database.write() as tx:
        taken = lease.take(tx, "me", lease.read(tx))
    assert taken
    return taken


@pytest.fixture
def add(database: Database, registration: Build) -> Callable[[], Worker]:
    numbers = count(1)

    def build() -> Worker:
        with database.write() as tx:
            return workers.insert(tx, registration(f"m{next(numbers)}"), 1, NOW)

    return build


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
    from app.storage.health import _DUE, _TOO_FAR_OFF
    from tests.storage.test_failures import opened

    with opened(sqlite_url).read() as tx:
        for query, index in ((_DUE, "due_at"), (_TOO_FAR_OFF, "planned_at")):
            sql = query.compile(tx.get_bind(), compile_kwargs={"render_postcompile": True})
            values = {**sql.params, "now": NOW, "limit": 5}
            plan = tx.execute(text(f"EXPLAIN QUERY PLAN {sql}".replace("?", "1")), values).all()
            steps = [row[3] for row in plan]
            assert steps[0].startswith(f"SEARCH worker_health USING INDEX ix_worker_health_{index}"), steps
            assert not any("TEMP B-TREE" in step for step in steps), steps


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
