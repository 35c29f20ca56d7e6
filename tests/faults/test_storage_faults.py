"""A running server whose database is full, read-only, gone, restarted or behind: completions are as they were,

management says so in one sentence, and all of it recovers by itself.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes import FakeUpstream, openai_answer
from tests.faults.own_postgres import own_postgres
from tests.faults.storage_faults import behind, full, read_only
from tests.served.test_two_processes import outage
from tests.served.toys import openai_worker, question
from tests.serving import Answer, Server, serving, wait_for

CHAT = "/v1/chat/completions"
RESTARTS = int(os.environ.get("RESTARTS", "100"))


@dataclass(frozen=True)
class Running:
    """`worker_id` is the one of the model `steady`."""

    server: Server
    url: str
    worker_id: int

    @property
    def is_postgres(self) -> bool:
        return self.url.startswith("postgresql")


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeUpstream]:
    with FakeUpstream(openai_answer("hello")) as running:
        yield running


@pytest.fixture(scope="module")
def running(
    shared_database: str, upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    with serving(shared_database, tmp_path_factory.mktemp("var")) as server:
        yield begun(server, shared_database, upstream)


def begun(server: Server, url: str, upstream: FakeUpstream) -> Running:
    """With a worker that each process knows, and that is kept for those to come."""
    it = Running(server, url, server.register(**openai_worker("steady", upstream.url)))
    serves(server)
    known = last_known_at(server)
    assert write(it).status == 200
    wait_for("the newest of the fleet to be kept", lambda: last_known_at(server) != known)
    return it


def last_known_at(server: Server) -> int:
    file = server._log_file.parent / "fleet.last-known"
    return wait_for("the last-known fleet", lambda: file.exists() and file.stat().st_mtime_ns)


def serves(server: Server) -> None:
    server.ask_each("POST", CHAT, question("steady"), until=lambda answer: answer.status == 200)
    server.ask_each("GET", "/readyz", until=lambda answer: answer.status == 200)


def write(it: Running) -> Answer:
    return it.server.ask("PATCH", f"/api/server/workers/{it.worker_id}", {"weight": random.randint(1, 1000)})


def refuses(it: Running, sentence: str, *, reads_too: bool) -> None:
    refusal = wait_for("a refusal", lambda: (answer := write(it)).status == 503 and answer)
    assert sentence in refusal.body["msg"]
    assert refusal.body["msg"].count(".") == 1
    assert "Retry-After" in refusal.headers
    listed = it.server.ask("GET", "/api/server/workers")
    assert listed.status == (503 if reads_too else 200)
    assert ("Retry-After" in listed.headers) == reads_too


def recovers(it: Running) -> None:
    """Each process, and without a restart: those that lived before live on."""
    before = it.server.pids
    change = {"weight": 7}
    path = f"/api/server/workers/{it.worker_id}"
    it.server.ask_each("PATCH", path, change, until=lambda answer: answer.status == 200)
    it.server.ask_each("GET", "/api/server/workers", until=lambda answer: answer.status == 200)
    serves(it.server)
    assert it.server.pids == before


def replaced(it: Running) -> None:
    """A serving process is killed, and the one in its place serves, also where it has never seen the database."""
    server, before = it.server, it.server.pids
    os.kill(min(before), signal.SIGKILL)
    wait_for("a process in place of the killed one", lambda: len(server.pids - before) == 1)
    serves(server)


def test_locked_or_gone(running: Running, upstream: FakeUpstream) -> None:
    """SQLite's write lock is held, which those who read do not notice; PostgreSQL takes no connection."""
    with outage(running.url):
        serves(running.server)
        refuses(running, "cannot be reached" if running.is_postgres else "locked", reads_too=running.is_postgres)
        replaced(running)
        assert ("The last-known fleet serves until" in running.server.log) == running.is_postgres
    recovers(running)
    late = running.server.register(**openai_worker("late", upstream.url))
    running.server.wait_for_status(late, "available")  # the probes go on, too


def test_behind(running: Running) -> None:
    with behind(running.url):
        refuses(running, "flask db upgrade", reads_too=True)
        serves(running.server)
        replaced(running)
    recovers(running)


def test_read_only_or_full(running: Running) -> None:
    fault = read_only(running.url) if running.is_postgres else full(running.server)
    with fault:
        refuses(running, "read-only" if running.is_postgres else "disk", reads_too=False)
        serves(running.server)
    recovers(running)


@pytest.mark.chaos
def test_postgres_that_crashes_and_starts_again_and_again(upstream: FakeUpstream, tmp_path: Path) -> None:
    with own_postgres() as postgres, serving(postgres.url, tmp_path / "var") as server:
        it = begun(server, postgres.url, upstream)
        for number in range(RESTARTS):
            postgres.stop()
            serves(server)
            refuses(it, "cannot be reached", reads_too=True)
            if number == 0:
                replaced(it)
            postgres.start()
            recovers(it)
        assert "Traceback" not in server.log
