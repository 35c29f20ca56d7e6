"""PostgreSQL that crashes and comes back, or is away for a while, with completions and operators at work meanwhile."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.core.worker import Worker
from app.storage import workers
from tests.faults.ledger import REFUSED, Ledger
from tests.faults.load import Load, Sample
from tests.faults.own_postgres import Postgres
from tests.faults.workers import models
from tests.served.leases import opened
from tests.serving import Answer, Server, serving, wait_for

CHAT = "/v1/chat/completions"
HONEST = {200, 409, 503}
BETWEEN = 5
LATE = {"model_name": "late", "req_url_template": "http://127.0.0.1:9/x", "body": {"prompt": "{USER_PROMPT}"}}


@dataclass(frozen=True)
class Outcome:
    """`back_s`: from each start of the database to the next acknowledged change, the longest. `odd`: what operators
    were told beside yes, conflict and 503."""

    samples: list[Sample]
    acknowledged: int
    broken: list[str]
    odd: dict[int, int]
    back_s: float

    @property
    def failures(self) -> list[Sample]:
        return [sample for sample in self.samples if not sample.is_good]


@contextmanager
def at_work(database: Postgres, folder: Path) -> Iterator[tuple[Server, Load, Ledger]]:
    """A server with one model under load, and operators."""
    with models(folder, 1) as (one, _), serving(database.url, folder / "var") as server:
        server.register(**one[0].chat("steady"))
        server.ask_each("GET", "/v1/models/steady", until=lambda answer: answer.status == 200)
        with Load(server.port, "steady", 20, streams=4) as load, Ledger(lambda: server.port, 2) as ledger:
            load.wait_for_more(20)
            yield server, load, ledger


def restarts(database: Postgres, folder: Path, count: int) -> Outcome:
    slowest = 0.0
    with at_work(database, folder) as (_, load, ledger):
        for _ in range(count):
            _next_changes(ledger)
            database.stop()
            database.start()
            slowest = max(slowest, _next_changes(ledger))
    return _outcome(database, load, ledger, slowest)


@dataclass(frozen=True)
class Outage:
    """`refused`: what an operator was told meanwhile, and after how long."""

    outcome: Outcome
    refused: Answer
    refused_after_s: float


def outage(database: Postgres, folder: Path) -> Outage:
    """The database goes and stays away; meanwhile a serving process dies, and its successor serves."""
    with at_work(database, folder) as (server, load, ledger):
        _next_changes(ledger)
        database.stop()
        began = time.monotonic()
        refused = server.ask("POST", "/api/server/register", LATE)
        after_s = time.monotonic() - began
        load.wait_for_more(40)
        _replace_a_process(server)
        load.wait_for_more(40)
        database.start()
        back_s = _next_changes(ledger)
    return Outage(_outcome(database, load, ledger, back_s), refused, after_s)


def _replace_a_process(server: Server) -> None:
    """Gently, so that its requests end well: what counts is that the next one serves without a database."""
    victim = min(server.pids)
    os.kill(victim, signal.SIGTERM)
    wait_for("its end", lambda: victim not in server.pids and len(server.pids) == 2)
    question = {"model": "steady", "messages": [{"role": "user", "content": "hello"}]}
    server.ask_each("POST", CHAT, question, until=lambda answer: answer.status == 200)


def _next_changes(ledger: Ledger) -> float:
    began, heard = time.monotonic(), ledger.acknowledged
    wait_for("an acknowledged change", lambda: ledger.acknowledged > heard)
    took = time.monotonic() - began
    wait_for("some more", lambda: ledger.acknowledged >= heard + BETWEEN)
    return took


def _outcome(database: Postgres, load: Load, ledger: Ledger, back_s: float) -> Outcome:
    ledger.check(stored(database.url))
    odd = {status: count for status, count in ledger.answers.items() if status not in HONEST | {REFUSED}}
    return Outcome(load.samples, ledger.acknowledged, ledger.lost + ledger.half, odd, back_s)


def stored(url: str) -> list[Worker]:
    with opened(url) as database, database.read() as tx:
        return workers.find_all(tx)
