"""Why no worker is asked at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

from app.core.errors import InvalidRequest, ModelNotFound, NoWorkerAvailable, UnsupportedByWorker
from app.core.worker import Worker, standing
from app.services.explain_live import Seen
from app.services.tasks import ROUTES, tasks_of

RETRY_AFTER_S = 2.0
RETRY_FULL_AFTER_S = 1.0
# Comparing names is slow, and anyone may send a name that nobody knows.
COMPARED = 200
SHOWN = 80
_PAUSED = {"backing off", "draining", "expired", "offline"}


def unknown_model(name: str, known: Iterable[str]) -> ModelNotFound:
    shown = name if len(name) <= SHOWN else name[:SHOWN] + "…"
    near = get_close_matches(name[:SHOWN], _alike(name, known))
    hint = f"did you mean {' or '.join(near)}?" if near else "GET /v1/models lists the known ones."
    joint = "; " if near else ". "
    return ModelNotFound(f"The model {shown!r} is not registered{joint}{hint}", field="model")


def _alike(name: str, known: Iterable[str]) -> list[str]:
    """A bounded choice of names that begin alike; of a small fleet all."""
    names = list(islice(known, 100 * COMPARED))
    if len(names) > COMPARED:
        start = name[:2].lower()
        names = [each for each in names if each[:2].lower() == start]
    return names[:COMPARED]


def cannot_carry(model: str, field: str) -> UnsupportedByWorker:
    if field == "messages":  # it asks with the last one of a user, and there is none
        message = f"{model!r} is asked with the last text of a user, and messages holds none of the role user."
        return UnsupportedByWorker(message, field=field)
    message = f"No available worker of {model!r} can carry {field!r}; leave it out, or use a model whose workers can."
    return UnsupportedByWorker(message, field=field)


def wrong_task(model: str, workers: Iterable[Worker]) -> InvalidRequest:
    """None of these workers, at least one, does what was asked for."""
    does = " and ".join(f"{ROUTES[task][0]} (POST {ROUTES[task][1]})" for task in tasks_of(workers))
    message = f"The model {model!r} {does}, and nothing else."
    return InvalidRequest(message, field="model", code="wrong_task")


def all_full(model: str) -> NoWorkerAvailable:
    message = f"Every worker of {model!r} has as many open calls as it may have (limits.concurrency); try again soon."
    return _unavailable(message, RETRY_FULL_AFTER_S)


def none_available(model: str, workers: Iterable[Worker], live: Seen) -> NoWorkerAvailable:
    """Where all that is missing is that a pause be over, the caller is told when that will be."""
    standings = [standing(worker, live.said.get(worker.id)) for worker in workers]
    counts = Counter(each.status.replace("_", " ") for each in standings)
    why = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    pauses = [each.left_s or 0.0 for each in standings if each.status == "backing_off"]
    wait_s = max(min(pauses), RETRY_FULL_AFTER_S) if pauses and counts.keys() <= _PAUSED else RETRY_AFTER_S
    return _unavailable(f"No worker of {model!r} may get traffic now ({why}); try again in a moment.", wait_s)


def _unavailable(message: str, retry_after_s: float) -> NoWorkerAvailable:
    error = NoWorkerAvailable(message, retry_after_s=retry_after_s)
    error.attempts = 0
    return error
