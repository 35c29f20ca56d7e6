"""Jobs through their public door: submitted once, polled by whichever process has time, finished with copies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.errors import NotFound, RollcallError, StorageUnavailable
from app.core.job_record import JobItem
from app.core.job_step import OUTCOME_UNKNOWN
from app.storage.database import Database
from app.storage.jobs import CLAIM_S
from tests.fakes import FakeUpstream, bytes_answer, drop, hang, html_answer, json_answer
from tests.services.job_rig import (
    VIDEO,
    Host,
    Studio,
    Threads,
    World,
    done,
    failing,
    running,
    video,
    video_worker,
)
from tests.services.routes import worker as plain_worker


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path)


@pytest.fixture
def sqlite_world(sqlite_url: str, tmp_path: Path) -> World:
    from tests.databases import opened

    return World(opened(sqlite_url), tmp_path)


def test_from_submit_to_a_copy_of_the_result(world: World) -> None:
    studio = Studio(running(), running(0.4))
    with FakeUpstream(studio) as upstream:
        host = Host(world, video_worker(upstream.url))
        job = host.start(video("a cat", seconds=4))
        assert (job.state, job.upstream_id, job.worker_id) == ("running", "t-1", 1)
        assert host.jobs.get(job.id) == job
        assert host.step(job, after=1.0).due_at == job.due_at, "not due yet"
        assert studio.submits == len(studio.asked) == 1
        assert host.step(job).progress is None
        assert host.step(job).progress == 40.0
        studio.polls = [done(upstream.origin + "/out/v.mp4")]
        finished = host.step(job)
        assert (finished.state, finished.progress, finished.error) == ("done", 100.0, None)
        assert finished.finished_at == world.wall
        (item,) = finished.items
        assert item.media is not None
        assert item == JobItem("url", upstream.origin + "/out/v.mp4", "video/mp4", item.media)
        assert host.media.read(item.media) == b"MP4"
        asked = len(studio.asked)
        host.step(job, after=100.0)
        assert len(studio.asked) == asked, "nobody asks about a finished job"
    assert upstream.requests[0].json == {"prompt": "a cat", "seconds": 4}
    assert upstream.requests[1].headers["authorization"] == "Bearer canary-credential-1"
    assert "authorization" not in upstream.requests[-1].headers, "a download is sent no credentials unless it says so"


def test_another_process_polls_on_where_the_first_one_stopped(world: World) -> None:
    """Also when the worker was deleted meanwhile: its fleet is empty."""
    studio = Studio(running(), running(), done())
    with FakeUpstream(studio) as upstream:
        first = Host(world, video_worker(upstream.url))
        job = first.start()
        first.step(job)
        second = Host(world)
        second.step(job)
        studio.polls = [done(upstream.origin + "/out/v.mp4")]
        finished = second.step(job)
        assert (finished.state, studio.submits) == ("done", 1)
        assert finished.items[0].media is not None
        assert first.media.read(finished.items[0].media) == b"MP4"


def test_what_was_being_submitted_when_its_process_died_is_never_sent_again(world: World) -> None:
    gate = threading.Event()
    studio = Studio(running(), submit=json_answer({"id": "t-1"}, gate=gate))
    with FakeUpstream(studio) as upstream:
        doomed, other = Host(world, video_worker(upstream.url)), Host(world, video_worker(upstream.url))
        threads, got = Threads(), []
        threads(lambda: got.append(doomed.start()))
        upstream.wait_requests(1)
        (job,) = other.jobs.page()
        assert other.step(job, after=1.0).state == "submitting"
        assert other.step(job, after=CLAIM_S - 1).state == "submitting"
        orphan = other.step(job, after=1.0)
        assert (orphan.state, orphan.error) == ("failed", OUTCOME_UNKNOWN)
        # It was only asleep: its answer comes too late, and changes nothing.
        gate.set()
        threads.join()
        assert got == [orphan]
        assert other.step(job, after=100.0) == orphan
        assert studio.asked == ["POST /generate"]


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
def test_a_slow_submit_is_left_alone_while_its_process_lives(world: World, jump_s: float) -> None:
    gate = threading.Event()
    studio = Studio(running(), submit=json_answer({"id": "t-1"}, gate=gate))
    with FakeUpstream(studio) as upstream:
        slow, other = Host(world, video_worker(upstream.url)), Host(world)
        threads, got = Threads(), []
        threads(lambda: got.append(slow.start()))
        upstream.wait_requests(1)
        (job,) = other.jobs.page()
        world.wall += jump_s
        for _ in range(20):
            world.pass_time(3.0)
            slow.jobs.tick()
            other.jobs.tick()
        assert other.jobs.get(job.id).state == "submitting"
        gate.set()
        threads.join()
    assert got[0].state == "running"


@pytest.mark.parametrize(
    ("submit", "status", "says"),
    [
        (json_answer({"error": {"message": "bad prompt canary-credential-1"}}, 400), 400, "bad prompt"),
        (json_answer({"error": "no credit"}), 502, "no credit"),
        (json_answer({"status": "queued"}), 502, "id"),
        (html_answer(), 502, ""),
        (drop(), 502, ""),
    ],
    ids=["400", "200-error", "no id", "html", "drop"],
)
def test_a_submit_that_fails_is_the_callers_and_leaves_no_job(
    sqlite_world: World, submit: Callable[..., None], status: int, says: str
) -> None:
    with FakeUpstream(Studio(running(), submit=submit)) as upstream:
        host = Host(sqlite_world, video_worker(upstream.url))
        with pytest.raises(RollcallError) as caught:
            host.start()
    assert (caught.value.status, says in caught.value.message) == (status, True)
    assert "canary" not in caught.value.message
    assert host.jobs.page() == []


def test_a_failed_job_says_why_and_tells_no_secret(sqlite_world: World) -> None:
    with FakeUpstream(Studio(failing("moderated for canary-credential-1"))) as upstream:
        host = Host(sqlite_world, video_worker(upstream.url))
        job = host.step(host.start())
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.startswith("moderated for ")
    assert "canary" not in job.error


def test_a_job_that_the_worker_does_not_know_is_forgiven_a_few_times(sqlite_world: World) -> None:
    unknown = json_answer({"detail": "no such task"}, 404)
    with FakeUpstream(Studio(unknown, unknown, running(), unknown)) as upstream:
        host = Host(sqlite_world, video_worker(upstream.url))
        job = host.start()
        states = [host.step(job, after=100.0).state for _ in range(7)]
        assert states == ["running"] * 6 + ["failed"]
        assert "no such task" in (host.jobs.get(job.id).error or "")


def test_polls_that_fail_are_tried_again_until_the_job_is_over(sqlite_world: World) -> None:
    with FakeUpstream(Studio(json_answer({"error": "busy"}, 503), drop())) as upstream:
        host = Host(sqlite_world, video_worker(upstream.url))
        job = host.start()
        assert "503" in (host.step(job).error or "")
        upstream.stop()
        for _ in range(9):
            assert host.step(job, after=61.0).state == "running"
        over = host.step(job, after=61.0)
    assert over.state == "failed"
    assert over.error is not None
    assert over.error.startswith("The job did not finish within 600 s (job.timeout_s)")


def test_a_poll_that_never_ends_runs_out_of_time(sqlite_world: World) -> None:
    with FakeUpstream(Studio(running())) as upstream:
        host = Host(sqlite_world, video_worker(upstream.url, {"timeout_s": 30}))
        job = host.start()
        states = [host.step(job, after=8.0).state for _ in range(5)]
    assert states == ["running"] * 3 + ["failed"] * 2
    assert "30 s" in (host.jobs.get(job.id).error or "")


def test_an_unreachable_result_completes_without_a_copy(sqlite_world: World) -> None:
    studio = Studio(running())
    with FakeUpstream(studio) as upstream:
        host = Host(sqlite_world, video_worker(upstream.url))
        job = host.start()
        studio.polls = [done(upstream.origin + "/out/1.mp4", "/tmp/local.mp4")]
        studio.file = bytes_answer(b"", 404)
        finished = host.step(job)
    assert finished.state == "done"
    assert [item.media for item in finished.items] == [None] * len(finished.items)
    assert finished.items[0].value == upstream.origin + "/out/1.mp4"


def test_base64_becomes_media_and_what_is_none_fails_the_job(sqlite_world: World) -> None:
    studio = Studio(json_answer({"status": "done", "output": "aGk="}))
    with FakeUpstream(studio) as upstream:
        host = Host(sqlite_world, video_worker(upstream.url, output={"type": "video", "as": "b64"}))
        finished = host.step(host.start())
        (item,) = finished.items
        assert (item.kind, item.value, item.content_type) == ("media", None, "video/mp4")
        assert item.media is not None
        assert host.media.read(item.media) == b"hi"
        studio.polls = [json_answer({"status": "done", "output": "not base64!"})]
        bad = host.step(host.start())
    assert bad.state == "failed"
    assert "base64" in (bad.error or "")


def test_a_download_is_sent_what_its_header_says(sqlite_world: World) -> None:
    studio = Studio(running())
    with FakeUpstream(studio) as upstream:
        download = {"download": {"header": {"X-Fetch": "yes"}}}
        host = Host(sqlite_world, video_worker(upstream.url, download))
        job = host.start()
        studio.polls = [done(upstream.origin + "/out/v.mp4")]
        assert host.step(job).items[0].media is not None
    assert upstream.requests[-1].headers["x-fetch"] == "yes"


def test_a_worker_without_jobs_answers_in_the_background(world: World) -> None:
    gate = threading.Event()
    threads = Threads()
    with FakeUpstream(bytes_answer(b"MP4", content_type="video/mp4", gate=gate)) as upstream:
        shape = {**VIDEO, "output": {"type": "video", "as": "binary"}}
        host = Host(world, plain_worker(1, upstream.url, shape), launch=threads)
        job = host.start()
        assert job.state == "submitting"
        upstream.wait_requests(1)
        gate.set()
        finished = host.jobs.wait(job.id, 10)
        threads.join()
    (item,) = finished.items
    assert item.media is not None
    assert (finished.state, host.media.read(item.media)) == ("done", b"MP4")


def test_a_worker_without_jobs_that_fails_fails_the_job(sqlite_world: World) -> None:
    with FakeUpstream(json_answer({"error": "CUDA out of memory"})) as upstream:
        host = Host(sqlite_world, plain_worker(1, upstream.url, {**VIDEO, "response_extract": "url"}))
        job = host.jobs.get(host.start().id)
    assert job.state == "failed"
    assert "CUDA out of memory" in (job.error or "")


def test_a_busy_worker_without_jobs_gets_the_next_one_when_it_is_free(sqlite_world: World) -> None:
    gate = threading.Event()
    threads = Threads()
    answer = json_answer({"url": "data:video/mp4;base64,aGk="}, gate=gate)
    with FakeUpstream(answer) as upstream:
        words = {**VIDEO, "response_extract": "url", "limits": {"concurrency": 1}}
        host = Host(sqlite_world, plain_worker(1, upstream.url, words), launch=threads)
        started = [host.start() for _ in range(2)]
        upstream.wait_requests(1)
        gate.set()
        threads.join()
    assert [host.jobs.get(job.id).state for job in started] == ["done", "done"]


def test_each_job_is_polled_by_one_process_and_many_at_once(world: World) -> None:
    gate = threading.Event()
    poll = json_answer({"status": "running"}, gate=gate)
    with FakeUpstream(Studio(poll)) as upstream:
        threads = Threads()
        hosts = [Host(world, video_worker(upstream.url), launch=threads) for _ in range(2)]
        for index in range(12):
            hosts[index % 2].start()
        world.pass_time(6.0)
        for host in hosts:
            host.jobs._parallel = 7
            host.jobs.tick()
            host.jobs.tick()
        upstream.wait_requests(24)
        gate.set()
        threads.join()
    polls = [request.path for request in upstream.requests if request.method == "GET"]
    assert len(polls) == 12
    assert len(threads.started) == 12


def test_no_transaction_is_open_while_a_worker_is_asked(sqlite_world: World) -> None:
    """SQLite has one writer: while polls, submits and downloads hang, others write at once."""
    gate = threading.Event()
    studio = Studio(json_answer({"status": "running"}, gate=gate))
    with FakeUpstream(studio) as upstream:
        threads = Threads()
        host = Host(sqlite_world, video_worker(upstream.url), launch=threads)
        job = host.start()
        sqlite_world.pass_time(6.0)
        host.jobs.tick()
        upstream.wait_requests(2)
        with sqlite_world.database.write():
            pass
        assert host.jobs.get(job.id).claimed_by != ""
        gate.set()
        threads.join()
    assert host.jobs.get(job.id).claimed_by == ""


def test_a_poll_that_lasts_longer_than_a_claim_keeps_it(sqlite_world: World) -> None:
    gate = threading.Event()
    studio = Studio(json_answer({"status": "running"}, gate=gate))
    with FakeUpstream(studio) as upstream:
        threads = Threads()
        host, other = Host(sqlite_world, video_worker(upstream.url), launch=threads), Host(sqlite_world)
        job = host.start()
        sqlite_world.pass_time(6.0)
        host.jobs.tick()
        for _ in range(10):
            sqlite_world.pass_time(CLAIM_S / 2)
            host.jobs.tick()
            other.jobs.tick()
        gate.set()
        threads.join()
        assert len(studio.asked) == 2
    assert host.jobs.get(job.id).state == "running"


def test_a_process_that_stops_hands_its_polls_on(sqlite_world: World) -> None:
    with FakeUpstream(Studio(running(), hang())) as upstream:
        host, other = Host(sqlite_world, video_worker(upstream.url), launch=lambda work: None), Host(sqlite_world)
        job = host.start()
        host.step(job)
        host.jobs.stop()
        assert other.step(job, after=0.0).planned_at == sqlite_world.wall


def test_deleting_a_job_deletes_its_media(world: World) -> None:
    studio = Studio(running())
    with FakeUpstream(studio) as upstream:
        host = Host(world, video_worker(upstream.url))
        job = host.start()
        studio.polls = [done(upstream.origin + "/out/v.mp4")]
        media = host.step(job).items[0].media
        assert media is not None
        assert host.jobs.delete(job.id).id == job.id
    assert host.media.find(media) is None
    for gone in (host.jobs.get, host.jobs.delete):
        with pytest.raises(NotFound):
            gone(job.id)
    with pytest.raises(NotFound):
        host.jobs.wait(job.id, 5)


def test_a_job_that_is_deleted_while_it_is_polled_leaves_nothing(sqlite_world: World) -> None:
    gate = threading.Event()
    studio = Studio(running())
    with FakeUpstream(studio) as upstream:
        threads = Threads()
        host = Host(sqlite_world, video_worker(upstream.url), launch=threads)
        job = host.start()
        studio.polls = [done(upstream.origin + "/out/v.mp4")]
        studio.file = bytes_answer(b"MP4", content_type="video/mp4", gate=gate)
        sqlite_world.pass_time(6.0)
        host.jobs.tick()
        upstream.wait_requests(3)
        host.jobs.delete(job.id)
        gate.set()
        threads.join()
    assert host.jobs.page() == []
    assert [path for path in sqlite_world.settings.media_folder.rglob("*") if path.is_file()] == []


def test_what_cannot_be_written_is_written_when_the_database_is_back(sqlite_world: World) -> None:
    studio = Studio(running())
    with FakeUpstream(studio) as upstream:
        threads = Threads()
        gate = threading.Event()
        host = Host(sqlite_world, video_worker(upstream.url), launch=threads)
        job = host.start()
        studio.polls = [json_answer({"status": "running", "progress": 0.5}, gate=gate), failing()]
        sqlite_world.pass_time(6.0)
        host.jobs.tick()
        upstream.wait_requests(2)
        host.away = True
        gate.set()
        threads.join()
        with pytest.raises(StorageUnavailable):
            host.jobs.tick()
        with pytest.raises(StorageUnavailable):
            host.start()
        host.away = False
        assert host.step(job, after=1.0).progress == 50.0
        assert studio.submits == 1


def test_a_submit_that_cannot_be_written_is_not_lost(sqlite_world: World) -> None:
    gate = threading.Event()
    studio = Studio(done(), submit=json_answer({"id": "t-1"}, gate=gate))
    with FakeUpstream(studio) as upstream:
        host, threads, got = Host(sqlite_world, video_worker(upstream.url)), Threads(), []
        threads(lambda: got.append(host.start()))
        upstream.wait_requests(1)
        host.away = True
        gate.set()
        threads.join()
        host.away = False
        assert (got[0].state, got[0].upstream_id) == ("running", "t-1")
        assert host.jobs.get(got[0].id).state == "submitting"
        assert host.step(got[0], after=0.0).upstream_id == "t-1"


def test_old_jobs_go_with_their_media(sqlite_world: World) -> None:
    studio = Studio(running())
    with FakeUpstream(studio) as upstream:
        host = Host(sqlite_world, video_worker(upstream.url))
        job, young = host.start(), None
        studio.polls = [done(upstream.origin + "/out/v.mp4")]
        media = host.step(job).items[0].media
        assert media is not None
        sqlite_world.pass_time(sqlite_world.settings.media_keep_s - 10)
        young = host.step(host.start())
        sqlite_world.pass_time(20.0)
        host.jobs.tick()
    assert [each.id for each in host.jobs.page()] == [young.id]
    assert host.media.find(media) is None
