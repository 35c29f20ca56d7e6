"""The snapshot: swapped whole, loaded in steps, kept through an outage; names that nobody knows ask once more."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from app.core.errors import NotReady, StorageUnavailable
from app.core.worker import Worker
from app.services import fleet as fleet_module
from app.services.fleet import Fleet
from app.storage import revision, workers
from app.storage.database import Database
from tests.serving import wait_for


class Observed:
    """A database that counts its read transactions, and can be away, or held at its door."""

    def __init__(self, database: Database) -> None:
        self.real = database
        self.reads = 0
        self.away = False
        self.gate: threading.Event | None = None
        self.waiting = threading.Event()

    def check_schema(self) -> None:
        if self.away:
            raise StorageUnavailable("The database cannot be reached.")
        self.real.check_schema()

    @contextmanager
    def read(self) -> Iterator[Any]:
        self.reads += 1
        if self.gate is not None:
            self.waiting.set()
            assert self.gate.wait(10)
        if self.away:
            raise StorageUnavailable("The database cannot be reached.")
        with self.real.read() as tx:
            yield tx

    def now(self, tx: Any) -> float:
        return self.real.now(tx)


@pytest.fixture
def observed(database: Database) -> Observed:
    return Observed(database)


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Observed]:
    from sqlalchemy import create_engine

    from app.storage.database import engine_options

    engine = create_engine(sqlite_url, **engine_options(sqlite_url))
    yield Observed(Database(engine))
    engine.dispose()


def fleet_of(observed: Observed, poll_s: float = 0.01) -> Fleet:
    return Fleet(observed, poll_s)  # type: ignore[arg-type]


def add(observed: Observed, model: str = "m", url: str = "http://w/", weight: int = 1) -> Worker:
    wanted: Any = SimpleNamespace(
        model_name=model,
        url=url,
        instance="",
        owner="",
        worker_type="REMOTE",
        weight=weight,
        upstream_model=None,
        admin=None,
        spec="{}",
        ttl_s=None,
        notes=(),
    )
    return change(observed, lambda tx, now: workers.insert(tx, wanted, weight, now))


def change(observed: Observed, step: Callable[[Any, float], Any]) -> Any:
    with observed.real.write() as tx:
        return step(tx, observed.real.now(tx))


def test_without_a_load_there_is_no_snapshot(sqlite: Observed) -> None:
    fleet = fleet_of(sqlite)
    assert not fleet.ready
    with pytest.raises(NotReady):
        fleet.snapshot()
    with pytest.raises(NotReady):
        fleet.pool("m")


def test_a_load_sees_every_worker(observed: Observed) -> None:
    first, second, other = add(observed, "m", "http://1/"), add(observed, "m", "http://2/"), add(observed, "n")
    fleet = fleet_of(observed)
    fleet.refresh()
    snapshot = fleet.snapshot()
    assert fleet.ready
    assert snapshot.count == 3
    assert set(snapshot.workers) == {first.id, second.id, other.id}
    assert [worker.id for worker in snapshot.pools["m"].workers] == [first.id, second.id]
    with observed.real.read() as tx:
        assert snapshot.revision == revision.current(tx)


def test_a_change_swaps_the_snapshot_and_builds_only_the_pool_it_touches(observed: Observed) -> None:
    worker, _ = add(observed, "m"), add(observed, "n")
    fleet = fleet_of(observed)
    fleet.refresh()
    before = fleet.snapshot()
    change(observed, lambda tx, now: workers.set_weight(tx, worker.id, 7, now))
    newcomer = add(observed, "m", "http://new/")
    fleet.refresh()
    after = fleet.snapshot()
    assert [w.weight for w in before.pools["m"].workers] == [1], "a snapshot never changes"
    assert [w.weight for w in after.pools["m"].workers] == [7, 1]
    assert after.workers[newcomer.id].url == "http://new/"
    assert after.pools["n"] is before.pools["n"]


def test_a_change_is_loaded_alone(observed: Observed, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = add(observed)
    fleet = fleet_of(observed)
    fleet.refresh()
    change(observed, lambda tx, now: workers.set_weight(tx, worker.id, 7, now))
    monkeypatch.setattr(workers, "find_all", lambda tx: pytest.fail("everything was loaded"))
    fleet.refresh()
    assert fleet.snapshot().workers[worker.id].weight == 7


def test_a_removal_is_loaded_alone(observed: Observed, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, gone, last = add(observed, "m", "http://1/"), add(observed, "m", "http://2/"), add(observed, "n")
    fleet = fleet_of(observed)
    fleet.refresh()
    for worker in (gone, last):
        change(observed, lambda tx, now, id=worker.id: workers.delete(tx, id))
    newcomer = add(observed, "o")
    monkeypatch.setattr(workers, "find_all", lambda tx: pytest.fail("everything was loaded"))
    fleet.refresh()
    snapshot = fleet.snapshot()
    assert set(snapshot.workers) == {kept.id, newcomer.id}
    assert {name: [w.id for w in pool.workers] for name, pool in snapshot.pools.items()} == {
        "m": [kept.id],
        "o": [newcomer.id],
    }


def test_nothing_is_swapped_when_nothing_changed(sqlite: Observed) -> None:
    add(sqlite)
    fleet = fleet_of(sqlite)
    fleet.refresh()
    before = fleet.snapshot()
    fleet.refresh()
    assert fleet.snapshot() is before


def test_a_deleted_worker_disappears_also_when_another_came_at_once(observed: Observed) -> None:
    gone, stays = add(observed, "m", "http://1/"), add(observed, "n")
    fleet = fleet_of(observed)
    fleet.refresh()
    change(observed, lambda tx, now: workers.delete(tx, gone.id))
    added = add(observed, "m", "http://2/")
    fleet.refresh()
    assert set(fleet.snapshot().workers) == {stays.id, added.id}
    change(observed, lambda tx, now: workers.delete(tx, added.id))
    fleet.refresh()
    assert set(fleet.snapshot().pools) == {"n"}


def test_a_database_that_was_put_back_is_read_whole(sqlite: Observed) -> None:
    worker = add(sqlite)
    fleet = fleet_of(sqlite)
    for weight in (5, 6, 7):
        change(sqlite, lambda tx, now, weight=weight: workers.set_weight(tx, worker.id, weight, now))
    fleet.refresh()
    change(sqlite, lambda tx, now: tx.connection().exec_driver_sql("UPDATE revision SET number = 1"))
    change(sqlite, lambda tx, now: tx.connection().exec_driver_sql("UPDATE worker SET weight = 2"))
    fleet.refresh()
    assert fleet.snapshot().revision == 1
    assert fleet.snapshot().workers[worker.id].weight == 2


def test_a_schema_of_another_version_is_never_served(sqlite: Observed) -> None:
    change(sqlite, lambda tx, now: tx.connection().exec_driver_sql("UPDATE alembic_version SET version_num = 'old'"))
    fleet = fleet_of(sqlite)
    with pytest.raises(StorageUnavailable, match="flask db upgrade"):
        fleet.refresh()
    assert not fleet.ready


def test_an_offline_model_stays_known_and_gets_no_traffic(sqlite: Observed) -> None:
    worker = add(sqlite)
    change(sqlite, lambda tx, now: workers.set_admin(tx, worker.id, "offline", now))
    fleet = fleet_of(sqlite)
    fleet.refresh()
    pool = fleet.pool("m")
    assert pool is not None
    assert pool.share(pool.workers[0]) == 0.0
    assert not pool.enabled


def test_a_known_model_never_asks_the_database(sqlite: Observed) -> None:
    add(sqlite)
    fleet = fleet_of(sqlite)
    fleet.refresh()
    reads = sqlite.reads
    for _ in range(100):
        assert fleet.pool("m") is not None
    assert sqlite.reads == reads


def test_an_unknown_model_asks_once_more_and_at_most_each_100_ms(
    sqlite: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=100.0)

    def sleep(seconds: float) -> None:
        clock.now += seconds

    monkeypatch.setattr(fleet_module, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep))
    fleet = fleet_of(sqlite)
    fleet.refresh()
    add(sqlite, "new")
    assert fleet.pool("new") is not None, "registered in another process a moment ago"
    reads = sqlite.reads
    clock.now += 0.09
    add(sqlite, "newer")
    assert fleet.pool("newer") is not None, "and so is this one, whoever asked for nobody before"
    assert sqlite.reads == reads + 1
    assert clock.now == pytest.approx(100.1)


def test_many_who_ask_for_an_unknown_model_share_one_look(sqlite: Observed) -> None:
    fleet = fleet_of(sqlite)
    fleet.refresh()
    add(sqlite, "new")
    reads = sqlite.reads
    sqlite.gate = threading.Event()
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(fleet.pool("new"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert sqlite.waiting.wait(10)
    sqlite.gate.set()
    for thread in threads:
        thread.join(10)
    assert len(found) == 8
    assert None not in found
    assert sqlite.reads == reads + 1


def test_refreshes_that_wait_share_one_load(sqlite: Observed) -> None:
    fleet = fleet_of(sqlite)
    sqlite.gate = threading.Event()
    first = threading.Thread(target=fleet.refresh)
    first.start()
    assert sqlite.waiting.wait(10)
    waiting = [threading.Thread(target=fleet.refresh) for _ in range(8)]
    for thread in waiting:
        thread.start()
    wait_for("eight to queue up", lambda: all(thread.is_alive() for thread in waiting))
    sqlite.gate.set()
    for thread in (first, *waiting):
        thread.join(10)
    # the load that was running began before they asked, so one more serves them all (a late starter may need a third)
    assert sqlite.reads <= 3
    assert fleet.ready


def test_an_unknown_model_is_answered_at_once_while_the_database_is_away(sqlite: Observed) -> None:
    fleet = fleet_of(sqlite, poll_s=60)
    fleet.refresh()
    sqlite.away = True
    fleet.start()
    reads = sqlite.reads
    assert fleet.pool("nobody") is None
    assert sqlite.reads == reads
    fleet.stop()


def test_an_unknown_model_does_not_wait_for_a_load_that_hangs(
    sqlite: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_module, "WAIT_FOR_LOAD_S", 0.01)
    fleet = fleet_of(sqlite)
    fleet.refresh()
    sqlite.gate = threading.Event()
    hanging = threading.Thread(target=fleet.refresh)
    hanging.start()
    assert sqlite.waiting.wait(10)
    assert fleet.pool("nobody") is None
    sqlite.gate.set()
    hanging.join(10)


def test_the_watcher_boots_without_a_database_and_finds_it_later(
    sqlite: Observed, caplog: pytest.LogCaptureFixture
) -> None:
    add(sqlite)
    sqlite.away = True
    fleet = fleet_of(sqlite, poll_s=0.001)
    fleet.start()
    try:
        assert not fleet.ready
        sqlite.away = False
        wait_for("a snapshot", lambda: fleet.ready)
        assert fleet.pool("m") is not None
    finally:
        fleet.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "rollcall-fleet"]


def test_the_watcher_keeps_the_snapshot_through_an_outage_and_says_so_once(
    sqlite: Observed, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_module, "OUTAGE_POLL_S", 0.005)
    caplog.set_level(logging.WARNING, "app.services.fleet")
    add(sqlite)
    fleet = fleet_of(sqlite, poll_s=0.001)
    fleet.start()
    try:
        sqlite.away = True
        reads = sqlite.reads
        wait_for("some vain polls", lambda: sqlite.reads > reads + 5)
        assert fleet.pool("m") is not None
        sqlite.away = False
        late = add(sqlite, "late")
        wait_for("the newcomer", lambda: late.id in fleet.snapshot().workers)
    finally:
        fleet.stop()
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_the_watcher_survives_what_nobody_foresaw(sqlite: Observed, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = fleet_of(sqlite, poll_s=0.001)
    real = revision.current
    broken = threading.Event()

    def fail(tx: Any) -> int:
        broken.set()
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(revision, "current", fail)
    fleet.start()
    try:
        assert broken.wait(10)
        monkeypatch.setattr(revision, "current", real)
        wait_for("a snapshot", lambda: fleet.ready)
    finally:
        fleet.stop()


def test_every_change_is_told_once_with_what_was_before(observed: Observed) -> None:
    told: list[tuple[Worker | None, Worker | None]] = []
    first = add(observed)
    fleet = Fleet(observed, 0.01, lambda old, new: told.append((old, new)))  # type: ignore[arg-type]
    fleet.refresh()
    fleet.refresh()
    assert told == [], "what a process finds when it starts is no change"
    second = add(observed, url="http://x/")
    fleet.refresh()
    with observed.real.write() as tx:
        workers.set_weight(tx, first.id, 7, 0.0)
        workers.delete(tx, second.id)
    fleet.refresh()
    assert [(old and old.id, new and new.id) for old, new in told] == [
        (None, second.id), *sorted([(first.id, first.id), (second.id, None)], key=lambda pair: pair[0] or 0),
    ]  # fmt: skip
    assert [new.weight for old, new in told if old and new] == [7]
