"""The requests of the seed's document, multi_models_manage_zh.md, as curl sends them, and the answers it shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.api.management import Api, management
from tests.fakes import FakeUpstream, json_answer

REGISTER = """{
    "model_name": "proxyllm",
    "body": {
        "input": "{USER_PROMPT}",
        "model_name": "{MODEL_NAME}"
    },
    "req_url_template": "http://127.0.0.1/api/generate",
    "owner": "xuyuan23",
    "response_extract": "data.items[].attributes.answer"
}"""
REGISTERED = {"success": True, "msg": "register LLM proxyllm succeed!"}
OFFLINE = """{
    "model_name": "chatglm2-6b",
    "req_url_template": "https://xxx/openapi/xxx/inference/query"
}"""
TAKEN_OFFLINE = {
    "success": True,
    "msg": "remove llm worker(model_name=chatglm2-6b, url=https://xxx/openapi/xxx/inference/query) succeed!",
}
ASK = """{
    "input": "who are you?",
    "model_name": "%s"
}"""
GLM = "Hey there! My name is Noxix, and I am an AI chatbot designed to have conversations with users like you."
PROXY = "I am an AI language model developed by OpenAI. I am programmed to provide information and assist you."


@pytest.fixture
def api(database_url: str, tmp_path: Path) -> Iterator[Api]:
    with management(database_url, tmp_path) as api:
        yield api


def curl(api: Api, path: str, body: str) -> TestResponse:
    answer = api.send("POST", path, data=body, headers={"Content-Type": "application/json", "User-Agent": "curl/8.5"})
    assert (answer.status_code, answer.content_type) == (200, "application/json"), answer.text
    return answer


def shown(answer: TestResponse, names: Any) -> dict[str, Any]:
    """What the document shows of an answer, in the order of its bytes; more fields may follow."""
    body: dict[str, Any] = json.loads(answer.data)
    assert list(body)[: len(names)] == list(names)
    return {name: body[name] for name in names}


def register(api: Api, model: str, url: str) -> None:
    body = json.loads(REGISTER) | {"model_name": model, "req_url_template": url}
    curl(api, "/api/server/register", json.dumps(body))


def test_register(api: Api) -> None:
    assert shown(curl(api, "/api/server/register", REGISTER), REGISTERED) == REGISTERED
    (row,) = api.rows()
    given = json.loads(REGISTER)
    assert {name: row[name] for name in given} == given
    assert (row["req_type"], row["worker_type"], row["is_stream"], row["req_param"]) == ("POST", "REMOTE", False, {})


def test_workers(api: Api) -> None:
    listed = [
        {"model_name": "chatglm2-6b", "req_url_template": "https://xxx/openapi/xxx/inference/query"},
        {"model_name": "proxyllm", "req_url_template": "http://localhost:8008/generate"},
    ]
    for each in listed:
        register(api, each["model_name"], each["req_url_template"])
    answer = api.send("GET", "/api/server/workers", headers={"User-Agent": "curl/8.5"})
    body = shown(answer, ("success", "data"))
    assert body["success"] is True
    assert [{name: row[name] for name in each} for row, each in zip(body["data"], listed, strict=True)] == listed


def test_offline(api: Api) -> None:
    register(api, "chatglm2-6b", "https://xxx/openapi/xxx/inference/query")
    register(api, "proxyllm", "http://localhost:8008/generate")
    assert shown(curl(api, "/api/server/offline", OFFLINE), TAKEN_OFFLINE) == TAKEN_OFFLINE
    assert {row["model_name"]: row["status"] for row in api.rows()} == {"chatglm2-6b": "offline", "proxyllm": "unknown"}


def test_completions(api: Api) -> None:
    models = {"chatglm2-6b": GLM, "proxyllm": PROXY}
    for model, text in models.items():
        answer = {"data": {"items": [{"attributes": {"answer": text}}]}}
        with FakeUpstream(json_answer(answer)) as worker:
            register(api, model, worker.url)
            reply = curl(api, "/api/v1/chat/completions", ASK % model)
        assert json.loads(reply.data) == {"success": True, "msg": "execute succeed", "result": text}
        assert [request.json for request in worker.requests] == [{"input": "who are you?", "model_name": model}]
