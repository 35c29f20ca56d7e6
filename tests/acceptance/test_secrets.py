"""A canary: credentials of a registration reach its worker, and nothing that anyone can read."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.management import REGISTER, ROUTE, WORKERS, Api, management
from tests.cli.operating import clean_environment, run_manage
from tests.fakes import Behaviour, Exchange, FakeUpstream, openai_answer, sse

CANARY = "canary-7f3a"
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
WORDS: dict[str, Any] = {
    "model_name": "m",
    "header": {
        "Authorization": "Bearer ${env:ACCEPTANCE_KEY}",
        "X-Api-Key": f"{CANARY}-header",
        "Cookie": f"{CANARY}=1",
    },
    "req_param": {"key": f"{CANARY}-query"},
    "body": {"messages": "{MESSAGES}", "token": f"{CANARY}-body"},
    "response_extract": "choices[].message.content",
    "stream": {"framing": "sse", "done": "[DONE]", "header": {"X-Stream-Token": f"{CANARY}-stream"}},
    "health": {"req_url_template": "http://127.0.0.1:9/?token=" + CANARY, "header": {"X-Probe": f"{CANARY}-probe"}},
}


def echoes(status: int) -> Behaviour:
    """A careless worker: its error repeats what it was sent."""

    def behave(exchange: Exchange) -> None:
        told = f"{exchange.request.target} {dict(exchange.request.headers)}"
        body = json.dumps({"error": {"message": told}}).encode()
        exchange.head(status, length=len(body))
        exchange.send(body)

    return behave


@pytest.fixture
def worker() -> Iterator[FakeUpstream]:
    with FakeUpstream(openai_answer()) as worker:
        yield worker


@pytest.fixture
def api(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker: FakeUpstream) -> Iterator[Api]:
    monkeypatch.setenv("ACCEPTANCE_KEY", f"{CANARY}-env")
    with management(sqlite_url, tmp_path, ROLLCALL_SECRET_ENV="ACCEPTANCE_*") as api:
        answer = api.post(REGISTER, WORDS | {"req_url_template": worker.url})
        assert CANARY not in answer.text
        yield api


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [200, 400, 401, 422, 429, 500, 503])
def test_no_error_repeats_a_credential(
    api: Api, worker: FakeUpstream, caplog: pytest.LogCaptureFixture, status: int, stream: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    worker.answer_with(echoes(status))
    for body in (CHAT, {"model_name": "m", "input": "hi"}):
        answer = api.post("/api/v1/chat/completions", body | {"stream": stream})
        assert answer.status_code >= 400
        assert CANARY not in answer.text + str(answer.headers)
    sent = worker.requests[-1]
    assert sent.headers["authorization"] == f"Bearer {CANARY}-env"
    assert sent.query == {"key": [f"{CANARY}-query"]}
    assert ("x-stream-token" in sent.headers) == stream
    assert CANARY not in caplog.text


def test_no_error_in_mid_stream_repeats_a_credential(api: Api, worker: FakeUpstream) -> None:
    piece = {"choices": [{"index": 0, "delta": {"content": "hel"}, "finish_reason": None}]}
    worker.answer_with(sse(piece, {"error": {"message": f"Bearer {CANARY}-env is exhausted"}}))
    answer = api.post("/v1/chat/completions", CHAT | {"stream": True})
    assert "is exhausted" in answer.text
    assert CANARY not in answer.text


def test_no_list_shows_a_credential(api: Api, worker: FakeUpstream) -> None:
    for path in (WORKERS, f"{WORKERS}/1", f"{ROUTE}?model_name=m", "/v1/models", "/openapi.json"):
        answer = api.send("GET", path)
        assert answer.status_code == 200
        assert CANARY not in answer.text
    for answer in (
        api.send("POST", f"{REGISTER}?dry_run=true", json=WORDS | {"req_url_template": worker.url}),
        api.patch(f"{WORKERS}/1", {"weight": 3}),
        api.post(REGISTER, WORDS | {"req_url_template": worker.url}),
        api.put(REGISTER, WORDS | {"req_url_template": worker.url, "weight": "x"}),
    ):
        assert CANARY not in answer.text
    assert CANARY not in repr(api.rollcall.fleet.snapshot())


@pytest.mark.parametrize("command", [["list-workers"], ["list-workers", "--json"], ["route", "m"], ["probe"]])
def test_no_command_shows_a_credential(api: Api, sqlite_url: str, tmp_path: Path, command: list[str]) -> None:
    environment = clean_environment(
        DATABASE_URL=sqlite_url,
        ROLLCALL_VAR=str(tmp_path),
        ROLLCALL_SECRET_ENV="ACCEPTANCE_*",
        ACCEPTANCE_KEY=f"{CANARY}-env",
    )
    done = run_manage(*command, environment=environment)
    assert done.returncode == 0, done
    assert CANARY not in done.stdout + done.stderr
