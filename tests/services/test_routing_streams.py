"""Streams: failover before the first event, honest ends after it, and workers that see the caller leave."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from app.core.errors import UpstreamError, UpstreamRejected, UpstreamTimeout
from tests.fakes import (
    Behaviour,
    FakeUpstream,
    drop,
    endless,
    hang,
    html_answer,
    json_answer,
    openai_answer,
    openai_chunk,
    openai_stream,
    refusing_port,
    sse,
)
from tests.services.routes import OPENAI, PLAIN, STREAM_ONLY, chat, router, worker

STREAM = chat(stream=True)


def text_of(events: Any) -> str:
    return "".join(event.text for event in events)


def test_events_arrive_as_the_worker_sends_them() -> None:
    gate = threading.Event()
    with FakeUpstream(openai_stream("Hel", gate, "lo")) as one:
        answer = router(worker(3, one.url, OPENAI)).stream(STREAM)
        assert (answer.worker_id, answer.attempts) == (3, 1)
        assert next(answer.events).text == "Hel"
        gate.set()
        rest = list(answer.events)
        assert (text_of(rest), rest[-1].finish) == ("lo", "stop")
        assert one.requests[0].json["stream"] is True


def test_a_finished_stream_gives_its_connection_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.upstream.pools.REST_S", 0)
    with FakeUpstream(openai_stream("a")) as one:
        route = router(worker(1, one.url, OPENAI))
        for _ in range(3):
            answer = route.stream(STREAM)
            list(answer.events)
            answer.close()
        assert (len(one.requests), one.connections) == (3, 1)


def test_a_worker_that_cannot_stream_answers_in_one_piece() -> None:
    with FakeUpstream(json_answer({"answer": "whole"})) as one:
        answer = router(worker(1, one.url, PLAIN)).stream(STREAM)
        assert text_of(answer.events) == "whole"
        answer.close()


def test_a_worker_that_answers_a_stream_with_json_is_understood() -> None:
    with FakeUpstream(openai_answer("whole", "length")) as one:
        events = list(router(worker(1, one.url, OPENAI)).stream(STREAM).events)
    assert (text_of(events), events[-1].finish) == ("whole", "length")


def test_an_endless_json_reply_to_a_stream_is_capped() -> None:
    with FakeUpstream(endless()) as one:
        with pytest.raises(UpstreamError, match="larger than 100,000 bytes"):
            router(worker(1, one.url, OPENAI), max_reply_bytes=100_000).stream(STREAM)
        one.wait_left()


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(json_answer({"error": "busy"}, 503), id="503"),
        pytest.param(json_answer({"error": "boom"}, 500), id="500"),
        pytest.param(sse({"error": {"message": "full", "code": 9}}), id="retry_when in the first frame"),
        pytest.param(drop(), id="dropped"),
        pytest.param(sse(), id="no frame at all"),
        pytest.param(sse(b": only a comment\n\n", cut="rst"), id="cut before the first event"),
    ],
)
def test_fails_over_before_the_first_event(bad: Behaviour) -> None:
    words = {"retry": ["reset"], "retry_when": {"error.code": 9}}
    with FakeUpstream(bad) as first, FakeUpstream(openai_stream("good")) as second:
        route = router(worker(1, first.url, OPENAI, **words), worker(2, second.url, OPENAI, weight=0))
        answer = route.stream(STREAM)
        assert (text_of(answer.events), answer.worker_id, answer.attempts) == ("good", 2, 2)


def test_a_refused_connection_fails_over() -> None:
    with refusing_port() as port, FakeUpstream(openai_stream("good")) as second:
        first = worker(1, f"http://127.0.0.1:{port}/", OPENAI)
        assert router(first, worker(2, second.url, OPENAI, weight=0)).stream(STREAM).worker_id == 2


def test_the_workers_own_refusal_is_an_honest_status() -> None:
    with FakeUpstream(json_answer({"error": {"message": "too long"}}, 400)) as one, FakeUpstream() as other:
        route = router(worker(1, one.url, OPENAI), worker(2, other.url, OPENAI, weight=0))
        with pytest.raises(UpstreamRejected, match=r"^too long$") as caught:
            route.stream(STREAM)
        assert (caught.value.status, other.requests) == (400, [])


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        pytest.param(sse({"error": {"message": "out of memory"}}), "Worker 1 failed: out of memory", id="error frame"),
        pytest.param(html_answer(), "where JSON was expected", id="HTML"),
        pytest.param(sse("[DONE]"), "without an answer", id="no answer"),
    ],
)
def test_a_failure_before_the_first_event_is_an_error_and_no_stream(bad: Behaviour, words: str) -> None:
    with FakeUpstream(bad) as one, pytest.raises(UpstreamError, match=words) as caught:
        router(worker(1, one.url, OPENAI)).stream(STREAM)
    assert (caught.value.status, caught.value.attempts, caught.value.worker_id) == (502, 1, 1)


def test_a_failure_before_the_first_event_frees_the_worker() -> None:
    with FakeUpstream(sse({"error": {"message": "full"}}, threading.Event())) as one:
        with pytest.raises(UpstreamError, match="full"):
            router(worker(1, one.url, OPENAI)).stream(STREAM)
        one.wait_left()


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        pytest.param(sse(openai_chunk("a"), cut="rst"), "after the request was sent", id="reset"),
        pytest.param(sse(openai_chunk("a"), cut="close"), "middle of the reply", id="closed"),
        pytest.param(sse(openai_chunk("a"), framing="eof"), "without its end mark", id="ended without end mark"),
        pytest.param(sse(openai_chunk("a"), {"error": {"message": "boom"}}), "failed: boom", id="error frame"),
    ],
)
def test_what_breaks_after_the_first_event_is_raised_and_never_tried_again(bad: Behaviour, words: str) -> None:
    with FakeUpstream(bad) as one, FakeUpstream(openai_stream("good")) as other:
        retry = {"retry": ["reset", "502"], "retry_when": {"error": "*"}}
        route = router(worker(1, one.url, OPENAI, **retry), worker(2, other.url, OPENAI, weight=0))
        answer = route.stream(STREAM)
        assert next(answer.events).text == "a"
        with pytest.raises(UpstreamError, match=words) as caught:
            list(answer.events)
        assert (caught.value.attempts, caught.value.worker_id, other.requests) == (1, 1, [])


def test_silence_after_the_first_event_ends_the_stream() -> None:
    with FakeUpstream(sse(openai_chunk("a"), threading.Event())) as one:
        answer = router(worker(1, one.url, OPENAI), stream_idle_s=0.2).stream(STREAM)
        next(answer.events)
        with pytest.raises(UpstreamTimeout, match="silent for 0.2 s"):
            next(answer.events)
        one.wait_left()


def test_silence_before_the_first_event_is_504() -> None:
    with FakeUpstream(hang()) as one:
        with pytest.raises(UpstreamTimeout):
            router(worker(1, one.url, OPENAI), stream_idle_s=0.2).stream(STREAM)
        one.wait_left()


def test_close_frees_the_worker_even_if_nothing_was_read() -> None:
    with FakeUpstream(sse(openai_chunk("a"), threading.Event())) as one:
        answer = router(worker(1, one.url, OPENAI)).stream(STREAM)
        answer.close()
        one.wait_left()
        answer.close()


def test_closing_the_events_frees_the_worker() -> None:
    with FakeUpstream(sse(openai_chunk("a"), threading.Event())) as one:
        answer = router(worker(1, one.url, OPENAI)).stream(STREAM)
        next(answer.events)
        answer.events.close()  # type: ignore[attr-defined]
        one.wait_left()


def test_a_stream_only_worker_streams() -> None:
    gate = threading.Event()
    with FakeUpstream(sse({"t": "a"}, gate, {"t": "b"}, framing="eof")) as one:
        answer = router(worker(1, one.url, STREAM_ONLY)).stream(STREAM)
        assert next(answer.events).text == "a"
        gate.set()
        assert text_of(answer.events) == "b"
