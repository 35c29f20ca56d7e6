"""When nobody may get traffic: one attempt on a worker that is down or ejected, because that may be out of date."""

from __future__ import annotations

import random
from collections.abc import Callable, Container

from app.core.selection import Pool
from app.core.worker import Worker
from app.services.verdicts import Look


def panic_choice(pool: Pool, look: Look, tried: Container[int], can_take: Callable[[Worker], bool]) -> Worker | None:
    """None where a worker that can take the request may get traffic, or where nobody is left to be asked.

    Never one that an operator took out, whose registration ended, or that named a pause; nor one that is being asked so
    by another request and has not answered yet. Those whose probes succeed come first, each with its weight: which of
    them is well again is not to be known.
    """
    if any(can_take(worker) for worker in pool.workers if worker.id in pool.eligible and worker.id not in look.out):
        return None
    open_to_it = [worker for worker in pool.workers if worker.id not in tried and _may_be_asked(worker, look)]
    able = [worker for worker in open_to_it if can_take(worker)]
    if not able:
        return None
    chosen = [worker for worker in able if worker.health.probe != "down"] or able
    return random.choices(chosen, [worker.weight or 1 for worker in chosen])[0]


def _may_be_asked(worker: Worker, look: Look) -> bool:
    if worker.admin != "enabled" or worker.expired or worker.id in look.spared:
        return False
    return worker.health.probe == "down" or worker.id in look.out
