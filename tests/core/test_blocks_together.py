"""Blocks of a registration beside each other: what is refused because it could not work, and what is only noted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.core.dialect import dialect_of, probe_request
from app.core.registration import CONVERSATION_NOTE
from tests.core.registered import OPENAI, PLAIN, asked, refusal, registered, secret, sent, worker_of

JOB: dict[str, Any] = {"id_extract": "id", "req_url_template": "http://h/{JOB_ID}", "result_extract": "r"}
AUTH = {"req_url_template": "http://h/t", "token_extract": "t"}
IMAGE = {"task": "image", "response_extract": ""}


def without(word: str, **more: Any) -> dict[str, Any]:
    return {name: value for name, value in {**JOB, **more}.items() if name != word}


def health(**header: str) -> dict[str, Any]:
    return {"req_url_template": "http://h/up", "header": header}


@pytest.mark.parametrize(
    ("words", "field", "says"),
    [
        ({"job": without("id_extract")}, "job.id_extract", "{JOB_ID} has no value"),
        (
            {
                "stream": {"when": {"id": "{JOB_ID}"}},
                "job": without("id_extract", req_url_template="{RESP:u}", framing="sse"),
            },
            "job.id_extract",
            "{JOB_ID} has no value",
        ),
        ({**IMAGE, "job": without("result_extract", done_when={"s": "ok"})}, "job.result_extract", "result_template"),
        ({"stream": {"delta_extract": "{JOB_ID}.t"}}, "stream.delta_extract", "job block only"),
        ({"stream": {"done_when": {"a": ["x{JOB_ID}"]}}}, "stream.done_when.a[0]", "position 1"),
        ({"error": {"a": "{JOB_ID}"}, "job": JOB}, "error.a", "job block only"),
        ({"health": {"expect": {"a": 1}}}, "health.expect", "health.req_url_template"),
        ({"health": {"header": {"A": "b"}}}, "health.header", "health.req_url_template"),
        ({"health": health(A="{JOB_ID}")}, "health.header.A", "job block only"),
        ({"health": health(A="x{ACCESS_TOKEN}")}, "health.header.A", "position 1"),
        ({"health": {**health(), "expect": {"a[{SEED}": 1}}}, 'health.expect["a[{SEED}"]', "bracket"),
        ({"task": "embedding", "body": {"m": "{MESSAGES}"}}, "body", "nothing of the caller's request"),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_what_could_not_work_is_refused(words: dict[str, Any], field: str, says: str) -> None:
    at, message = refusal({**PLAIN, **words})
    assert at == field
    assert says in message


@pytest.mark.parametrize(
    "words",
    [
        {"job": without("id_extract", req_url_template="{RESP:urls.get}")},
        {**IMAGE, "job": without("result_extract", done_when={"@json": "*"})},
        {**IMAGE, "job": without("result_extract"), "output": {"as": "binary"}},
        {"job": {**JOB, "req_url_template": "{RESP:base}{JOB_ID}?t={ACCESS_TOKEN}"}, "auth": AUTH},
        {"health": {"tcp": True, "expect": {"a": 1}}},
        {"error": {"a": ["x", {"match": "y"}, {"not": 3}]}},
        {"auth": {**AUTH, "token_extract": ""}, "header": {"A": "{ACCESS_TOKEN}"}},
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_what_can_work_is_taken(words: dict[str, Any]) -> None:
    assert registered({**PLAIN, **words}).notes in ((), (CONVERSATION_NOTE,))


@pytest.mark.parametrize(
    ("words", "note"),
    [
        ({"limits": {"TOP_K": {"max": 5}}}, "limits.TOP_K is not used"),
        ({"auth": AUTH}, "auth is not used"),
        ({"messages": {"shape": "text"}}, "messages is not used"),
    ],
)
def test_what_says_something_about_nothing_is_noted(words: dict[str, Any], note: str) -> None:
    assert any(said.startswith(note) for said in registered({**PLAIN, **words}).notes)
    used = {"k": "{TOP_K}", "t": "{ACCESS_TOKEN}", "m": "{MESSAGES}", "p": "{USER_PROMPT}"}
    assert registered({**PLAIN, "auth": AUTH, **words, "body": used}).notes == ()


def test_what_an_output_is_names_the_task() -> None:
    assert dialect_of(worker_of({**PLAIN, "output": {"type": "image"}})).task == "image"


def test_limits_hold_what_is_passed_on_to_an_openai_shaped_worker() -> None:
    body = {name: value for name, value in OPENAI["body"].items() if name not in ("temperature", "max_tokens")}
    raw = {
        **OPENAI,
        "body": body,
        "limits": {"MODEL_TEMPERATURE": {"max": 1}, "MAX_TOKENS": {"max": 9}, "TOP_K": {"min": 2}},
    }
    told = sent(raw, asked("hi", temperature=2, max_completion_tokens=99, top_k=1, top_p=5))
    assert (told["temperature"], told["max_completion_tokens"], told["top_k"], told["top_p"]) == (1, 9, 2, 5)
    assert registered(raw).notes == ()


def test_a_check_expects_the_workers_own_model() -> None:
    expect = [{"models[name={MODEL_NAME}].ready": True}, {"name": "{MODEL_NAME}"}]
    raw = {**PLAIN, "upstream_model": "a.b[c]:1", "health": {"req_url_template": "http://h/tags", "expect": expect}}
    spec = dialect_of(worker_of(raw)).health
    assert spec is not None
    expected = spec.expectation("a.b[c]:1")
    assert expected is not None
    assert expected.holds({"models": [{"name": "x"}, {"name": "a.b[c]:1", "ready": True}]})
    assert expected.holds({"name": "A.B[C]:1"})
    assert not expected.holds({"models": [{"name": "x", "ready": True}], "name": "x"})


def test_a_check_that_needs_a_token_asks_the_origin_only() -> None:
    raw = {**PLAIN, "auth": AUTH, "header": {"A": "{ACCESS_TOKEN}"}, "health": {"req_url_template": "http://h/up"}}
    assert probe_request(worker_of(raw), secret) is None
