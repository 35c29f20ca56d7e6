"""Who waits for a job, and the thread that polls."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from app.core.errors import NotFound
from app.services.job_waiting import Waiting
from app.services.jobs import Jobs, new_job_id
from app.services.media import Media
from app.settings import Settings
from app.storage.database import Database
from app.upstream.client import Client
from tests.databases import opened
from tests.fakes import FakeUpstream
from tests.services import routes
from tests.services.job_rig import Host, Studio, Threads, World, done, running, video, video_worker


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path) -> World:
    return World(opened(sqlite_url), tmp_path)


def serving(database: Database, folder: Path, upstream: FakeUpstream) -> Jobs:
    """As a serving process has it, in real time."""
    settings = Settings(var=folder)
    router = routes.router(video_worker(upstream.url, {"interval_s": 0.1}), var=folder)
    media = Media(database, Client(settings), settings)
    return Jobs(database, router, media, settings, settings.secret)


def test_the_thread_polls_until_it_is_done(database: Database, tmp_path: Path) -> None:
    studio = Studio(running(), running(), running())
    with FakeUpstream(studio) as upstream:
        studio.polls.append(done(upstream.origin + "/out/v.mp4"))
        jobs = serving(database, tmp_path, upstream)
        jobs.start_polling()
        try:
            job = jobs.start(video(), job_id=new_job_id("video"))
            assert job.id.startswith("video_")
            finished = jobs.wait(job.id, 20)
        finally:
            jobs.stop()
    assert finished.state == "done"
    assert finished.items[0].media is not None
    assert studio.submits == 1


def test_what_another_process_finishes_is_seen(database: Database, tmp_path: Path) -> None:
    studio = Studio(running(), done("data:video/mp4;base64,aGk="))
    with FakeUpstream(studio) as upstream:
        one, two = (serving(database, tmp_path, upstream) for _ in range(2))
        two.start_polling()
        try:
            finished = one.wait(one.start(video(), job_id=new_job_id("video")).id, 20)
        finally:
            two.stop()
    assert finished.state == "done"


def test_waiting_ends_in_time_and_the_job_goes_on(world: World) -> None:
    with FakeUpstream(Studio(running())) as upstream:
        host = Host(world, video_worker(upstream.url))
        job = host.start()
        assert host.jobs.wait(job.id, 0.05).state == "running"
        assert host.jobs.wait(job.id, 0).state == "running"
        assert host.step(job).state == "running"


def test_a_job_that_is_deleted_is_waited_for_no_longer(world: World) -> None:
    with FakeUpstream(Studio(running())) as upstream:
        host, threads, failures = Host(world, video_worker(upstream.url)), Threads(), []
        job = host.start()

        def wait() -> None:
            try:
                host.jobs.wait(job.id, 60)
            except NotFound as gone:
                failures.append(gone)

        threads(wait)
        host.jobs.delete(job.id)
        threads.join()
    assert len(failures) == 1


class Looks:
    """Counts how often the database is looked at."""

    def __init__(self) -> None:
        self.count = 0

    def state_of(self, job_id: str) -> str:
        self.count += 1
        return "running"


def test_waiting_is_cheap() -> None:
    looks = Looks()
    waiting = Waiting(looks)  # type: ignore[arg-type]
    told = threading.Timer(0.05, lambda: waiting.told("job"))
    began = time.monotonic()
    told.start()
    waiting.wait("job", 30)
    assert looks.count <= 2
    assert time.monotonic() - began < 20
    assert waiting._waiters == {}
