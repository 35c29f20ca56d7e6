"""The workers for one request, one after the other: who was not tried, can carry it and has room for it."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from app.core.conversation import ChatRequest
from app.core.dialect import Dialect, dialect_of
from app.core.errors import RollcallError
from app.core.selection import pick
from app.core.worker import Worker
from app.services import refusals
from app.services.bench import Bench
from app.services.fleet import Fleet
from app.services.slots import Slot, Slots

# How a worker works: by one call, by a job that is submitted and asked about, or whichever it is.
Way = Literal["call", "job", "any"]
# How long a request may wait for room where every worker is full.
ROOM_WAIT_S = 1.0


@dataclass(slots=True)
class Found:
    """`timeout_s`: how long the whole request may take. `slot` is held for the call; None: the worker has no limit."""

    worker: Worker
    dialect: Dialect
    timeout_s: float
    slot: Slot | None = None


class Search:
    """Of one request, in one thread. `timeout_s`: how long a request may take where its worker does not say."""

    def __init__(
        self, fleet: Fleet, bench: Bench, slots: Slots, timeout_s: float, request: ChatRequest, way: Way
    ) -> None:
        self._fleet = fleet
        self._bench = bench
        self._slots = slots
        self._timeout_s = timeout_s
        self._request = request
        self._way = way
        self._tried: set[int] = set()
        self._lacking: str | None = None
        self._were_full = False

    def next(self, started: float) -> Found | None:
        """A worker, which counts as tried then; None: all were. Waits for room if it must.

        `started`: when the request came, of time.monotonic().
        """
        full: dict[int, Found] = {}
        while (found := self.draw(full)) is not None:
            limit = found.dialect.concurrency
            if limit is None:
                self._tried.add(found.worker.id)
                return found
            if slot := self._slots.take(found.worker, limit):
                return self._with(found, slot)
            full[found.worker.id] = found
        return self._waited(full, started) if full else None

    def draw(self, excluded: Collection[int] = ()) -> Found | None:
        """A worker that was not tried and can carry the request, whether it has room or not."""
        while (pool := self._fleet.pool(self._request.model)) is not None:
            benched = self._bench.active()
            out = self._tried.union(benched, excluded) if benched or excluded else self._tried
            worker = pick(pool, out)
            if worker is None:
                break
            dialect = dialect_of(worker)
            if fits(dialect, self._request, self._way):
                lacking = dialect.unsupported(self._request)
                if lacking is None:
                    return Found(worker, dialect, dialect.timeout_s or self._timeout_s)
                self._lacking = lacking
            self._tried.update(other.id for other in pool.workers if _speaks(other, dialect, worker.spec))
        return None

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
        return refusals.none_available(model, fitting, self._bench.active())

    def _waited(self, full: Mapping[int, Found], started: float) -> Found | None:
        self._were_full = True
        limits = [(found.worker, found.dialect.concurrency or 0) for found in full.values()]
        end = started + min(found.timeout_s for found in full.values())
        got = self._slots.wait(limits, min(end, time.monotonic() + ROOM_WAIT_S))
        return self._with(full[got[0].id], got[1]) if got else None

    def _with(self, found: Found, slot: Slot) -> Found:
        self._tried.add(found.worker.id)
        found.slot = slot
        return found


def fits(dialect: Dialect, request: ChatRequest, way: Way) -> bool:
    return dialect.task == request.task and (way == "any" or (way == "job") == (dialect.job is not None))


def _speaks(worker: Worker, dialect: Dialect, spec: str) -> bool:
    return worker.spec == spec and dialect_of(worker) is dialect
