"""Jobs and processes: who works on which, who dies, who sleeps, and what happens while the database is away."""

from __future__ import annotations

import threading

import pytest

from app.core.errors import StorageUnavailable
from app.core.job_step import OUTCOME_UNKNOWN
from app.storage.jobs import CLAIM_S
from tests.fakes import FakeUpstream, hang, json_answer
from tests.services.job_rig import (
    Host,
    Studio,
    Threads,
    World,
    done,
    failing,
    running,
    video_worker,
)


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
