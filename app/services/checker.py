"""The health thread: holds or watches the lease, probes what is due, writes what came back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from app.core.errors import StorageUnavailable
from app.services.fleet import Fleet
from app.services.leadership import Leadership, new_holder
from app.services.mass_failure import MassFailure
from app.services.probing import Launch, Outcome, Probing, Secrets, in_thread
from app.services.verdicts import Verdicts
from app.settings import Settings
from app.storage import health, lease
from app.storage.database import Database
from app.storage.lease import Lease
from app.upstream.probe import Prober

log = logging.getLogger(__name__)

LEADING_PAUSE_S = 0.08
WATCHING_PAUSE_S = 0.25
LONGEST_PAUSE_S = 1.0
STOP_WAIT_S = 5.0
# Results that land together are written together.
GATHER_S = 0.02
# Results that change nothing and are not asked for again within this time may wait for the next renewal of the lease.
SOON_S = 1.5


class Checker:
    """One in every serving process; one of them leads and probes. `tick` is a step, `start` repeats it in a thread."""

    def __init__(
        self,
        database: Database,
        fleet: Fleet,
        prober: Prober,
        verdicts: Verdicts,
        settings: Settings,
        secrets: Secrets,
        clock: Callable[[], float] = time.monotonic,
        launch: Launch = in_thread,
    ) -> None:
        self._database = database
        self._fleet = fleet
        self._verdicts = verdicts
        self._leadership = Leadership(settings.lease_s, clock)
        self._wake = threading.Event()
        self._probing = Probing(prober, settings, secrets, self._wake.set, launch)
        self._guard = MassFailure(settings.probe_interval_s)
        self._asked: set[int] = set()
        self._stopping = False
        self._thread: threading.Thread | None = None

    @property
    def leads(self) -> bool:
        return self._leadership.mine is not None

    def start(self) -> None:
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="rollcall-checker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and hands the lease on, so that another process need not wait until it is dead.

        May be called again where it was interrupted.
        """
        self._stopping = True
        self._wake.set()
        if self._thread:
            self._thread.join(STOP_WAIT_S)
            self._thread = None
        if mine := self._leadership.mine:
            self._release(mine)
            self._leadership.mine = None

    def tick(self) -> None:
        """One step; raises StorageUnavailable. Slow probes are never waited for."""
        try:
            self._step()
        except Exception:
            self._leadership.look_afresh()
            raise

    def _step(self) -> None:
        self._ask_for_suspects()
        self._write()
        with self._database.read() as tx:
            row = lease.read(tx)
            led, leads = self.leads, self._leadership.learn(row)
            now = self._database.now(tx)
            due = health.due(tx, now, self._probing.reach) if leads else []
        if led and not leads:
            _tell_lost(0)
        if leads:
            self._probing.start(due, row.epoch, now)
        elif self._leadership.is_vacant(row):
            self._take(row)

    def _ask_for_suspects(self) -> None:
        self._asked.update(self._verdicts.drain_requests())
        if self._asked:
            with self._database.write() as tx:
                health.lower_due(tx, sorted(self._asked), self._database.now(tx))
            self._asked.clear()

    def _take(self, seen: Lease) -> None:
        with self._database.write() as tx:
            taken = lease.take(tx, new_holder(), seen)
        self._leadership.won(taken)
        if taken:
            log.info("This process checks the workers' health now (lease epoch %s)", taken.epoch)

    def _release(self, mine: Lease) -> None:
        try:
            with self._database.write() as tx:
                lease.release(tx, mine)
        except StorageUnavailable as error:
            log.warning("The prober's lease could not be handed on and dies by itself: %s", error.message)

    def _write(self) -> None:
        """Results and the lease's next beat, in one transaction, fenced: a leader that overslept writes nothing."""
        mine = self._leadership.mine
        if mine is None:
            return
        outcomes = self._probing.outcomes(mine.epoch)
        if not self._leadership.should_renew() and not any(map(_is_urgent, outcomes)):
            return
        # Should the write fail, they are lost: their due time stands and they are probed again.
        self._probing.settle(outcomes)
        outcomes = self._guard.judged(outcomes)
        results = [(outcome.worker.id, outcome.worker.health, outcome.after) for outcome in outcomes]
        with self._database.write() as tx:
            renewed = lease.beat(tx, mine)
            written = health.record_all(tx, results, mine.epoch) if renewed else set()
        self._leadership.won(renewed)
        if not renewed:
            _tell_lost(len(outcomes))
        news = [outcome for outcome in outcomes if outcome.is_news and outcome.worker.id in written]
        for outcome in news:
            _tell(outcome)
        if news:
            self._fleet.refresh()

    def _run(self) -> None:
        failures = 0
        while not self._stopping:
            try:
                self.tick()
            except Exception as error:
                failures += 1
                if failures == 1:
                    _complain(error)
            else:
                if failures:
                    log.info("Health checks go on")
                failures = 0
            self._wake.wait(self._pause(failures))
            self._wake.clear()
            time.sleep(GATHER_S)

    def _pause(self, failures: int) -> float:
        pause = LEADING_PAUSE_S if self.leads else WATCHING_PAUSE_S
        return float(min(pause * 2 ** min(failures, 8), LONGEST_PAUSE_S))


def _is_urgent(outcome: Outcome) -> bool:
    return outcome.is_news or outcome.after.interval_s < SOON_S


def _tell(outcome: Outcome) -> None:
    worker, after = outcome.worker, outcome.after
    why = f" ({after.last_error})" if after.probe == "down" else ""
    log.info("Worker %s of %s is %s%s", worker.id, worker.model_name, after.probe, why)


def _tell_lost(dropped: int) -> None:
    log.warning("Another process checks the workers' health now; %d results are dropped", dropped)


def _complain(error: Exception) -> None:
    if isinstance(error, StorageUnavailable):
        log.warning("Health checks pause, completions go on: %s", error.message)
    else:
        log.error("Health checks stumbled and try again", exc_info=error)
