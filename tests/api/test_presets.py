"""Presets over HTTP: listed, and named in a registration that lies over them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.services.presets import presets
from tests.api.management import REGISTER, Api, management, refused
from tests.fakes import FakeUpstream, openai_answer


@pytest.fixture
def api(sqlite_url: str, tmp_path: Path) -> Iterator[Api]:
    with management(sqlite_url, tmp_path, ROLLCALL_SECRET_ENV="*_KEY") as api:
        yield api


def test_all_are_listed_whole(api: Api) -> None:
    rows = api.get("/api/server/presets").json["data"]
    assert [row["name"] for row in rows] == list(presets())
    (vllm,) = [row for row in rows if row["name"] == "vllm"]
    assert vllm["registration"] == presets()["vllm"].registration
    assert vllm["source"]
    assert vllm["date"]
    assert vllm["key"] == {"Authorization": "Bearer ${env:VLLM_API_KEY}"}


def test_a_registration_lies_over_its_preset(api: Api) -> None:
    with FakeUpstream(openai_answer("hello")) as worker:
        body = {"preset": "vllm", "model_name": "mine", "req_url_template": worker.origin, "weight": 3}
        answer = api.post(REGISTER, {**body, "body": {"top_k": 5}, "header": {"X-Team": "red"}})
        assert answer.status_code == 200, answer.json
        asked = {"model": "mine", "messages": [{"role": "user", "content": "hi"}]}
        assert api.post("/v1/chat/completions", asked).json["choices"][0]["message"]["content"] == "hello"
        (request,) = worker.requests
    assert (request.path, request.headers["x-team"], request.json["top_k"]) == ("/v1/chat/completions", "red", 5)
    (row,) = api.rows()
    assert row["health"]["req_url_template"] == worker.origin + "/health"
    assert row["weight"] == 3
    assert "preset" not in row


def test_the_same_again_with_put_changes_nothing(api: Api) -> None:
    assert api.put(REGISTER, {"preset": "ollama"}).json["outcome"] == "created"
    assert api.put(REGISTER, {"preset": "ollama"}).json["outcome"] == "unchanged"


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"preset": "antropic"}, "preset", "did you mean anthropic?"),
        ({"preset": "zzzzzz"}, "preset", "GET /api/server/presets"),
        ({"preset": 3}, "preset", "must be a text"),
        ({"preset": None}, "model_name", "preset must not be null"),
        ({"preset": "ollama", "weigth": 3}, "weigth", "did you mean weight"),
        ({"preset": "ollama", "body": 3}, "body", "must be an object"),
        ({"preset": "ollama", "header": 3}, "header", "must be an object"),
        ({"preset": "ollama", "weight": None}, "weight", "must not be null"),
        ({"preset": "ollama", "req_url_template": 3}, "req_url_template", "must be a text"),
        ({"preset": "ollama", "req_url_template": "ftp://h"}, "req_url_template", "http"),
        ({"preset": "replicate"}, None, "REPLICATE_API_TOKEN"),
        ({"preset": "x" * 100_000}, "preset", "There is no preset"),
    ],
)
def test_what_is_wrong_is_named(api: Api, body: dict[str, object], field: str | None, says: str) -> None:
    message = refused(api.post(REGISTER, body), 422, field)
    assert says in message
    assert len(message) < 2000


@pytest.mark.parametrize("body", [[], "x", 3])
def test_what_is_no_object(api: Api, body: object) -> None:
    assert api.post(REGISTER, body).status_code in (400, 422)
