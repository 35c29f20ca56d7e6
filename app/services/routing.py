"""From a caller's request to a worker's answer: pick, ask, fail over. No SQL, no Flask."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from app.core.conversation import ChatRequest, Event, Reply
from app.core.dialect import Dialect, dialect_of
from app.core.retry import Failure, may_fail_over, verdict
from app.core.template import Secrets
from app.core.worker import Worker
from app.services import awaiting, results
from app.services.attempt import Attempt, AttemptFailed
from app.services.awaiting import Submitted
from app.services.bench import Bench
from app.services.contact import Contact
from app.services.fleet import Fleet
from app.services.results import ResultAnswer
from app.services.search import Search, Way
from app.services.slots import Slots
from app.services.tokens import Tokens
from app.settings import Settings
from app.upstream.client import Client

__all__ = ["Answer", "ResultAnswer", "Router", "StreamAnswer", "Submitted"]

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
        self._tokens = Tokens(client)
        self._slots = Slots(settings.var)

    def complete(self, request: ChatRequest) -> Answer:
        """A whole answer, also from a worker that only streams or works by jobs. Raises RollcallError."""
        attempt, reply = self._answered(request, awaiting.reply)
        return Answer(reply, attempt.worker.id, attempt.number, attempt.dialect.notices(request))

    def stream(self, request: ChatRequest) -> StreamAnswer:
        """An answer as it comes, also from a worker that cannot stream. Raises RollcallError."""
        attempt, answer = self._answered(request, awaiting.stream)
        notices = attempt.dialect.notices(request)
        return StreamAnswer(answer.events, attempt.worker.id, attempt.number, notices, answer.close)

    def result(self, request: ChatRequest) -> ResultAnswer:
        """The images, video or embeddings of a worker that answers at once. Raises RollcallError."""
        way: Way = "any" if request.task == "embedding" else "call"
        attempt, result = self._answered(request, lambda attempt: results.result(attempt, self._slots), way)
        return ResultAnswer(result, attempt.worker.id, attempt.number, attempt.dialect.notices(request))

    def submit(self, request: ChatRequest) -> Submitted:
        """A job that a worker took. Raises RollcallError."""
        return self._answered(request, awaiting.submitted, "job")[1]

    def works_by_job(self, request: ChatRequest) -> bool:
        """Is this request one for `submit`, and not for `result`? Raises RollcallError where nobody can take it."""
        return self.drawn(request).job is not None

    def drawn(self, request: ChatRequest) -> Dialect:
        """How a worker works that could take this request. Raises RollcallError where nobody can.

        It is drawn as for a call, so that workers with jobs and without keep their shares.
        """
        search = self._search(request, "any")
        found = search.draw()
        if found is None:
            raise search.refusal()
        return found.dialect

    def contact(self, worker: Worker, *, deadline: float) -> Contact:
        """For calls to a worker that is known already, as polls are. `deadline` is of time.monotonic()."""
        return self._contact(worker, dialect_of(worker), deadline)

    def _answered(
        self, request: ChatRequest, ask: Callable[[Attempt], Given], way: Way = "any"
    ) -> tuple[Attempt, Given]:
        started = time.monotonic()
        search = self._search(request, way)
        failures: list[Failure] = []
        while found := search.next(started):
            contact = self._contact(found.worker, found.dialect, started + found.timeout_s)
            attempt = Attempt(contact, request, len(failures) + 1, found.slot)
            try:
                return attempt, ask(attempt)
            except AttemptFailed as failed:
                failure, final = failed.failure, failed.final
            if failure.kind == "refused":
                self._bench.refused(attempt.worker.id)
            may_go_on = not final and may_fail_over(failure, failures, attempt.dialect.retry)
            failures.append(failure)
            if not may_go_on or self._is_over(attempt):
                break
        raise verdict(failures) if failures else search.refusal()

    def _contact(self, worker: Worker, dialect: Dialect, deadline: float) -> Contact:
        idle_s = self._settings.stream_idle_s
        return Contact(worker, dialect, deadline, idle_s, self._client, self._tokens, self._secrets)

    def _is_over(self, attempt: Attempt) -> bool:
        return attempt.number >= self._settings.max_attempts or time.monotonic() >= attempt.contact.deadline

    def _search(self, request: ChatRequest, way: Way) -> Search:
        return Search(self._fleet, self._bench, self._slots, self._settings.timeout_s, request, way)
