"""From a caller's request to a worker's answer: pick, ask, fail over. No SQL, no Flask."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import TypeVar

from app.core.conversation import ChatRequest, Event, Reply
from app.core.dialect import Dialect, dialect_of
from app.core.errors import RollcallError
from app.core.retry import Failure, may_fail_over, verdict
from app.core.selection import Pool, pick
from app.core.template import Secrets
from app.core.worker import Worker
from app.services import refusals
from app.services.attempt import Attempt, AttemptFailed
from app.services.bench import Bench
from app.services.fleet import Fleet
from app.settings import Settings
from app.upstream.client import Client

Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class Answer:
    reply: Reply
    worker_id: int
    attempts: int
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StreamAnswer:
    """An answer whose first event has come; `events` may raise UpstreamError for what breaks after it.

    `close` closes the worker's connection at once. Closing `events` does the same.
    """

    events: Iterator[Event]
    worker_id: int
    attempts: int
    notices: tuple[str, ...]
    close: Callable[[], None]


class Router:
    """Thread-safe. Errors carry `attempts` and `worker_id` where they are known."""

    def __init__(self, fleet: Fleet, client: Client, bench: Bench, settings: Settings, secrets: Secrets) -> None:
        self._fleet = fleet
        self._client = client
        self._bench = bench
        self._settings = settings
        self._secrets = secrets

    def complete(self, request: ChatRequest) -> Answer:
        """A whole answer, also from a worker that only streams. Raises RollcallError."""
        attempt, reply = self._answered(request, Attempt.reply)
        return Answer(reply, attempt.worker.id, attempt.number, attempt.dialect.notices(request))

    def stream(self, request: ChatRequest) -> StreamAnswer:
        """An answer as it comes, also from a worker that cannot stream. Raises RollcallError."""
        attempt, answer = self._answered(request, Attempt.stream)
        notices = attempt.dialect.notices(request)
        return StreamAnswer(answer.events, attempt.worker.id, attempt.number, notices, answer.close)

    def _answered(self, request: ChatRequest, ask: Callable[[Attempt], Given]) -> tuple[Attempt, Given]:
        started = time.monotonic()
        tried: set[int] = set()
        failures: list[Failure] = []
        while True:
            attempt = self._next(request, started, tried, failures)
            try:
                return attempt, ask(attempt)
            except AttemptFailed as failed:
                failure = failed.failure
            if failure.kind == "refused":
                self._bench.refused(attempt.worker.id)
            may_go_on = may_fail_over(failure, failures, attempt.dialect.retry) and not self._is_over(attempt)
            failures.append(failure)
            if not may_go_on:
                raise verdict(failures)

    def _is_over(self, attempt: Attempt) -> bool:
        return attempt.number >= self._settings.max_attempts or time.monotonic() >= attempt.deadline

    def _next(self, request: ChatRequest, started: float, tried: set[int], failures: list[Failure]) -> Attempt:
        """An attempt on a worker that was not tried and can carry the request; it is among the tried ones then.

        Raises what the caller hears when there is none.
        """
        unsupported: str | None = None
        while True:
            pool = self._fleet.pool(request.model)
            benched = self._bench.active()
            worker = pick(pool, tried | benched if benched else tried) if pool else None
            if worker is None or pool is None:
                raise verdict(failures) if failures else self._refusal(request.model, pool, benched, unsupported)
            tried.add(worker.id)
            dialect = dialect_of(worker)
            unsupported = dialect.unsupported(request)
            if unsupported is None:
                return self._attempt(worker, dialect, request, len(failures) + 1, started)
            tried.update(other.id for other in pool.workers if _speaks(other, dialect, worker.spec))

    def _attempt(self, worker: Worker, dialect: Dialect, request: ChatRequest, number: int, started: float) -> Attempt:
        settings = self._settings
        deadline = started + (dialect.timeout_s or settings.timeout_s)
        return Attempt(worker, dialect, request, number, deadline, settings.stream_idle_s, self._client, self._secrets)

    def _refusal(
        self, model: str, pool: Pool | None, benched: Container[int], unsupported: str | None
    ) -> RollcallError:
        if pool is None:
            return refusals.unknown_model(model, self._fleet.snapshot().pools)
        if unsupported is not None:
            return refusals.cannot_carry(model, unsupported)
        return refusals.none_available(pool, benched)


def _speaks(worker: Worker, dialect: Dialect, spec: str) -> bool:
    return worker.spec == spec and dialect_of(worker) is dialect
