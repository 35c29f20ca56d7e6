"""Rude requests and rude workers: the table of docs/errors.md, row by row, on both databases."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
    bytes_answer,
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


IMAGES: dict[str, Any] = {
    "task": "image",
    "body": {"prompt": "{USER_PROMPT}"},
    "response_extract": "images[*]",
    "error": None,
    "stream": None,
}
JOB = {"id_extract": "id", "done_when": {"done": True}, "failed_when": {"failed": "*"}, "error_extract": "failed"}
PAGE_OF_CAT = "/v1/images/generations"


def to_an_image_worker(door: Door, behaviour: Behaviour, words: Any = None, **more: Any) -> TestResponse:
    """Registers it, asks it for an image, and sees its job through if it has one."""
    door.worker.answer_with(behaviour)
    named = {name: value for name, value in (SHAPED | IMAGES | (words or {})).items() if value is not None}
    answer = door.post("/api/server/register", named | {"req_url_template": f"{door.worker.url}/v1"})
    assert answer.status_code == 200, answer.text
    with polling(door):
        return door.ask({"model": "m", "prompt": "a cat"} | more, PAGE_OF_CAT)


@contextmanager
def polling(door: Door) -> Iterator[None]:
    jobs = door.client.application.extensions["rollcall"].jobs
    jobs.start_polling()
    yield
    jobs.stop()


def job_of(door: Door, **words: Any) -> dict[str, Any]:
    block = {**JOB, "req_url_template": f"{door.worker.origin}/tasks/{{JOB_ID}}", "interval_s": 0.02}
    return {"job": block | words}


def to_a_video_worker(door: Door, poll: Behaviour, then: str = "") -> TestResponse:
    """A video, begun; then what `then` says of it."""
    script = [json_answer({"id": "t-1"}), poll]
    door.worker.answer_with(*script)
    words = {"model_name": "m", "task": "video", "body": {"prompt": "{USER_PROMPT}"}, **job_of(door)}
    words["job"] |= {"result_extract": "url", "timeout_s": 30}
    assert door.post("/api/server/register", words | {"req_url_template": door.worker.url}).status_code == 200
    with polling(door):
        begun = door.ask({"model": "m", "prompt": "a cat"}, "/v1/videos").json
        if then == "when it is over":
            door.client.application.extensions["rollcall"].jobs.wait(begun["id"], 20)
    return door.client.get(f"/v1/videos/{begun['id']}/content")


def to_a_worker_whose_token_is_refused(door: Door) -> TestResponse:
    door.worker.answer_with(json_answer({"error": "invalid_client"}, 401))
    auth = {"req_url_template": f"{door.worker.url}/token", "token_extract": "access_token"}
    door.register(header={"Authorization": "Bearer {ACCESS_TOKEN}"}, auth=auth)
    return door.ask()


def to_a_full_worker(door: Door) -> TestResponse:
    gate = threading.Event()
    door.worker.answer_with(json_answer({}, gate=gate))
    door.register(limits={"concurrency": 1})
    app = door.client.application
    with ThreadPoolExecutor(1) as threads:
        inside = threads.submit(lambda: app.test_client().post("/v1/chat/completions", json=ASK))
        door.worker.wait_requests(1)
        answer = door.ask()
        gate.set()
        inside.result()
    return answer


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
    "a worker that answers with an image": lambda door: door.ask_a_worker_that(
        bytes_answer(b"PNG", content_type="image/png")
    ),
    "every worker at its limit (`limits.concurrency`)": to_a_full_worker,
    "a worker whose access token is refused": to_a_worker_whose_token_is_refused,
    "a chat with a model that makes images": lambda door: to_an_image_worker(door, json_answer({})) and door.ask(),
    "an image of a model that chats": lambda door: (
        door.register() and door.ask({"model": "m", "prompt": "a cat"}, PAGE_OF_CAT)
    ),
    "eleven images": lambda door: to_an_image_worker(door, json_answer({}), n=11),
    "registering: a job without its URL": lambda door: door.register(job={"id_extract": "id"}),
    "registering: an unknown word of a block": lambda door: door.register(job={"id_extrakt": "id"}),
    "a worker whose base64 is none": lambda door: to_an_image_worker(
        door, json_answer({"images": ["no base64!"]}), {"output": {"as": "b64"}}
    ),
    "a worker whose link is none": lambda door: to_an_image_worker(door, json_answer({"images": ["cat.png"]})),
    "a worker that answers JSON for an image": lambda door: to_an_image_worker(
        door, json_answer({"queued": 1}), {"output": {"as": "binary"}}
    ),
    "a file that cannot be had": lambda door: to_an_image_worker(
        door, json_answer({"images": ["http://nobody.invalid/cat.png"]}), {"timeout_s": 5}, response_format="b64_json"
    ),
    "a worker that takes a job and gives no id": lambda door: to_an_image_worker(
        door, json_answer({"ok": 1}), job_of(door)
    ),
    "a job that fails": lambda door: to_an_image_worker(
        door, json_answer({"id": "t-1", "failed": "moderated"}), job_of(door)
    ),
    "a job that does not end (`job.timeout_s`)": lambda door: to_an_image_worker(
        door, json_answer({"id": "t-1"}), job_of(door, timeout_s=0.2)
    ),
    "a job that its caller cannot wait for (`timeout_s`)": lambda door: to_an_image_worker(
        door, json_answer({"id": "t-1"}), job_of(door) | {"timeout_s": 0.2}
    ),
    "an unknown video": lambda door: door.client.get("/v1/videos/video_1"),
    "a video that is not finished": lambda door: to_a_video_worker(door, json_answer({})),
    "a video whose job failed": lambda door: to_a_video_worker(
        door, json_answer({"failed": "moderated"}), "when it is over"
    ),
    "a video whose link gives no file": lambda door: to_a_video_worker(
        door, json_answer({"done": True, "url": "http://127.0.0.1:9/cat.mp4"}), "when it is over"
    ),
    "a file that nobody knows": lambda door: door.client.get("/v1/media/0123456789abcdef0123456789abcdef"),
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


def test_who_meets_full_workers_hears_when_to_ask_again(door: Door) -> None:
    assert to_a_full_worker(door).headers["Retry-After"] == "1"
