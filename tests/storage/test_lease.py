"""The lease: whatever two processes do at once, one of them holds it."""

from __future__ import annotations

import threading

from app.storage import lease
from app.storage.database import Database
from app.storage.lease import Lease
from tests.storage.conftest import PATIENCE_S, Run


def seen(database: Database) -> Lease:
    with database.read() as tx:
        return lease.read(tx)


def take(database: Database, holder: str, row: Lease) -> Lease | None:
    with database.write() as tx:
        return lease.take(tx, holder, row)


def test_at_first_nobody_holds_it(database: Database) -> None:
    assert seen(database) == Lease("", 0, 0)


def test_taking_begins_a_new_epoch(database: Database) -> None:
    mine = take(database, "a", seen(database))
    assert mine == seen(database)
    assert (mine.holder, mine.epoch) == ("a", 1)


def test_a_beat_changes_the_beat_and_nothing_else(database: Database) -> None:
    mine = take(database, "a", seen(database))
    assert mine
    with database.write() as tx:
        renewed = lease.beat(tx, mine)
    assert renewed == seen(database) == Lease("a", mine.epoch, mine.beat + 1)


def test_it_is_taken_only_as_it_was_seen(database: Database) -> None:
    before = seen(database)
    mine = take(database, "a", before)
    assert mine
    assert take(database, "b", before) is None
    with database.write() as tx:
        lease.beat(tx, mine)
    assert take(database, "b", mine) is None
    assert seen(database).holder == "a"


def test_who_lost_it_can_neither_renew_nor_release_it(database: Database) -> None:
    mine = take(database, "a", seen(database))
    assert mine
    theirs = take(database, "b", mine)
    with database.write() as tx:
        assert lease.beat(tx, mine) is None
        lease.release(tx, mine)
        assert not lease.still_held(tx, mine.epoch)
    assert seen(database) == theirs


def test_a_released_lease_is_nobodys_and_its_epoch_is_over(database: Database) -> None:
    mine = take(database, "a", seen(database))
    assert mine
    with database.write() as tx:
        assert lease.still_held(tx, mine.epoch)
        lease.release(tx, mine)
    assert seen(database).holder == ""
    with database.write() as tx:
        assert not lease.still_held(tx, mine.epoch)
        assert lease.beat(tx, mine) is None
    again = take(database, "a", seen(database))
    assert again
    assert again.epoch > mine.epoch


def test_of_many_that_take_it_at_once_one_gets_it(database: Database, run: Run) -> None:
    row = seen(database)
    start = threading.Barrier(4)
    results: list[Lease | None] = []

    def attempt(name: str) -> None:
        start.wait(PATIENCE_S)
        results.append(take(database, name, row))

    for thread in [run(attempt, name) for name in "abcd"]:
        thread.join(PATIENCE_S)
    (winner,) = [result for result in results if result]
    assert len(results) == 4
    assert seen(database) == winner
