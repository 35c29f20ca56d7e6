"""When nobody may get traffic: one attempt on a worker that is down or ejected, because that may be out of date."""

from __future__ import annotations

import random
from collections.abc import Callable, Container
from typing import Final

from app.core.selection import Pool
from app.core.worker import Worker
from app.services.verdicts import Look

_ORDER: Final = ("closed", "backing off", "half-open", "ejected", "benched")


def panic_choice(pool: Pool, look: Look, tried: Container[int], can_take: Callable[[Worker], bool]) -> Worker | None:
    """None where a worker that can take the request may get traffic, or where nobody is left to be asked.

    Never one that an operator took out, whose registration ended, or that named a pause. Those who are up come first:
    who is merely busy, then who failed calls, then who refused a connection.
    """
    if any(can_take(worker) for worker in pool.workers if worker.id in pool.eligible and worker.id not in look.out):
        return None
    open_to_it = [worker for worker in pool.workers if worker.id not in tried and _may_be_asked(worker, look)]
    able = [worker for worker in open_to_it if can_take(worker)]
    if not able:
        return None
    best = min(_rank(worker, look) for worker in able)
    chosen = [worker for worker in able if _rank(worker, look) == best]
    return random.choices(chosen, [worker.weight or 1 for worker in chosen])[0]


def _may_be_asked(worker: Worker, look: Look) -> bool:
    if worker.admin != "enabled" or worker.expired:
        return False
    live = look.lives.get(worker.id)
    return worker.health.probe == "down" or (live is not None and not live.asked_for)


def _rank(worker: Worker, look: Look) -> int:
    live = look.lives.get(worker.id)
    if worker.health.probe == "down" or live is None:
        return len(_ORDER)
    return _ORDER.index(live.state)
