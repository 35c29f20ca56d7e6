"""Jobs over real socket workers and a real database, polled by hand: no thread, and clocks that a test moves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from app.core.conversation import ChatRequest
from app.core.errors import StorageUnavailable
from app.core.job_record import Job
from app.services.job_store import JobStore
from app.services.jobs import Jobs, new_job_id
from app.services.media import Media
from app.settings import Settings
from app.storage.database import Database
from app.upstream.client import Client
from tests.fakes import Behaviour, Exchange, bytes_answer, json_answer
from tests.services import routes

VIDEO: dict[str, Any] = {
    "task": "video",
    "header": {"Authorization": "Bearer canary-credential-1"},
    "body": {"prompt": "{USER_PROMPT}", "seconds": "{SECONDS}"},
    "output": {"type": "video", "as": "url"},
    "error": {"error": "*"},
}
JOB: dict[str, Any] = {
    "id_extract": "id",
    "done_when": {"status": "done"},
    "failed_when": {"status": "failed"},
    "result_extract": "output",
    "error_extract": "failure",
    "progress_extract": "progress",
    "interval_s": 5,
    "timeout_s": 600,
}


class Studio:
    """A behaviour: a worker that takes a job by POST, tells of it by GET /tasks/ID, and serves files at /out/…"""

    def __init__(self, *polls: Behaviour, submit: Behaviour | None = None) -> None:
        self.polls = list(polls)
        self.submit = submit or json_answer({"id": "t-1"})
        self.file = bytes_answer(b"MP4", content_type="video/mp4")
        self.asked: list[str] = []

    def __call__(self, exchange: Exchange) -> None:
        request = exchange.request
        self.asked.append(f"{request.method} {request.path}")
        if request.method == "POST":
            self.submit(exchange)
        elif request.path.startswith("/out/"):
            self.file(exchange)
        else:
            (self.polls.pop(0) if len(self.polls) > 1 else self.polls[0])(exchange)

    @property
    def submits(self) -> int:
        return sum(asked.startswith("POST") for asked in self.asked)


def running(progress: float | None = None) -> Behaviour:
    return json_answer({"status": "running", "progress": progress})


def done(*urls: str) -> Behaviour:
    return json_answer({"status": "done", "output": list(urls)})


def failing(why: str = "moderated") -> Behaviour:
    return json_answer({"status": "failed", "failure": why})


def video(prompt: str = "a cat", **body: Any) -> ChatRequest:
    message = {"role": "user", "content": prompt}
    return ChatRequest("m", (message,), {"model": "m", "prompt": prompt, **body}, False, "req-1", "video")


def video_worker(url: str, job: dict[str, Any] | None = None, **words: Any) -> Any:
    origin = url.rpartition("/")[0]
    block = {**JOB, "req_url_template": f"{origin}/tasks/{{JOB_ID}}", **(job or {})}
    return routes.worker(1, url, {**VIDEO, "job": block}, **words)


class Host:
    """One process. The database's clock is `wall` of its world; `away` cuts it off from the database."""

    def __init__(self, world: World, *workers: Any, launch: Callable[..., object] | None = None) -> None:
        self.world = world
        self.away = False
        settings = world.settings
        self.router = routes.router(*workers, var=settings.var)
        me = cast(Database, self)
        self.media = Media(me, Client(settings), settings, pauses_s=())
        self.jobs = Jobs(me, self.router, self.media, settings, settings.secret, world.clock, launch or at_once)

    @property
    def store(self) -> JobStore:
        return self.jobs._store

    def start(self, request: ChatRequest | None = None) -> Job:
        return self.jobs.start(request or video(), job_id=new_job_id("video"))

    def step(self, job: Job, after: float = 6.0) -> Job:
        """Let time pass, take a step, and look at the job."""
        self.world.pass_time(after)
        self.jobs.tick()
        return self.jobs.get(job.id)

    # the database

    @contextmanager
    def read(self) -> Any:
        self._be_away()
        with self.world.database.read() as tx:
            yield tx

    @contextmanager
    def write(self) -> Any:
        self._be_away()
        with self.world.database.write() as tx:
            yield tx

    def now(self, tx: object) -> float:
        return self.world.wall

    def _be_away(self) -> None:
        if self.away:
            raise StorageUnavailable("The database cannot be reached.")


class World:
    def __init__(self, database: Database, folder: Path, **settings: Any) -> None:
        self.database = database
        self.settings = Settings(var=folder, **{"media_max_bytes": 100_000, "timeout_s": 20.0, **settings})
        self.wall = 1_000_000_000.0
        self.monotonic = 5_000.0

    def clock(self) -> float:
        return self.monotonic

    def pass_time(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


def at_once(work: Callable[[], None]) -> None:
    work()


class Threads:
    """Launches real threads; `join` waits for all of them."""

    def __init__(self) -> None:
        self.started: list[threading.Thread] = []

    def __call__(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self.started.append(thread)
        thread.start()

    def join(self) -> None:
        for thread in self.started:
            thread.join(20)
            assert not thread.is_alive()
