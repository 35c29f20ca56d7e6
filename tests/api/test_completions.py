"""POST …/chat/completions: both shapes in, both shapes out, whole and streamed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import g

from app.core.conversation import Event, Reply, Usage
from app.core.errors import NoWorkerAvailable, UpstreamError
from tests.api.callers import CHAT, ROUTES, SEED, ScriptedRouter, callers_app, served

PATIENCE_S = 20.0


@pytest.mark.parametrize("route", ROUTES)
def test_openai_shape(route: str) -> None:
    router = ScriptedRouter(Reply("hello", "eos", Usage(1, 2)))
    answer = callers_app(router).test_client().post(route, json=CHAT, headers={"X-Request-Id": "r.1"})
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.json["choices"][0]["message"]["content"] == "hello"
    assert answer.json["choices"][0]["finish_reason"] == "stop"
    assert answer.json["usage"]["total_tokens"] == 3
    assert answer.json["id"].startswith("chatcmpl-")
    assert answer.headers["X-Rollcall-Worker"] == "7"
    assert answer.headers["X-Rollcall-Attempts"] == "2"
    assert answer.headers["X-Request-Id"] == "r.1"
    assert "X-Rollcall-Notice" not in answer.headers
    (asked,) = router.asked
    assert (asked.model, asked.body, asked.request_id) == ("m", CHAT, "r.1")


@pytest.mark.parametrize("route", ROUTES)
def test_seed_shape(route: str) -> None:
    answer = callers_app().test_client().post(route, json=SEED)
    assert (answer.status_code, answer.json) == (200, {"success": True, "msg": "execute succeed", "result": "hello"})
    assert answer.headers["X-Rollcall-Worker"] == "7"


def test_replies_stay_readable_utf8() -> None:
    answer = callers_app(ScriptedRouter(Reply("你好 \ud800"))).test_client().post(ROUTES[0], json=SEED)
    assert answer.json["result"] == "你好 \ud800"
    answer = callers_app(ScriptedRouter(Reply("你好"))).test_client().post(ROUTES[0], json=SEED)
    assert "你好".encode() in answer.data


@pytest.mark.parametrize("body", [CHAT, SEED])
def test_stream(body: dict[str, Any]) -> None:
    router = ScriptedRouter()
    answer = callers_app(router).test_client().post(ROUTES[1], json=body | {"stream": True})
    assert answer.status_code == 200
    assert answer.mimetype == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.headers["X-Rollcall-Worker"] == "7"
    assert "X-Request-Id" in answer.headers
    frames = answer.text.split("\n\n")
    assert frames[-2:] == ["data: [DONE]", ""]
    assert json.loads(frames[1].removeprefix("data: "))["choices"][0]["delta"] == {"content": "hel"}
    answer.close()
    assert router.streams[0].closed.is_set()


def test_notices_fit_into_a_header() -> None:
    router = ScriptedRouter(notices=("left out: stop", "a\r\nX-Evil: 1 你"))
    for body in (CHAT, CHAT | {"stream": True}):
        answer = callers_app(router).test_client().post(ROUTES[0], json=body)
        assert answer.headers["X-Rollcall-Notice"] == "left out: stop; a X-Evil: 1 ?"
        assert "X-Evil" not in answer.headers


@pytest.mark.parametrize("stream", [False, True])
def test_errors_before_the_first_event_have_a_status(stream: bool) -> None:
    error = NoWorkerAvailable("Every worker is down.", retry_after_s=1.2)
    error.attempts, error.worker_id = 3, 9
    answer = callers_app(ScriptedRouter(error=error)).test_client().post(ROUTES[0], json=CHAT | {"stream": stream})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "2"
    assert "x-should-retry" not in answer.headers
    assert (answer.headers["X-Rollcall-Attempts"], answer.headers["X-Rollcall-Worker"]) == ("3", "9")
    assert answer.json["error"]["message"] == "Every worker is down."


def test_a_finish_that_says_failure_is_502_with_the_worker_named() -> None:
    for body in (CHAT, SEED):
        answer = callers_app(ScriptedRouter(Reply("half", "ERROR"))).test_client().post(ROUTES[0], json=body)
        assert (answer.status_code, answer.headers["X-Rollcall-Worker"]) == (502, "7")
        assert answer.headers["x-should-retry"] == "false"


def breaking(error: Exception) -> Iterator[Event]:
    yield Event("hel")
    raise error


def test_an_error_after_the_first_event_is_in_band() -> None:
    router = ScriptedRouter(events=breaking(UpstreamError("The worker stopped.", code="stream_broken")))
    answer = callers_app(router).test_client().post(ROUTES[0], json=CHAT | {"stream": True})
    assert answer.status_code == 200
    *_, last, empty = answer.text.split("\n\n")
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "stream_broken"
    assert (empty, "[DONE]" in answer.text) == ("", False)


def test_a_bug_in_mid_stream_is_an_honest_error_without_its_insides(caplog: pytest.LogCaptureFixture) -> None:
    router = ScriptedRouter(events=breaking(KeyError("secret")))
    client = callers_app(router).test_client()
    answer = client.post(ROUTES[0], json=CHAT | {"stream": True}, headers={"X-Request-Id": "r-9"})
    error = json.loads(answer.text.split("\n\n")[-2].removeprefix("data: "))["error"]
    assert (error["code"], error["type"], error["request_id"]) == ("internal_error", "server_error", "r-9")
    assert "secret" not in answer.text
    assert "r-9" in caplog.text
    assert "KeyError" in caplog.text


def test_the_stream_runs_without_any_flask_context() -> None:
    seen: list[bool] = []

    def events() -> Iterator[Event]:
        seen.append(bool(g))
        yield Event("x")

    app = callers_app(ScriptedRouter(events=events()))
    with served(app) as url:
        _read_all(url)
    assert seen == [False]


def test_a_stream_that_nobody_reads_is_closed() -> None:
    router = ScriptedRouter()
    with callers_app(router).test_request_context(ROUTES[0], method="POST", json=CHAT | {"stream": True}) as context:
        response = context.app.full_dispatch_request()
        response.close()
    assert router.streams[0].closed.is_set()


def test_a_client_that_leaves_closes_the_upstream() -> None:
    import http.client

    left = threading.Event()

    def endless() -> Iterator[Event]:
        while not left.wait(0.01):
            yield Event("x" * 1000)

    router = ScriptedRouter(events=endless())
    try:
        with served(callers_app(router)) as url:
            connection = http.client.HTTPConnection(url.removeprefix("http://"))
            body = json.dumps(CHAT | {"stream": True})
            connection.request("POST", ROUTES[0], body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            assert response.read(10)
            response.close()
            connection.close()
            assert router.streams[0].closed.wait(PATIENCE_S)
    finally:
        left.set()


def test_pieces_arrive_one_by_one() -> None:
    import http.client

    gate = threading.Event()

    def events() -> Iterator[Event]:
        yield Event("first")
        assert gate.wait(PATIENCE_S)
        yield Event("second")

    with served(callers_app(ScriptedRouter(events=events()))) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        body = json.dumps(CHAT | {"stream": True})
        connection.request("POST", ROUTES[0], body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        seen = b""
        while b"first" not in seen:
            seen += response.read1()
        assert b"second" not in seen
        gate.set()
        assert b"second" in response.read()
        connection.close()


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_other_methods(route: str, method: str) -> None:
    answer = callers_app().test_client().open(route, method=method)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert "POST" in answer.json["error"]["message"]


def _read_all(url: str) -> bytes:
    import http.client

    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    body = json.dumps(CHAT | {"stream": True})
    connection.request("POST", ROUTES[0], body, {"Content-Type": "application/json"})
    try:
        return connection.getresponse().read()
    finally:
        connection.close()
