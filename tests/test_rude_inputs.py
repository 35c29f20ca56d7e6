"""Rude requests and rude workers: the table of docs/errors.md, row by row, on both databases."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from tests.fakes import (
    Behaviour,
    FakeUpstream,
    cut_reply,
    empty_answer,
    hang,
    html_answer,
    json_answer,
    openai_answer,
    refusing_port,
    sse,
)

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "errors.md").read_text(encoding="utf-8")
BODY = {"model": "{MODEL_NAME}", "messages": "{MESSAGES}", "stream": "{STREAM}"}
SHAPED: dict[str, Any] = {
    "model_name": "m",
    "body": BODY,
    "response_extract": "choices[].message.content",
    "error": {"error": "*"},
    "stream": {"framing": "sse", "delta_extract": "choices[].delta.content", "done": "[DONE]"},
}
ASK = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@dataclass
class Door:
    client: FlaskClient
    worker: FakeUpstream

    def post(self, path: str, body: Any, **more: Any) -> TestResponse:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(path, data=raw, **({"content_type": "application/json"} | more))

    def register(self, **words: Any) -> TestResponse:
        return self.post("/api/server/register", SHAPED | {"req_url_template": f"{self.worker.url}/v1"} | words)

    def ask(self, body: Any = ASK, path: str = "/v1/chat/completions", **more: Any) -> TestResponse:
        return self.post(path, body, **more)

    def ask_a_worker_that(self, behaviour: Behaviour, **more: Any) -> TestResponse:
        self.worker.answer_with(behaviour)
        assert self.register().status_code == 200
        return self.ask(ASK | more)


@pytest.fixture
def door(database_url: str, tmp_path: Path) -> Iterator[Door]:
    app = create_app({"DATABASE_URL": database_url, "ROLLCALL_VAR": str(tmp_path)})
    app.extensions["rollcall"].fleet.refresh()
    with FakeUpstream(openai_answer()) as worker, app.test_client() as client:
        yield Door(client, worker)


def to_a_dead_port(door: Door) -> TestResponse:
    with refusing_port() as port:
        door.register(req_url_template=f"http://127.0.0.1:{port}/v1")
        return door.ask()


def to_workers_that_are_offline(door: Door) -> TestResponse:
    door.register()
    door.post("/api/server/offline", {"model_name": "m", "req_url_template": f"{door.worker.url}/v1"})
    return door.ask()


def to_a_stream_that_breaks_off(door: Door) -> TestResponse:
    piece = {"choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}]}
    return door.ask_a_worker_that(sse(piece, framing="chunked"), stream=True)


def to_a_worker_that_hangs(door: Door) -> TestResponse:
    door.worker.answer_with(hang())
    door.register(timeout_s=0.2)
    return door.ask()


def body_of(reply: TestResponse) -> Any:
    """The JSON of a reply; of a stream its last event."""
    if reply.mimetype == "application/json":
        return reply.json
    return json.loads(reply.text.rstrip().rpartition("data: ")[2])


def twice(door: Door) -> TestResponse:
    door.register()
    return door.register()


def to_ourselves(door: Door) -> TestResponse:
    door.register()
    door.client.application.extensions["rollcall"].gate.listens_on([door.worker.port])
    return door.ask()


CASES: dict[str, Callable[[Door], TestResponse]] = {
    "malformed JSON": lambda door: door.ask(b'{"model": "m",'),
    "an empty body": lambda door: door.ask(b""),
    "JSON nested 100,000 deep": lambda door: door.ask(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "a list where an object belongs": lambda door: door.ask([]),
    'a wrong type: `"stream": "yes"`': lambda door: door.ask(ASK | {"stream": "yes"}),
    'a wrong type: `"temperature": "3"`': lambda door: door.ask(ASK | {"temperature": "3"}),
    "NUL in a text": lambda door: door.ask({"model": "m\x00", "messages": ASK["messages"]}),
    "NaN in JSON": lambda door: door.ask(b'{"model": "m", "messages": [], "temperature": NaN}'),
    "a lone surrogate": lambda door: door.ask(rb'{"model": "m", "messages": [{"role": "user", "content": "\ud800"}]}'),
    "bytes that are not UTF-8": lambda door: door.ask(b'{"model": "\xff"}'),
    "text/plain": lambda door: door.ask(content_type="text/plain"),
    "a body of 3 MB": lambda door: door.ask(b'{"a": "' + b"x" * 3_000_000 + b'"}'),
    "neither `messages` nor `input`": lambda door: door.ask({"model": "m"}),
    "an unknown model": lambda door: door.ask(ASK | {"model": "nobody"}),
    "an unknown route": lambda door: door.client.get("/v2/chat"),
    "a wrong method": lambda door: door.client.get("/v1/chat/completions"),
    "a Host that is not ours": lambda door: door.client.get("/v1/models", headers={"Host": "evil.example"}),
    "registering: an unknown field": lambda door: door.register(respons_extract="a"),
    'registering: a wrong type: `"weight": "3"`': lambda door: door.register(weight="3"),
    "registering: a weight of 1001": lambda door: door.register(weight=1001),
    "registering: no `model_name`": lambda door: door.register(model_name=None),
    "registering: a placeholder that never closes": lambda door: door.register(body={"a": "{USER_PROMPT} {MODEL"}),
    "registering: a template without the prompt": lambda door: door.register(body={"a": "b"}),
    "registering: a path that does not parse": lambda door: door.register(response_extract="a[0"),
    "registering: no http URL": lambda door: door.register(req_url_template="ftp://h/x"),
    "registering: a URL of 8 kB": lambda door: door.register(req_url_template="http://h/" + "x" * 8_000),
    "registering: `${env:NAME}` that is not allowed": lambda door: door.register(header={"k": "${env:HOME}"}),
    "registering: an address that nobody may call": lambda door: door.register(req_url_template="http://2852039166/"),
    "registering the same again": twice,
    "registering: malformed JSON": lambda door: door.post("/api/server/register", b"{"),
    "registering: NUL in a text": lambda door: door.register(owner="a\x00b"),
    "registering as text/plain": lambda door: door.post("/api/server/register", SHAPED, content_type="text/plain"),
    "offline: an unknown worker": lambda door: door.post("/api/server/offline", {"id": 99}),
    "a worker that answers HTML": lambda door: door.ask_a_worker_that(html_answer()),
    "a worker that answers nothing": lambda door: door.ask_a_worker_that(empty_answer()),
    "a worker that answers JSON without an answer in it": lambda door: door.ask_a_worker_that(json_answer({"a": 1})),
    "a worker that answers 200 with an error body": lambda door: door.ask_a_worker_that(
        json_answer({"error": {"message": "out of memory"}})
    ),
    "a worker that hangs up in mid-reply": lambda door: door.ask_a_worker_that(cut_reply()),
    "a worker that refuses its credentials (401)": lambda door: door.ask_a_worker_that(json_answer({}, 401)),
    "a worker that throttles (429)": lambda door: door.ask_a_worker_that(
        json_answer({"error": "slow down"}, 429, {"Retry-After": "7"})
    ),
    "a worker that fails (500)": lambda door: door.ask_a_worker_that(json_answer({"error": "boom"}, 500)),
    "a worker that blames the request (422)": lambda door: door.ask_a_worker_that(
        json_answer({"detail": "too long"}, 422)
    ),
    "a worker that redirects": lambda door: door.ask_a_worker_that(
        json_answer({}, 302, {"Location": "http://169.254.169.254/"})
    ),
    "a worker that refuses the connection": to_a_dead_port,
    "a worker at an address that may not be called": to_ourselves,
    "no worker may get traffic": to_workers_that_are_offline,
    "a stream that fails before its first event": lambda door: door.ask_a_worker_that(
        sse({"error": {"message": "overloaded"}}), stream=True
    ),
    "a stream that stops in the middle (in its last event)": to_a_stream_that_breaks_off,
    "a worker that hangs beyond its `timeout_s`": to_a_worker_that_hangs,
}


def documented() -> dict[str, tuple[int, str, str]]:
    rows = [line for line in PAGE.split("<!-- rude -->")[1].split("<!-- end -->")[0].splitlines() if line[:2] == "| "]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[1:]]
    return {what: (int(status), code.strip("`"), said.replace(r"\|", "|")) for what, status, code, said in cells}


def test_the_table_and_the_cases_are_the_same() -> None:
    assert set(documented()) == set(CASES)


@pytest.mark.parametrize("what", CASES)
def test_each_has_its_own_status_and_sentence(what: str, door: Door) -> None:
    reply = CASES[what](door)
    status, code, said = documented()[what]
    body = body_of(reply)
    error = body["error"]
    message = error.get("message") or body["msg"]
    assert (reply.status_code, error["code"]) == (status, code), message
    pattern = ".*".join(re.escape(part) for part in said.split("…"))
    assert re.fullmatch(pattern, message, re.DOTALL), message
    assert error["request_id"] == reply.headers["X-Request-Id"]
    assert "Traceback" not in reply.text


def test_nothing_of_a_broken_stream_is_sent_twice_or_called_complete(door: Door) -> None:
    reply = to_a_stream_that_breaks_off(door)
    frames = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: {")]
    assert frames[-2]["choices"][0]["delta"]["content"] == "Hel"
    assert "[DONE]" not in reply.text
    assert len(door.worker.requests) == 1
