"""Registrations in the same vocabulary that the product was not built from, through a real server and real sockets."""

from __future__ import annotations

import http.client
import json
import shutil
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.unseen_cases import IMAGE, NOT_NAMED, VIDEO, Case, Step, Want, all_cases
from tests.acceptance.unseen_worker import Scripts, at_worker, body_of, line_of, sorted_query
from tests.fakes import FakeUpstream
from tests.serving import Server, serving, wait_for

CASES = all_cases()
SECRETS = {"ROLLCALL_SECRET_ENV": "UNSEEN_*", "UNSEEN_KEY": "k+/1", "UNSEEN_NAME": "me"}
# Every step fails or not as it is written, whatever the steps before it did.
PATIENT = {"ROLLCALL_EJECT_AFTER": "100000", "ROLLCALL_RETRY_FLOOR": "100000"}


@pytest.fixture(scope="module")
def server(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("var")
    shutil.copyfile(sqlite_template, folder / "rollcall.db")
    with serving(f"sqlite:///{folder / 'rollcall.db'}", folder, processes=1, **SECRETS, **PATIENT) as running:
        yield running


@pytest.fixture(scope="module")
def scripts() -> Scripts:
    return Scripts()


@pytest.fixture(scope="module")
def worker(scripts: Scripts) -> Iterator[FakeUpstream]:
    with FakeUpstream(scripts) as upstream:
        yield upstream


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_registration(case: Case, server: Server, scripts: Scripts, worker: FakeUpstream) -> None:
    scripts.play(case, ())
    base = f"{worker.origin}/{case.name}"
    words = at_worker(case.words, base)
    worker_id = server.register(**{"model_name": case.name, **words})
    for more in case.standbys:
        server.register(**{"model_name": case.name, "weight": 0, **at_worker({**case.words, **more}, base)})
    for each in case.steps:
        scripts.play(case, each.calls)
        status, headers, text = asked(server, each.route, {"model": case.name, **each.ask})
        if each.route in (IMAGE, VIDEO):
            status, text = made(server, base, each, status, text)
        check_calls(each, scripts, case.name)
        check_answer(each, status, headers, text)
    if "health" in case.words:
        server.wait_for_status(worker_id, "available")
    for header, value in case.probe_headers.items():
        assert scripts.probed[case.name][-1].headers[header] == value


def asked(server: Server, route: str, body: Any) -> tuple[int, Mapping[str, str], str]:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        connection.request("POST", route, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, dict(response.headers), response.read().decode()


def made(server: Server, base: str, each: Step, status: int, text: str) -> tuple[int, str]:
    """What the caller has in the end: the files' bytes, or where they are; of a failed video why."""
    if status != 200:
        return status, text
    if each.route == IMAGE:
        return 200, json.dumps([_file(server, base, row) for row in json.loads(text)["data"]])
    path = f"/v1/videos/{json.loads(text)['id']}"
    over = wait_for(
        "the video", lambda: (body := server.ask("GET", path).body)["status"] in ("completed", "failed") and body
    )
    if over["status"] == "failed":
        return 200, each.want.broken if each.want.broken in over["error"]["message"] else over["error"]["message"]
    answer = server.ask("GET", f"{path}/content")
    return answer.status, json.dumps(answer.body if answer.status != 200 else [answer.body.decode()])


def _file(server: Server, base: str, row: Mapping[str, str]) -> str:
    if "b64_json" in row:
        return b64decode(row["b64_json"], validate=True).decode()
    if row["url"].startswith(server.url):
        data: bytes = server.ask("GET", row["url"].removeprefix(server.url)).body
        return data.decode()
    return row["url"].replace(base, "http://W")


def check_calls(each: Step, scripts: Scripts, name: str) -> None:
    got = scripts.got[name]
    assert [sorted_query(line_of(request)) for request in got] == [sorted_query(call.line) for call in each.calls]
    for request, call in zip(got, each.calls, strict=True):
        if call.body is not NOT_NAMED:
            assert body_of(request) == call.body
        for header, value in call.headers.items():
            assert request.headers.get(header) == value, header


def check_answer(each: Step, status: int, headers: Mapping[str, str], text: str) -> None:
    want = each.want
    assert status == want.status, text
    assert want.notice in headers.get("X-Rollcall-Notice", ""), headers
    assert bool(want.notice) == ("X-Rollcall-Notice" in headers), headers
    if status >= 400:
        error = json.loads(text)["error"]
        assert want.text in error["message"]
        assert want.code in ("", error["code"])
    elif each.ask.get("stream"):
        check_stream(want, text)
    elif each.route in (IMAGE, VIDEO):
        assert text == (json.dumps(want.text) if isinstance(want.text, list) else want.broken), text
    elif "data" in (body := json.loads(text)):
        assert [row.get("embedding") for row in body["data"]] == want.text
        assert counts(body["usage"]) == want.usage
    else:
        choice = body["choices"][0]
        assert (choice["message"]["content"] or "", choice["finish_reason"]) == (want.text, want.finish)
        assert counts(body.get("usage")) == want.usage


def check_stream(want: Want, text: str) -> None:
    frames = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    ended = frames[-1] == "[DONE]"
    chunks = [json.loads(frame) for frame in frames if frame != "[DONE]"]
    choices = [choice for chunk in chunks for choice in chunk.get("choices", ())]
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == want.text
    errors = [chunk["error"]["message"] for chunk in chunks if "error" in chunk]
    if want.broken:
        assert not ended
        assert want.broken in errors[0]
        return
    assert not errors, errors
    assert ended
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == [want.finish]
    assert [counts(chunk["usage"]) for chunk in chunks if chunk.get("usage")] == [want.usage]


def counts(usage: Mapping[str, Any] | None) -> list[int] | None:
    if usage is None or "estimated" in usage:
        return None
    return [usage["prompt_tokens"], usage.get("completion_tokens", 0)]
