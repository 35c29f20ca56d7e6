"""Which registrations with a time limit have ended, as this process sees it.

Each process counts down what is left of them by its own monotonic clock, so that a wall clock which jumps ends none.
Who could not look for a while, or sees one end while half of all are overdue, was probably cut off itself, together
with their renewals: then none ends before a second look. A command that looks once and routes nothing takes the clock
at its word.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.core.worker import Worker

log = logging.getLogger(__name__)

# Looks follow each other much closer, unless the database was away or this process stood still.
CUT_OFF_S = 2.0
MANY = 4
# Enough for a renewal, which comes a few times in each term.
LONGEST_SECOND_LOOK_S = 30.0


@dataclass(slots=True, eq=False)
class _Term:
    """`ends` is of the monotonic clock. `on_purpose`: whoever registered it said that it is over."""

    expires_at: float
    ends: float
    ttl_s: float
    on_purpose: bool
    over: bool = False
    is_second_look: bool = False

    def postpone(self, now: float) -> None:
        patience_s = min(self.ttl_s / 2, LONGEST_SECOND_LOOK_S)
        if self.ends < now + patience_s:
            self.ends = now + patience_s
            self.is_second_look = True

    def is_overdue(self, now: float) -> bool:
        """Whoever renews a few times in each term never comes this close to its end."""
        return self.is_second_look or self.ends - now < self.ttl_s / 3


class Expiry:
    """Not thread-safe: one thread at a time learns and looks.

    `is_patient`: second looks are taken, which is for those who look again and again, and route by it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, is_patient: bool = True) -> None:
        self.is_patient = is_patient
        self._clock = clock
        self._terms: dict[int, _Term] = {}
        self._looked_at: float | None = None

    def learn(self, workers: Iterable[Worker], now: float) -> None:
        """All workers as they are at `now`, a time of the database's clock. A term that stands as it was counts on."""
        terms: dict[int, _Term] = {}
        for worker in workers:
            if worker.expires_at is not None:
                known = self._terms.get(worker.id)
                same = known is not None and known.expires_at == worker.expires_at
                terms[worker.id] = known if known is not None and same else self._begun(worker, worker.expires_at, now)
        self._terms = terms

    def look(self) -> frozenset[int]:
        """The ids of those that have ended by now."""
        now = self._clock()
        cut_off = self._looked_at is None or now - self._looked_at > CUT_OFF_S
        self._looked_at = now
        if self.is_patient and self._terms:
            self._postpone(cut_off, now)
        for term in self._terms.values():
            term.over = term.over or term.ends <= now
        return frozenset(worker_id for worker_id, term in self._terms.items() if term.over)

    def _postpone(self, cut_off: bool, now: float) -> None:
        living = [term for term in self._terms.values() if not (term.over or term.on_purpose)]
        if cut_off:
            for term in living:
                term.postpone(now)
        ended = [term for term in living if term.ends <= now and not term.is_second_look]
        overdue = [term for term in living if term.is_overdue(now)] if ended else []
        if ended and len(living) >= MANY and 2 * len(overdue) >= len(living):
            if not any(term.is_second_look for term in living):
                log.warning("%d of %d registrations would end at once; a second look first", len(overdue), len(living))
            for term in ended:
                term.postpone(now)

    def _begun(self, worker: Worker, expires_at: float, now: float) -> _Term:
        ttl_s = float(worker.ttl_s or 0)
        left = min(expires_at - now, ttl_s)
        term = _Term(
            expires_at,
            ends=self._clock() + left,
            ttl_s=ttl_s,
            on_purpose=expires_at <= worker.updated_at,
        )
        # What ended long ago, before this process began to look, needs no second look.
        term.over = left < -ttl_s
        return term
