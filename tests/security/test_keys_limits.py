"""Requests a minute and at once: exact over the processes of one host, and shared between hosts."""

from __future__ import annotations

import http.client
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.rates import WINDOW_S, admit, length_of, share_of
from app.services import key_limits
from app.services.hosts import LIVE_S, Hosts
from app.services.key_limits import KeyLimits
from app.services.range_locks import RangeLocks
from app.storage.database import Database
from tests.api.callers import served
from tests.api.management import Api, management
from tests.databases import ROOT
from tests.security.key_callers import limited
from tests.security.keyed import As, make
from tests.serving import wait_for

PREFIX = "0123456789ab"


@given(
    st.integers(1, 9),
    st.lists(st.tuples(st.floats(0.001, 40), st.integers(1, 9)), max_size=80),
)
def test_never_more_than_the_share_in_any_minute(limit: int, steps: list[tuple[float, int]]) -> None:
    """Against a list of all times, with a share that changes as hosts come and go."""
    ring, admitted, now = [0.0] * length_of(limit), deque[float](), 1000.0
    for pause, wish in steps:
        now, share = now + pause, min(wish, limit)
        recent = sum(at > now - WINDOW_S for at in admitted)
        rate = admit(ring, limit, share, now)
        assert rate.allowed == (recent < share)
        if rate.allowed:
            admitted.append(now)
            recent += 1
        assert rate.remaining == max(share - recent, 0)
        if not rate.allowed:
            assert not admit(list(ring), limit, share, now + rate.reset_s - 0.001).allowed
            assert admit(list(ring), limit, share, now + rate.reset_s + 0.001).allowed


def test_what_a_machine_knew_before_it_was_started_again_counts_no_more() -> None:
    ring = [0.0] * length_of(2)
    for _ in range(3):
        admit(ring, 2, 2, 50_000.0)
    assert not admit(ring, 2, 2, 50_001.0).allowed
    assert [admit(ring, 2, 2, 5.0).allowed for _ in range(3)] == [True, True, False]


@given(st.integers(1, 1000), st.integers(1, 30))
def test_the_parts_of_a_limit_make_the_whole(limit: int, hosts: int) -> None:
    parts = [share_of(limit, hosts, rank) for rank in range(hosts)]
    assert sum(parts) == max(limit, hosts)
    assert max(parts) - min(parts) <= 1


@contextmanager
def callers(var: Path, *words: str, count: int = 3) -> Iterator[list[subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "tests.security.key_callers", str(var), PREFIX, *words]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(count)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield processes
    finally:
        for process in processes:
            process.kill()
            with suppress(BrokenPipeError):
                process.communicate()


def let_go(processes: list[subprocess.Popen[str]]) -> list[int]:
    """All at once; how many requests each was let."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return [int(process.stdout.readline()) for process in processes if process.stdout]


def test_requests_of_a_minute_are_exact_over_processes(tmp_path: Path) -> None:
    with callers(tmp_path, "500", "400") as processes:
        assert sum(let_go(processes)) == 500
    assert KeyLimits(cast(Database, None), tmp_path).enter(limited(PREFIX, rpm=500)).refusal is not None


def test_requests_at_once_are_exact_over_processes_and_freed_by_a_kill(tmp_path: Path) -> None:
    mine, key = KeyLimits(cast(Database, None), tmp_path), limited(PREFIX, concurrency=10)
    with callers(tmp_path, "at-once", "10") as processes:
        assert sum(let_go(processes)) == 10
        refusal = mine.enter(key).refusal
        assert refusal is not None
        assert (refusal.status, refusal.code) == (429, "concurrency_limit_exceeded")
    admitted = [mine.enter(key) for _ in range(11)]
    assert [each.refusal is None for each in admitted] == [True] * 10 + [False]
    admitted[3].release()
    admitted[3].release()
    assert [mine.enter(key).refusal is None for _ in range(2)] == [True, False]


def test_a_refused_request_holds_no_place(tmp_path: Path) -> None:
    limits, key = KeyLimits(cast(Database, None), tmp_path), limited(PREFIX, rpm=1, concurrency=2)
    first = limits.enter(key)
    assert first.refusal is None
    assert [limits.enter(key).refusal.code for _ in range(4)] == ["rate_limit_exceeded"] * 4  # type: ignore[union-attr]


def test_without_a_place_for_files_each_process_counts_for_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    limits, key = KeyLimits(cast(Database, None), tmp_path / "file"), limited(PREFIX, rpm=2, concurrency=2)
    assert [limits.enter(key).refusal is None for _ in range(3)] == [True, True, False]
    assert "for each process alone" in caplog.text


def test_a_process_that_stopped_at_the_wrong_moment_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_limits, "_PATIENCE_S", 0.01)
    limits = KeyLimits(cast(Database, None), tmp_path)
    monkeypatch.setattr(limits._locks, "take", lambda offset: False)
    assert limits.enter(limited(PREFIX, rpm=1)).refusal is None


def hosts(database: Database, folder: Path) -> Hosts:
    return Hosts(database, folder, RangeLocks(folder / "keys.lock"))


def test_hosts_that_live_share_a_limit(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = hosts(database, tmp_path / "a"), hosts(database, tmp_path / "b")
    assert here.share(10) == 10
    here.beat()
    there.beat()
    here.beat()
    assert sorted([here.share(5), there.share(5)]) == [2, 3]
    assert hosts(database, tmp_path / "a")._identity() == here._identity() != there._identity()
    now = database.now
    monkeypatch.setattr(database, "now", lambda tx: now(tx) + LIVE_S + 1)
    here.beat()
    assert here.share(5) == 5


def test_what_is_kept_of_a_key_goes_with_it(database: Database, tmp_path: Path) -> None:
    limits = KeyLimits(database, tmp_path)
    other = "ba9876543210"
    for prefix in (PREFIX, other):
        limits.enter(limited(prefix, rpm=3))
    limits.beat({other})
    assert [file.name for file in (tmp_path / "limits").glob("*.ring")] == [f"{other}-3.ring"]


@pytest.fixture
def api(sqlite_url: str, tmp_path: Path) -> Iterator[Api]:
    with management(sqlite_url, tmp_path) as api:
        yield api


def test_a_caller_is_told_of_the_limit(api: Api) -> None:
    caller, free = As(api, make(api, "infer", rpm=2)), As(api, make(api, "infer"))
    for left in ("1", "0"):
        answer = caller.send("GET", "/v1/models")
        assert answer.status_code == 200
        assert answer.headers["x-ratelimit-limit-requests"] == "2"
        assert answer.headers["x-ratelimit-remaining-requests"] == left
        assert answer.headers["x-ratelimit-reset-requests"] == "60s"
    answer = caller.send("GET", "/v1/models")
    assert answer.status_code == 429
    assert answer.json is not None
    assert answer.json["error"]["code"] == "rate_limit_exceeded"
    assert 50 < int(answer.headers["Retry-After"]) <= 60
    assert answer.headers["x-ratelimit-remaining-requests"] == "0"
    assert caller.status("GET", "/healthz") == 200
    free_answer = free.send("GET", "/v1/models")
    assert free_answer.status_code == 200
    assert "x-ratelimit-limit-requests" not in free_answer.headers


def test_what_a_key_may_not_do_costs_it_nothing(api: Api) -> None:
    caller = As(api, make(api, "infer", rpm=1, concurrency=1))
    for _ in range(3):
        assert caller.status("GET", "/api/server/workers") == 403
    assert caller.status("GET", "/v1/models") == 200


def test_a_place_is_held_until_the_answer_is_over(api: Api) -> None:
    key = make(api, "infer", concurrency=1)
    inside, leave = threading.Event(), threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b"a"
        inside.set()
        leave.wait(20)
        yield b"b"

    body = pieces()
    api.app.view_functions["rollcall-models.list_models"] = lambda: api.app.response_class(
        body, direct_passthrough=True
    )
    with served(api.app) as url:
        port = int(url.rpartition(":")[2])

        def ask(path: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", path, headers={"x-api-key": key})
            return connection, connection.getresponse()

        connection, streaming = ask("/v1/models")
        assert inside.wait(20)
        other, full = ask("/v1/models/x")
        assert (full.status, full.headers["Retry-After"]) == (429, "1")
        other.close()
        leave.set()
        assert streaming.read() == b"ab"
        connection.close()

        def is_free() -> bool:
            again, answer = ask("/v1/models/x")
            again.close()
            return answer.status == 404

        wait_for("a free place", is_free)


@pytest.mark.parametrize("path", ["/nope", "/v1/models/x", "/v1/chat/completions"])
def test_a_place_is_given_back_whatever_went_wrong(api: Api, path: str) -> None:
    caller = As(api, make(api, "infer", concurrency=1))
    assert {caller.status("GET", path) for _ in range(3)} & {429} == set()
