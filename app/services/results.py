"""Answers of image, video and embedding workers; several calls where a worker makes one image at a time."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from app.core.caller import carried
from app.core.conversation import ChatRequest, Result, Usage
from app.core.errors import InvalidRequest
from app.core.image_shape import joined
from app.services import awaiting
from app.services.attempt import Attempt, AttemptFailed
from app.services.slots import Slot, Slots

MOST_PARTS = 10


@dataclass(frozen=True, slots=True)
class ResultAnswer:
    result: Result
    worker_id: int
    attempts: int
    notices: tuple[str, ...]


def wanted_parts(request: ChatRequest, *, makes_n: bool) -> list[ChatRequest]:
    """The requests that together make what the caller asked for: one, or `n` for a worker that makes one image a call.

    Each of several has a request id of its own, because workers name their files by it. Raises InvalidRequest.
    """
    count: Any = request.body.get("n") or 1
    if makes_n or request.task != "image" or count == 1:
        return [request]
    if not isinstance(count, int) or not 1 <= count <= MOST_PARTS:
        raise InvalidRequest(f"n is a whole number from 1 to {MOST_PARTS} for this model.", field="n")
    body = {**request.body, "n": 1}
    names = (request.request_id, *(f"{request.request_id}-{number}" for number in range(2, count + 1)))
    return [replace(request, body=body, request_id=name) for name in names]


def result(attempt: Attempt, slots: Slots) -> Result:
    """Raises AttemptFailed. Of several calls all must succeed, and after the first success no other worker is asked."""
    job = attempt.dialect.job
    if job is not None:
        return awaiting.result(attempt, job)
    parts = wanted_parts(attempt.request, makes_n=attempt.dialect.makes_n)
    return attempt.whole(lambda: _one(attempt) if len(parts) == 1 else _joined(attempt, parts, slots))


def _one(attempt: Attempt) -> Result:
    reply = attempt.send()
    reader = attempt.dialect.reader(stream=False, request=attempt.request)
    return reader.result(reply.status, reply.body, reply.headers.get("content-type", ""))


def _joined(attempt: Attempt, parts: list[ChatRequest], slots: Slots) -> Result:
    """As many calls at a time as the worker has slots free now; they are kept until all calls are done."""
    failed: list[AttemptFailed] = []

    def run(part: ChatRequest) -> Result | None:
        if failed:
            return None
        single = attempt.part(part)
        try:
            return single.whole(lambda: _one(single))
        except AttemptFailed as failure:
            failed.append(failure)
            return None

    extra = _more_slots(attempt, len(parts) - 1, slots)
    try:
        with ThreadPoolExecutor(len(parts) if extra is None else 1 + len(extra), "rollcall-parts") as threads:
            results = [made for made in threads.map(carried(run), parts) if made is not None]
    finally:
        for slot in extra or ():
            slot.release()
    if failed:
        raise AttemptFailed(failed[0].failure, final=bool(results))
    return _sum(results)


def _more_slots(attempt: Attempt, count: int, slots: Slots) -> list[Slot] | None:
    """Up to `count` besides the attempt's own; None: the worker has no limit."""
    limit = attempt.dialect.concurrency
    if limit is None:
        return None
    taken: list[Slot] = []
    while len(taken) < count and (slot := slots.take(attempt.worker, limit)):
        taken.append(slot)
    return taken


def _sum(results: list[Result]) -> Result:
    items = tuple(item for each in results for item in each.items)
    counts = [each.usage for each in results if each.usage is not None]
    usage = None
    if counts:
        usage = Usage(_total(count.prompt for count in counts), _total(count.completion for count in counts))
    return Result(items, results[0].finish, usage, joined([each.raw for each in results]))


def _total(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
