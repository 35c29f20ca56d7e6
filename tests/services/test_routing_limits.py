"""`limits.concurrency`: full workers are passed over, a full model is waited for, every call gives its slot back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import InvalidRequest, NoWorkerAvailable, RollcallError, UpstreamError
from app.services.routing import Router
from tests.fakes import (
    PATIENCE_S,
    Behaviour,
    FakeUpstream,
    json_answer,
    openai_chunk,
    openai_stream,
    refusing_port,
    sse,
)
from tests.services.routes import OPENAI, PLAIN, chat, router, worker

GOOD = json_answer({"answer": "good"})
ONE = {"concurrency": 1}


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


Start = Callable[..., Future[Any]]


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_a_full_worker_is_passed_over(tmp_path: Path, threads: ThreadPoolExecutor, gate: threading.Event) -> None:
    with FakeUpstream(json_answer({"answer": "slow"}, gate=gate)) as slow, FakeUpstream(GOOD) as other:
        limited = worker(1, slow.url, limits=ONE)
        route = router(limited, worker(2, other.url, weight=0), var=tmp_path)
        first = threads.submit(route.complete, chat())
        slow.wait_requests(1)
        for _ in range(3):
            answer = route.complete(chat())
            assert (answer.worker_id, answer.attempts) == (2, 1)
        gate.set()
        assert first.result(PATIENCE_S).worker_id == 1
        assert route.complete(chat()).worker_id == 1


def test_when_all_are_full_a_request_waits_for_room(
    tmp_path: Path, threads: ThreadPoolExecutor, gate: threading.Event
) -> None:
    with FakeUpstream(json_answer({"answer": "slow"}, gate=gate), GOOD) as one:
        route = router(worker(1, one.url, limits=ONE), var=tmp_path)
        first = threads.submit(route.complete, chat())
        one.wait_requests(1)
        second = threads.submit(route.complete, chat())
        gate.set()
        assert first.result(PATIENCE_S).reply.text == "slow"
        assert second.result(PATIENCE_S).reply.text == "good"


def test_room_that_does_not_come_is_503(tmp_path: Path, threads: ThreadPoolExecutor, gate: threading.Event) -> None:
    with FakeUpstream(json_answer({"answer": "slow"}, gate=gate)) as one:
        route = router(worker(1, one.url, limits=ONE), var=tmp_path)
        first = threads.submit(route.complete, chat())
        one.wait_requests(1)
        with pytest.raises(NoWorkerAvailable, match=r"limits\.concurrency") as caught:
            route.complete(chat())
        error = caught.value
        assert (error.status, error.retry_after_s, error.should_retry, error.attempts) == (503, 1.0, None, 0)
        assert len(one.requests) == 1
        gate.set()
        first.result(PATIENCE_S)


def test_a_failure_is_told_where_the_others_are_full(
    tmp_path: Path, threads: ThreadPoolExecutor, gate: threading.Event
) -> None:
    busy = json_answer({"error": "loading"}, 503)
    with FakeUpstream(json_answer({"answer": "slow"}, gate=gate)) as full, FakeUpstream(busy) as bad:
        route = router(worker(1, full.url, limits=ONE), worker(2, bad.url, weight=0), var=tmp_path)
        first = threads.submit(route.complete, chat())
        full.wait_requests(1)
        with pytest.raises(UpstreamError, match="Worker 2 answered HTTP 503: loading"):
            route.complete(chat())
        gate.set()
        first.result(PATIENCE_S)


def test_a_worker_may_have_several_calls(tmp_path: Path, threads: ThreadPoolExecutor, gate: threading.Event) -> None:
    with FakeUpstream(json_answer({"answer": "slow"}, gate=gate)) as one:
        route = router(worker(1, one.url, limits={"concurrency": 3}), var=tmp_path)
        calls = [threads.submit(route.complete, chat()) for _ in range(3)]
        one.wait_requests(3)
        gate.set()
        assert [call.result(PATIENCE_S).worker_id for call in calls] == [1, 1, 1]


def free_again(route: Router) -> bool:
    """Whoever has the one slot would make this wait in vain."""
    return route.complete(chat()).worker_id == 1


ENDS = [
    pytest.param(json_answer({"error": "no"}, 400), id="400"),
    pytest.param(json_answer({"error": "no"}, 500), id="500"),
    pytest.param(json_answer({"other": 1}), id="nothing at the path"),
]


@pytest.mark.parametrize("bad", ENDS)
def test_a_failed_call_gives_its_slot_back(bad: Behaviour, tmp_path: Path) -> None:
    with FakeUpstream(bad, GOOD) as one:
        route = router(worker(1, one.url, limits=ONE), var=tmp_path)
        with pytest.raises(RollcallError):
            route.complete(chat())
        assert free_again(route)


def test_a_refused_connection_gives_its_slot_back(tmp_path: Path) -> None:
    with refusing_port() as port, FakeUpstream(GOOD) as other:
        gone = worker(1, f"http://127.0.0.1:{port}/", limits=ONE)
        assert router(gone, worker(2, other.url, weight=0), var=tmp_path).complete(chat()).worker_id == 2
        with pytest.raises(UpstreamError, match="refused"):
            router(gone, var=tmp_path).complete(chat())


def test_a_request_that_cannot_be_sent_gives_its_slot_back(tmp_path: Path) -> None:
    shape = {**PLAIN, "header": {"X-User": "{USER}"}}
    with FakeUpstream(GOOD) as one:
        route = router(worker(1, one.url, shape, limits=ONE), var=tmp_path)
        with pytest.raises(InvalidRequest):
            route.complete(chat(user="a\nb"))
        assert free_again(route)


def stream_slot(route: Router, one: FakeUpstream) -> bool:
    one.answer_with(openai_stream("again"))
    answer = route.stream(chat(stream=True))
    answer.close()
    return answer.worker_id == 1


def test_a_stream_holds_its_slot_until_it_ends(tmp_path: Path) -> None:
    with FakeUpstream(openai_stream("a", "b")) as one, FakeUpstream(openai_stream("other")) as two:
        route = router(worker(1, one.url, OPENAI, limits=ONE), worker(2, two.url, OPENAI, weight=0), var=tmp_path)
        answer = route.stream(chat(stream=True))
        next(answer.events)
        assert route.stream(chat(stream=True)).worker_id == 2
        list(answer.events)
        assert stream_slot(route, one)


def test_a_stream_that_is_closed_gives_its_slot_back(tmp_path: Path) -> None:
    with FakeUpstream(sse(openai_chunk("a"), threading.Event())) as one:
        route = router(worker(1, one.url, OPENAI, limits=ONE), var=tmp_path)
        answer = route.stream(chat(stream=True))
        answer.close()
        answer.close()
        assert stream_slot(route, one)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(sse(openai_chunk("a"), cut="rst"), id="after the first event"),
        pytest.param(sse(cut="rst"), id="before it"),
        pytest.param(json_answer({"error": "no"}, 400), id="400"),
    ],
)
def test_a_stream_that_breaks_gives_its_slot_back(bad: Behaviour, tmp_path: Path) -> None:
    with FakeUpstream(bad) as one:
        route = router(worker(1, one.url, OPENAI, limits=ONE), var=tmp_path)
        with pytest.raises(UpstreamError):
            list(route.stream(chat(stream=True)).events)
        assert stream_slot(route, one)
