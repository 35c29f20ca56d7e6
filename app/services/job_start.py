"""How a job begins: stored first, then submitted, so that nothing is ever submitted twice."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from app.core.conversation import ChatRequest, Item
from app.core.errors import NotFound, NoWorkerAvailable, RollcallError
from app.core.job_record import Job
from app.core.job_step import JITTER, Pace, failed, finished, submitted
from app.services.job_polling import Poller, plan_of
from app.services.job_store import JobStore
from app.services.routing import Router

log = logging.getLogger(__name__)

# Jobs of workers without a job block, each of which keeps a thread until its worker answers.
MOST_BACKGROUND = 256
# Such a job may stand in line this long where `limits.concurrency` lets few run at a time.
QUEUE_S = 3600.0
QUEUE_PAUSE_S = 1.0
FINISH_PAUSE_S = 0.05


class Starter:
    """Thread-safe. `told` is called with each job whose state changed."""

    def __init__(
        self,
        store: JobStore,
        router: Router,
        poller: Poller,
        told: Callable[[Job], None],
        launch: Callable[[Callable[[], None]], object],
    ) -> None:
        self._store = store
        self._router = router
        self._poller = poller
        self._told = told
        self._launch = launch
        self._background = threading.BoundedSemaphore(MOST_BACKGROUND)
        self._running: set[str] = set()

    def start(self, request: ChatRequest, job_id: str) -> Job:
        """See Jobs.start."""
        if self._router.works_by_job(request):
            return self._submit(self._store.begin(job_id, request))
        if not self._background.acquire(blocking=False):
            raise NoWorkerAvailable(
                f"{MOST_BACKGROUND} jobs of workers without a job queue run here already; try again later.",
                retry_after_s=QUEUE_PAUSE_S,
            )
        try:
            job = self._store.begin(job_id, request)
            self._launch(partial(self._run, job))
        except BaseException:
            self._background.release()
            raise
        return job

    def finish(self, timeout_s: float) -> None:
        """See Jobs.finish."""
        end = time.monotonic() + timeout_s
        while self._running and time.monotonic() < end:
            time.sleep(FINISH_PAUSE_S)

    def _submit(self, job: Job) -> Job:
        started = job.created_at
        try:
            taken = self._router.submit(job.request)
        except BaseException:
            self._store.forsake(job.id)
            raise
        known = replace(job, worker=taken.worker, upstream_id=taken.job_id, submit_reply=taken.reply)
        plan = plan_of(taken.worker)
        # A stream of events is opened at once: the worker sends its news only to who listens.
        pace = Pace(0.0 if plan.streams else plan.interval_s, plan.timeout_s)
        return self._changed(known, partial(submitted, pace=pace, started=started, jitter=_jitter()))

    def _run(self, job: Job) -> None:
        """Let a worker answer, however long it takes, and keep what it answered."""
        self._running.add(job.id)
        try:
            self._changed(job, self._answered(job))
        except RollcallError as error:
            log.warning("Job %s: %s", job.id, error.message)
        finally:
            self._running.discard(job.id)
            self._background.release()

    def _answered(self, job: Job) -> Callable[[Job, float], Job]:
        try:
            items = self._poller.kept(job, self._items(job.request), {})
        except RollcallError as error:
            return partial(failed, error=error.message)
        except Exception:
            log.exception("Job %s broke", job.id)
            return partial(failed, error="Rollcall stumbled over this job; its log says how.")
        return partial(finished, items=items)

    def _items(self, request: ChatRequest) -> tuple[Item, ...]:
        until = time.monotonic() + QUEUE_S
        while True:
            try:
                return self._router.result(request).result.items
            except NoWorkerAvailable as full:
                if time.monotonic() >= until:
                    raise
                time.sleep(full.retry_after_s or QUEUE_PAUSE_S)

    def _changed(self, job: Job, change: Callable[[Job, float], Job]) -> Job:
        """Raises NotFound when the job was deleted meanwhile."""
        after = self._store.change(job, change) or self._store.find(job.id)
        if after is None:
            self._poller.media.forget_jobs([job.id])
            raise NotFound("The job was deleted while it began.", field="id")
        self._told(after)
        return after


def _jitter() -> float:
    return random.uniform(-JITTER, JITTER)
