"""Model calls that outlive their request: submitted once, asked about until they end, by whichever process has time."""

from __future__ import annotations

import logging
import random
import secrets as randomness
import threading
import time
from collections.abc import Callable
from functools import partial

from app.core.conversation import ChatRequest, Task
from app.core.errors import NotFound, RollcallError, StorageUnavailable
from app.core.job_record import Job
from app.core.job_step import JITTER, Polled, step
from app.core.template import Secrets
from app.services.job_cleaning import Cleaning
from app.services.job_polling import Poller, pace_of
from app.services.job_start import Starter
from app.services.job_store import JobStore
from app.services.job_waiting import Waiting
from app.services.media import Media
from app.services.routing import Router
from app.settings import Settings
from app.storage import jobs
from app.storage.database import Database
from app.storage.jobs import CLAIM_S

log = logging.getLogger(__name__)

SHORTEST_PAUSE_S = 0.02
PAUSE_S = 0.5
LONGEST_PAUSE_S = 2.0
STOP_WAIT_S = 5.0

Launch = Callable[[Callable[[], None]], object]


def in_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="rollcall-job", daemon=True).start()


def new_job_id(prefix: str = "job") -> str:
    """128 bits that reveal nothing: not the worker, not how many there are."""
    return f"{prefix}_{randomness.token_hex(16)}"


class Jobs:
    """One in every serving process. `tick` is a step of the polling, `start_polling` repeats it in a thread."""

    def __init__(
        self,
        database: Database,
        router: Router,
        media: Media,
        settings: Settings,
        secrets: Secrets,
        clock: Callable[[], float] = time.monotonic,
        launch: Launch = in_thread,
    ) -> None:
        self._database = database
        self._media = media
        self._store = JobStore(database, clock)
        self._poller = Poller(router, media, secrets)
        self._waiting = Waiting(self._store)
        self._wake = threading.Event()
        self._starter = Starter(self._store, router, self._poller, self._told, launch)
        self._cleaning = Cleaning(database, media, settings.media_keep_s, clock)
        self._parallel = settings.job_parallel
        self._polling = 0
        self._counting = threading.Lock()
        self._launch = launch
        self._clock = clock
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self, request: ChatRequest, *, job_id: str) -> Job:
        """The job that answers this request, once a worker took it; of a worker without jobs it begins meanwhile.

        Raises RollcallError when no worker took it; there is no job then.
        """
        return self._starter.start(request, job_id)

    def get(self, job_id: str) -> Job:
        """Raises NotFound."""
        job = self._store.find(job_id)
        if job is None:
            raise NotFound(f"There is no job {job_id[:80]!r}.", field="id")
        return job

    def wait(self, job_id: str, timeout_s: float) -> Job:
        """The job once it is finished, or as it is after `timeout_s`. Raises NotFound."""
        self._waiting.wait(job_id, timeout_s)
        return self.get(job_id)

    def page(
        self, *, task: Task | None = None, after: str | None = None, limit: int = 20, oldest_first: bool = False
    ) -> list[Job]:
        """In the order of their making, the newest first; `after` is the id of the last job of the page before."""
        with self._database.read() as tx:
            return jobs.page(tx, task=task, after=after, limit=limit, oldest_first=oldest_first)

    def delete(self, job_id: str) -> Job:
        """With its media, also while it runs (the worker is not told). The job as it was. Raises NotFound."""
        job = self.get(job_id)
        self._store.forsake(job_id)
        self._media.forget_jobs([job_id])
        self._waiting.told(job_id)
        return job

    def start_polling(self) -> None:
        self._stopping = False
        self._store.take_name()
        self._thread = threading.Thread(target=self._run, name="rollcall-jobs", daemon=True)
        self._thread.start()

    def finish(self, timeout_s: float) -> None:
        """Waits so long for workers without jobs that answer in the background: nobody else can take those over."""
        self._starter.finish(timeout_s)

    def stop(self) -> None:
        """Ends the thread and lets other processes poll what this one was polling. May be called twice."""
        self._stopping = True
        self._wake.set()
        if self._thread:
            self._thread.join(STOP_WAIT_S)
            self._thread = None
        try:
            self._store.release()
        except StorageUnavailable as error:
            log.warning("The jobs of this process are taken over when its claims run out: %s", error.message)

    def tick(self) -> float:
        """One step; the seconds until the next one is due. Raises StorageUnavailable. Never waits for a worker."""
        try:
            return self._step()
        except Exception:
            self._store.look_afresh()
            raise

    def _step(self) -> float:
        for job in self._store.flush():
            self._told(job)
        self._store.renew()
        now, due = self._store.look()
        if self._cleaning.is_due():
            self._launch(self._cleaning.run)
        if due is None or due > now:
            return PAUSE_S if due is None else min(max(due - now, SHORTEST_PAUSE_S), PAUSE_S)
        room = self._parallel - self._polling
        for job in self._store.claim(room):
            with self._counting:
                self._polling += 1
            self._launch(partial(self._poll, job))
        return SHORTEST_PAUSE_S if room > 0 else PAUSE_S

    def _poll(self, job: Job) -> None:
        began = self._clock()
        try:
            polled = self._poller.poll(job)
            took_s = self._clock() - began
            after = self._store.change(job, partial(_stepped, polled=polled, took_s=took_s))
            if after is None and polled.items:
                self._media.forget_jobs([job.id])
            elif after is not None:
                self._told(after)
        except RollcallError as error:
            log.warning("Job %s: %s", job.id, error.message)
        finally:
            with self._counting:
                self._polling -= 1
            self._wake.set()

    def _told(self, job: Job) -> None:
        """Something happened to this job."""
        if job.is_finished:
            self._waiting.told(job.id)
        self._wake.set()

    def _run(self) -> None:
        failures = 0
        while not self._stopping:
            pause_s = min(PAUSE_S * 2**failures, LONGEST_PAUSE_S)
            try:
                pause_s = self.tick()
            except Exception as error:
                failures = min(failures + 1, 4)
                if failures == 1:
                    known = isinstance(error, StorageUnavailable)
                    log.warning("Jobs pause: %s", error, exc_info=not known)
            else:
                if failures:
                    log.info("Jobs go on")
                failures = 0
            self._wake.wait(pause_s)
            self._wake.clear()
            time.sleep(SHORTEST_PAUSE_S)


def _stepped(job: Job, now: float, polled: Polled, took_s: float) -> Job:
    started = job.claimed_until - CLAIM_S
    return step(job, polled, pace_of(job), started, now, random.uniform(-JITTER, JITTER), took_s)
