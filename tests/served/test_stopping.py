"""How a server stops: announced, with open requests finished, and a last word for those that take too long."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.core.job_record import Job
from app.storage import jobs
from tests.fakes import FakeUpstream, hang, json_answer, openai_answer, openai_chunk, openai_stream, sse
from tests.served.leases import held, opened
from tests.served.leaving import STREAM
from tests.served.test_keep_alive import after
from tests.served.toys import openai_worker, question
from tests.services.job_rig import JOB, VIDEO, Studio
from tests.serving import PATIENCE_S, Server, serving, wait_for

CHAT = "/v1/chat/completions"
NEVER = threading.Event()


@contextmanager
def stopping(template: Path, folder: Path, *, processes: int, **settings: str) -> Iterator[Server]:
    folder.mkdir()
    shutil.copyfile(template, folder / "rollcall.db")
    with serving(url_of(folder), folder, processes=processes, **settings) as server:
        yield server


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'rollcall.db'}"


@contextmanager
def asking(server: Server, path: str, body: dict[str, Any]) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        yield connection


def test_it_says_so_first_and_finishes_what_is_open(sqlite_template: Path, folder: Path) -> None:
    gate = threading.Event()
    made = after(gate, json_answer({"output": ["http://127.0.0.1:9/v.mp4"]}))
    with (
        FakeUpstream(
            openai_stream("hel", gate, "lo"), after(gate, openai_answer("whole")), openai_answer()
        ) as upstream,
        FakeUpstream(made) as studio,
        stopping(
            sqlite_template, folder, processes=2, ROLLCALL_DRAIN_DELAY="600", ROLLCALL_HEALTH_CHECKS="0"
        ) as server,
    ):
        server.register(**openai_worker("m", upstream.url, stream=STREAM))
        server.register(model_name="v", req_url_template=studio.url, **VIDEO, response_extract="output")
        with asking(server, CHAT, {**question("m"), "stream": True}) as stream:
            upstream.wait_requests(1)
            with asking(server, CHAT, question("m")) as whole:
                upstream.wait_requests(2)
                assert server.ask("POST", "/v1/videos", {"model": "v", "prompt": "a cat"}).status == 200
                server.process.send_signal(signal.SIGTERM)
                says_no_and_serves(server)
                server.process.send_signal(signal.SIGTERM)  # a second one does not wait
                wait_for("the stop", lambda: server.log.count("Handling signal: term") == 2)
                gate.set()
                assert b"whole" in whole.getresponse().read()
                assert stream.getresponse().read().rstrip().endswith(b"data: [DONE]")
        assert server.process.wait(PATIENCE_S) == 0
        assert "Traceback" not in server.log
    job = job_in(folder)
    assert job.state == "done", "what is made in the background is waited for, too"


def says_no_and_serves(server: Server) -> None:
    server.ask_each("GET", "/readyz", until=lambda answer: answer.status == 503)
    refusal = server.ask("GET", "/readyz")
    assert refusal.body["error"]["code"] == "server_stopping"
    assert refusal.headers["Retry-After"] == "1"
    server.ask_each("POST", CHAT, question("m"), until=lambda answer: answer.status == 200)
    assert server.ask("GET", "/healthz").status == 200


STREAMS = {
    CHAT: ({}, b'data: {"error":', b"[DONE]"),
    "/v1/messages": ({"max_tokens": 9}, b"event: error\n", b"message_stop"),
    "/v1/completions": ({"prompt": "hi"}, b'data: {"error":', b"[DONE]"),
}


@pytest.mark.parametrize("kind", ["gevent", "gthread"])
def test_what_takes_too_long_gets_a_last_word_in_its_dialect(sqlite_template: Path, folder: Path, kind: str) -> None:
    """After the drain delay by itself; leases and claims are handed on."""
    settings = {"ROLLCALL_WORKER_CLASS": kind, "ROLLCALL_DRAIN_DELAY": "0.1", "ROLLCALL_GRACE_S": "0.5"}
    with (
        FakeUpstream(sse(openai_chunk("hello"), NEVER)) as upstream,
        FakeUpstream(hang()) as silent,
        FakeUpstream(Studio(hang())) as studio,
        stopping(sqlite_template, folder, processes=1, **settings) as server,
        contextlib.ExitStack() as open_ones,
    ):
        server.register(**openai_worker("m", upstream.url, stream=STREAM))
        server.register(**openai_worker("silent", silent.url))
        block = {**JOB, "interval_s": 0.1, "req_url_template": f"{studio.origin}/tasks/{{JOB_ID}}"}
        server.register(model_name="v", req_url_template=studio.url, **VIDEO, job=block)
        assert server.ask("POST", "/v1/videos", {"model": "v", "prompt": "a cat"}).status == 200
        wait_for("a poll", lambda: job_in(folder).claimed_by)
        whole = open_ones.enter_context(asking(server, CHAT, question("silent")))
        streams = {
            path: open_ones.enter_context(asking(server, path, {**question("m"), **more, "stream": True})).getresponse()
            for path, (more, _, _) in STREAMS.items()
        }
        wait_for("the silent one to be asked", lambda: asked(silent))
        server.process.send_signal(signal.SIGTERM)
        for path, response in streams.items():
            _, error, end_mark = STREAMS[path]
            seen = response.read()
            assert error in seen, path
            assert b"The server stopped before the answer was complete" in seen, path
            assert end_mark not in seen, path
        late = whole.getresponse()
        assert (late.status, late.headers["Retry-After"]) == (503, "1")
        assert json.loads(late.read())["error"]["code"] == "server_stopping"
        assert asked(silent) == 1, "nobody else is asked"
        assert server.process.wait(PATIENCE_S) == 0
        assert "Traceback" not in server.log
    job = job_in(folder)
    assert (job.state, job.claimed_by, job.claimed_until) == ("running", "", 0.0)
    with opened(url_of(folder)) as database:
        assert held(database) is None


def asked(upstream: FakeUpstream) -> int:
    """Without the probes."""
    return sum(request.method == "POST" for request in upstream.requests)


def job_in(folder: Path) -> Job:
    with opened(url_of(folder)) as database, database.read() as tx:
        (job,) = jobs.page(tx)
    return job
