"""Probes in flight and results that wait to be written: bounded, and never two for one worker."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from app.core.dialect import dialect_of
from app.core.errors import RollcallError
from app.core.health import JITTER, Policy, step
from app.core.language import LanguageError
from app.core.worker import Health, Worker
from app.settings import Settings
from app.upstream.probe import Prober, ProbeResult

log = logging.getLogger(__name__)

Secrets = Callable[[str, str], str]
Launch = Callable[[Callable[[], None]], object]


@dataclass(slots=True, eq=False)
class _Flight:
    worker: Worker
    epoch: int
    started: float
    result: ProbeResult | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The health that a probe led to; `worker.health` is the one before, `epoch` the term of office it belongs to."""

    worker: Worker
    epoch: int
    after: Health

    @property
    def is_news(self) -> bool:
        return self.after.probe != self.worker.health.probe


def in_thread(job: Callable[[], None]) -> None:
    threading.Thread(target=job, name="rollcall-probe", daemon=True).start()


class Probing:
    """`wake` is called from a probe's own thread when the next tick should come soon: a verdict is in the making

    because it failed, or others may wait for its place.
    """

    def __init__(
        self, prober: Prober, settings: Settings, secrets: Secrets, wake: Callable[[], None], launch: Launch
    ) -> None:
        self._prober = prober
        self._secrets = secrets
        self._wake = wake
        self._launch = launch
        self._parallel = settings.probe_parallel
        self._usual = Policy(settings.probe_interval_s, settings.probe_fall, settings.probe_rise)
        self._full = False
        self._flights: dict[int, _Flight] = {}
        self._waiting: dict[int, Outcome] = {}

    @property
    def reach(self) -> int:
        """How many of the due to look at: as many as there is room for, and those among them that are busy already."""
        return self._parallel + len(self._waiting)

    def start(self, workers: Iterable[Worker], epoch: int, now: float) -> None:
        """Probe as many of these, in their order, as there is room for; `now` in UTC seconds of the database."""
        for worker in workers:
            if len(self._flights) >= self._parallel:
                break
            if worker.id not in self._flights and worker.id not in self._waiting:
                flight = _Flight(worker, epoch, now)
                self._launch(partial(self._run, flight))
                self._flights[worker.id] = flight
        self._full = len(self._flights) >= self._parallel

    def outcomes(self, epoch: int) -> list[Outcome]:
        """What came back in this term of office and is not written yet; what an earlier one left is dropped."""
        for flight in list(self._flights.values()):
            if flight.result:
                del self._flights[flight.worker.id]
                after = self._after(flight.worker, flight.result, flight.started)
                self._waiting[flight.worker.id] = Outcome(flight.worker, flight.epoch, after)
        self._waiting = {id: outcome for id, outcome in self._waiting.items() if outcome.epoch == epoch}
        return list(self._waiting.values())

    def settle(self, outcomes: Iterable[Outcome]) -> None:
        """They wait no longer, and their workers may be probed again."""
        for outcome in outcomes:
            self._waiting.pop(outcome.worker.id, None)

    def _after(self, worker: Worker, result: ProbeResult, started: float) -> Health:
        jitter = random.uniform(-JITTER, JITTER)
        return step(worker.health, result.ok, result.error, started, self._policy(worker), jitter)

    def _policy(self, worker: Worker) -> Policy:
        usual = self._usual
        try:
            own = dialect_of(worker).health
        except LanguageError:
            return usual
        if own is None:
            return usual
        return Policy(own.interval_s or usual.interval_s, own.fall or usual.fall, own.rise or usual.rise)

    def _run(self, flight: _Flight) -> None:
        flight.result = result = self._ask(flight.worker)
        if result.ok is False or self._full:
            self._wake()

    def _ask(self, worker: Worker) -> ProbeResult:
        try:
            return self._prober.probe(worker, self._secrets)
        except (RollcallError, LanguageError) as error:
            return ProbeResult(ok=False, error=error.message)
        except Exception:
            # Our fault, not the worker's: it must neither lose traffic for it nor stay in flight for ever.
            log.exception("The probe of worker %s (%s) broke", worker.id, worker.model_name)
            return ProbeResult(ok=None, error=None)
