"""Serving processes that are killed with jobs in their hands, and processes that share the work."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fakes import Exchange, FakeUpstream, bytes_answer, json_answer
from tests.services.job_rig import JOB
from tests.serving import PATIENCE_S, Server, serving, wait_for


@pytest.fixture(scope="module")
def two(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("deaths")
    shutil.copyfile(sqlite_template, folder / "rollcall.db")
    with serving(f"sqlite:///{folder / 'rollcall.db'}", folder / "var") as server:
        yield server


def register(server: Server, model: str, worker: FakeUpstream, **job: Any) -> None:
    words = {"task": "video", "body": {"prompt": "{USER_PROMPT}", "name": "{REQUEST_ID}"}, "health": {"tcp": True}}
    block = {**JOB, "req_url_template": f"{worker.origin}/tasks/{{JOB_ID}}", **job}
    server.register(model_name=model, req_url_template=worker.url, job=block, **words)
    server.ask_each("GET", f"/v1/models/{model}", until=lambda answer: answer.status == 200)


def begin(server: Server, model: str) -> str:
    answer = server.ask("POST", "/v1/videos", {"model": model, "prompt": "a cat"})
    assert answer.status == 200, answer
    return str(answer.body["id"])


def video(server: Server, video_id: str) -> dict[str, Any]:
    found: dict[str, Any] = server.ask("GET", f"/v1/videos/{video_id}").body
    return found


def ended(server: Server, video_id: str) -> dict[str, Any]:
    wait_for(f"the end of {video_id}", lambda: video(server, video_id)["status"] in ("completed", "failed"))
    return video(server, video_id)


def who_sends_from(port: int, pids: set[int]) -> int:
    """Which of these processes has a connection that begins at this port."""
    for pid in pids:
        if any(each.laddr.port == port for each in psutil.Process(pid).net_connections("tcp4")):
            return pid
    return 0


class Busy:
    """A worker of many jobs, each of which is done at its last poll. It notes who asks, and when two ask at once."""

    POLLS = 4

    def __init__(self, server: Server) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._inside: set[str] = set()
        self.jobs = 0
        self.polls: Counter[str] = Counter()
        self.askers: Counter[int] = Counter()
        self.twice: list[str] = []

    def __call__(self, exchange: Exchange) -> None:
        path = exchange.request.path
        if path.startswith("/out/"):
            bytes_answer(b"MP4", content_type="video/mp4")(exchange)
        elif exchange.request.method == "POST":
            with self._lock:
                self.jobs += 1
                name = f"t-{self.jobs}"
            json_answer({"id": name})(exchange)
        else:
            self._polled(exchange, path)

    def _polled(self, exchange: Exchange, path: str) -> None:
        asker = who_sends_from(exchange.connection.getpeername()[1], self._server.pids)
        with self._lock:
            self.polls[path] += 1
            self.askers[asker] += 1
            if path in self._inside:
                self.twice.append(path)
            self._inside.add(path)
            over = self.polls[path] >= self.POLLS
        time.sleep(0.05)  # long enough for another process to ask the same
        with self._lock:
            self._inside.discard(path)
        host = exchange.request.headers["host"]
        json_answer({"status": "done", "output": f"http://{host}/out/a.mp4"} if over else {"status": "running"})(
            exchange
        )


def test_two_processes_share_the_polls_and_each_poll_is_made_once(two: Server) -> None:
    busy = Busy(two)
    with FakeUpstream(busy) as worker:
        register(two, "busy", worker, interval_s=0.3)
        begun = [begin(two, "busy") for _ in range(8)]
        while not two.pids <= set(busy.askers):
            assert len(begun) < 60, busy.askers
            begun.append(begin(two, "busy"))
        assert {ended(two, each)["status"] for each in begun} == {"completed"}
    assert busy.twice == []
    assert busy.jobs == len(busy.polls) == len(begun)
    assert set(busy.polls.values()) == {Busy.POLLS}


class Patient:
    """A worker that keeps one call waiting: the submit, or the first poll. `submits` and `polls` are counted."""

    def __init__(self, holds: str) -> None:
        self._holds = holds
        self._gate = threading.Event()
        self.held = threading.Event()
        self.submits = self.polls = 0

    def __call__(self, exchange: Exchange) -> None:
        method, path = exchange.request.method, exchange.request.path
        if path.startswith("/out/"):
            bytes_answer(b"MP4", content_type="video/mp4")(exchange)
        elif method == "POST":
            self.submits += 1
            self._wait(exchange, "submit")
            json_answer({"id": "t-1"})(exchange)
        else:
            self.polls += 1
            self._wait(exchange, "poll")
            host = exchange.request.headers["host"]
            json_answer({"status": "done", "output": f"http://{host}/out/a.mp4"})(exchange)

    def _wait(self, exchange: Exchange, what: str) -> None:
        if what == self._holds and not self.held.is_set():
            self.held.set()
            exchange.wait(self._gate, timeout=60)


def test_killed_processes_leave_no_job_lost_and_none_sent_twice(two: Server) -> None:
    """What was being submitted has failed, its outcome unknown; what was being polled goes on elsewhere."""
    submitted, polled = Patient("submit"), Patient("poll")
    with FakeUpstream(submitted) as taker, FakeUpstream(polled) as runner, ThreadPoolExecutor(1) as threads:
        register(two, "submitted", taker)
        register(two, "polled", runner, interval_s=0.1)
        running = begin(two, "polled")
        lost = threads.submit(two.ask, "POST", "/v1/videos", {"model": "submitted", "prompt": "a cat"})
        assert submitted.held.wait(PATIENCE_S)
        assert polled.held.wait(PATIENCE_S)
        before = two.pids
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(OSError):
            raise lost.exception(PATIENCE_S) or AssertionError("the caller got an answer")
        wait_for("other processes", lambda: len(two.pids) == 2 and not two.pids & before)
        two.ask_each("GET", "/readyz", until=lambda answer: answer.status == 200)

        assert ended(two, running)["status"] == "completed"
        assert two.ask("GET", f"/v1/videos/{running}/content").body == b"MP4"
        assert (polled.submits, polled.polls) == (1, 2)

        listed = two.ask("GET", "/v1/videos").body["data"]
        (unknown,) = [row["id"] for row in listed if row["model"] == "submitted"]
        failed = ended(two, unknown)
        assert failed["status"] == "failed"
        assert failed["error"]["code"] == "outcome_unknown"
        assert failed["error"]["message"].startswith("Outcome unknown")
        assert (submitted.submits, submitted.polls) == (1, 0)
        content = two.ask("GET", f"/v1/videos/{unknown}/content")
        assert content.status == 502
        assert "Outcome unknown" in content.body["error"]["message"]
    assert "Traceback" not in two.log
