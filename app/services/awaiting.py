"""Workers that work by jobs, where the caller waits for the answer: submitted, asked about, read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.core.conversation import ChatRequest, Event, Item, Reply, Result
from app.core.errors import UpstreamError
from app.core.gather import as_events, gather
from app.core.job import JobPlan, Poll
from app.core.language import text_of
from app.core.reading import WorkerFault
from app.core.retry import wanted_pause_s
from app.core.worker import Worker
from app.services.attempt import Attempt, AttemptFailed, OpenAnswer
from app.services.contact import Build
from app.services.waiting import pause
from app.upstream.client import SendFailure, UpstreamStream

# Polls in a row that told nothing (HTTP 500, no connection).
MOST_SILENT_POLLS = 10


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job that a worker took. `reply` is its parsed reply, `job_id` its own id for it."""

    worker: Worker
    reply: Any
    job_id: str
    attempts: int


def submitted(attempt: Attempt) -> Submitted:
    job = attempt.dialect.job
    assert job is not None
    return attempt.whole(lambda: _submit(attempt, job))


def reply(attempt: Attempt) -> Reply:
    """A whole answer of any text worker."""
    job = attempt.dialect.job
    if job is None:
        return attempt.reply()
    return attempt.whole(lambda: _gathered(attempt, job) if job.streams else _text(_awaited(attempt, job)))


def stream(attempt: Attempt) -> OpenAnswer:
    """The answer of any text worker as it comes; of one whose polls are no stream in one piece."""
    job = attempt.dialect.job
    if job is None:
        return attempt.stream()
    if job.streams:
        return attempt.opened(lambda: _streamed(attempt, job))
    answer = reply(attempt)
    return OpenAnswer(iter(as_events(answer)), lambda: None)


def result(attempt: Attempt, job: JobPlan) -> Result:
    return attempt.whole(lambda: Result(_read(attempt, job) if job.streams else _awaited(attempt, job).items))


def _submit(attempt: Attempt, job: JobPlan) -> Submitted:
    reply = attempt.send()
    reader = attempt.dialect.reader(stream=False, request=attempt.request)
    said = reader.submitted(reply.status, reply.body, reply.headers.get("content-type", ""))
    return Submitted(attempt.worker, said, job.job_id(said), attempt.number)


def _streamed(attempt: Attempt, job: JobPlan, *, gathering: bool = False) -> tuple[UpstreamStream, Iterator[Event]]:
    taken = _submit(attempt, job)
    upstream = _opened(attempt, taken, job)
    content_type = upstream.headers.get("content-type", "")
    capped = gathering or "event-stream" not in content_type.lower()
    return upstream, job.events(upstream.chunks(capped=capped), content_type, taken.job_id)


def _gathered(attempt: Attempt, job: JobPlan) -> Reply:
    upstream, events = _streamed(attempt, job, gathering=True)
    try:
        return gather(events)
    finally:
        upstream.close()


def _read(attempt: Attempt, job: JobPlan) -> tuple[Item, ...]:
    taken = _submit(attempt, job)
    upstream = _opened(attempt, taken, job)
    try:
        chunks, content_type = upstream.chunks(capped=True), upstream.headers.get("content-type", "")
        return _done(job.read_stream(chunks, content_type, taken.job_id, attempt.request, taken.reply)).items
    finally:
        upstream.close()


def _opened(attempt: Attempt, taken: Submitted, job: JobPlan) -> UpstreamStream:
    """The poll's stream. The worker has the job already, so no failure here is a reason to ask another one."""
    try:
        return attempt.contact.open(_poll_request(attempt.request, taken, job))
    except AttemptFailed as failed:
        raise AttemptFailed(failed.failure, final=True) from failed
    except (SendFailure, UpstreamError) as error:
        raise AttemptFailed(attempt.contact.failure(error), final=True) from error


def _done(poll: Poll) -> Poll:
    if poll.state == "done":
        return poll
    raise WorkerFault(poll.error or "", "error")


def _text(poll: Poll) -> Reply:
    return Reply("".join(text_of(item.value) for item in poll.items), poll.finish, poll.usage)


def _awaited(attempt: Attempt, job: JobPlan) -> Poll:
    """The last poll of a job whose polls are whole replies. Raises WorkerFault when it failed, SendFailure if late."""
    taken = _submit(attempt, job)
    end = min(attempt.contact.deadline, time.monotonic() + job.timeout_s)
    silent, pause_s = 0, job.interval_s
    while silent < MOST_SILENT_POLLS:
        left = end - time.monotonic()
        pause(max(min(pause_s, left), 0))
        if left <= pause_s:
            raise SendFailure("timeout", "its job was not done in time", sent=True)
        poll, wanted_s = _polled(attempt, taken, job)
        pause_s = max(job.interval_s, wanted_s)
        if poll.state != "running":
            return _done(poll)
        silent = silent + 1 if poll.error else 0
    raise WorkerFault(f"The worker took the job, but does not say how it is: {poll.error}", "error")


def _polled(attempt: Attempt, taken: Submitted, job: JobPlan) -> tuple[Poll, float]:
    """What the poll said, and for how many seconds the worker wants no other."""
    request = attempt.request
    try:
        reply = attempt.contact.ask(_poll_request(request, taken, job))
    except (SendFailure, UpstreamError) as error:
        return Poll("running", error=error.message), 0.0
    content_type = reply.headers.get("content-type", "")
    poll = job.read(reply.status, reply.body, content_type, taken.job_id, request, taken.reply)
    return poll, wanted_pause_s(reply.status, reply.headers.get("retry-after"), time.time())


def _poll_request(request: ChatRequest, taken: Submitted, job: JobPlan) -> Build:
    return lambda secrets, token: job.poll(taken.worker, taken.job_id, taken.reply, request, secrets, token)
