"""What a poll does to a job: when the next one is due, and when patience ends. Pure; times are of one clock."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.core.job_record import Job, JobItem

JITTER = 0.1
LONGEST_PAUSE_S = 60.0
MOST_DOUBLINGS = 10
# Polls in a row that say the worker does not know the job, or that make no sense; another such poll fails the job.
FORGIVEN = 3
# A poll later than this was held up by us (a restart, a clock that was set): that time is not the worker's.
LATE_S = 60.0

OUTCOME_UNKNOWN = (
    "Outcome unknown: the process that submitted it ended before the worker answered. It was not sent again."
)


@dataclass(frozen=True, slots=True)
class Polled:
    """What came of one poll; neither `items` nor `failed`: it goes on.

    `trouble`: why this poll told nothing. `hopeless`: asking again will hardly help (the worker does not know the job).
    `wait_s`: how long the worker wants to be left alone.
    """

    items: tuple[JobItem, ...] | None = None
    failed: str | None = None
    progress: float | None = None
    trouble: str | None = None
    hopeless: bool = False
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Of the job's worker: seconds between polls, from start to start, and until the job has failed."""

    interval_s: float
    timeout_s: float


def submitted(job: Job, now: float, *, pace: Pace, started: float, jitter: float) -> Job:
    """The worker has it: the first poll is due one interval after the submit began. `jitter` is -JITTER to JITTER."""
    due = max(started + pace.interval_s * (1 + jitter), now)
    deadline = now + pace.timeout_s
    return replace(_released(job), state="running", due_at=min(due, deadline), planned_at=now, deadline_at=deadline)


def step(
    job: Job,
    polled: Polled,
    pace: Pace,
    started: float,
    now: float,
    jitter: float,
    took_s: float | None = None,
) -> Job:
    """The job after a poll that began at `started`; `took_s`: by a clock that nobody sets, where there is one."""
    if polled.items is not None:
        return finished(job, now, polled.items)
    if polled.failed is not None:
        return failed(job, now, polled.failed)
    deadline = now + pace.timeout_s
    if job.deadline_at is not None:
        deadline = job.deadline_at + _not_the_workers(job, started, now - started if took_s is None else took_s, now)
    failures = job.failures + 1 if polled.trouble is not None else 0
    if polled.hopeless and failures > FORGIVEN:
        return failed(job, now, polled.trouble or "")
    if now >= deadline:
        return failed(job, now, _timed_out(pace, polled))
    due = max(started + _pause(pace, failures) * (1 + jitter), now + polled.wait_s)
    return replace(
        _released(job),
        progress=job.progress if polled.progress is None else polled.progress,
        error=polled.trouble,
        failures=failures,
        due_at=min(max(due, now), deadline),
        planned_at=now,
        deadline_at=deadline,
    )


def finished(job: Job, now: float, items: tuple[JobItem, ...]) -> Job:
    return replace(_over(job, now), state="done", items=items, progress=100.0, error=None)


def failed(job: Job, now: float, error: str) -> Job:
    return replace(_over(job, now), state="failed", error=error)


def _not_the_workers(job: Job, started: float, took_s: float, now: float) -> float:
    """Of the time since the job was planned: while we were held up, or by which the clock was set (back: negative)."""
    late, moved = started - job.due_at, now - started - took_s
    before = late if late > LATE_S else min(started - job.planned_at, 0.0)
    return before + (moved if abs(moved) > LATE_S else 0.0)


def _over(job: Job, now: float) -> Job:
    return replace(_released(job), finished_at=now, failures=0)


def _released(job: Job) -> Job:
    return replace(job, claimed_by="", claimed_until=0.0)


def _pause(pace: Pace, failures: int) -> float:
    doubled: float = pace.interval_s * 2 ** min(failures, MOST_DOUBLINGS)
    return min(doubled, max(pace.interval_s, LONGEST_PAUSE_S))


def _timed_out(pace: Pace, polled: Polled) -> str:
    last = f"; the last poll failed: {polled.trouble}" if polled.trouble else ""
    return f"The job did not finish within {pace.timeout_s:g} s (job.timeout_s){last}"
