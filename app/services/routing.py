"""From a caller's request to a worker's answer: pick, ask, fail over. No SQL, no Flask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from app.core.budget import RetryBudget
from app.core.conversation import ChatRequest, Event, Reply
from app.core.dialect import Dialect, dialect_of
from app.core.errors import RollcallError
from app.core.retry import Failure, may_fail_over, verdict
from app.core.template import Secrets
from app.core.worker import Worker
from app.services import awaiting, results
from app.services.attempt import Attempt, AttemptFailed
from app.services.awaiting import Submitted
from app.services.contact import Contact
from app.services.fleet import Fleet
from app.services.results import ResultAnswer
from app.services.search import Found, Search, Way
from app.services.slots import Slots
from app.services.tokens import Tokens
from app.services.verdicts import Verdicts
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

    def __init__(self, fleet: Fleet, client: Client, verdicts: Verdicts, settings: Settings, secrets: Secrets) -> None:
        self._fleet = fleet
        self._client = client
        self._verdicts = verdicts
        self._settings = settings
        self._secrets = secrets
        self._tokens = Tokens(client)
        self._slots = Slots(settings.var)
        self._budget = RetryBudget(settings.retry_percent / 100, settings.retry_floor)
        self._lock = threading.Lock()

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
        found = search.draw() or search.panic()
        if found is None:
            raise search.refusal()
        return found.dialect

    def contact(self, worker: Worker, *, deadline: float) -> Contact:
        """For calls to a worker that is known already, as polls are. `deadline` is of time.monotonic()."""
        return self._contact(worker, dialect_of(worker), deadline)

    def _answered(
        self, request: ChatRequest, ask: Callable[[Attempt], Given], way: Way = "any"
    ) -> tuple[Attempt, Given]:
        started = began = time.monotonic()
        self._budget.asked(started)
        search = self._search(request, way)
        failures: list[Failure] = []
        undecided: list[tuple[Attempt, Failure]] = []
        try:
            while found := self._next(search, started, failures, undecided):
                contact = self._contact(found.worker, found.dialect, started + found.timeout_s)
                begun = found.trial_began or began
                attempt = Attempt(contact, request, len(failures) + 1, found.slot, self._verdicts, begun)
                try:
                    return attempt, ask(attempt)
                except AttemptFailed as failed:
                    failure, final = failed.failure, failed.final
                self._judge(attempt, failure, undecided)
                may_go_on = not final and may_fail_over(failure, failures, attempt.dialect.retry)
                failures.append(failure)
                if not may_go_on or self._is_over(attempt):
                    break
                began = time.monotonic()
        finally:
            if undecided:
                self._decide(undecided)
        raise _error(failures, search)

    def _next(
        self, search: Search, started: float, failures: Sequence[Failure], undecided: list[tuple[Attempt, Failure]]
    ) -> Found | None:
        """Whom to ask. Raises the caller's error where the call may have run, and no more calls may be made again."""
        if not failures or not failures[-1].sent:
            return search.next(started)
        now = time.monotonic()
        with self._lock:
            may_ask = self._budget.take(now)
        if not may_ask:
            self._acquit(undecided)  # without a second opinion nobody knows whether it was the worker or the input
            raise verdict(failures, budget_is_spent=True)
        found = search.next(started)
        if found is None:
            with self._lock:
                self._budget.give_back(now)
        return found

    def _judge(self, attempt: Attempt, failure: Failure, undecided: list[tuple[Attempt, Failure]]) -> None:
        if failure.status == 500:
            undecided.append((attempt, failure))
        else:
            self._verdicts.judged(attempt.worker, failure, attempt.began)

    def _decide(self, failed: list[tuple[Attempt, Failure]]) -> None:
        """HTTP 500 with the same message from two workers is the model's answer to this input and no failure."""
        if len({failure.message for _, failure in failed}) < len(failed):
            self._acquit(failed)
        for attempt, failure in failed:
            self._verdicts.judged(attempt.worker, failure, attempt.began)

    def _acquit(self, failed: list[tuple[Attempt, Failure]]) -> None:
        for attempt, _ in failed:
            self._verdicts.left(attempt.worker, attempt.began)
        failed.clear()

    def _contact(self, worker: Worker, dialect: Dialect, deadline: float) -> Contact:
        idle_s = self._settings.stream_idle_s
        return Contact(worker, dialect, deadline, idle_s, self._client, self._tokens, self._secrets)

    def _is_over(self, attempt: Attempt) -> bool:
        return attempt.number >= self._settings.max_attempts or time.monotonic() >= attempt.contact.deadline

    def _search(self, request: ChatRequest, way: Way) -> Search:
        return Search(self._fleet, self._verdicts, self._slots, self._settings.timeout_s, request, way)


def _error(failures: Sequence[Failure], search: Search) -> RollcallError:
    """What the caller hears. Of a worker that was only asked in need, and not reached, that there is none."""
    if failures and not (search.panicked and len(failures) == 1 and not failures[0].sent):
        return verdict(failures)
    refusal = search.refusal()
    refusal.attempts = len(failures)
    return refusal
