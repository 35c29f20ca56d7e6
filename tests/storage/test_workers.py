"""Registered workers on both engines."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from app.core.errors import Conflict, NotFound
from app.core.registration import Registration
from app.core.worker import UNPROBED, Worker
from app.storage import revision, workers
from app.storage.database import Database
from app.storage.models import HEALTH, WORKER
from tests.storage.conftest import PATIENCE_S, Run

Build = Callable[..., Registration]


def insert(database: Database, registration: Registration, weight: int = 1, now: float = 100.0) -> Worker:
    with database.write() as tx:
        return workers.insert(tx, registration, weight, now)


def everyone(database: Database) -> list[Worker]:
    with database.read() as tx:
        return workers.find_all(tx)


def number(database: Database) -> int:
    with database.read() as tx:
        return revision.current(tx)


def test_a_new_worker_comes_back_as_it_was_registered(database: Database, registration: Build) -> None:
    wanted = registration(
        "模型", "http://w/x?q={USER_PROMPT}", instance="key-2", owner="ops", worker_type="LOCAL", upstream_model="v-1"
    )
    worker = insert(database, wanted, weight=7, now=1_795_600_000.123456)
    assert worker == Worker(
        id=1,
        model_name="模型",
        url="http://w/x?q={USER_PROMPT}",
        instance="key-2",
        owner="ops",
        worker_type="LOCAL",
        weight=7,
        upstream_model="v-1",
        spec='{"body":{}}',
        admin="enabled",
        created_at=1_795_600_000.123456,
        updated_at=1_795_600_000.123456,
        health=replace(UNPROBED, since=1_795_600_000.123456),
    )
    assert everyone(database) == [worker]
    with database.read() as tx:
        assert workers.find(tx, 1) == worker
        assert workers.find_identity(tx, "模型", "http://w/x?q={USER_PROMPT}", "key-2") == worker
        assert workers.find_identity(tx, "模型", "http://w/x?q={USER_PROMPT}", "") is None


@pytest.mark.parametrize("nobody", [0, -1, 2, 2**31, 2**63, 10**30])
def test_an_id_that_nobody_has(database: Database, registration: Build, nobody: int) -> None:
    insert(database, registration())
    with database.write() as tx:
        assert workers.find(tx, nobody) is None
        assert workers.delete(tx, nobody) is False
        with pytest.raises(NotFound):
            workers.set_weight(tx, nobody, 1, 1.0)
        with pytest.raises(NotFound):
            workers.set_admin(tx, nobody, "offline", 1.0)
        with pytest.raises(NotFound):
            workers.replace(tx, nobody, registration(), 1.0)
        assert workers.find_all(tx, after_id=nobody) == (everyone(database) if nobody <= 0 else [])
    assert number(database) == 1


def test_the_same_identity_again_is_a_conflict_and_leaves_nothing(database: Database, registration: Build) -> None:
    first = insert(database, registration(owner="first"))
    with pytest.raises(Conflict):
        insert(database, registration(owner="second"))
    assert everyone(database) == [first]
    assert number(database) == 1
    insert(database, registration(instance="another"))


def test_a_race_for_one_identity_has_one_winner(database: Database, registration: Build, run: Run) -> None:
    start = threading.Barrier(4)
    won: list[Worker] = []
    lost: list[Conflict] = []

    def register() -> None:
        start.wait(PATIENCE_S)
        try:
            won.append(insert(database, registration()))
        except Conflict as conflict:
            lost.append(conflict)

    for thread in [run(register) for _ in range(4)]:
        thread.join(PATIENCE_S)
    assert (len(won), len(lost)) == (1, 3)
    assert everyone(database) == won


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "b", "c"), ("a", "bc", "")),
        (("ab", "c", ""), ("a", "bc", "")),
        (('a","b', "c", ""), ("a", 'b","c', "")),
        (("a", "http://h/", ""), ("a", "http://h", "")),
        (("\u00e9", "u", ""), ("e\u0301", "u", "")),
    ],
)
def test_identities_are_told_apart(
    database: Database, registration: Build, one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    for model_name, url, instance in (one, other):
        insert(database, registration(model_name, url, instance=instance))
    assert len(everyone(database)) == 2


def test_an_id_is_never_given_twice(database: Database, registration: Build) -> None:
    first = insert(database, registration())
    with database.write() as tx:
        assert workers.delete(tx, first.id)
    assert insert(database, registration()).id > first.id


def test_deleting_takes_the_health_along(database: Database, registration: Build) -> None:
    worker = insert(database, registration())
    before = number(database)
    with database.write() as tx:
        assert workers.delete(tx, worker.id)
        assert not workers.delete(tx, worker.id)
    with database.read() as tx:
        assert workers.count(tx) == 0
        assert tx.execute(select(HEALTH.c.worker_id)).all() == []
        assert revision.current(tx) == before + 1


def test_filters_and_pages(database: Database, registration: Build) -> None:
    insert(database, registration("a", "http://1", owner="me"))
    insert(database, registration("b", "http://1", owner="me"))
    insert(database, registration("a", "http://2", owner="you", instance="i"))
    insert(database, registration("a", "http://2", owner="you"))

    def ids(**filters: object) -> list[int]:
        with database.read() as tx:
            return [worker.id for worker in workers.find_all(tx, **filters)]  # type: ignore[arg-type]

    assert ids() == [1, 2, 3, 4]
    assert ids(model_name="a") == [1, 3, 4]
    assert ids(model_name="A") == []
    assert ids(owner="me") == [1, 2]
    assert ids(url="http://2") == [3, 4]
    assert ids(url="http://2", instance="") == [4]
    assert ids(model_name="a", owner="you", url="http://2", instance="i") == [3]
    assert ids(after_id=1, limit=2) == [2, 3]
    assert ids(model_name="a", after_id=3, limit=5) == [4]
    assert ids(limit=0) == []


def test_replace_keeps_what_is_not_named(database: Database, registration: Build) -> None:
    worker = insert(database, registration(owner="old"), weight=5, now=100.0)
    with database.write() as tx:
        workers.set_admin(tx, worker.id, "draining", 150.0)
    with database.write() as tx:
        changed = workers.replace(tx, worker.id, registration(owner="new", spec="{}", upstream_model="v"), 200.0)
    assert changed == replace(worker, owner="new", spec="{}", upstream_model="v", admin="draining", updated_at=200.0)
    with database.write() as tx:
        assert workers.replace(tx, worker.id, registration(weight=0), 300.0).weight == 0


def test_a_replaced_worker_is_due_and_keeps_its_verdict(database: Database, registration: Build) -> None:
    worker = insert(database, registration())
    with database.write() as tx:
        tx.execute(HEALTH.update().values(probe="up", due_at=1000.0, interval_s=900.0, planned_at=100.0))
        changed = workers.replace(tx, worker.id, registration(spec="{}"), 200.0)
    assert (changed.health.probe, changed.health.due_at) == ("up", 200.0)


@pytest.mark.parametrize("same", [True, False])
def test_what_was_over_and_comes_back_is_not_judged_by_its_earlier_life(
    database: Database, registration: Build, same: bool
) -> None:
    worker = insert(database, registration(ttl_s=60), now=100.0)
    down = {"probe": "down", "streak": -3, "last_error": "connection refused", "due_at": 900.0}
    with database.write() as tx:
        tx.execute(HEALTH.update().values(**down))

    def back_at(now: float) -> Worker:
        with database.write() as tx:
            if same:
                return workers.renew(tx, worker.id, now)
            return workers.replace(tx, worker.id, registration(ttl_s=60, spec="{}"), now)

    assert back_at(150.0).health.probe == "down", "it was alive all the time, so the verdict is about it"
    back = back_at(300.0).health
    assert (back.probe, back.streak, back.since, back.due_at) == ("unknown", 0, 300.0, 0.0)
    assert back.last_error == "connection refused"


def test_weight_and_admin_state(database: Database, registration: Build) -> None:
    worker = insert(database, registration())
    with database.write() as tx:
        assert workers.set_weight(tx, worker.id, 9, 200.0) == replace(worker, weight=9, updated_at=200.0)
        assert workers.set_admin(tx, worker.id, "offline", 300.0).admin == "offline"
    assert number(database) == 3


def test_offline_since_counts_from_the_first_time(database: Database, registration: Build) -> None:
    for index in range(3):
        insert(database, registration(f"m{index}"), now=100.0)
    with database.write() as tx:
        workers.set_admin(tx, 2, "offline", 300.0)
        workers.set_admin(tx, 1, "offline", 200.0)
        workers.set_admin(tx, 3, "draining", 200.0)
    before = number(database)
    with database.write() as tx:
        workers.set_admin(tx, 1, "offline", 900.0)  # it is so already
        assert workers.offline_since(tx, 200.0) == []
        assert workers.offline_since(tx, 200.5) == [1]
        assert workers.offline_since(tx, 301.0) == [1, 2]
        workers.set_admin(tx, 1, "enabled", 950.0)
        assert workers.offline_since(tx, 999.0) == [2]
    assert number(database) == before + 1


def test_changed_since_names_what_changed_and_nothing_else(database: Database, registration: Build) -> None:
    for index in range(4):
        insert(database, registration(f"m{index}"))
    seen = number(database)
    with database.write() as tx:
        workers.set_weight(tx, 2, 9, 200.0)
    with database.write() as tx:
        workers.replace(tx, 3, registration("m2", owner="x"), 200.0)
        workers.set_admin(tx, 4, "draining", 200.0)
        workers.delete(tx, 1)

    def since(point: int) -> dict[int, Worker]:
        with database.read() as tx:
            return {worker.id: worker for worker in workers.changed_since(tx, point)}

    assert since(number(database)) == {}
    assert since(seen) == {worker.id: worker for worker in everyone(database)}
    assert set(since(seen + 1)) == {3, 4}
    assert set(since(0)) == {2, 3, 4}


def test_workers_of_one_template_share_one_text(database: Database, registration: Build) -> None:
    spec = '{"body":{"prompt":"' + "x" * 5000 + '"}}'
    for index in range(3):
        insert(database, registration(f"m{index}", spec=spec, owner="team"))
    assert len({id(worker.spec) for worker in everyone(database) + everyone(database)}) == 1


def test_a_long_url_fits_the_index(database: Database, registration: Build) -> None:
    worker = insert(database, registration("长" * 255, "http://h/" + "路" * 8000))
    with database.read() as tx:
        assert workers.find_identity(tx, worker.model_name, worker.url, "") == worker
        assert tx.execute(select(WORKER.c.identity)).scalar_one().isalnum()
