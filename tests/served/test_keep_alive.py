"""Callers of streams that hear nothing for a while: signs of life, failover, and errors inside the stream."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
import trustme

from tests.fakes import (
    PATIENCE_S,
    Behaviour,
    Exchange,
    FakeUpstream,
    drop,
    json_answer,
    openai_answer,
    openai_chunk,
    openai_stream,
    sse,
)
from tests.served.leaving import CHAT, NEVER, STREAM, Rig, leaving
from tests.served.toys import openai_worker, question
from tests.services.job_rig import JOB

HI: Any = [{"role": "user", "content": "hi"}]
SIGN = b": keep-alive\n\n"
END = b"data: [DONE]\n\n"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module", params=["gevent", "gthread"])
def rig(
    request: pytest.FixtureRequest,
    sqlite_template: Path,
    tmp_path_factory: pytest.TempPathFactory,
    authority: trustme.CA,
) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("var")
    with leaving(sqlite_template, folder, request.param, authority, ROLLCALL_KEEP_ALIVE_S="0.1") as server:
        yield Rig(server, authority)


class Heard:
    """A stream as it comes over a connection that may be used again."""

    def __init__(self, rig: Rig, path: str, body: dict[str, Any]) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", rig.server.port, timeout=PATIENCE_S)
        self.connection.request(
            "POST", path, json.dumps({**body, "stream": True}), {"Content-Type": "application/json"}
        )
        self.response = self.connection.getresponse()
        self.text = b""

    def until(self, mark: bytes) -> None:
        while mark not in self.text:
            piece = self.response.read1(65_536)
            assert piece, self.text
            self.text += piece

    def rest(self) -> bytes:
        self.text += self.response.read()
        return self.text

    @property
    def events(self) -> bytes:
        """Without the signs of life."""
        return self.text.replace(SIGN, b"")


@contextmanager
def hearing(rig: Rig, model: str) -> Iterator[Heard]:
    heard = Heard(rig, CHAT, question(model))
    try:
        yield heard
    finally:
        heard.connection.close()


def after(gate: threading.Event, then: Behaviour) -> Behaviour:
    def behave(exchange: Exchange) -> None:
        exchange.wait(gate)
        then(exchange)

    return behave


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_before_the_first_event(rig: Rig, tls: bool) -> None:
    gate = threading.Event()
    with rig.model(after(gate, openai_stream("hel", "lo")), tls=tls) as (model, _), hearing(rig, model) as heard:
        assert heard.response.status == 200
        assert heard.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert heard.response.headers["X-Request-Id"]
        assert heard.response.headers["X-Accel-Buffering"] == "no"
        heard.until(SIGN * 2)
        assert not heard.events
        gate.set()
        assert heard.rest().startswith(SIGN)
        assert heard.events.endswith(END)
        assert b"hel" in heard.events


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_between_two_events(rig: Rig, tls: bool) -> None:
    gate = threading.Event()
    with rig.model(openai_stream("hel", gate, "lo"), tls=tls) as (model, _), hearing(rig, model) as heard:
        assert heard.response.headers["X-Rollcall-Attempts"] == "1"
        heard.until(b'"hel"')
        heard.until(SIGN * 2)
        gate.set()
        heard.rest()
        assert heard.events.endswith(END)


def test_what_a_worker_says_beside_its_events_is_silence(rig: Rig) -> None:
    gate = threading.Event()

    def murmurs(exchange: Exchange) -> None:
        exchange.head(framing="chunked", content_type="text/event-stream")
        while not gate.is_set():
            exchange.piece(b": working\n\n")
            exchange.check_caller(0.02)
        exchange.piece(f"data: {json.dumps(openai_chunk('hello', 'stop'))}\n\ndata: [DONE]\n\n".encode())
        exchange.finish()

    with rig.model(murmurs) as (model, _), hearing(rig, model) as heard:
        heard.until(SIGN * 2)
        gate.set()
        heard.rest()
        assert b"hello" in heard.events


def test_a_stream_that_is_never_silent_has_none(rig: Rig) -> None:
    with rig.model(openai_stream("hel", "lo")) as (model, _), hearing(rig, model) as heard:
        assert heard.rest().endswith(END)
        assert heard.response.headers["X-Rollcall-Worker"]


def test_the_connection_serves_again(rig: Rig) -> None:
    gate = threading.Event()
    with rig.model(after(gate, openai_stream("hello"))) as (model, _), hearing(rig, model) as heard:
        heard.until(SIGN)
        gate.set()
        heard.rest()
        heard.connection.request("GET", "/healthz")
        assert json.loads(heard.connection.getresponse().read()) == {"status": "ok"}


def test_another_worker_is_asked_after_the_first_sign(rig: Rig) -> None:
    gate = threading.Event()
    with (
        rig.model(after(gate, drop()), retry=["reset"]) as (model, first),
        FakeUpstream(openai_stream("good")) as other,
    ):
        rig.server.register(**openai_worker(model, other.url, stream=STREAM, weight=0))
        with hearing(rig, model) as heard:
            heard.until(SIGN)
            gate.set()
            assert heard.rest().endswith(END)
            assert b"good" in heard.events
        assert (len(first.requests), len(other.requests)) == (1, 1)


def test_a_worker_that_cannot_stream(rig: Rig) -> None:
    gate = threading.Event()
    with FakeUpstream(after(gate, openai_answer("whole"))) as upstream:
        rig.server.register(**openai_worker("whole", upstream.url))
        with hearing(rig, "whole") as heard:
            heard.until(SIGN * 2)
            gate.set()
            heard.rest()
            assert b'"whole"' in heard.events
            assert heard.events.endswith(END)
        assert len(upstream.requests) == 1


def test_a_job_that_is_waited_for(rig: Rig) -> None:
    gate = threading.Event()

    def studio(exchange: Exchange) -> None:
        over = "done" if gate.is_set() else "running"
        json_answer({"id": "t-1", "status": over, "output": "painted"})(exchange)

    with FakeUpstream(studio) as upstream:
        job = {**JOB, "req_url_template": f"{upstream.origin}/tasks/{{JOB_ID}}", "interval_s": 0.3}
        body = {"prompt": "{USER_PROMPT}"}
        rig.server.register(model_name="writer", req_url_template=upstream.url, body=body, job=job)
        with hearing(rig, "writer") as heard:
            heard.until(SIGN * 2)
            gate.set()
            heard.rest()
            assert b'"painted"' in heard.events


def test_a_client_that_leaves_after_a_sign_frees_the_worker(rig: Rig) -> None:
    with rig.model(sse(NEVER)) as (model, upstream):
        with hearing(rig, model) as heard:
            heard.until(SIGN)
        upstream.wait_left()


def boom(gate: threading.Event) -> Behaviour:
    return after(gate, json_answer({"error": {"message": "out of memory"}}, 500))


def test_an_error_for_the_openai_package(rig: Rig) -> None:
    gate = threading.Event()
    with (
        rig.model(boom(gate)) as (model, upstream),
        openai.OpenAI(base_url=f"{rig.server.url}/v1", api_key="any", max_retries=2) as api,
    ):
        with api.chat.completions.create(model=model, messages=HI, stream=True) as stream:
            gate.set()
            with pytest.raises(openai.APIError, match="Worker .* answered HTTP 500: out of memory") as caught:
                list(stream)
        assert caught.value.code == "upstream_error"
        gate.clear()
        with api.completions.create(model=model, prompt="hi", stream=True) as older:
            gate.set()
            with pytest.raises(openai.APIError, match="out of memory"):
                list(older)
        assert len(upstream.requests) == 2


def test_an_error_for_the_anthropic_package(rig: Rig) -> None:
    gate = threading.Event()
    with (
        rig.model(boom(gate)) as (model, upstream),
        anthropic.Anthropic(base_url=rig.server.url, api_key="any", max_retries=2) as api,
        api.messages.create(model=model, max_tokens=9, messages=HI, stream=True) as stream,
    ):
        gate.set()
        with pytest.raises(anthropic.APIStatusError, match="out of memory") as caught:
            list(stream)
        assert caught.value.response.headers["request-id"]
        assert len(upstream.requests) == 1


def test_the_anthropic_package_passes_pings_over(rig: Rig) -> None:
    first, second = threading.Event(), threading.Event()
    with (
        rig.model(after(first, openai_stream("hel", second, "lo"))) as (model, _),
        anthropic.Anthropic(base_url=rig.server.url, api_key="any", max_retries=0) as api,
        api.messages.stream(model=model, max_tokens=9, messages=HI) as stream,
    ):
        first.set()
        texts = iter(stream.text_stream)
        assert next(texts) == "hel"
        heard = Heard(rig, "/v1/messages", {"model": model, "max_tokens": 9, "messages": HI})
        heard.until(b'event: ping\ndata: {"type": "ping"}\n\n')
        second.set()
        assert list(texts) == ["lo"]
        assert stream.get_final_message().stop_reason == "end_turn"
        assert b"event: message_stop" in heard.rest()
        heard.connection.close()


@pytest.mark.parametrize(
    ("path", "body", "mark"),
    [
        (CHAT, {"messages": HI}, b'data: {"error":'),
        ("/v1/completions", {"prompt": "hi"}, b'data: {"error":'),
        ("/v1/messages", {"messages": HI, "max_tokens": 9}, b"event: error\n"),
    ],
)
def test_a_broken_stream_has_no_end_mark(rig: Rig, path: str, body: dict[str, Any], mark: bytes) -> None:
    gate = threading.Event()
    with rig.model(sse(openai_chunk("hel"), gate, cut="rst")) as (model, _):
        heard = Heard(rig, path, {"model": model, **body})
        heard.until(b"hel")
        gate.set()
        text = heard.rest()
        heard.connection.close()
    assert mark in text
    assert b"[DONE]" not in text
    assert b"message_stop" not in text


def test_what_fails_before_the_first_sign_has_an_honest_status(rig: Rig) -> None:
    with rig.model(json_answer({"error": "boom"}, 500)) as (model, _), hearing(rig, model) as heard:
        assert heard.response.status == 502
