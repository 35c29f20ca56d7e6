"""Random faults, one at a time, under load: three workers, two serving processes, streams and jobs."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.faults.deaths import Deaths
from tests.faults.films import Films
from tests.faults.load import Load
from tests.faults.workers import ModelProcess, journal_of, models
from tests.served.leaving import Client
from tests.serving import Server, serving, wait_for

CHAT, FILM = "storm", "film"
LOCKED_S = 2.0


class Storm:
    """`made`: how often which fault was made."""

    def __init__(self, server: Server, models: list[ModelProcess], path: Path) -> None:
        self._server, self._models, self._path = server, models, path
        words = {"health": {"interval_s": 0.5, "timeout_s": 0.5}}
        self._ids = [server.register(**model.chat(CHAT, **words)) for model in models]
        self._films = [server.register(**model.video(FILM, **words)) for model in models]
        self.deaths = Deaths()
        self.made: Counter[str] = Counter()
        self.wait_until_calm()

    def wait_until_calm(self) -> None:
        for worker_id in [*self._ids, *self._films]:
            self._server.wait_for_status(worker_id, "available")
        wait_for("both serving processes", lambda: len(self._server.pids) == 2)
        self._server.ask_each("GET", "/readyz", until=lambda answer: answer.status == 200)

    def break_something(self) -> None:
        faults: tuple[Callable[[], None], ...] = (
            self.kill_worker,
            self.hang_worker,
            self.flap,
            self.kill_process,
            self.lock_database,
            self.drain,
            self.leave,
        )
        fault = random.choice(faults)
        self.made[fault.__name__] += 1
        fault()
        self.wait_until_calm()

    def kill_worker(self) -> None:
        number = random.randrange(len(self._models))
        self.deaths.of(self._models[number].kill)
        wait_for("its verdict", lambda: self._server.worker(self._ids[number])["probe"] == "down")
        self._models[number].start()

    def hang_worker(self) -> None:
        number = random.randrange(len(self._models))
        with self._models[number].hung():
            wait_for("its verdict", lambda: self._server.worker(self._ids[number])["probe"] == "down")

    def flap(self) -> None:
        model = random.choice(self._models)
        for _ in range(3):
            self.deaths.of(model.kill)
            model.start()

    def kill_process(self) -> None:
        victim = random.choice(sorted(self._server.pids))
        self.deaths.of(lambda: os.kill(victim, signal.SIGKILL))
        wait_for("its end", lambda: victim not in self._server.pids)

    def lock_database(self) -> None:
        with closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            over = time.monotonic() + LOCKED_S
            wait_for("the end of the lock", lambda: time.monotonic() > over)

    def drain(self) -> None:
        path = f"/api/server/workers/{random.choice(self._ids)}"
        for admin in ("draining", "enabled"):
            wait_for(admin, lambda: self._server.ask("PATCH", path, {"admin": admin}).status == 200)  # noqa: B023

    def leave(self) -> None:
        question = {"model": CHAT, "messages": [{"role": "user", "content": "gone"}], "stream": True}
        for _ in range(10):
            client = Client(self._server, question)
            client.read_until(b"gone#1")
            client.leave()


class Aftermath:
    """What came of a storm. The lists hold what must not be."""

    def __init__(self, storm: Storm, load: Load, films: Films, journal: Path) -> None:
        lines = journal_of(journal)
        asked, spoke, submitted = (
            Counter(line.prompt for line in lines if line.what == what and line.prompt not in ("gone", "hello"))
            for what in ("asked", "spoke", "submitted")
        )
        self.made, self.requests, self.films = storm.made, len(load.samples), films.ended
        self.inside = [sample for sample in load.failures() if storm.deaths.excuse(sample)]
        self.failures = [sample for sample in load.failures() if not storm.deaths.excuse(sample)]
        self.dishonest = [sample for sample in load.samples if not sample.is_honest and sample.status > 0]
        self.twice = [prompt for prompt, count in (spoke + submitted).items() if count > 1]
        self.most_attempts = max(asked.values())
        self.added = sum(asked.values()) / len(asked) - 1
        self.endless = films.endless
        self.lost_films = [film for film in films.failed if not storm.deaths.excuse(film)]


def storm(url: str, path: Path, folder: Path, minutes: float) -> Aftermath:
    """So long, and until the last fault is over."""
    with models(folder, 3) as (three, journal), serving(url, folder / "var") as server:
        it = Storm(server, three, path)
        end = time.monotonic() + 60 * minutes
        with Films(server, FILM) as films, Load(server.port, CHAT, 20, streams=3) as load:
            while time.monotonic() < end:
                load.wait_for_more(20)
                it.break_something()
        return Aftermath(it, load, films, journal)
