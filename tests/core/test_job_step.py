"""What a poll does to a job."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.core.conversation import ChatRequest
from app.core.job_record import Job, JobItem
from app.core.job_step import FORGIVEN, LATE_S, Pace, Polled, step, submitted

T = 1_000_000.0
PACE = Pace(interval_s=5.0, timeout_s=600.0)
REQUEST = ChatRequest("m", (), {}, False, "r", "video")
JOB = Job("video_1", REQUEST, "running", T, due_at=T, planned_at=T - 5, deadline_at=T + 600, claimed_by="me")
ITEM = JobItem("url", "http://w/v.mp4")


def polled(job: Job = JOB, *, started: float = T, now: float = T + 1, jitter: float = 0.0, **said: Any) -> Job:
    return step(job, Polled(**said), PACE, started, now, jitter)


def test_the_first_poll_is_one_interval_after_the_submit_began() -> None:
    job = submitted(replace(JOB, state="submitting"), T + 2, pace=PACE, started=T, jitter=0.1)
    assert (job.state, job.due_at, job.deadline_at) == ("running", T + 5.5, T + 602)
    assert job.claimed_by == ""


def test_a_submit_that_took_longer_than_the_interval_is_followed_at_once() -> None:
    job = submitted(replace(JOB, state="submitting"), T + 30, pace=PACE, started=T, jitter=0.0)
    assert (job.due_at, job.deadline_at) == (T + 30, T + 630)


def test_done() -> None:
    job = polled(items=(ITEM,))
    assert (job.state, job.items, job.progress, job.finished_at) == ("done", (ITEM,), 100.0, T + 1)
    assert (job.claimed_by, job.error) == ("", None)


def test_done_after_the_deadline_is_done() -> None:
    assert polled(now=T + 9999, items=(ITEM,)).state == "done"


def test_failed_says_why() -> None:
    job = polled(failed="moderated", progress=40.0)
    assert (job.state, job.error, job.finished_at) == ("failed", "moderated", T + 1)


def test_polls_run_from_start_to_start() -> None:
    assert polled(now=T + 3).due_at == T + 5
    assert polled(now=T + 3, jitter=-0.1).due_at == T + 4.5
    assert polled(now=T + 9).due_at == T + 9


def test_progress_stays_where_a_poll_names_none() -> None:
    job = polled(progress=40.0)
    assert (job.progress, job.state, job.claimed_by) == (40.0, "running", "")
    assert polled(job).progress == 40.0


def test_failed_polls_back_off_and_a_good_one_ends_that() -> None:
    job, pauses = JOB, []
    for _ in range(8):
        job = polled(job, trouble="HTTP 503")
        pauses.append(job.due_at - T)
    assert pauses == [10, 20, 40, 60, 60, 60, 60, 60]
    assert (job.failures, job.error, job.state) == (8, "HTTP 503", "running")
    job = polled(job)
    assert (job.failures, job.error, job.due_at) == (0, None, T + 5)


def test_a_long_interval_is_not_shortened_by_failures() -> None:
    assert step(JOB, Polled(trouble="x"), Pace(120.0, 600.0), T, T, 0.0).due_at == T + 120


def test_an_unknown_job_is_forgiven_a_few_times() -> None:
    job = JOB
    for _ in range(FORGIVEN):
        job = polled(job, trouble="HTTP 404", hopeless=True)
        assert job.state == "running"
    assert polled(job).failures == 0
    job = polled(job, trouble="HTTP 404", hopeless=True)
    assert (job.state, job.error) == ("failed", "HTTP 404")


@pytest.mark.parametrize("said", [{}, {"trouble": "connection refused"}])
def test_patience_ends_and_says_so(said: dict[str, str]) -> None:
    job = polled(replace(JOB, due_at=T + 600), started=T + 600, now=T + 601, **said)
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.startswith("The job did not finish within 600 s (job.timeout_s)")
    assert ("connection refused" in job.error) == bool(said)


def test_the_last_poll_comes_at_the_deadline_and_not_after_it() -> None:
    job = polled(replace(JOB, due_at=T + 598), started=T + 598, now=T + 598)
    assert (job.state, job.due_at) == ("running", T + 600)


def test_time_in_which_nobody_could_poll_is_not_the_workers() -> None:
    """All processes were down for an hour, or the clock was set."""
    job = polled(started=T + 3600, now=T + 3601)
    assert (job.state, job.deadline_at) == ("running", T + 600 + 3600)
    assert polled(started=T + LATE_S, now=T + LATE_S).deadline_at == T + 600


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
def test_a_clock_that_is_set_while_a_poll_runs_moves_the_deadline_along(jump_s: float) -> None:
    job = step(JOB, Polled(), PACE, T, T + 2 + jump_s, 0.0, took_s=2.0)
    assert (job.state, job.deadline_at) == ("running", T + 600 + jump_s)


def test_a_clock_that_is_set_back_between_two_polls_moves_the_deadline_along() -> None:
    job = polled(started=T - 3600, now=T - 3599)
    assert job.deadline_at == pytest.approx(T + 600 - 3600, abs=JOB.due_at - JOB.planned_at + 5)


@pytest.mark.parametrize(("wait_s", "due"), [(0.0, T + 10), (30.0, T + 31), (9999.0, T + 600)])
def test_a_worker_that_wants_to_be_left_alone_is(wait_s: float, due: float) -> None:
    assert polled(trouble="HTTP 429", wait_s=wait_s).due_at == due
