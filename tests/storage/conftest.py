"""What storage tests share: a registration, and threads whose failures are the test's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from app.core.registration import Registration
from app.core.worker import Worker
from app.storage import lease, workers
from app.storage.database import Database
from app.storage.lease import Lease
from tests.storage.probed import NOW

PATIENCE_S = 20.0
Run = Callable[..., threading.Thread]


@pytest.fixture
def registration() -> Callable[..., Registration]:
    def build(model_name: str = "m", url: str = "http://w/x", **words: Any) -> Registration:
        return Registration(model_name, url, words.pop("spec", '{"body":{}}'), **words)

    return build


@pytest.fixture
def run() -> Iterator[Run]:
    """Start a function in a thread. When the test ends every thread has to end too, and none may have failed."""
    threads: list[threading.Thread] = []
    failures: list[BaseException] = []

    def start(work: Callable[..., object], *args: object) -> threading.Thread:
        def guarded() -> None:
            try:
                work(*args)
            except BaseException as failure:
                failures.append(failure)

        thread = threading.Thread(target=guarded, daemon=True)
        threads.append(thread)
        thread.start()
        return thread

    yield start
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "a thread waits for ever"
    assert failures == []


@pytest.fixture
def mine(database: Database) -> Lease:
    with database.write() as tx:
        taken = lease.take(tx, "me", lease.read(tx))
    assert taken
    return taken


@pytest.fixture
def add(database: Database, registration: Callable[..., Registration]) -> Callable[[], Worker]:
    numbers = count(1)

    def build() -> Worker:
        with database.write() as tx:
            return workers.insert(tx, registration(f"m{next(numbers)}"), 1, NOW)

    return build
