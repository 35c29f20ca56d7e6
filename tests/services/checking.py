"""A checker in virtual time: a real database, a clock that a test moves, and workers that answer as they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy.orm import Session

from app.core.errors import StorageUnavailable
from app.core.registration import parse_registration
from app.core.worker import Admin, Worker
from app.services.checker import Checker
from app.settings import Settings
from app.storage import lease, workers
from app.storage.database import Database
from app.storage.lease import Lease
from app.upstream.probe import ProbeResult

UP = ProbeResult(True)
REFUSED = ProbeResult(False, "connection refused")
BUSY = ProbeResult(None, "HTTP 429")

Job = Callable[[], None]


class Rig:
    """Stands in for the database's clock, the monotonic clock, the prober, the bench and the fleet of its checkers."""

    def __init__(self, database: Database, **settings: Any) -> None:
        self.real = database
        self.settings = Settings(**settings)
        self.wall = 1_000_000_000.0
        self.monotonic = 5_000.0
        self.away = False
        self.writes = 0
        self.answers: dict[int, ProbeResult | Exception] = {}
        self.asked: list[int] = []
        self.refused: list[int] = []
        self.refreshed = 0

    def checker(self, launch: Callable[[Job], object] = lambda job: job()) -> Checker:
        me = cast(Any, self)
        return Checker(me, me, me, me, self.settings, self.settings.secret, lambda: self.monotonic, launch)

    def leader(self, launch: Callable[[Job], object] = lambda job: job()) -> Checker:
        checker = self.checker(launch)
        checker.tick()
        assert checker.leads
        return checker

    def sweep(self, checker: Checker, after: float = 3.0) -> None:
        """Let time pass, probe what is due by then, write what came back."""
        self.pass_time(after)
        checker.tick()
        self.monotonic += 1.0
        checker.tick()

    def pass_time(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds

    # what the tests look at

    def register(self, model: str = "m", **words: Any) -> int:
        raw = {
            "model_name": model,
            "req_url_template": f"http://127.0.0.1:1/{len(self.all())}",
            "body": {"prompt": "{USER_PROMPT}"},
            **words,
        }
        with self.real.write() as tx:
            return workers.insert(tx, parse_registration(raw, lambda name: True), 1, self.wall).id

    def all(self) -> list[Worker]:
        with self.real.read() as tx:
            return workers.find_all(tx)

    def worker(self, worker_id: int) -> Worker:
        return next(worker for worker in self.all() if worker.id == worker_id)

    def set_admin(self, worker_id: int, admin: Admin) -> None:
        with self.real.write() as tx:
            workers.set_admin(tx, worker_id, admin, self.wall)

    def delete(self, worker_id: int) -> None:
        with self.real.write() as tx:
            workers.delete(tx, worker_id)

    @property
    def lease(self) -> Lease:
        with self.real.read() as tx:
            return lease.read(tx)

    # the database

    @contextmanager
    def read(self) -> Iterator[Session]:
        self._be_away()
        with self.real.read() as tx:
            yield tx

    @contextmanager
    def write(self) -> Iterator[Session]:
        self._be_away()
        self.writes += 1
        with self.real.write() as tx:
            yield tx

    def now(self, tx: Session) -> float:
        return self.wall

    def _be_away(self) -> None:
        if self.away:
            raise StorageUnavailable("The database cannot be reached.")

    # the prober, the bench, the fleet

    def probe(self, worker: Worker, secrets: object) -> ProbeResult:
        self.asked.append(worker.id)
        answer = self.answers.get(worker.id, UP)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def drain_requests(self) -> list[int]:
        drained, self.refused = self.refused, []
        return drained

    def refresh(self) -> None:
        self.refreshed += 1


class Airport:
    """Probes that take their time: each lands when a test says so."""

    def __init__(self) -> None:
        self.waiting: list[Job] = []

    def __call__(self, job: Job) -> None:
        self.waiting.append(job)

    def land(self) -> None:
        waiting, self.waiting = self.waiting, []
        for job in waiting:
            job()
