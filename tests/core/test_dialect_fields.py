"""Which of a caller's fields a worker is passed, which it cannot carry, and which are left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.core.conversation import ChatRequest
from app.core.dialect import dialect_of
from tests.core.registered import OPENAI, PLAIN, SAMPLES, asked, sent, worker_of

IMAGE = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["id"])
def test_who_is_openai_shaped(sample: dict[str, Any]) -> None:
    answer = sample["registration"].get("response_extract")
    assert dialect_of(worker_of(sample["registration"])).openai_shaped is (answer == "choices[].message.content")


@pytest.mark.parametrize(
    "words",
    [
        {"response_extract": "choices[0].message"},
        {"body": {"model": "x", "messages": [{"role": "user", "content": "{USER_PROMPT}"}]}},
        {"messages": {"item": {"c": "{CONTENT}"}}},
        {"stream": {"delta_extract": "choices[].text"}},
        {"stream": None, "is_stream": True},
    ],
)
def test_who_is_not(words: dict[str, Any]) -> None:
    assert not dialect_of(worker_of({**OPENAI, **words})).openai_shaped


def test_openai_shape_is_understood_where_the_stream_names_no_delta() -> None:
    dialect = dialect_of(worker_of({**OPENAI, "stream": {"framing": "sse", "done": "[DONE]"}}))
    assert dialect.openai_shaped
    assert dialect.streams


CARRIED = {
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "tool_choice": "auto",
    "logprobs": True,
    "top_logprobs": 3,
    "response_format": {"type": "json_object"},
    "n": 2,
    "stop": ["x"],
    "seed": 3,
    "user": "ann",
    "presence_penalty": 0.5,
    "vendor_field": {"a": None},
    "parallel_tool_calls": None,
}


def test_an_openai_shaped_worker_is_passed_what_the_template_does_not_set() -> None:
    request = asked("hi", stream=True, stream_options={"include_usage": True}, temperature=0.5, **CARRIED)
    assert sent(OPENAI, request) == {
        "model": "llama-3-8b",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.5,
        "stream": False,
        **CARRIED,
    }
    dialect = dialect_of(worker_of(OPENAI))
    assert dialect.unsupported(request) is None
    assert dialect.notices(request) == ()


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("key", ["max_tokens", "max_completion_tokens"])
def test_both_names_of_max_tokens_count_as_one(name: str, key: str) -> None:
    body = {"messages": "{MESSAGES}", key: "{MAX_TOKENS}"}
    assert {**sent({**OPENAI, "body": body}, asked("hi", **{name: 9}))}.items() >= {key: 9}.items()
    assert len(sent({**OPENAI, "body": body}, asked("hi", **{name: 9}))) == 2
    fixed = {"messages": "{MESSAGES}", key: 5}
    assert sent({**OPENAI, "body": fixed}, asked("hi", **{name: 9})) == {
        "messages": [{"role": "user", "content": "hi"}],
        key: 5,
    }


def test_what_the_template_sets_is_the_operators() -> None:
    body = {
        "messages": "{MESSAGES}",
        "model": "fixed",
        "temperature": 0,
        "options": {"k": "{TOP_K}"},
        "u": "{REQUEST:user}",
    }
    request = asked("hi", temperature=1, model="other", top_k=4, user="ann", seed=1)
    assert sent({**OPENAI, "body": body}, request) == {
        "messages": [{"role": "user", "content": "hi"}],
        "model": "fixed",
        "temperature": 0,
        "options": {"k": 4},
        "u": "ann",
        "seed": 1,
    }


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (asked("hi", tools=[{"type": "function"}]), "tools"),
        (asked("hi", functions=[{"name": "f"}]), "functions"),
        (asked("hi", tool_choice="required"), "tool_choice"),
        (asked("hi", response_format={"type": "json_object"}), "response_format"),
        (asked("hi", logprobs=True), "logprobs"),
        (asked("hi", top_logprobs=2), "top_logprobs"),
        (asked("hi", n=2), "n"),
        (asked("hi", modalities=["text", "audio"]), "modalities"),
        (asked(IMAGE), "messages[0].content[0]"),
        (asked("hi", {"role": "assistant", "tool_calls": [{"id": "1"}]}), "messages[1].tool_calls"),
        (asked("hi", {"role": "tool", "content": "4"}), "messages[1].role"),
        (asked({"role": "system", "content": "x"}), "messages"),
        (asked("hi", tools=[], n=1, logprobs=False, tool_choice="none", response_format={"type": "text"}), None),
        (asked("hi", tools=None, n=None, response_format=None), None),
        (asked("hi", stop="x", user="ann"), None),
        (asked("a", "b", "c"), None),
    ],
)
def test_unsupported(request_: ChatRequest, field: str | None) -> None:
    assert dialect_of(worker_of(PLAIN)).unsupported(request_) == field


PICTURE = "data:image/png;base64,iVBORw=="


@pytest.mark.parametrize("task", ["image", "video"])
@pytest.mark.parametrize(
    ("words", "fields", "field"),
    [
        ({}, {"input_reference": "https://cdn/cat.png"}, "input_reference"),
        ({}, {"input_reference": None, "style": "data", "note": "data: none"}, None),
        ({}, {"mask": PICTURE}, "mask"),
        ({"m": "{MASK}"}, {"mask": PICTURE}, None),
        ({"m": "{MASK}"}, {"mask": PICTURE, "input_reference": PICTURE}, "input_reference"),
        ({"m": "{REQUEST:mask}", "i": "{INPUT_REFERENCE}"}, {"mask": PICTURE, "input_reference": PICTURE}, None),
        ({"all": "{REQUEST}"}, {"mask": PICTURE, "input_reference": PICTURE}, None),
    ],
)
def test_a_picture_is_never_left_out(task: Any, words: Any, fields: dict[str, Any], field: str | None) -> None:
    registered = worker_of({**PLAIN, "task": task, "body": {"p": "{USER_PROMPT}", **words}})
    assert dialect_of(registered).unsupported(replace(asked("a cat", **fields), task=task)) == field


@pytest.mark.parametrize(
    ("body", "request_"),
    [
        ({"p": "{USER_PROMPT}", "n": "{N}"}, asked("hi", n=2)),
        ({"p": "{USER_PROMPT}", "t": "{REQUEST:tools}"}, asked("hi", tools=[{}])),
        ({"p": "{USER_PROMPT}", "t": "{REQUEST:tools[].function}"}, asked("hi", tools=[{}])),
        ({"p": "{USER_PROMPT}", "f": "{RESPONSE_FORMAT}"}, asked("hi", response_format={"type": "json_object"})),
        ({"m": "{REQUEST:messages}"}, asked(IMAGE)),
    ],
)
def test_what_a_placeholder_carries_is_supported(body: dict[str, Any], request_: ChatRequest) -> None:
    assert dialect_of(worker_of({**PLAIN, "body": body})).unsupported(request_) is None


LOST = "conversation not carried, only the last user message"
SYSTEM = {"role": "system", "content": "x"}


@pytest.mark.parametrize(
    ("words", "request_", "notices"),
    [
        ({}, asked("hi"), ()),
        ({}, asked("a", "b", "c"), (LOST,)),
        ({}, asked(SYSTEM, {"role": "user", "content": "hi"}), (LOST,)),
        ({"messages": {"system": "first_user"}}, asked(SYSTEM, {"role": "user", "content": "hi"}), ()),
        ({"body": {"m": "{MESSAGES}"}}, asked("a", "b", "c"), ()),
        ({"body": {"m": "{REQUEST:messages}"}}, asked("a", "b", "c"), ()),
        ({}, asked("hi", stop="x", frequency_penalty=1, user="ann"), ("not carried: stop, frequency_penalty, user",)),
        ({}, asked("hi", stop=None, stream=False, n=1), ()),
        ({"body": {"p": "{USER_PROMPT}", "t": "{MODEL_TEMPERATURE}"}}, asked("hi", temperature=1), ()),
        ({"body": {"p": "{USER_PROMPT}", "s": "{STOP}"}}, asked("hi", stop="x", user="a"), ("not carried: user",)),
        ({"req_url_template": "http://h/?t={MODEL_TEMPERATURE}"}, asked("hi", temperature=1), ()),
        ({}, asked("hi", **{"bad\r\nname": 1, "ok": 1}), ("not carried: ok, 1 more",)),
        ({}, asked("a", "b", "c", seed=1), (LOST, "not carried: seed")),
    ],
)
def test_notices(words: dict[str, Any], request_: ChatRequest, notices: tuple[str, ...]) -> None:
    assert dialect_of(worker_of({**PLAIN, **words})).notices(request_) == notices


def test_a_flood_of_fields_makes_no_flood_of_notices() -> None:
    request = asked("hi", **{f"field_{i}": 1 for i in range(1000)})
    assert len(dialect_of(worker_of(PLAIN)).notices(request)[0]) < 500
