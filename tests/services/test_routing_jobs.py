"""Workers that work by jobs: submitted by the loop of attempts, and awaited where a chat asks one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.core.errors import InvalidRequest, RollcallError, UpstreamError, UpstreamTimeout
from tests.fakes import Behaviour, Exchange, FakeUpstream, drop, hang, json_answer, refusing_port, sse
from tests.services.routes import PLAIN, asked, chat, router, worker

TAKEN = json_answer({"id": "job-7", "urls": {"get": "x"}})


def job(origin: str, task: str = "text", **words: Any) -> dict[str, Any]:
    block = {
        "id_extract": "id",
        "req_url_template": origin + "/jobs/{JOB_ID}",
        "done_when": {"status": "done"},
        "failed_when": {"status": "failed"},
        "result_extract": "answer",
        "interval_s": 0.01,
        "timeout_s": 60,
        **words,
    }
    return {"task": task, "body": {"prompt": "{USER_PROMPT}"}, "error": {"code": "*"}, "job": block}


def framed(origin: str) -> dict[str, Any]:
    """Its poll is a stream of events that is opened once."""
    block = {
        "id_extract": "id",
        "req_url_template": origin + "/jobs/{JOB_ID}",
        "framing": "sse",
        "done_when": {"@event": "complete"},
        "failed_when": {"@event": "error"},
    }
    stream = {"framing": "sse", "delta_extract": "text", "done_when": {"@event": "complete"}}
    return {"body": {"prompt": "{USER_PROMPT}"}, "job": block, "stream": stream}


def by_path(submit: Behaviour, *polls: Behaviour) -> Behaviour:
    """The submit's answer, and those of the polls in turn, the last one for ever."""
    script = list(polls)

    def behave(exchange: Exchange) -> None:
        if exchange.request.path.startswith("/jobs/"):
            (script.pop(0) if len(script) > 1 else script[0])(exchange)
        else:
            submit(exchange)

    return behave


RUNNING = json_answer({"status": "running"})
DONE = json_answer({"status": "done", "answer": "whole"})


def test_submitted() -> None:
    with FakeUpstream(TAKEN) as one:
        taken = router(worker(4, one.url, job(one.origin, "video"))).submit(asked("video"))
        assert (taken.worker.id, taken.job_id, taken.attempts) == (4, "job-7", 1)
        assert taken.reply == {"id": "job-7", "urls": {"get": "x"}}
        assert [request.json for request in one.requests] == [{"prompt": "a cat"}]


SUBMITS = [
    pytest.param(json_answer({"status": "queued"}), "id", id="no id"),
    pytest.param(json_answer({"code": 24, "message": "banned word"}), "banned word", id="error on 200"),
    pytest.param(json_answer({"error": "bad size"}, 400), "bad size", id="400"),
    pytest.param(drop(), "after the request was sent", id="dropped"),
]


@pytest.mark.parametrize(("bad", "words"), SUBMITS)
def test_a_submit_that_may_have_been_taken_is_not_sent_again(bad: Behaviour, words: str) -> None:
    with FakeUpstream(bad) as one, FakeUpstream(TAKEN) as other:
        route = router(
            worker(1, one.url, job(one.origin, "video")), worker(2, other.url, job(other.origin, "video"), weight=0)
        )
        with pytest.raises(RollcallError, match=words):
            route.submit(asked("video"))
        assert (len(one.requests), len(other.requests)) == (1, 0)


def test_a_submit_fails_over_as_a_chat_does() -> None:
    with refusing_port() as port, FakeUpstream(json_answer({}, 429)) as busy, FakeUpstream(TAKEN) as good:
        gone = worker(1, f"http://127.0.0.1:{port}/", job(busy.origin, "video"), weight=1000)
        full = worker(2, busy.url, job(busy.origin, "video"))
        taken = router(gone, full, worker(3, good.url, job(good.origin, "video"), weight=0)).submit(asked("video"))
        assert (taken.worker.id, taken.attempts) == (3, 3)


def test_the_way_of_a_model() -> None:
    jobs = worker(1, "http://127.0.0.1:9/", job("http://127.0.0.1:9", "video"))
    at_once = worker(2, "http://127.0.0.1:9/b", {**PLAIN, "task": "video"})
    assert router(jobs).works_by_job(asked("video")) is True
    assert router(at_once).works_by_job(asked("video")) is False
    route = router(jobs, at_once)
    assert {route.works_by_job(asked("video")) for _ in range(200)} == {True, False}
    with pytest.raises(InvalidRequest, match="makes videos"):
        router(jobs).submit(asked("image"))


def test_each_way_asks_its_own_workers() -> None:
    with FakeUpstream(TAKEN) as slow, FakeUpstream(json_answer({"answer": "http://h.example/v.mp4"})) as quick:
        shape = {**PLAIN, "task": "video", "output": {"as": "url"}}
        crowd = [worker(n, quick.url, shape, weight=1000, instance=str(n)) for n in range(10)]
        route = router(*crowd, worker(99, slow.url, job(slow.origin, "video")))
        assert route.submit(asked("video")).worker.id == 99
        assert route.result(asked("video")).worker_id < 10


def test_a_chat_waits_for_its_job() -> None:
    with FakeUpstream(by_path(TAKEN, RUNNING, json_answer({"error": "hiccup"}, 500), RUNNING, DONE)) as one:
        answer = router(worker(1, one.url, job(one.origin))).complete(chat())
        assert (answer.reply.text, answer.worker_id, answer.attempts) == ("whole", 1, 1)
        assert [request.path for request in one.requests] == ["/generate", *["/jobs/job-7"] * 4]


def test_a_stream_of_a_job_comes_in_one_piece() -> None:
    with FakeUpstream(by_path(TAKEN, DONE)) as one:
        answer = router(worker(1, one.url, job(one.origin))).stream(chat(stream=True))
        assert "".join(event.text for event in answer.events) == "whole"
        answer.close()


Ask = Callable[[Any, Any], Any]


@pytest.mark.parametrize(
    ("polls", "words", "status"),
    [
        pytest.param(json_answer({"status": "failed", "error": "CUDA OOM"}), "CUDA OOM", 502, id="failed"),
        pytest.param(json_answer({"error": "down"}, 500), "does not say how it is", 502, id="never answers well"),
        pytest.param(json_answer({"status": "done"}), "answer", 502, id="done without a result"),
    ],
)
def test_a_job_that_fails_is_not_submitted_again(polls: Behaviour, words: str, status: int) -> None:
    with FakeUpstream(by_path(TAKEN, polls)) as one, FakeUpstream(by_path(TAKEN, DONE)) as other:
        route = router(worker(1, one.url, job(one.origin)), worker(2, other.url, job(other.origin), weight=0))
        with pytest.raises(UpstreamError, match=words) as caught:
            route.complete(chat())
        assert (caught.value.status, caught.value.worker_id, other.requests) == (status, 1, [])


@pytest.mark.parametrize("words", [{"timeout_s": 0.2}, {"job_timeout_s": 0.2}])
def test_a_job_that_never_ends_is_504(words: dict[str, Any]) -> None:
    with FakeUpstream(by_path(TAKEN, RUNNING)) as one:
        own = {"timeout_s": words["job_timeout_s"]} if "job_timeout_s" in words else {}
        shape = job(one.origin, **own) | ({} if own else words)
        with pytest.raises(UpstreamTimeout, match="its job was not done in time"):
            router(worker(1, one.url, shape)).complete(chat())


def event(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode()


EVENTS = sse(event("generating", '{"text": "Hel"}'), event("generating", '{"text": "lo"}'), event("complete", "null"))


def test_a_poll_that_streams_is_a_stream() -> None:
    with FakeUpstream(by_path(TAKEN, EVENTS)) as one:
        route = router(worker(1, one.url, framed(one.origin)))
        answer = route.stream(chat(stream=True))
        assert [event.text for event in answer.events if event.text] == ["Hel", "lo"]
        assert route.complete(chat()).reply.text == "Hello"
        assert [request.path for request in one.requests] == ["/generate", "/jobs/job-7"] * 2


@pytest.mark.parametrize(
    "poll",
    [
        pytest.param(json_answer({"error": "busy"}, 503), id="503"),
        pytest.param(sse(event("error", '{"error": "boom"}')), id="failed"),
        pytest.param(sse(event("generating", '{"text": ""}')), id="breaks off"),
        pytest.param(drop("rst"), id="dropped"),
    ],
)
def test_a_poll_that_fails_is_no_reason_to_submit_elsewhere(poll: Behaviour) -> None:
    with FakeUpstream(by_path(TAKEN, poll)) as one, FakeUpstream(by_path(TAKEN, EVENTS)) as other:
        first, second = worker(1, one.url, framed(one.origin)), worker(2, other.url, framed(other.origin), weight=0)
        with pytest.raises(UpstreamError):
            router(first, second).stream(chat(stream=True))
        with pytest.raises(UpstreamError):
            router(first, second).complete(chat())
        assert not other.requests


def test_a_stream_of_a_job_frees_its_worker_when_the_caller_leaves() -> None:
    silent = hang()

    def begins(exchange: Exchange) -> None:
        exchange.head(200, framing="chunked", content_type="text/event-stream")
        exchange.piece(event("generating", '{"text": "Hel"}'))
        silent(exchange)

    with FakeUpstream(by_path(TAKEN, begins)) as one:
        answer = router(worker(1, one.url, framed(one.origin))).stream(chat(stream=True))
        assert next(answer.events).text == "Hel"
        answer.close()
        one.wait_left()
