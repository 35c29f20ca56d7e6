"""Text models whose workers work by jobs, asked on the chat surfaces: awaited, or streamed where the poll streams."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.api.video_rig import Door, sqlite_door
from tests.fakes import Behaviour, Exchange, FakeUpstream, json_answer, sse
from tests.services.job_rig import Studio, done, failing, running

HI: Any = [{"role": "user", "content": "hello"}]
TEXT = {"body": {"q": "{USER_PROMPT}"}}
JOB = {
    "id_extract": "id",
    "done_when": {"status": "done"},
    "failed_when": {"status": "failed"},
    "result_extract": "output[*]",
    "error_extract": "failure",
    "interval_s": 0.02,
}
STREAM = {"mode": "cumulative", "delta_extract": "@json[0]"}
FRAMED = {
    "id_extract": "event_id",
    "framing": "sse",
    "done_when": {"@event": "complete"},
    "failed_when": {"@event": "error"},
    "error_extract": "@data",
}


@pytest.fixture(scope="module")
def door(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with sqlite_door(sqlite_template, tmp_path_factory.mktemp("jobs")) as opened:
        yield opened


def framed(*frames: Any) -> Behaviour:
    """A worker that takes a job by POST, and tells of it in one stream."""

    def behave(exchange: Exchange) -> None:
        take = json_answer({"event_id": "e-1"})
        (take if exchange.request.method == "POST" else sse(*frames))(exchange)

    return behave


def words(upstream: FakeUpstream, **more: Any) -> dict[str, Any]:
    job = {**JOB, "req_url_template": f"{upstream.origin}/tasks/{{JOB_ID}}", **more.pop("job", {})}
    return {**TEXT, "req_url_template": upstream.url, "job": job, **more}


def framed_words(upstream: FakeUpstream) -> dict[str, Any]:
    job = {**FRAMED, "req_url_template": f"{upstream.origin}/call/{{JOB_ID}}"}
    return {**TEXT, "req_url_template": upstream.url, "stream": STREAM, "job": job}


@pytest.mark.parametrize("stream", [False, True])
def test_a_job_is_awaited(door: Door, stream: bool) -> None:
    studio = Studio(running(), running(50), done("four", "ty"))
    with FakeUpstream(studio) as upstream, door.model(**words(upstream)) as model, door.sdk() as api:
        if stream:
            chunks = list(api.chat.completions.create(model=model, messages=HI, stream=True))
            text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
            finish = chunks[-1].choices[0].finish_reason
        else:
            reply = api.chat.completions.create(model=model, messages=HI)
            text, finish = reply.choices[0].message.content or "", reply.choices[0].finish_reason
        assert upstream.requests[0].json == {"q": "hello"}
    assert (text, finish) == ("fourty", "stop")
    assert studio.asked[1:] == ["GET /tasks/t-1"] * 3


@pytest.mark.parametrize(
    ("route", "body", "path"),
    [
        ("/api/v1/chat/completions", {"input": "hello", "model_name": "M"}, "result"),
        ("/v1/completions", {"prompt": "hello", "model": "M"}, "choices.0.text"),
        ("/v1/messages", {"messages": HI, "max_tokens": 9, "model": "M"}, "content.0.text"),
    ],
)
def test_on_every_surface(door: Door, route: str, body: dict[str, Any], path: str) -> None:
    with FakeUpstream(Studio(done("forty"))) as upstream, door.model(**words(upstream)) as model:
        answer = door.api.post(route, {name: model if value == "M" else value for name, value in body.items()})
    found: Any = answer.json
    for step in path.split("."):
        found = found[int(step) if step.isdigit() else step]
    assert (answer.status_code, found) == (200, "forty")


def test_a_job_that_fails(door: Door) -> None:
    with FakeUpstream(Studio(running(), failing("moderated"))) as upstream, door.model(**words(upstream)) as model:
        answer = door.api.post("/v1/chat/completions", {"model": model, "messages": HI})
    assert (answer.status_code, "moderated" in answer.json["error"]["message"]) == (502, True)
    assert answer.headers["x-should-retry"] == "false"


def test_a_poll_that_streams_is_passed_on_as_it_comes(door: Door) -> None:
    gate = threading.Event()
    frames = (b'event: generating\ndata: ["a "]\n\n', gate, b'event: complete\ndata: ["a b"]\n\n')
    with FakeUpstream(framed(*frames)) as upstream, door.model(**framed_words(upstream)) as model, door.sdk() as api:
        said = []
        for chunk in api.chat.completions.create(model=model, messages=HI, stream=True):
            if text := chunk.choices[0].delta.content:
                said.append(text)
                gate.set()
        assert said == ["a ", "b"]
        assert chunk.choices[0].finish_reason == "stop"


def test_a_poll_that_streams_is_gathered_for_who_did_not_ask_for_a_stream(door: Door) -> None:
    frames = (b'event: generating\ndata: ["a "]\n\n', b'event: complete\ndata: ["a b"]\n\n')
    with FakeUpstream(framed(*frames)) as upstream, door.model(**framed_words(upstream)) as model:
        answer = door.api.post("/v1/chat/completions", {"model": model, "messages": HI})
    assert answer.json["choices"][0]["message"]["content"] == "a b"


def test_a_poll_that_streams_and_breaks_is_an_error(door: Door) -> None:
    frames = (b'event: generating\ndata: ["a "]\n\n', b'event: error\ndata: "no GPU"\n\n')
    with FakeUpstream(framed(*frames)) as upstream, door.model(**framed_words(upstream)) as model, door.sdk() as api:
        answer = api.chat.completions.create(model=model, messages=HI, stream=True)
        with pytest.raises(openai.APIError, match="no GPU"):
            list(answer)


@pytest.mark.parametrize("stream", [False, True])
def test_who_waits_gets_504_in_time_and_the_job_goes_on(door: Door, stream: bool) -> None:
    with FakeUpstream(Studio(running())) as upstream:
        with door.model(**words(upstream, timeout_s=1, job={"timeout_s": 600})) as model:
            answer = door.api.post("/v1/chat/completions", {"model": model, "messages": HI, "stream": stream})
        methods = [request.method for request in upstream.requests]
    assert (answer.status_code, answer.json["error"]["code"]) == (504, "upstream_timeout")
    assert "its job was not done in time" in answer.json["error"]["message"]
    # It was submitted once, and nobody told the worker to stop.
    assert methods.count("POST") == 1
    assert set(methods) == {"POST", "GET"}
