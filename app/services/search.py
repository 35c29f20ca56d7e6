"""The workers for one request, one after the other: who was not tried, can carry it and has room for it."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass
from typing import Literal

from app.core.conversation import ChatRequest
from app.core.dialect import Dialect, dialect_of
from app.core.errors import RollcallError
from app.core.selection import Pool, pick
from app.core.worker import Worker
from app.services import refusals
from app.services.explain_live import seen
from app.services.fleet import Fleet
from app.services.panic import panic_choice
from app.services.slots import Slot, Slots
from app.services.verdicts import Verdicts

# How a worker works: by one call, by a job that is submitted and asked about, or whichever it is.
Way = Literal["call", "job", "any"]
# How often a standby stands in for a worker whose calls fail.
STANDBY_PART = 0.5
# How long a request may wait for room where every worker is full: its refusal is to be there within a second.
ROOM_WAIT_S = 0.95


@dataclass(slots=True)
class Found:
    """`timeout_s`: how long the whole request may take. `slot` is held for the call; None: the worker has no limit.

    `on_trial`: it is half-open; `trial_began` is set once the call is its one trial.
    """

    worker: Worker
    dialect: Dialect
    timeout_s: float
    slot: Slot | None = None
    on_trial: bool = False
    trial_began: float | None = None


class Search:
    """Of one request, in one thread. `timeout_s`: how long a request may take where its worker does not say."""

    def __init__(
        self, fleet: Fleet, verdicts: Verdicts, slots: Slots, timeout_s: float, request: ChatRequest, way: Way
    ) -> None:
        self._fleet = fleet
        self._verdicts = verdicts
        self._slots = slots
        self._timeout_s = timeout_s
        self._request = request
        self._way = way
        self._tried: set[int] = set()
        self._lacking: str | None = None
        self._were_full = False
        self.panicked = False

    def next(self, started: float) -> Found | None:
        """A worker, which counts as tried then; None: all were. Waits for room if it must.

        `started`: when the request came, of time.monotonic(). With nobody eligible one is asked all the same.
        """
        full: dict[int, Found] = {}
        while (found := self.draw(full)) is not None:
            if found.dialect.concurrency is None and not found.on_trial:
                self._tried.add(found.worker.id)
                return found
            if found.on_trial and not self._begin_trial(found):
                continue
            if self._take(found):
                return found
            full[found.worker.id] = found
        if full:
            return self._waited(full, started)
        return self._in_need()

    def draw(self, excluded: Collection[int] = ()) -> Found | None:
        """A worker that was not tried and can carry the request, whether it has room or not."""
        while (pool := self._fleet.pool(self._request.model)) is not None:
            on_trial = False
            if self._verdicts.live:
                worker, on_trial = self._pick(pool, excluded)
            else:
                worker = pick(pool, self._tried.union(excluded) if excluded else self._tried)
            if worker is None:
                break
            dialect = dialect_of(worker)
            if fits(dialect, self._request, self._way):
                lacking = dialect.unsupported(self._request)
                if lacking is None:
                    return Found(worker, dialect, dialect.timeout_s or self._timeout_s, None, on_trial)
                self._lacking = lacking
            self._tried.update(other.id for other in pool.workers if _speaks(other, dialect, worker.spec))
        return None

    def panic(self) -> Found | None:
        """With nobody eligible: one that is down or ejected, once for a request."""
        pool = self._fleet.pool(self._request.model)
        if pool is None or self.panicked or not pool.workers:
            return None
        look = self._verdicts.look(pool)
        worker = panic_choice(pool, look, self._tried, self._suits)
        if worker is None:
            return None
        dialect = dialect_of(worker)
        return Found(worker, dialect, dialect.timeout_s or self._timeout_s)

    def _in_need(self) -> Found | None:
        found = self.panic()
        if found is None:
            return None
        found.trial_began = self._verdicts.started_in_need(found.worker)
        self.panicked = found.trial_began is not None
        return found if self.panicked and self._take(found) else None

    def _suits(self, worker: Worker) -> bool:
        dialect = dialect_of(worker)
        return fits(dialect, self._request, self._way) and dialect.unsupported(self._request) is None

    def refusal(self) -> RollcallError:
        """What the caller hears when no worker was asked."""
        model, pool = self._request.model, self._fleet.pool(self._request.model)
        if pool is None:
            return refusals.unknown_model(model, self._fleet.snapshot().pools)
        fitting = [worker for worker in pool.workers if dialect_of(worker).task == self._request.task]
        if not fitting:
            return refusals.wrong_task(model, pool.workers)
        if self._were_full:
            return refusals.all_full(model)
        if self._lacking is not None:
            return refusals.cannot_carry(model, self._lacking)
        return refusals.none_available(model, fitting, seen(self._verdicts, pool))

    def _pick(self, pool: Pool, excluded: Collection[int]) -> tuple[Worker | None, bool]:
        """Where anything is known of the pool. The second: is it on trial?"""
        look = self._verdicts.look(pool)
        out = self._tried.union(look.out, excluded)
        worker = pick(pool, out, parts=look.parts)
        if worker is not None and worker.id in look.capped and random.random() < STANDBY_PART:
            worker = _stand_in(pool, out, look.capped) or worker
        return worker, worker is not None and worker.id in look.on_trial

    def _begin_trial(self, found: Found) -> bool:
        """False: another call is its trial meanwhile, and the next look says so."""
        found.trial_began = self._verdicts.started_trial(found.worker)
        return found.trial_began is not None

    def _take(self, found: Found) -> bool:
        """Is there room for the call?"""
        limit = found.dialect.concurrency
        if limit is not None:
            found.slot = self._slots.take(found.worker, limit)
            if found.slot is None:
                if found.trial_began is not None:
                    self._verdicts.left(found.worker, found.trial_began)
                    found.trial_began = None
                return False
        self._tried.add(found.worker.id)
        return True

    def _waited(self, full: Mapping[int, Found], started: float) -> Found | None:
        self._were_full = True
        limits = [(found.worker, found.dialect.concurrency or 0) for found in full.values()]
        end = started + min(found.timeout_s for found in full.values())
        got = self._slots.wait(limits, min(end, time.monotonic() + ROOM_WAIT_S))
        if got is None:
            return None
        found = full[got[0].id]
        found.slot = got[1]
        self._tried.add(found.worker.id)
        return found


def fits(dialect: Dialect, request: ChatRequest, way: Way) -> bool:
    return dialect.task == request.task and (way == "any" or (way == "job") == (dialect.job is not None))


def _speaks(worker: Worker, dialect: Dialect, spec: str) -> bool:
    return worker.spec == spec and dialect_of(worker) is dialect


def _stand_in(pool: Pool, out: Container[int], capped: Container[int]) -> Worker | None:
    """Where all that have a weight fail, and some serve only because half of the pool is out: a standby."""
    others = [worker for worker in pool.workers if worker.id in pool.eligible and worker.id not in out]
    if any(worker.weight > 0 and worker.id not in capped for worker in others):
        return None
    standby = [worker for worker in others if worker.weight <= 0]
    return random.choice(standby) if standby else None
