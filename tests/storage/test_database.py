"""Transactions: who waits for whom, what is kept, and what an engine really does underneath."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, text

from app.core.errors import StorageUnavailable
from app.storage import engine as engine_module
from app.storage import revision
from app.storage.database import Database, engine_options
from tests.databases import ROOT
from tests.storage.conftest import PATIENCE_S, Run


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> Iterator[Engine]:
    engine = create_engine(sqlite_url, **engine_options(sqlite_url))
    yield engine
    engine.dispose()


def number(database: Database) -> int:
    with database.read() as tx:
        return revision.current(tx)


def test_a_write_is_kept(database: Database) -> None:
    with database.write() as tx:
        assert revision.bump(tx) == 1
    assert number(database) == 1


def test_an_error_undoes_the_whole_transaction(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as tx:
        _ = revision.bump(tx) / 0
    assert number(database) == 0


def test_a_read_keeps_nothing(database: Database) -> None:
    with database.read() as tx:
        revision.bump(tx)
    assert number(database) == 0


def test_reads_go_on_while_somebody_writes(database: Database) -> None:
    with database.write() as tx:
        revision.bump(tx)
        assert number(database) == 0


def test_writes_go_on_while_somebody_reads(database: Database) -> None:
    with database.read() as reader:
        assert revision.current(reader) == 0
        with database.write() as tx:
            revision.bump(tx)
    assert number(database) == 1


def test_changes_follow_each_other(database: Database, run: Run) -> None:
    seen: list[int] = []

    def change() -> None:
        for _ in range(5):
            with database.write() as tx:
                seen.append(revision.bump(tx))

    for thread in [run(change) for _ in range(4)]:
        thread.join(PATIENCE_S)
    assert sorted(seen) == list(range(1, 21))
    assert number(database) == 20


class Clock:
    """Stands in for the module `time` where locks are waited for; its seconds pass only while somebody sleeps."""

    def __init__(self, speed: float) -> None:
        self.now = 0.0
        self.slept = threading.Event()
        self._speed = speed

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds <= 0.02
        self.now += seconds * self._speed
        self.slept.set()
        time.sleep(seconds)


def test_a_writer_waits_in_short_sleeps_until_the_lock_is_free(
    sqlite_engine: Engine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(sqlite_engine)
    clock = Clock(speed=0)
    monkeypatch.setattr(engine_module, "time", clock)
    holding, free = threading.Event(), threading.Event()
    order: list[str] = []

    def hold() -> None:
        with database.write() as tx:
            revision.bump(tx)
            holding.set()
            assert free.wait(PATIENCE_S)
            order.append("holder")

    def wait() -> None:
        with database.write() as tx:
            revision.bump(tx)
            order.append("waiter")

    run(hold)
    assert holding.wait(PATIENCE_S)
    waiter = run(wait)
    assert clock.slept.wait(PATIENCE_S)
    free.set()
    waiter.join(PATIENCE_S)
    assert order == ["holder", "waiter"]
    assert number(database) == 2


def test_a_lock_that_stays_is_one_sentence_and_leaks_no_connection(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(sqlite_engine)
    clock = Clock(speed=1000)
    monkeypatch.setattr(engine_module, "time", clock)
    with database.write() as tx:
        revision.bump(tx)
        for attempt in range(1, 21):
            with pytest.raises(StorageUnavailable, match="stayed locked"), database.write() as other:
                revision.bump(other)
            assert clock.now >= 5 * attempt
    assert sqlite_engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert number(database) == 1


def test_a_read_that_turns_into_a_write_never_waits_for_ever(sqlite_engine: Engine) -> None:
    database = Database(sqlite_engine)

    def read_then_write() -> None:
        with database.read() as reader:
            revision.current(reader)
            with database.write() as tx:
                revision.bump(tx)
            revision.bump(reader)

    with pytest.raises(StorageUnavailable, match="stayed locked"):
        read_then_write()
    assert number(database) == 1


def test_under_gevent_a_writer_that_waits_lets_the_others_run(database_url: str) -> None:
    command = [sys.executable, "-m", "tests.storage.greenlets", database_url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == "both\n", done.stderr


def test_every_sqlite_connection_is_durable_and_never_waits_in_the_driver(sqlite_engine: Engine) -> None:
    Database(sqlite_engine)
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 0}
    with sqlite_engine.connect() as first, sqlite_engine.connect() as second:
        for connection in (first, second):
            found = {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in expected}
            assert found == expected


def test_a_second_database_on_an_engine_begins_once(sqlite_engine: Engine) -> None:
    Database(sqlite_engine)
    assert number(Database(sqlite_engine)) == 0


def test_postgres_is_bounded_in_time_and_keeps_what_the_url_says(postgres_url: str) -> None:
    url = f"{postgres_url}&connect_timeout=9&options=-csearch_path%3Dmine"
    assert "connect_timeout" not in engine_options(url)["connect_args"]
    engine = create_engine(url, **engine_options(url))
    with engine.connect() as connection:
        assert connection.execute(text("SHOW search_path")).scalar() == "mine"
        assert connection.execute(text("SHOW statement_timeout")).scalar() == "5s"
        assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"
    engine.dispose()


def test_the_clock_is_utc_and_moves_within_a_transaction(database: Database) -> None:
    with database.read() as tx:
        first = database.now(tx)
        assert abs(first - time.time()) < 60
        deadline = time.monotonic() + PATIENCE_S
        while database.now(tx) == first:
            assert time.monotonic() < deadline


def test_the_schema_of_this_version_is_taken(database: Database) -> None:
    database.check_schema()
