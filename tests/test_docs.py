"""The documents are run: every registration, template, path and condition in docs/registration.md."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.core.conversation import ChatRequest
from app.core.dialect import build_request
from app.core.extract import compile_condition, compile_path
from app.core.placeholders import KNOWN
from app.core.registration import parse_registration
from app.services.preview import unstored

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "registration.md").read_text(encoding="utf-8")
REGISTRATIONS = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
SAMPLE = {
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


def sent(raw: dict[str, Any], body: dict[str, Any] = SAMPLE, *, stream: bool = False) -> Any:
    request = ChatRequest("m", tuple(body["messages"]), body, stream, "request-1")
    built = build_request(
        unstored(parse_registration(raw, lambda name: True)),
        request,
        stream=stream,
        secrets=lambda kind, name: "secret",
    )
    assert built.body is not None
    return json.loads(built.body)


@pytest.mark.parametrize("raw", REGISTRATIONS, ids=lambda raw: raw["model_name"])
def test_every_registration_is_accepted_and_sends_the_prompt(raw: dict[str, Any]) -> None:
    assert 'say "hi"' in json.dumps(sent(raw)).replace(r"\"", '"')


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


@pytest.mark.parametrize(
    "name",
    [name for name in KNOWN if name in {"USER_PROMPT", "MESSAGES", "SYSTEM_PROMPT", "MODEL_NAME", "MODEL_TEMPERATURE"}]
    + ["TOP_P", "SEED", "N", "MAX_TOKENS", "STREAM", "REQUEST_ID"],
)
def test_every_placeholder_is_documented(name: str) -> None:
    assert f"`{{{name}}}`" in PAGE
