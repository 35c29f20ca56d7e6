"""Completions never touch the database: no statement, and not even a connection is taken out of the pool."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Pool, event

from tests.api.management import WORKERS, Api, management
from tests.fakes import FakeUpstream, json_answer, openai_answer, openai_stream, refusing_port

SHAPED: dict[str, Any] = {
    "model_name": "shaped",
    "body": {"model": "{MODEL_NAME}", "messages": "{MESSAGES}", "stream": "{STREAM}"},
    "response_extract": "choices[].message.content",
    "stream": {"framing": "sse", "done": "[DONE]"},
}
PLAIN: dict[str, Any] = {"model_name": "plain", "response_extract": "answer"}
OPENAI = {"messages": [{"role": "user", "content": "hi"}]}
SEED = {"input": "hi"}
ROUTES = ("/v1/chat/completions", "/api/v1/chat/completions")


@contextmanager
def watched() -> Iterator[list[str]]:
    """What any engine of this process does meanwhile."""
    seen: list[str] = []

    def execute(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    def checkout(*_: Any) -> None:
        seen.append("a connection is taken")

    event.listen(Engine, "before_cursor_execute", execute)
    event.listen(Pool, "checkout", checkout)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", execute)
        event.remove(Pool, "checkout", checkout)


@pytest.fixture
def shaped() -> Iterator[FakeUpstream]:
    with FakeUpstream(openai_answer("hello")) as worker:
        yield worker


@pytest.fixture
def api(database_url: str, tmp_path: Path, shaped: FakeUpstream) -> Iterator[Api]:
    """Two models that answer, one whose only worker refuses connections, one where it may be asked first."""
    with (
        FakeUpstream(json_answer({"answer": "hello"})) as plain,
        refusing_port() as port,
        management(database_url, tmp_path) as api,
    ):
        dead = f"http://127.0.0.1:{port}/"
        api.register(**SHAPED, req_url_template=shaped.url)
        api.register(**PLAIN, req_url_template=plain.url)
        api.register(**PLAIN | {"model_name": "dead"}, req_url_template=dead)
        api.register(**PLAIN | {"model_name": "mixed"}, req_url_template=dead, weight=1000)
        api.register(**PLAIN | {"model_name": "mixed"}, req_url_template=plain.url)
        yield api


def test_the_watch_sees_statements(api: Api) -> None:
    with watched() as seen:
        api.get(WORKERS)
    assert any("FROM worker" in statement for statement in seen)
    assert "a connection is taken" in seen


@pytest.mark.parametrize("stream", [False, True])
def test_a_completion_executes_no_statement(api: Api, shaped: FakeUpstream, stream: bool) -> None:
    if stream:
        shaped.answer_with(openai_stream("hel", "lo"))
    with watched() as seen:
        for model, route in product(("shaped", "plain", "mixed"), ROUTES):
            for body in ({"model": model, **OPENAI}, {"model_name": model, **SEED}):
                answer = api.post(route, body | {"stream": stream})
                assert answer.status_code == 200, answer.text
                assert "hel" in answer.text
                assert answer.text.rstrip().endswith("data: [DONE]") == stream
                assert seen == [], (model, route, body)


def test_a_completion_that_fails_executes_no_statement(api: Api) -> None:
    with watched() as seen:
        for body, statuses in (
            ({"model": "dead", **OPENAI}, [502, 503]),
            ({"model": "plain", **OPENAI, "tools": [{"type": "function"}]}, [400, 400]),
            ({"model": "plain"}, [400, 400]),
        ):
            assert [api.post(ROUTES[0], body | {"stream": stream}).status_code for stream in (False, True)] == statuses
        assert api.get("/v1/models").status_code == 200
    assert seen == []
