"""What image and video workers make, whichever way they work: at once, or by jobs that are waited for."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from app.core.caller import carried
from app.core.conversation import ChatRequest, Item, JsonObject, Task
from app.core.dialect import Dialect, dialect_of
from app.core.errors import NotFound, RollcallError, StorageUnavailable, UpstreamError, UpstreamTimeout
from app.core.image_shape import said
from app.core.job_record import Job, JobItem
from app.services.jobs import Jobs, new_job_id
from app.services.results import wanted_parts
from app.services.routing import Router
from app.services.tasks import ROUTES
from app.services.waiting import pause

_AWAY_PAUSE_S = 0.5
_PREFIXES = {"image": "img", "video": "video"}


@dataclass(frozen=True, slots=True)
class Generated:
    """At least one item. `worker_id` None: a job whose worker is not known; `attempts` None: of jobs nobody counts.

    `said`: words of the worker about all images, as OpenAI's reply has them.
    """

    items: tuple[Item | JobItem, ...]
    worker_id: int | None
    attempts: int | None
    notices: tuple[str, ...]
    said: JsonObject = field(default_factory=dict)


class Generation:
    """Thread-safe. `timeout_s`: how long a caller waits where the worker's registration does not say."""

    def __init__(self, router: Router, jobs: Jobs, timeout_s: float) -> None:
        self._router = router
        self._jobs = jobs
        self._timeout_s = timeout_s

    def made(self, request: ChatRequest) -> Generated:
        """The images or the video; of images no more than an `n` that was asked for. Raises RollcallError.

        A job that is not done when the caller's time is over goes on; the error names it.
        """
        dialect = self._router.drawn(request)
        made = self._at_once(request) if dialect.job is None else self._by_jobs(request, dialect)
        count = request.body.get("n") if request.task == "image" else None
        return made if count is None else replace(made, items=made.items[:count])

    def made_since(self, job_id: str, task: Task) -> Generated | Job:
        """What a job made whose caller did not wait for its end; the job itself while it is not over.

        Raises NotFound, and the error of a job that failed.
        """
        job = self._jobs.get(job_id)
        if job.request.task != task:
            raise NotFound(f"There is no {task} of the id {job_id[:80]!r}.", field="id")
        return _gathered([job]) if job.is_finished else job

    def _at_once(self, request: ChatRequest) -> Generated:
        answer = self._router.result(request)
        result = answer.result
        told = said(result.raw, result.usage)
        return Generated(result.items, answer.worker_id, answer.attempts, answer.notices, told)

    def _by_jobs(self, request: ChatRequest, dialect: Dialect) -> Generated:
        timeout_s = dialect.timeout_s or self._timeout_s
        end = time.monotonic() + timeout_s
        begun = self._begun(wanted_parts(request, makes_n=dialect.makes_n), dialect.concurrency)
        jobs = [self._waited(job, end) for job in begun]
        late = [job for job in jobs if not job.is_finished]
        if late and not any(_has_failed(job) for job in jobs):
            raise _lateness(late, timeout_s)
        return _gathered(jobs)

    def _waited(self, job: Job, end: float) -> Job:
        """The job once it is finished, or as it was last seen at `end`. A database that is away does not end the wait:
        a caller who asked again would begin the job again."""
        while True:
            left_s = max(end - time.monotonic(), 0.0)
            try:
                return self._jobs.wait(job.id, left_s)
            except StorageUnavailable:
                if not left_s:
                    return job
                pause(min(_AWAY_PAUSE_S, left_s))

    def _begun(self, parts: list[ChatRequest], concurrency: int | None) -> list[Job]:
        """A job for each part, submitted in parallel; where one is refused, all are given up."""
        refusals: list[RollcallError] = []

        def begin(part: ChatRequest) -> Job | None:
            if refusals:
                return None
            try:
                return self._jobs.start(part, job_id=new_job_id(_PREFIXES.get(part.task, "job")))
            except RollcallError as refusal:
                refusals.append(refusal)
                return None

        with ThreadPoolExecutor(min(len(parts), concurrency or len(parts)), "rollcall-submits") as threads:
            begun = [job for job in threads.map(carried(begin), parts) if job is not None]
        if refusals:
            for job in begun:
                self._jobs.delete(job.id)
            raise refusals[0]
        return begun


def _gathered(jobs: list[Job]) -> Generated:
    """All that these jobs made. Raises UpstreamError where one failed."""
    if failed := next(filter(_has_failed, jobs), None):
        raise _failure(failed)
    first = jobs[0]
    notices = dialect_of(first.worker).notices(first.request) if first.worker else ()
    return Generated(tuple(item for job in jobs for item in job.items), first.worker_id, None, notices)


def _has_failed(job: Job) -> bool:
    return job.is_finished and job.state != "done"


def _failure(job: Job) -> RollcallError:
    why = (job.error or "its worker did not say why").strip().rstrip(".")
    who = "The worker" if job.worker_id is None else f"Worker {job.worker_id}"
    if why.startswith("The worker"):
        why = who + why.removeprefix("The worker")
    elif not why.startswith("The job"):
        why = f"{who} failed: {why}"
    error = UpstreamError(f"{why}.", should_retry=False)
    error.worker_id = job.worker_id
    return error


def _lateness(late: list[Job], timeout_s: float) -> RollcallError:
    one, route = len(late) == 1, ROUTES[late[0].request.task][1]
    what = f"The job {late[0].id} was" if one else f"{len(late)} jobs were"
    goes_on = "it goes on" if one else "they go on"
    where = " and ".join(f"{route}/{job.id}" for job in late)
    error = UpstreamTimeout(f"{what} not done within {timeout_s:g} s; {goes_on}: GET {where}.", should_retry=False)
    error.worker_id = late[0].worker_id
    return error
