"""Everything operators do to the fleet, on both databases, seen by the one who asked before the answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.core.errors import Conflict, InvalidRequest, ModelNotFound, NotFound, RollcallError, StorageUnavailable
from app.core.health import Policy, step
from app.core.worker import Worker
from app.services.fleet import Fleet
from app.services.listing import Query
from app.services.registration import Registry
from app.services.verdicts import Verdicts
from app.settings import Settings
from app.storage import health, lease, revision, workers
from app.storage.database import Database

URL = "http://127.0.0.1:9/generate"


def raw(model: str = "m", url: str = URL, **words: Any) -> dict[str, Any]:
    return {"model_name": model, "req_url_template": url, "body": {"input": "{USER_PROMPT}"}, **words}


@pytest.fixture
def fleet(database: Database) -> Fleet:
    return Fleet(database, 0.1)


@pytest.fixture
def registry(database: Database, fleet: Fleet) -> Registry:
    return Registry(database, fleet, Settings(secret_env=("ALLOWED_*",)))


def revision_of(database: Database) -> int:
    with database.read() as tx:
        return revision.current(tx)


def probed(database: Database, worker_id: int, *, ok: bool, times: int = 3) -> None:
    """What the prober would have written."""
    with database.write() as tx:
        mine = lease.read(tx)
        for _ in range(times):
            worker = workers.find(tx, worker_id)
            assert worker is not None
            now = database.now(tx)
            after = step(worker.health, ok, None if ok else "connection refused", now, Policy(), 0.0)
            assert health.record(tx, worker_id, worker.health, after, mine.epoch)


def only(registry: Registry) -> dict[str, Any]:
    (row,) = registry.page(Query()).rows
    return row


def test_a_registration_is_stored_and_seen_before_the_answer(registry: Registry, fleet: Fleet) -> None:
    done = registry.register(raw(owner="xuyuan23", header={"Authorization": "Bearer abc"}))
    assert done.outcome == "created"
    assert done.worker.weight == 1
    assert done.worker.admin == "enabled"
    assert fleet.snapshot().revision == done.revision
    assert fleet.snapshot().workers[done.worker.id] == done.worker
    row = only(registry)
    assert row["id"] == done.worker.id
    assert row["owner"] == "xuyuan23"
    assert row["header"] == {"Authorization": "***"}
    assert row["body"] == {"input": "{USER_PROMPT}"}
    assert (row["req_type"], row["is_stream"], row["worker_type"]) == ("POST", False, "REMOTE")
    assert (row["status"], row["available"], row["share"], row["probe"]) == ("unknown", True, 1.0, "unknown")


def test_the_same_identity_again_is_refused_and_changes_nothing(registry: Registry, database: Database) -> None:
    first = registry.register(raw())
    with pytest.raises(Conflict) as refused:
        registry.register(raw(weight=5))
    assert str(first.worker.id) in refused.value.message
    assert "PUT" in refused.value.message
    assert only(registry)["weight"] == 1
    assert revision_of(database) == first.revision


def test_model_url_and_instance_are_the_identity(registry: Registry) -> None:
    ids = {
        registry.register(each).worker.id
        for each in (raw(), raw("n"), raw(url=URL + "2"), raw(instance="a"), raw(instance="b"))
    }
    assert len(ids) == 5


def test_an_offline_one_comes_back_with_its_history(registry: Registry, database: Database) -> None:
    worker_id = registry.register(raw(weight=7)).worker.id
    probed(database, worker_id, ok=True)
    registry.offline(worker_id=worker_id)
    done = registry.register(raw(owner="new"))
    assert done.outcome == "revived"
    assert done.worker.id == worker_id
    row = only(registry)
    assert (row["admin"], row["owner"], row["weight"]) == ("enabled", "new", 1)
    assert row["last_ok_at"] is not None
    with database.read() as tx:
        assert [worker.id for worker in health.due(tx, database.now(tx), 10)] == [worker_id], "it is probed at once"


def test_a_draining_one_is_still_registered(registry: Registry) -> None:
    registry.register(raw())
    registry.offline(model_name="m", url=URL, drain=True)
    with pytest.raises(Conflict):
        registry.register(raw())


def test_put_registers_once_and_then_changes_nothing(registry: Registry, database: Database) -> None:
    created = registry.register(raw(weight=3), upsert=True)
    again = registry.register(raw(weight=3), upsert=True)
    unnamed = registry.register(raw(), upsert=True)
    assert [done.outcome for done in (created, again, unnamed)] == ["created", "unchanged", "unchanged"]
    assert unnamed.revision == created.revision == revision_of(database)
    assert unnamed.worker.weight == 3


def test_put_changes_the_registration_and_keeps_weight_and_admin(registry: Registry) -> None:
    worker_id = registry.register(raw(weight=3), upsert=True).worker.id
    registry.change(worker_id, admin="draining")
    done = registry.register(raw(response_extract="answer"), upsert=True)
    assert done.outcome == "updated"
    assert (done.worker.id, done.worker.weight, done.worker.admin) == (worker_id, 3, "draining")
    assert any("stays draining" in note for note in done.notes)
    assert only(registry)["response_extract"] == "answer"


def test_put_may_name_weight_and_admin(registry: Registry) -> None:
    registry.register(raw(), upsert=True)
    registry.offline(model_name="m", url=URL)
    assert registry.register(raw(), upsert=True).worker.admin == "offline"
    done = registry.register(raw(weight=9, admin="enabled"), upsert=True)
    assert (done.worker.weight, done.worker.admin) == (9, "enabled")
    assert registry.register(raw("n", admin="draining"), upsert=True).worker.admin == "draining"


def test_put_that_loses_the_race_updates_the_winners_row(
    registry: Registry, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = workers.find_identity
    looks = []

    def blind_at_first(tx: Any, *identity: str) -> Worker | None:
        looks.append(identity)
        if len(looks) == 1:
            return None
        return real(tx, *identity)

    registry.register(raw())
    monkeypatch.setattr(workers, "find_identity", blind_at_first)
    assert registry.register(raw(owner="late"), upsert=True).outcome == "updated"
    looks.clear()
    with pytest.raises(Conflict):
        registry.register(raw())


def test_many_at_once_register_one_worker(registry: Registry) -> None:
    outcomes: list[str] = []

    def put() -> None:
        outcomes.append(registry.register(raw(), upsert=True).outcome)

    threads = [threading.Thread(target=put) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["created"] + ["unchanged"] * 5
    assert len(registry.page(Query()).rows) == 1


def test_offline_by_url_takes_every_instance_or_the_named_one(registry: Registry) -> None:
    ids = [registry.register(raw(instance=name)).worker.id for name in ("", "a", "b")]
    elsewhere = registry.register(raw(url=URL + "2")).worker.id
    named = registry.offline(model_name="m", url=URL, instance="a")
    assert [worker.id for worker in named.workers] == [ids[1]]
    every = registry.offline(model_name="m", url=URL)
    assert [worker.id for worker in every.workers] == ids
    assert registry.get(elsewhere)["admin"] == "enabled"


def test_offline_may_be_repeated(registry: Registry, database: Database, fleet: Fleet) -> None:
    worker_id = registry.register(raw()).worker.id
    registry.offline(worker_id=worker_id)
    before = revision_of(database)
    done = registry.offline(worker_id=worker_id)
    assert registry.offline(worker_id=worker_id, drain=True).workers[0].admin == "offline", "nothing is left to drain"
    assert done.revision == revision_of(database) == before
    assert fleet.snapshot().workers[worker_id].admin == "offline"


def test_drain_and_enable(registry: Registry) -> None:
    worker_id = registry.register(raw()).worker.id
    assert registry.offline(worker_id=worker_id, drain=True).workers[0].admin == "draining"
    assert registry.get(worker_id)["status"] == "draining"
    row = registry.change(worker_id, admin="enabled", weight=4)
    assert (row["status"], row["weight"], row["share"]) == ("unknown", 4, 1.0)


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"model_name": "m"},
        {"url": URL},
        {"worker_id": 1, "model_name": "m", "url": URL},
        {"worker_id": 1, "instance": "a"},
    ],
)
def test_offline_wants_one_clear_name(registry: Registry, named: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        registry.offline(**named)


def test_what_is_not_there(registry: Registry) -> None:
    for attempt in (
        lambda: registry.offline(worker_id=77),
        lambda: registry.offline(model_name="m", url=URL),
        lambda: registry.change(77, weight=1),
        lambda: registry.remove(77),
        lambda: registry.get(77),
        lambda: registry.get(10**30),
    ):
        with pytest.raises(NotFound):
            attempt()
    with pytest.raises(ModelNotFound):
        registry.route("m")


def test_a_change_to_what_is_so_already_is_no_change(registry: Registry, database: Database) -> None:
    done = registry.register(raw(weight=2))
    registry.change(done.worker.id, weight=2, admin="enabled")
    assert revision_of(database) == done.revision
    with pytest.raises(InvalidRequest):
        registry.change(done.worker.id)


def test_operators_and_probes_never_overwrite_each_other(registry: Registry, database: Database) -> None:
    worker_id = registry.register(raw()).worker.id
    probed(database, worker_id, ok=False)
    registry.change(worker_id, weight=5)
    row = registry.register(raw(owner="x"), upsert=True) and registry.get(worker_id)
    assert (row["probe"], row["status"], row["last_error"]) == ("down", "down", "connection refused")
    registry.offline(worker_id=worker_id, drain=True)
    probed(database, worker_id, ok=True)
    row = registry.get(worker_id)
    assert (row["probe"], row["admin"], row["status"], row["available"]) == ("up", "draining", "draining", False)


def test_remove_is_for_good(registry: Registry, fleet: Fleet) -> None:
    worker_id = registry.register(raw()).worker.id
    assert registry.remove(worker_id).id == worker_id
    assert registry.page(Query()).rows == []
    assert fleet.snapshot().pools == {}
    assert registry.register(raw()).outcome == "created"


def test_purge_deletes_what_has_been_offline_for_long(registry: Registry, fleet: Fleet) -> None:
    stays = registry.register(raw()).worker.id
    gone = registry.register(raw(instance="old")).worker.id
    registry.offline(worker_id=gone)
    assert registry.purge(3600) == []
    assert registry.purge(-1) == [gone]
    assert set(fleet.snapshot().workers) == {stays}


def test_times_are_iso_8601_in_utc(registry: Registry, database: Database) -> None:
    worker_id = registry.register(raw()).worker.id
    probed(database, worker_id, ok=False, times=1)
    row = registry.get(worker_id)
    for name in ("created_at", "updated_at", "last_probe_at", "last_fail_at"):
        assert len(row[name]) == len("2026-11-24T10:00:00.000Z")
        assert row[name].endswith("Z")
    assert row["last_ok_at"] is None


def test_pages_and_filters(registry: Registry, database: Database) -> None:
    ids = [registry.register(raw("m", f"{URL}/{n}", owner="a" if n % 2 else "b")).worker.id for n in range(7)]
    other = registry.register(raw("n")).worker.id
    for worker_id in ids[4:]:
        probed(database, worker_id, ok=False)

    def found(**filters: Any) -> tuple[list[int], int | None]:
        page = registry.page(Query(**filters))
        return [row["id"] for row in page.rows], page.next_cursor

    assert found() == ([*ids, other], None)
    assert found(model_name="m", limit=3) == (ids[:3], ids[2])
    assert found(model_name="m", limit=3, cursor=ids[2]) == (ids[3:6], ids[5])
    assert found(model_name="m", limit=3, cursor=ids[5]) == (ids[6:], None)
    assert found(model_name="m", limit=7) == (ids, None)
    assert found(owner="a") == ([ids[1], ids[3], ids[5]], None)
    assert found(status="down", limit=2) == (ids[4:6], ids[5])
    assert found(status="down", limit=2, cursor=ids[5]) == (ids[6:], None)
    assert found(status="offline") == ([], None)


def test_shares_are_those_of_the_workers_that_may_get_traffic(registry: Registry, database: Database) -> None:
    weights = {"a": 3, "b": 1, "c": 4, "d": 0}
    ids = {name: registry.register(raw(instance=name, weight=weight)).worker.id for name, weight in weights.items()}
    probed(database, ids["c"], ok=False)
    rows = {row["instance"]: row for row in registry.page(Query()).rows}
    assert {name: row["share"] for name, row in rows.items()} == {"a": 0.75, "b": 0.25, "c": 0.0, "d": 0.0}
    assert "standby" in rows["d"]["why"]
    assert "connection refused" in rows["c"]["why"]


def test_the_route_is_explained_also_for_who_is_benched(database: Database, fleet: Fleet) -> None:
    verdicts = Verdicts()
    registry = Registry(database, fleet, Settings(), verdicts)
    first, second = (registry.register(raw(instance=name)).worker.id for name in "ab")
    assert [row["share"] for row in registry.route("m")] == [0.5, 0.5]
    verdicts.refused(fleet.snapshot().workers[first])
    rows = {row["id"]: row for row in registry.route("m")}
    assert (rows[first]["status"], rows[first]["available"], rows[first]["share"]) == ("down", False, 0.0)
    assert "refused" in rows[first]["why"]
    assert rows[second]["share"] == 1.0
    assert registry.get(first)["available"] is False


def test_a_committed_change_is_acknowledged_when_the_database_goes_away_at_that_moment(
    registry: Registry, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> None:
        raise StorageUnavailable("The database cannot be reached.")

    monkeypatch.setattr(fleet, "refresh", gone)
    assert registry.register(raw()).outcome == "created"


def test_with_the_database_away_nothing_is_done_and_the_route_still_explained(
    registry: Registry, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker_id = registry.register(raw()).worker.id

    @contextmanager
    def away() -> Iterator[Any]:
        raise StorageUnavailable("The database cannot be reached.")
        yield

    monkeypatch.setattr(database, "write", away)
    monkeypatch.setattr(database, "read", away)
    for attempt in (
        lambda: registry.register(raw("n")),
        lambda: registry.offline(worker_id=worker_id),
        lambda: registry.change(worker_id, weight=2),
        lambda: registry.remove(worker_id),
        lambda: registry.purge(1),
        lambda: registry.page(Query()),
    ):
        with pytest.raises(StorageUnavailable):
            attempt()
    assert [row["id"] for row in registry.route("m")] == [worker_id]


def test_a_preview_shows_the_request_and_stores_nothing(
    registry: Registry, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLOWED_KEY", "s3cret-value")
    before = revision_of(database)
    shown = registry.preview(
        raw(
            url="http://w.example/gen?key=${env:ALLOWED_KEY}&raw_key=abc",
            header={"Authorization": "Bearer ${env:ALLOWED_KEY}"},
            body={"q": "{USER_PROMPT}", "m": "{MODEL_NAME}", "k": "${env:ALLOWED_KEY}"},
            upstream_model="vendor",
        )
    )
    request = shown["request"]
    assert request["method"] == "POST"
    assert request["url"] == "http://w.example/gen?key=***&raw_key=***"
    assert request["headers"]["Authorization"] == "***"
    assert request["body"] == {"q": "Who are you?", "m": "vendor", "k": "***"}
    assert "stream_request" not in shown
    assert "s3cret-value" not in repr(shown)
    assert "Bearer" not in repr(shown)
    assert revision_of(database) == before


def test_a_preview_names_secrets_that_are_not_there(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALLOWED_KEY", raising=False)
    shown = registry.preview(raw(header={"Authorization": "Bearer ${env:ALLOWED_KEY}"}))
    assert sum("ALLOWED_KEY" in note for note in shown["notes"]) == 1


def test_a_preview_shows_the_streamed_request_too(registry: Registry) -> None:
    shown = registry.preview(
        raw(
            body={"messages": "{MESSAGES}", "stream": "{STREAM}"},
            response_extract="choices[].message.content",
            stream={"framing": "sse", "delta_extract": "choices[].delta.content", "done": "[DONE]"},
        )
    )
    assert shown["request"]["body"]["stream"] is False
    assert shown["stream_request"]["body"]["stream"] is True


def test_what_is_wrong_is_refused_before_anything_is_stored(registry: Registry, database: Database) -> None:
    before = revision_of(database)
    with pytest.raises(RollcallError) as refused:
        registry.register(raw(body={"input": "no placeholder"}))
    assert 400 <= refused.value.status < 500
    assert revision_of(database) == before
