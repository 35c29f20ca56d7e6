"""Jobs of workers that have none, and how jobs leave."""

from __future__ import annotations

import threading

import pytest

from app.core.errors import NotFound
from tests.fakes import FakeUpstream, bytes_answer, json_answer
from tests.services.job_rig import (
    VIDEO,
    Host,
    Studio,
    Threads,
    World,
    done,
    running,
    video_worker,
)
from tests.services.routes import worker as plain_worker


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
        sqlite_world.pass_time(4000.0)
        host.jobs.tick()
    assert [each.id for each in host.jobs.page()] == [young.id]
    assert host.media.find(media) is None
