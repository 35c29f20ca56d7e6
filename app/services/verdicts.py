"""What this process learnt about workers from its own calls: who refuses, fails, wants a pause, or is on trial."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from app.core import live as machine
from app.core.health import JITTER
from app.core.live import WELL, Call, Live, LivePolicy
from app.core.retry import Failure
from app.core.selection import ALL_OF_IT, Pool
from app.core.transitions import LiveEvent
from app.core.worker import Worker
from app.services.verdict_log import tell
from app.settings import Settings

NOBODY: Final[frozenset[int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Look:
    """A pool at one moment. `out` get no traffic, `on_trial` one call at a time, `parts` of the weight in slow start.

    `lives`: everything that is known, by id; `capped`: who would be out, were it not for the others. `spared`: they are
    not asked even in need.
    """

    now: float = 0.0
    out: frozenset[int] = NOBODY
    on_trial: frozenset[int] = NOBODY
    capped: frozenset[int] = NOBODY
    spared: frozenset[int] = NOBODY
    parts: Mapping[int, float] = field(default_factory=lambda: ALL_OF_IT)
    lives: Mapping[int, Live] = field(default_factory=dict)


NOTHING: Final = Look()


class Verdicts:
    """Thread-safe, in memory; it asks for probes but never touches the database.

    `live` is empty while nothing is wrong: who is in a hurry looks at that first. `began` is when a call began, of the
    clock, which is time.monotonic().
    """

    def __init__(self, settings: Settings | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        wanted = settings or Settings()
        names = LivePolicy.__dataclass_fields__
        self._policy = LivePolicy(**{name: getattr(wanted, name) for name in names})
        self._clock = clock
        self._lock = threading.Lock()
        self._wanted: set[int] = set()
        self.live: dict[str, dict[int, Live]] = {}

    def judged(self, worker: Worker, failure: Failure, began: float) -> None:
        """An attempt failed."""
        event = machine.event_of(failure)
        if event is None:
            self.left(worker, began)
        elif event != "success" or self.live:
            self._note(worker, event, began, failure.retry_after_s, failure)

    def succeeded(self, worker: Worker, began: float) -> None:
        self._note(worker, "success", began)

    def failed(self, worker: Worker, began: float) -> None:
        self._note(worker, "failure", began)

    def refused(self, worker: Worker) -> None:
        """No traffic for this worker for a moment, and a probe soon."""
        self._note(worker, "refused", self._clock())

    def backpressure(self, worker: Worker, wait_s: float | None = None) -> None:
        """No traffic until its Retry-After; where it names none, for a moment and unless nobody else is left."""
        self._note(worker, "backpressure", self._clock(), wait_s)

    def started_trial(self, worker: Worker) -> float | None:
        """May the one trial begin? Then the moment at which it did, to be named as `began`."""
        with self._lock:
            lives, now = self.live.get(worker.model_name, {}), self._clock()
            live = machine.settled(lives.get(worker.id, WELL), now)
            if not machine.is_trial_due(live, now):
                return None
            lives[worker.id] = machine.begin_trial(live, now)
            return now

    def started_in_need(self, worker: Worker) -> float | None:
        """May it be asked although it gets no traffic? Then the moment, to be named as `began`."""
        with self._lock:
            lives, now = self.live.get(worker.model_name, {}), self._clock()
            live = machine.settled(lives.get(worker.id, WELL), now)
            if not machine.may_be_asked_in_need(live, now):
                return None
            self._put(worker, machine.ask_in_need(live, now), now)
            return now

    def left(self, worker: Worker, began: float) -> None:
        """The call is over and says nothing, as when its caller went away. After a verdict this does nothing."""
        with self._lock:
            lives = self.live.get(worker.model_name, {})
            if live := lives.get(worker.id):
                self._put(worker, machine.end_trial(live, began), self._clock())

    def changed(self, old: Worker | None, new: Worker | None) -> None:
        """The fleet has another version of a worker. What was learnt of one that is gone or anew is forgotten."""
        known = old or new
        if known is None:
            return
        fresh = old is None or new is None or _identity(old) != _identity(new) or old.health.probe != new.health.probe
        if not fresh:
            return
        came_back = old is not None and new is not None and (old.health.probe, new.health.probe) == ("down", "up")
        with self._lock:
            self._put(known, machine.recovered(self._clock()) if came_back else WELL, self._clock())

    def out(self, pool: Pool) -> frozenset[int]:
        return self.look(pool).out

    def look(self, pool: Pool) -> Look:
        if not self.live.get(pool.model_name):
            return NOTHING
        with self._lock:
            now, lives = self._clock(), self.live.get(pool.model_name, {})
            for worker_id, live in list(lives.items()):
                lives[worker_id] = live = machine.settled(live, now)
                if machine.is_forgotten(live, now, self._policy):
                    del lives[worker_id]
            if not lives:
                self.live.pop(pool.model_name, None)
            present = {worker_id: live for worker_id, live in lives.items() if worker_id in pool.eligible}
            spared = {each for each, live in lives.items() if not machine.may_be_asked_in_need(live, now)}
        return self._seen(present, frozenset(spared), len(pool.eligible), now)

    def drain_requests(self) -> list[int]:
        """The workers to probe soon; each is named once for every time that it refused or was ejected."""
        with self._lock:
            wanted, self._wanted = self._wanted, set()
        return sorted(wanted)

    def _seen(self, lives: Mapping[int, Live], spared: frozenset[int], eligible: int, now: float) -> Look:
        """Never more than half of the pool is ejected: whose last failure is the longest ago serves on."""
        resting = {each for each, live in lives.items() if machine.is_resting(live, now)}
        aside = sorted(_ejected(lives) - resting, key=lambda each: (lives[each].state == "ejected", lives[each].since))
        capped = frozenset(aside[: len(aside) - min(len(aside), eligible // 2)])
        trials = {each for each in aside if machine.is_trial_due(lives[each], now)} - capped
        parts = {each: machine.part_of_weight(live, now, self._policy) for each, live in lives.items()}
        return Look(
            now,
            out=frozenset(resting.union(aside) - capped - trials),
            on_trial=frozenset(trials),
            capped=capped,
            spared=spared,
            parts={each: part for each, part in parts.items() if part < 1} or ALL_OF_IT,
            lives=lives,
        )

    def _note(
        self,
        worker: Worker,
        event: LiveEvent,
        began: float,
        wait_s: float | None = None,
        failure: Failure | None = None,
    ) -> None:
        with self._lock:
            now, lives = self._clock(), self.live.get(worker.model_name, {})
            before = lives.get(worker.id, WELL)
            call = Call(event, began, now, wait_s, random.uniform(-JITTER, JITTER))
            after = machine.told_in_need(machine.step(before, call, self._policy), event, now, self._policy)
            if event == "refused" or (after.state == "ejected" and before.state != "ejected"):
                self._wanted.add(worker.id)
            self._put(worker, after, now)
        tell(worker, before, after, now, failure)

    def _put(self, worker: Worker, live: Live, now: float) -> None:
        """Called with the lock held. What needs no memory has none."""
        lives = self.live.get(worker.model_name)
        if not machine.is_forgotten(live, now, self._policy):
            self.live.setdefault(worker.model_name, {})[worker.id] = live
        elif lives:
            lives.pop(worker.id, None)
            if not lives:
                del self.live[worker.model_name]


def _ejected(lives: Mapping[int, Live]) -> set[int]:
    return {worker_id for worker_id, live in lives.items() if live.state in ("ejected", "half-open")}


def _identity(worker: Worker) -> tuple[object, ...]:
    """What an operator changes to give a worker another chance; a new weight or a renewal is none."""
    return worker.url, worker.spec, worker.upstream_model, worker.admin
