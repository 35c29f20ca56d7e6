"""What image and video workers make, whichever way they work: at once, or by jobs that are waited for."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from app.core.conversation import ChatRequest, Item
from app.core.dialect import Dialect, dialect_of
from app.core.errors import RollcallError, UpstreamError, UpstreamTimeout
from app.core.job_record import Job, JobItem
from app.services.jobs import Jobs, new_job_id
from app.services.results import wanted_parts
from app.services.routing import Router

_PREFIXES = {"image": "img", "video": "video"}


@dataclass(frozen=True, slots=True)
class Generated:
    """At least one item. `worker_id` None: a job whose worker is not known; `attempts` None: of jobs nobody counts."""

    items: tuple[Item | JobItem, ...]
    worker_id: int | None
    attempts: int | None
    notices: tuple[str, ...]


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
        return made if count is None else Generated(made.items[:count], made.worker_id, made.attempts, made.notices)

    def _at_once(self, request: ChatRequest) -> Generated:
        answer = self._router.result(request)
        return Generated(answer.result.items, answer.worker_id, answer.attempts, answer.notices)

    def _by_jobs(self, request: ChatRequest, dialect: Dialect) -> Generated:
        timeout_s = dialect.timeout_s or self._timeout_s
        end = time.monotonic() + timeout_s
        begun = self._begun(wanted_parts(request, makes_n=dialect.makes_n), dialect.concurrency)
        jobs = [self._jobs.wait(job.id, max(end - time.monotonic(), 0.0)) for job in begun]
        if failed := next((job for job in jobs if job.is_finished and job.state != "done"), None):
            raise _failure(failed)
        if late := [job for job in jobs if not job.is_finished]:
            raise _lateness(late, timeout_s)
        worker = jobs[0].worker
        notices = dialect_of(worker).notices(request) if worker else ()
        return Generated(tuple(item for job in jobs for item in job.items), jobs[0].worker_id, None, notices)

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
            begun = [job for job in threads.map(begin, parts) if job is not None]
        if refusals:
            for job in begun:
                self._jobs.delete(job.id)
            raise refusals[0]
        return begun


def _failure(job: Job) -> RollcallError:
    why = (job.error or "it does not say why").strip().rstrip(".")
    error = UpstreamError(f"{_name(job)} {job.state}: {why}.", should_retry=False)
    error.worker_id = job.worker_id
    return error


def _lateness(late: list[Job], timeout_s: float) -> RollcallError:
    named = ", ".join(job.id for job in late)
    what = f"The job {named} was not done" if len(late) == 1 else f"{len(late)} jobs were not done"
    goes_on = "it goes on" if len(late) == 1 else f"they go on: {named}"
    error = UpstreamTimeout(f"{what} within {timeout_s:g} s; {goes_on}.", should_retry=False)
    error.worker_id = late[0].worker_id
    return error


def _name(job: Job) -> str:
    return f"The job of worker {job.worker_id}" if job.worker_id is not None else "The job"
