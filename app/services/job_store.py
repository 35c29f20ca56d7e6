"""Jobs in the database, and which of them this process works on. Owns the transactions."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from app.core.conversation import ChatRequest
from app.core.errors import InvalidField, StorageUnavailable
from app.core.job_record import Job, State
from app.core.job_step import OUTCOME_UNKNOWN, failed
from app.services.leadership import new_holder
from app.storage import jobs
from app.storage.database import Database
from app.storage.jobs import CLAIM_S, Claim

log = logging.getLogger(__name__)

Change = Callable[[Job, float], Job]
"""The job after something happened to it, given the present time of the database."""


class JobStore:
    """Thread-safe. What this process works on is claimed by it, and `renew` keeps the claims alive.

    What cannot be written because the database is away is written by `flush` when it is back.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._holder = new_holder()
        self._lock = threading.Lock()
        self._mine: set[str] = set()
        self._unwritten: list[tuple[Job, Change]] = []
        self._renewed_at = clock()
        self._seen: dict[str, tuple[Claim, float]] = {}

    def take_name(self) -> None:
        """Another name for this process: one that was forked shares it with its parent."""
        self._holder = new_holder()

    def begin(self, job_id: str, request: ChatRequest) -> Job:
        """A new job, being submitted by this process."""
        with self._database.write() as tx:
            now = self._database.now(tx)
            job = Job(job_id, request, "submitting", now, due_at=now, planned_at=now)
            job = replace(job, claimed_by=self._holder, claimed_until=now + CLAIM_S)
            jobs.insert(tx, job)
        self._hold(job_id)
        return job

    def claim(self, limit: int) -> list[Job]:
        """Jobs to poll now. `claimed_until` less CLAIM_S is the present time of the database."""
        if limit <= 0:
            return []
        with self._database.write() as tx:
            claimed = jobs.claim_due(tx, self._database.now(tx), self._holder, limit)
        # One that is among them although we work on it already overslept its renewal; it is ours again.
        new = [job for job in claimed if job.id not in self._mine]
        for job in new:
            self._hold(job.id)
        return new

    def change(self, job: Job, change: Change) -> Job | None:
        """Write what happened to a job that this process claimed, and let go of it.

        None: it is not ours any more (deleted, or taken over), and nothing was written.
        """
        try:
            return self._write(job, change)
        except InvalidField as error:
            unstorable = partial(failed, error=f"The worker's answer cannot be stored: {error.message}")
            return self._write(replace(job, upstream_id=None, submit_reply=None), unstorable)
        except StorageUnavailable as error:
            log.warning("What happened to job %s is kept until it can be written: %s", job.id, error.message)
            with self._lock:
                self._unwritten.append((job, change))
            return change(job, job.claimed_until)

    def flush(self) -> list[Job]:
        """Write what could not be written; the jobs as they are now."""
        with self._lock:
            waiting, self._unwritten = self._unwritten, []
        written = [self.change(job, change) for job, change in waiting]
        return [job for job in written if job is not None]

    def renew(self) -> None:
        """To be called often; signs of life are written a few times in the life of a claim."""
        if not self._mine or self._clock() - self._renewed_at < CLAIM_S / 4:
            return
        with self._lock:
            mine = set(self._mine)
        with self._database.write() as tx:
            jobs.renew(tx, self._database.now(tx), self._holder, mine)
        self._renewed_at = self._clock()

    def look(self) -> tuple[float, float | None]:
        """The present time of the database, and when the next poll that nobody works on is due."""
        with self._database.read() as tx:
            now = self._database.now(tx)
            claims, due = jobs.submitting(tx), jobs.next_due(tx, now)
        self._judge(claims)
        return now, due

    def look_afresh(self) -> None:
        """The claims were out of sight: what stood still meanwhile proves nothing about its holder."""
        self._seen.clear()

    def release(self) -> None:
        with self._database.write() as tx:
            jobs.release(tx, self._holder)

    def forsake(self, job_id: str) -> bool:
        """Delete the job; whoever works on it finds that it is not theirs any more. False: there is none."""
        self._let_go(job_id)
        with self._database.write() as tx:
            return jobs.delete(tx, job_id)

    def find(self, job_id: str) -> Job | None:
        with self._database.read() as tx:
            return jobs.find(tx, job_id)

    def state_of(self, job_id: str) -> State | None:
        with self._database.read() as tx:
            return jobs.state_of(tx, job_id)

    def _write(self, job: Job, change: Change) -> Job | None:
        with self._database.write() as tx:
            after = change(job, self._database.now(tx))
            written = jobs.save(tx, after, job.state, self._holder)
        self._let_go(job.id)
        return after if written else None

    def _judge(self, claims: list[Claim]) -> None:
        """Fail what stands still: a claim that was not renewed for its whole length, by our own monotonic clock."""
        now, seen = self._clock(), self._seen
        self._seen = {claim[0]: _first_seen(seen.get(claim[0]), claim, now) for claim in claims}
        for claim, since in list(self._seen.values()):
            if now - since >= CLAIM_S and claim[1] != self._holder:
                with self._database.write() as tx:
                    gone = jobs.fail_orphan(tx, claim, OUTCOME_UNKNOWN, self._database.now(tx))
                if gone:
                    log.warning("Job %s: the process that submitted it is gone", claim[0])

    def _hold(self, job_id: str) -> None:
        with self._lock:
            self._mine.add(job_id)

    def _let_go(self, job_id: str) -> None:
        with self._lock:
            self._mine.discard(job_id)


def _first_seen(before: tuple[Claim, float] | None, claim: Claim, now: float) -> tuple[Claim, float]:
    return before if before is not None and before[0] == claim else (claim, now)
