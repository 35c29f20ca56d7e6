"""What model services do to Rollcall: die, hang, swallow, refuse. Makes the faults and says what came of them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes import Exchange, FakeUpstream, bytes_answer, hang, openai_answer
from tests.faults.load import Load, Sample
from tests.faults.workers import ModelProcess, journal_of, models
from tests.served.toys import openai_worker, question
from tests.serving import PATIENCE_S, Answer, Server, wait_for

CHAT = "/v1/chat/completions"
KNOWN_TO_ALL_S = 1.0
"""So long after a verdict nothing is routed by the one before."""


@dataclass
class Pair:
    """Two workers of one model, in processes of their own."""

    server: Server
    name: str
    models: list[ModelProcess]
    ids: list[int]
    journal: Path

    def wait_until_up(self) -> None:
        for worker_id in self.ids:
            self.server.wait_for_status(worker_id, "available")


def wait_until_down(server: Server, worker_id: int) -> None:
    """By the probes' verdict; a refused connection alone is called down as well."""
    wait_for(f"worker {worker_id} to be down", lambda: server.worker(worker_id)["probe"] == "down")


@contextmanager
def pair(server: Server, folder: Path, name: str, **words: Any) -> Iterator[Pair]:
    with models(folder, 2) as (two, journal):
        ids = [server.register(**model.chat(name, **words)) for model in two]
        found = Pair(server, name, two, ids, journal)
        found.wait_until_up()
        server.ask_each("POST", CHAT, question(name), until=lambda answer: answer.status == 200)
        try:
            yield found
        finally:
            for worker_id in ids:
                server.ask("DELETE", f"/api/server/workers/{worker_id}")


@dataclass(frozen=True)
class Kill:
    """`at`: when the port refused. `failures`: requests that came to nothing from then on, or shortly before."""

    at: float
    failures: list[Sample]

    @property
    def later(self) -> list[Sample]:
        """Failures of requests that began when it was dead already: there must be none."""
        return [sample for sample in self.failures if sample.begun > self.at]

    @property
    def last_s(self) -> float:
        """How long after the kill the last failure came."""
        return max((sample.ended - self.at for sample in self.failures), default=0.0)


def kill_one(pair: Pair, load: Load, victim: int = 0) -> Kill:
    """Under load, and back again."""
    before = len(load.failures())
    load.wait_for_more(20)
    pair.models[victim].kill()
    at = time.monotonic()
    wait_until_down(pair.server, pair.ids[victim])
    load.wait_for_more(20)
    pair.models[victim].start()
    pair.wait_until_up()
    load.wait_for_more(20)
    return Kill(at, load.failures()[before:])


@dataclass(frozen=True)
class Hang:
    """`marked_s`: until the verdict. `late`: requests to the stopped worker that began a second after it."""

    marked_s: float
    slow: list[Sample]
    late: list[Sample]
    failures: list[Sample]


def hang_one(pair: Pair, load: Load, seconds: float, victim: int = 0, known_s: float = KNOWN_TO_ALL_S) -> Hang:
    """Stop one for so long at least, and until its verdict and a while longer."""
    load.wait_for_more(20)
    heard = len(journal_of(pair.journal))
    with pair.models[victim].hung() as began:
        wait_until_down(pair.server, pair.ids[victim])
        marked = time.monotonic()
        wait_for("the end of the hang", lambda: time.monotonic() >= max(began + seconds, marked + known_s + 1))
    woke = time.monotonic()
    pair.wait_until_up()
    load.wait_for_more(20)
    wait_for("those who waited", lambda: load.begun - len(load.samples) < 20)
    port = pair.models[victim].port
    reached = {line.prompt for line in journal_of(pair.journal)[heard:] if line.port == port}
    meanwhile = [sample for sample in load.samples if sample.ended > began]
    late = [s for s in meanwhile if s.prompt in reached and marked + known_s < s.begun < woke]
    return Hang(marked - began, [s for s in meanwhile if s.took > 1], late, [s for s in meanwhile if not s.is_good])


def black_hole(server: Server, name: str) -> float:
    """A worker that goes on to take connections and says nothing: the seconds until it is out. Calls go elsewhere."""
    with FakeUpstream(openai_answer()) as good, FakeUpstream(openai_answer()) as bad:
        ids = [server.register(**openai_worker(name, each.url)) for each in (good, bad)]
        server.wait_for_status(ids[1], "available")
        bad.answer_with(hang())
        began = time.monotonic()
        wait_until_down(server, ids[1])
        took = time.monotonic() - began
        # who has not heard of it yet could still send a request there, which waits for long
        server.ask_each("GET", f"/api/server/route?model_name={name}", until=lambda answer: shares(answer) == [1, 0])
        server.ask_each(
            "POST", CHAT, question(name), until=lambda answer: answer.headers["X-Rollcall-Worker"] == f"{ids[0]}"
        )
        for worker_id in ids:
            server.ask("DELETE", f"/api/server/workers/{worker_id}")
    return took


def shares(route: Answer) -> list[float]:
    """Of the workers of a model, in the order of their ids."""
    return [row["share"] for row in sorted(route.body["data"], key=lambda row: int(row["id"]))]


@dataclass(frozen=True)
class Refusal:
    status: int
    retry_after: str
    took: float


def all_full(server: Server, name: str, more: int = 8) -> list[Refusal]:
    """Both workers at their limit: what is said to those who come then."""
    gate = threading.Event()

    def slow(exchange: Exchange) -> None:
        if exchange.request.method == "POST":
            exchange.wait(gate, timeout=60)
        openai_answer()(exchange)

    with contextlib.ExitStack() as stack:
        both = [stack.enter_context(FakeUpstream(slow)) for _ in range(2)]
        threads = stack.enter_context(ThreadPoolExecutor(more + 2))
        for each in both:
            server.register(**openai_worker(name, each.url, limits={"concurrency": 1}))
        server.ask_each("GET", f"/v1/models/{name}", until=lambda answer: answer.status == 200)
        inside = [threads.submit(server.ask, "POST", CHAT, question(name)) for _ in both]
        for each in both:
            each.wait_until(lambda it: any(request.method == "POST" for request in it.requests))
        refused = list(threads.map(lambda _: refusal(server, name), range(more)))
        gate.set()
        assert [call.result(PATIENCE_S).status for call in inside] == [200, 200]
    return refused


def all_off(server: Server, name: str) -> Refusal:
    with FakeUpstream(openai_answer()) as upstream:
        worker_id = server.register(**openai_worker(name, upstream.url))
        assert server.ask("PATCH", f"/api/server/workers/{worker_id}", {"admin": "offline"}).status == 200
        server.ask_each("POST", CHAT, question(name), until=lambda answer: answer.status == 503)
        return refusal(server, name)


def refusal(server: Server, name: str) -> Refusal:
    began = time.monotonic()
    answer = server.ask("POST", CHAT, question(name))
    return Refusal(answer.status, answer.headers.get("Retry-After") or "", time.monotonic() - began)


def attempts(server: Server, name: str, requests: int) -> tuple[int, int]:
    """Workers that all fail: calls that reached them, and the most for one request."""
    with contextlib.ExitStack() as stack:
        bad = bytes_answer(b"{}", 502)
        five = [stack.enter_context(FakeUpstream(bad)) for _ in range(5)]
        for each in five:
            server.register(**openai_worker(name, each.url, retry=["502"]))
        server.ask_each("GET", f"/v1/models/{name}", until=lambda answer: answer.status == 200)
        for number in range(requests):
            server.ask("POST", CHAT, question(name, f"n{number}"))
        calls = [r.json["messages"][0]["content"] for each in five for r in each.requests if r.method == "POST"]
    return len(calls), max(map(calls.count, set(calls)))
