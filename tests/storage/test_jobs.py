"""Jobs on both engines: claims, fences, pages."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from app.core.conversation import ChatRequest
from app.core.job_record import Job, JobItem
from app.core.worker import Worker
from app.storage import jobs
from app.storage.database import Database
from app.storage.jobs import CLAIM_S
from tests.databases import opened
from tests.storage.conftest import PATIENCE_S, Run

NOW = 1_795_600_000.0
WORKER = Worker(7, "m", "http://w", "i", "", "REMOTE", 0, "v", "{}", "offline", 0.0, 0.0)


def request(**body: Any) -> ChatRequest:
    message = {"role": "user", "content": "a cat 🐱"}
    return ChatRequest("m", (message,), {"prompt": "a cat", **body}, False, "req-1", "video")


def job(number: int, state: str = "running", due_at: float = NOW, **fields: Any) -> Job:
    made = Job(f"video_{number:032x}", request(), state, NOW - 100.0 + number, due_at=due_at, planned_at=NOW - 10.0)  # type: ignore[arg-type]
    return replace(made, **fields)


def insert(database: Database, *made: Job) -> None:
    with database.write() as tx:
        for each in made:
            jobs.insert(tx, each)


def find(database: Database, job_id: str) -> Job | None:
    with database.read() as tx:
        return jobs.find(tx, job_id)


def claim(database: Database, now: float = NOW, holder: str = "me", limit: int = 10) -> list[str]:
    with database.write() as tx:
        return [each.id for each in jobs.claim_due(tx, now, holder, limit)]


def test_a_job_comes_back_as_it_was_stored(database: Database) -> None:
    whole = job(
        1,
        worker=WORKER,
        upstream_id="up/1?x=ä",
        submit_reply={"urls": {"get": "http://w/1"}, "n": [1.5, None]},
        progress=12.5,
        error="HTTP 503",
        items=(JobItem("url", "http://w/v.mp4", "video/mp4", "ab" * 16), JobItem("json", {"a": [1]})),
        failures=2,
        deadline_at=NOW + 600,
        finished_at=NOW + 5,
    )
    insert(database, whole)
    assert find(database, whole.id) == whole
    assert whole.worker_id == 7
    for nobody in ("video_0", "", "x" * 100, "a\0b", "ключ"):
        assert find(database, nobody) is None


def test_what_json_cannot_hold_is_left_out(database: Database) -> None:
    made = replace(job(1), request=request(input_reference=b"\x89PNG", note="n\0ul \ud800"))
    insert(database, made)
    found = find(database, made.id)
    assert found is not None
    assert found.request.body == {"prompt": "a cat", "input_reference": None, "note": "n\0ul \ud800"}


def test_a_fault_that_quotes_a_workers_bytes_is_stored(database: Database) -> None:
    made = job(1, state="failed", error="bad \0 \ud800 " + "x" * 1000)
    insert(database, made)
    found = find(database, made.id)
    assert found is not None
    assert found.error is not None
    assert found.error.startswith("bad   ? x")
    assert len(found.error) == jobs.ERROR_LENGTH


def test_who_is_due_and_in_which_order(database: Database) -> None:
    insert(
        database,
        job(1, due_at=NOW - 1),
        job(2, due_at=NOW - 5),
        job(3, due_at=NOW + 1),
        job(4, state="done", due_at=NOW - 9),
        job(5, state="submitting", due_at=NOW - 9),
        job(6, due_at=NOW - 3),
    )
    with database.read() as tx:
        assert jobs.next_due(tx, NOW) == NOW - 5
    assert claim(database, limit=0) == []
    assert claim(database, limit=2) == [job(2).id, job(6).id]
    assert claim(database, holder="another") == [job(1).id]
    assert claim(database, holder="another") == []
    with database.read() as tx:
        assert jobs.next_due(tx, NOW) == NOW + 1


def test_a_claim_runs_out_and_a_renewed_one_does_not(database: Database) -> None:
    insert(database, job(1), job(2))
    assert len(claim(database)) == 2
    with database.write() as tx:
        jobs.renew(tx, NOW + 5, "me", [job(1).id, "video_unknown"])
        jobs.renew(tx, NOW + 5, "somebody", [job(2).id])
    assert claim(database, NOW + CLAIM_S - 0.1, "another") == []
    assert claim(database, NOW + CLAIM_S, "another") == [job(2).id]
    assert claim(database, NOW + CLAIM_S + 5, "another") == [job(1).id]


def test_a_clock_that_was_set_back_holds_up_nothing(database: Database) -> None:
    insert(database, job(1), job(2, due_at=NOW + 3))
    claim(database, NOW, "dead")
    long_ago = NOW - 3600.0
    with database.read() as tx:
        assert jobs.next_due(tx, long_ago) == long_ago
    assert claim(database, long_ago) == [job(1).id, job(2).id]


def test_released_jobs_are_free_at_once(database: Database) -> None:
    insert(database, job(1), job(2), job(3, state="submitting", claimed_by="me", claimed_until=NOW + CLAIM_S))
    claim(database, limit=1)
    claim(database, holder="another")
    with database.write() as tx:
        jobs.release(tx, "me")
    assert claim(database, holder="third") == [job(1).id]
    with database.read() as tx:
        assert jobs.submitting(tx) == [(job(3).id, "me", NOW + CLAIM_S)]


def test_many_who_claim_at_once_share(database_url: str, run: Run) -> None:
    databases = [opened(database_url) for _ in range(4)]
    insert(databases[0], *(job(number) for number in range(40)))
    start = threading.Barrier(4)
    taken: list[list[str]] = []

    def take(database: Database, holder: str) -> None:
        start.wait(PATIENCE_S)
        mine: list[str] = []
        while some := claim(database, holder=holder, limit=3):
            mine += some
        taken.append(mine)

    for thread in [run(take, each, f"p{index}") for index, each in enumerate(databases)]:
        thread.join(PATIENCE_S)
    everything = sum(taken, [])
    assert len(everything) == len(set(everything)) == 40


def test_only_the_holder_saves_and_only_once(database: Database) -> None:
    insert(database, job(1))
    with database.write() as tx:
        (mine,) = jobs.claim_due(tx, NOW, "me", 1)
    after = replace(mine, state="done", finished_at=NOW, claimed_by="", claimed_until=0.0)
    with database.write() as tx:
        assert not jobs.save(tx, after, "running", "another")
        assert not jobs.save(tx, after, "submitting", "me")
        assert jobs.save(tx, after, "running", "me")
        assert not jobs.save(tx, after, "running", "me")
    assert find(database, mine.id) == after


def test_an_orphan_is_failed_only_under_the_claim_that_was_seen(database: Database) -> None:
    insert(database, job(1, state="submitting", claimed_by="dead", claimed_until=NOW))
    with database.write() as tx:
        (seen,) = jobs.submitting(tx)
        jobs.renew(tx, NOW, "dead", [job(1).id])
        assert not jobs.fail_orphan(tx, seen, "unknown", NOW + 9)
        (seen,) = jobs.submitting(tx)
        assert jobs.fail_orphan(tx, seen, "unknown", NOW + 9)
        assert not jobs.fail_orphan(tx, seen, "unknown", NOW + 9)
    found = find(database, job(1).id)
    assert found is not None
    assert (found.state, found.error, found.finished_at) == ("failed", "unknown", NOW + 9)
    with database.write() as tx:
        assert not jobs.save(tx, replace(job(1), state="running"), "submitting", "dead")


def test_pages(database: Database) -> None:
    insert(database, *(job(number) for number in range(5)))
    insert(database, replace(job(9), request=replace(request(), task="image")))

    def page(**asked: Any) -> list[int]:
        with database.read() as tx:
            return [int(each.id.split("_")[1], 16) for each in jobs.page(tx, **asked)]

    assert page() == [9, 4, 3, 2, 1, 0]
    assert page(task="video", limit=2) == [4, 3]
    assert page(task="video", limit=2, after=job(3).id) == [2, 1]
    assert page(task="video", oldest_first=True, after=job(3).id) == [4]
    assert page(task="image") == [9]
    assert page(task="text") == []
    assert page(after="video_gone", limit=1) == [9]


def test_jobs_of_one_moment_are_paged_whole(database: Database) -> None:
    insert(database, *(job(number, created_at=NOW) for number in range(7)))
    seen: list[str] = []
    with database.read() as tx:
        while page := jobs.page(tx, limit=2, after=seen[-1] if seen else None):
            seen += [each.id for each in page]
    assert len(seen) == len(set(seen)) == 7


def test_deleting_and_cleaning(database: Database) -> None:
    insert(database, job(1), *(job(number, state="done", finished_at=NOW + number) for number in range(2, 6)))
    with database.write() as tx:
        assert jobs.delete(tx, job(5).id)
        assert not jobs.delete(tx, job(5).id)
        old = jobs.finished_before(tx, NOW + 4, 10)
        assert old == [job(2).id, job(3).id]
        assert jobs.finished_before(tx, NOW + 4, 1) == [job(2).id]
        jobs.delete_all(tx, old)
        assert [each.id for each in jobs.page(tx)] == [job(4).id, job(1).id]


@pytest.mark.parametrize("state", ["submitting", "running", "done", "failed"])
def test_the_state_alone(database: Database, state: str) -> None:
    insert(database, job(1, state=state))
    with database.read() as tx:
        assert jobs.state_of(tx, job(1).id) == state
        assert jobs.state_of(tx, "video_gone") is None
