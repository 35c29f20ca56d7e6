"""`limits.concurrency` counts the calls of all serving processes of a host together."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes import PATIENCE_S, Exchange, FakeUpstream, openai_answer
from tests.served.toys import openai_worker, question
from tests.serving import Server, serving

CHAT = "/v1/chat/completions"


@pytest.fixture
def two(sqlite_template: Path, tmp_path: Path) -> Iterator[Server]:
    shutil.copyfile(sqlite_template, tmp_path / "rollcall.db")
    with serving(f"sqlite:///{tmp_path / 'rollcall.db'}", tmp_path / "var") as server:
        yield server


def test_two_processes_share_the_slots_of_a_worker(two: Server) -> None:
    gate = threading.Event()

    def slow(exchange: Exchange) -> None:
        if exchange.request.method == "POST":
            exchange.wait(gate, timeout=60)
        openai_answer("at last")(exchange)

    with FakeUpstream(slow) as upstream, ThreadPoolExecutor(2) as threads:
        two.register(**openai_worker("limited", upstream.url, limits={"concurrency": 2}))
        two.ask_each("GET", "/v1/models/limited", until=lambda answer: answer.status == 200)
        inside = [threads.submit(two.ask, "POST", CHAT, question("limited")) for _ in range(2)]
        upstream.wait_until(lambda server: calls(server) == 2)
        two.ask_each("POST", CHAT, question("limited"), until=lambda answer: answer.status == 503)
        assert calls(upstream) == 2
        gate.set()
        assert [call.result(PATIENCE_S).status for call in inside] == [200, 200]
        two.ask_each("POST", CHAT, question("limited"), until=lambda answer: answer.status == 200)


def calls(upstream: FakeUpstream) -> int:
    return sum(request.method == "POST" for request in upstream.requests)
