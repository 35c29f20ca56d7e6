"""The documents are run: every registration, template, path and condition in docs/registration.md."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from app.api.schemas import RegistrationWords, registration
from app.core.conversation import ChatRequest, Item
from app.core.dialect import build_request, dialect_of
from app.core.extract import compile_condition, compile_path
from app.core.fault import WorkerFault
from app.core.placeholders import KNOWN
from app.core.registration import parse_registration
from app.core.worker import Worker
from app.services.preview import unstored

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "registration.md").read_text(encoding="utf-8")
REGISTRATIONS = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
JSON = "application/json"
SAMPLE: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": 'say "hi"'}],
    "temperature": 0.5,
    "top_k": 3,
}


def examples(name: str) -> list[list[str]]:
    """The rows of the table that follows `<!-- examples: name -->`, cells without their backticks."""
    table = PAGE.split(f"<!-- examples: {name} -->\n")[1].split("\n\n")[0].splitlines()[2:]
    return [
        [cell.strip().strip("`").replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in table
    ]


def worker_of(raw: dict[str, Any]) -> Worker:
    return unstored(parse_registration(raw, lambda name: True))


def request_of(raw: dict[str, Any], body: dict[str, Any] = SAMPLE) -> ChatRequest:
    body = {**body, "input": 'say "hi"'} if raw.get("task") == "embedding" else body
    return ChatRequest("m", tuple(body["messages"]), body, False, "request-1", raw.get("task", "text"))


def bytes_sent(raw: dict[str, Any], body: dict[str, Any] = SAMPLE) -> bytes:
    request = request_of(raw, body)
    built = build_request(worker_of(raw), request, stream=False, secrets=lambda kind, name: "secret", access_token="t")
    assert built.body is not None
    return built.body


def sent(raw: dict[str, Any], body: dict[str, Any] = SAMPLE) -> Any:
    return json.loads(bytes_sent(raw, body))


def named(model: str) -> dict[str, Any]:
    return next(raw for raw in REGISTRATIONS if raw["model_name"] == model)


def failing(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except WorkerFault as fault:
        return {"fails": fault.message}


def values(items: Iterable[Item]) -> list[Any]:
    return [item.value for item in items]


@pytest.mark.parametrize("raw", REGISTRATIONS, ids=lambda raw: raw["model_name"])
def test_every_registration_is_accepted_and_sends_the_prompt(raw: dict[str, Any]) -> None:
    assert 'say "hi"' in bytes_sent(raw).decode().replace(r"\"", '"')


@pytest.mark.parametrize("raw", REGISTRATIONS, ids=lambda raw: raw["model_name"])
def test_every_registration_passes_the_schema(raw: dict[str, Any]) -> None:
    assert registration(raw) == raw


def test_no_two_examples_share_a_name() -> None:
    assert len({raw["model_name"] for raw in REGISTRATIONS}) == len(REGISTRATIONS)


@pytest.mark.parametrize(("model", "wanted"), examples("conversations"))
def test_conversations(model: str, wanted: str) -> None:
    turns = [("system", "be brief"), ("user", "one"), ("assistant", "1"), ("user", "two")]
    messages = [{"role": role, "content": text} for role, text in turns]
    assert sent(named(model), {"model": "m", "messages": messages}) == json.loads(wanted)


@pytest.mark.parametrize(("model", "reply", "wanted"), examples("replies") + examples("results"))
def test_replies(model: str, reply: str, wanted: str) -> None:
    raw = named(model)
    read = dialect_of(worker_of(raw)).reader(stream=False, request=request_of(raw))
    body = reply.encode()
    if raw.get("task", "text") != "text":
        assert failing(lambda: values(read.result(200, body, JSON).items)) == json.loads(wanted)
    else:
        told = json.loads(wanted)
        assert failing(lambda: read.reply(200, body, JSON).text) == (told[0] if isinstance(told, list) else told)


@pytest.mark.parametrize(("model", "body", "wanted"), examples("streams"))
def test_streams(model: str, body: str, wanted: str) -> None:
    pieces = [bytes([byte]) for byte in json.loads(body).encode()]
    read = dialect_of(worker_of(named(model))).reader(stream=True)
    assert failing(lambda: "".join(event.text for event in read.events(pieces, ""))) == json.loads(wanted)


@pytest.mark.parametrize(("model", "reply", "wanted"), examples("polls"))
def test_polls(model: str, reply: str, wanted: str) -> None:
    raw = named(model)
    job = dialect_of(worker_of(raw)).job
    assert job is not None
    poll = job.read(200, reply.encode(), JSON, "j1", request_of(raw))
    told = {"running": poll.progress, "done": values(poll.items), "failed": poll.error}
    assert {poll.state: told[poll.state]} == json.loads(wanted)


@pytest.mark.parametrize(("fields", "wanted"), examples("limits"))
def test_limits(fields: str, wanted: str) -> None:
    body = {"model": "m", "messages": SAMPLE["messages"], **json.loads(fields)}
    assert sent(named("tgi"), body)["parameters"] == json.loads(wanted)


@pytest.mark.parametrize(("template", "becomes"), examples("templates"))
def test_templates(template: str, becomes: str) -> None:
    raw = {"model_name": "m", "req_url_template": "http://h/x", "body": json.loads(template)}
    assert sent(raw) == json.loads(becomes)


@pytest.mark.parametrize(("path", "reply", "finds"), examples("paths"))
def test_paths(path: str, reply: str, finds: str) -> None:
    assert compile_path(path).find(json.loads(reply)) == json.loads(finds)


@pytest.mark.parametrize(("condition", "reply", "holds"), examples("conditions"))
def test_conditions(condition: str, reply: str, holds: str) -> None:
    assert compile_condition(json.loads(condition)).holds(json.loads(reply)) is json.loads(holds)


@pytest.mark.parametrize("name", KNOWN)
def test_every_placeholder_is_documented(name: str) -> None:
    assert f"`{{{name}}}`" in PAGE or f"`{{{name}:path}}`" in PAGE


@pytest.mark.parametrize("word", [*RegistrationWords().fields])
def test_every_word_is_documented(word: str) -> None:
    assert f"| `{word}` |" in PAGE
