"""A client that leaves takes its upstream call with it, whatever the worker is doing, under gevent and on threads."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.fakes import Exchange, FakeUpstream, hang, json_answer, openai_answer, openai_chunk, sse
from tests.served.leaving import NEVER, PLAIN_WAYS, STREAM_WAYS, Client, Rig, leaving
from tests.served.toys import openai_worker, question
from tests.services.job_rig import JOB
from tests.serving import wait_for


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
    with leaving(sqlite_template, tmp_path_factory.mktemp("var"), request.param, authority) as server:
        yield Rig(server, authority)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("way", PLAIN_WAYS)
def test_a_call_ends_with_its_client(rig: Rig, way: str, tls: bool) -> None:
    with rig.model(PLAIN_WAYS[way], tls=tls) as (model, upstream):
        client = rig.ask(model)
        upstream.wait_requests(1)
        client.leave()
        upstream.wait_left()
        rig.serves()
        assert len(upstream.requests) == 1


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("way", STREAM_WAYS)
def test_a_silent_stream_ends_with_its_client(rig: Rig, way: str, tls: bool) -> None:
    with rig.model(STREAM_WAYS[way], tls=tls) as (model, upstream):
        client = rig.ask(model, stream=True)
        upstream.wait_requests(1)
        if way != "before the first event":
            client.read_until(b"hello")
        client.leave()
        upstream.wait_left()
        assert len(upstream.requests) == 1


def test_a_tls_handshake_ends_with_its_client(rig: Rig) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/v1"
        rig.server.register(**openai_worker("handshake", url))
        client = rig.ask("handshake")
        connection, _ = listener.accept()
        with connection:
            client.leave()
            connection.settimeout(2)  # sooner than the time that is allowed for connecting
            while connection.recv(65_536):
                pass


def test_a_client_that_half_closes_is_told(rig: Rig) -> None:
    with rig.model(hang()) as (model, upstream):
        client = rig.ask(model)
        upstream.wait_requests(1)
        client.half_close()
        upstream.wait_left()
        head, _, body = client.read_until(b"}}").partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 499")
        assert json.loads(body)["error"]["code"] == "client_closed_request"


def test_nobody_is_to_blame_and_nobody_else_is_asked(rig: Rig) -> None:
    with rig.model(hang(), retry=["reset", "timeout"]) as (model, upstream), FakeUpstream(hang()) as other:
        rig.server.register(**openai_worker(model, other.url, retry=["reset", "timeout"]))
        for left in range(1, 8):
            client = rig.ask(model)
            wait_for("the call", lambda n=left: len(upstream.requests) + len(other.requests) == n)
            client.leave()
            wait_for("its end", lambda n=left: upstream.left + other.left == n)
        for worker in (upstream, other):
            worker.answer_with(openai_answer("still trusted"))
        seen = {rig.server.ask("POST", "/v1/chat/completions", question(model)).status for _ in range(10)}
        assert seen == {200}
        wait_for("the log", lambda: rig.server.log.count("the client left before its answer was there") >= 7)


def test_who_leaves_while_waiting_for_a_slot_never_gets_it(rig: Rig) -> None:
    gate = threading.Event()

    def slow(exchange: Exchange) -> None:
        exchange.wait(gate)
        openai_answer("at last")(exchange)

    with rig.model(slow, limits={"concurrency": 1}) as (model, upstream):
        first = rig.ask(model)
        upstream.wait_requests(1)
        second = rig.ask(model)
        second.half_close()
        assert second.read_until(b"}}").startswith(b"HTTP/1.1 499")
        gate.set()
        assert b"at last" in first.read_until(b"at last")
        # the slot is free again: neither of them has it
        assert rig.server.ask("POST", "/v1/chat/completions", question(model)).status == 200
        assert len(upstream.requests) == 2


def test_the_slot_of_a_client_that_left_is_free(rig: Rig) -> None:
    with rig.model(hang(), limits={"concurrency": 1}) as (model, upstream):
        for stream in (False, True):
            client = rig.ask(model, stream=stream)
            upstream.wait_requests(1 + stream)
            client.leave()
            upstream.wait_left(1 + stream)
        upstream.answer_with(openai_answer("free"))
        assert rig.server.ask("POST", "/v1/chat/completions", question(model)).status == 200


def test_a_job_is_not_asked_about_for_a_client_that_left(rig: Rig) -> None:
    def worker(exchange: Exchange) -> None:
        json_answer({"id": "7"} if exchange.request.method == "POST" else {"status": "running"})(exchange)

    with FakeUpstream(worker) as upstream:
        job = {**JOB, "req_url_template": f"{upstream.origin}/tasks/{{JOB_ID}}", "interval_s": 20}
        body = {"prompt": "{USER_PROMPT}"}
        rig.server.register(model_name="job", req_url_template=upstream.url, body=body, job=job)
        client = rig.ask("job")
        upstream.wait_requests(1)
        client.half_close()
        assert client.read_until(b"}}").startswith(b"HTTP/1.1 499")


def test_a_file_is_not_fetched_for_a_client_that_left(rig: Rig) -> None:
    with FakeUpstream(sse(NEVER)) as files:
        image = {"task": "image", "body": {"prompt": "{USER_PROMPT}"}, "response_extract": "made", "stream": None}
        words = {**image, "output": {"type": "image", "as": "url"}}
        del words["stream"]
        with FakeUpstream(json_answer({"made": f"{files.origin}/cat.png"})) as upstream:
            rig.server.register(model_name="pictures", req_url_template=upstream.url, **words)
            asked = {"model": "pictures", "prompt": "a cat", "response_format": "b64_json"}
            client = Client(rig.server, asked, "/v1/images/generations")
            files.wait_requests(1)
            client.leave()
            files.wait_left()


def test_a_stream_whose_client_does_not_read_ends_with_its_time(rig: Rig) -> None:
    def endless(exchange: Exchange) -> None:
        exchange.head(200, framing="chunked", content_type="text/event-stream")
        while True:
            exchange.piece(b"data: " + json.dumps(openai_chunk("x" * 1000)).encode() + b"\n\n")

    with rig.model(endless, timeout_s=1, limits={"concurrency": 1}) as (model, upstream):
        client = rig.ask(model, stream=True)
        upstream.wait_requests(1)
        upstream.wait_left()
        upstream.answer_with(openai_answer("free"))
        wait_for("the slot", lambda: rig.server.ask("POST", "/v1/chat/completions", question(model)).status == 200)
        client.leave()
