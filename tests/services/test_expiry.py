"""Registrations with a time limit: who has ended, judged by one process."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core.worker import Worker, standing
from app.services.expiry import Expiry
from app.services.fleet import Fleet
from app.services.registration import Registry
from app.settings import Settings
from app.storage.database import Database

HOUR_S = 3600.0
RAW = {"model_name": "m", "req_url_template": "http://127.0.0.1:1/x", "body": {"prompt": "{USER_PROMPT}"}}


class Watch:
    """A process that looks each second, by a wall clock and a monotonic one that a test moves."""

    def __init__(self) -> None:
        self.monotonic = 500.0
        self.wall = 1_000_000.0
        self.expiry = Expiry(lambda: self.monotonic)
        self.workers: dict[int, Worker] = {}

    def register(self, worker_id: int, ttl_s: int = 10) -> None:
        at = {"updated_at": self.wall, "ttl_s": ttl_s, "expires_at": self.wall + ttl_s}
        self.workers[worker_id] = Worker(
            worker_id, "m", "http://w", "", "", "REMOTE", 1, None, "{}", "enabled", created_at=0.0, **at
        )

    renew = register

    def end(self, worker_id: int) -> None:
        self.workers[worker_id] = replace(self.workers[worker_id], expires_at=self.wall, updated_at=self.wall)

    def look(self) -> set[int]:
        self.expiry.learn(self.workers.values(), self.wall)
        return set(self.expiry.look())

    def after(self, seconds: int, *, renewing: tuple[int, ...] = ()) -> set[int]:
        ended: set[int] = set()
        for second in range(seconds):
            self.monotonic += 1.0
            self.wall += 1.0
            for worker_id in renewing if second % 3 == 0 else ():
                self.renew(worker_id)
            ended = self.look()
        return ended


@pytest.fixture
def watch() -> Watch:
    made = Watch()
    made.look()
    made.after(1)
    return made


def test_who_does_not_renew_ends_and_who_renews_does_not(watch: Watch) -> None:
    watch.register(1)
    watch.register(2)
    assert watch.after(9, renewing=(2,)) == set()
    assert watch.after(30, renewing=(2,)) == {1}


def test_who_renews_late_is_back_at_once(watch: Watch) -> None:
    watch.register(1)
    assert watch.after(20) == {1}
    watch.renew(1)
    assert watch.look() == set()
    assert watch.after(9) == set()
    assert watch.after(20) == {1}


def test_who_has_no_limit_never_ends(watch: Watch) -> None:
    watch.register(1)
    watch.workers[1] = replace(watch.workers[1], ttl_s=None, expires_at=None)
    assert watch.after(50) == set()


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
def test_a_wall_clock_that_jumps_ends_nobody_and_keeps_nobody(watch: Watch, jump_s: float) -> None:
    watch.register(1)
    watch.register(2)
    watch.look()
    watch.wall += jump_s
    assert watch.look() == set()
    assert watch.after(8, renewing=(2,)) == set()
    assert watch.after(30, renewing=(2,)) == {1}


def test_said_to_be_over_is_over_at_once_also_when_many_say_so(watch: Watch) -> None:
    for worker_id in range(1, 5):
        watch.register(worker_id)
    watch.after(1)
    for worker_id in range(1, 5):
        watch.end(worker_id)
    assert watch.look() == {1, 2, 3, 4}


def test_half_of_four_at_once_get_a_second_look(watch: Watch) -> None:
    for worker_id in range(1, 5):
        watch.register(worker_id)
    assert watch.after(11, renewing=(3, 4)) == set()
    watch.renew(1)  # it was our fault: the renewal comes now
    assert watch.after(5, renewing=(1, 3, 4)) == {2}


def test_at_once_means_within_the_time_in_which_all_would_have_been_renewed(watch: Watch) -> None:
    """Renewals are spread over a third of the term, and so are the ends when none gets through."""
    for worker_id in range(1, 6):
        watch.register(worker_id)
        watch.after(1)
    assert watch.after(9) == set()
    assert watch.after(4, renewing=(1, 2, 3, 4)) == set()
    assert watch.after(2, renewing=(1, 2, 3, 4)) == {5}


def test_a_second_look_is_the_last(watch: Watch) -> None:
    for worker_id in range(1, 5):
        watch.register(worker_id)
    assert watch.after(11) == set()
    assert watch.after(5) == {1, 2, 3, 4}


def test_fewer_than_half_or_than_four_get_none(watch: Watch) -> None:
    for worker_id in range(1, 6):
        watch.register(worker_id)
    assert watch.after(11, renewing=(3, 4, 5)) == {1, 2}


def test_who_could_not_look_for_a_while_looks_twice(watch: Watch) -> None:
    """The database was away, and so no renewal could be stored either."""
    watch.register(1)
    watch.look()
    watch.monotonic += 60.0
    watch.wall += 60.0
    assert watch.look() == set()
    watch.renew(1)
    assert watch.after(9) == set()


def test_a_new_process_knows_who_ended_long_ago_and_gives_the_others_time() -> None:
    watch = Watch()
    watch.register(1)
    watch.register(2)
    watch.wall += 12.0
    watch.workers[1] = replace(watch.workers[1], expires_at=watch.wall - 100.0)
    assert watch.look() == {1}
    assert watch.after(4) == {1}
    assert watch.after(3) == {1, 2}


@pytest.fixture
def fleet(database: Database) -> Fleet:
    return Fleet(database, 0.1)


@pytest.fixture
def registry(database: Database, fleet: Fleet) -> Registry:
    return Registry(database, fleet, Settings())


def shown(registry: Registry, worker_id: int) -> tuple[str, str, bool]:
    row = registry.get(worker_id)
    return row["status"], row["admin"], row["expires_at"] is not None


def test_the_same_registration_again_renews_it(registry: Registry, fleet: Fleet) -> None:
    worker = registry.register({**RAW, "ttl_s": 60}, upsert=True).worker
    assert worker.expires_at is not None
    assert worker.expires_at == worker.updated_at + 60
    again = registry.register({**RAW, "ttl_s": 60}, upsert=True)
    assert again.outcome == "unchanged"
    assert again.worker.expires_at is not None
    assert again.worker.expires_at >= worker.expires_at
    assert again.worker.updated_at == worker.updated_at
    assert fleet.snapshot().workers[worker.id].expires_at == again.worker.expires_at
    assert registry.register(RAW, upsert=True).worker.expires_at is None


def test_over_means_no_traffic_and_leaves_what_the_operator_set(registry: Registry, fleet: Fleet) -> None:
    worker = registry.register({**RAW, "ttl_s": 60}).worker
    assert shown(registry, worker.id) == ("unknown", "enabled", True)
    assert registry.expire(worker.id)["status"] == "expired"
    assert shown(registry, worker.id) == ("expired", "enabled", True)
    assert not standing(fleet.snapshot().workers[worker.id]).available
    assert registry.route("m")[0]["status"] == "expired"
    assert registry.register({**RAW, "ttl_s": 60}, upsert=True).outcome == "unchanged"
    assert shown(registry, worker.id) == ("unknown", "enabled", True)
    registry.change(worker.id, admin="draining")
    assert registry.expire(worker.id)["status"] == "draining"
    assert shown(registry, worker.id)[1] == "draining"


def test_who_ends_is_told_once(database: Database) -> None:
    told: list[int] = []
    registry = Registry(database, Fleet(database, 0.1, on_ended=lambda worker: told.append(worker.id)), Settings())
    registry.register({**RAW, "instance": "other"})
    worker_id = registry.register({**RAW, "ttl_s": 60}).worker.id
    assert told == []
    registry.expire(worker_id)
    registry.expire(worker_id)
    assert told == [worker_id]
    registry.register({**RAW, "ttl_s": 60}, upsert=True)
    registry.expire(worker_id)
    assert told == [worker_id, worker_id]


def test_a_limit_ends_without_any_change_in_the_database(registry: Registry, fleet: Fleet) -> None:
    worker = registry.register({**RAW, "ttl_s": 60}).worker
    other = registry.register({**RAW, "instance": "other"}).worker
    before = fleet.snapshot()
    fleet._expiry._terms[worker.id].ends = 0.0
    fleet.refresh()
    after = fleet.snapshot()
    assert (after.revision, after.expired) == (before.revision, {worker.id})
    assert [each.id for each in after.pools["m"].workers if standing(each).available] == [other.id]
    fleet.refresh()
    assert fleet.snapshot() is after


def test_expired_without_a_limit_is_nothing(registry: Registry) -> None:
    worker = registry.register(RAW).worker
    assert registry.expire(worker.id)["status"] == "unknown"


def test_purge_takes_what_ended_long_ago(registry: Registry, database: Database) -> None:
    worker = registry.register({**RAW, "ttl_s": 60}).worker
    registry.register({**RAW, "instance": "lasting"})
    registry.expire(worker.id)
    assert registry.purge(3600.0) == []
    assert registry.purge(-1.0) == [worker.id]
