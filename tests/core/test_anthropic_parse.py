"""Anthropic's requests → what the neutral request says in OpenAI's shape."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from app.core.dialects.anthropic import MessagesRequest, parse
from app.core.errors import InvalidRequest, UnsupportedByWorker

HI = {"role": "user", "content": "hi"}
TOOL = {"name": "add", "description": "Adds.", "input_schema": {"type": "object"}}
PNG = {"type": "base64", "media_type": "image/png", "data": "aGk="}
IMAGE = {"type": "image", "source": PNG}
IMAGE_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": [1, "é"]}}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def result(content: Any = "4", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "toolu_1", "content": content, **more}


def parsed(*messages: Any, **options: Any) -> MessagesRequest:
    body = {"model": "m", "max_tokens": 9, "messages": list(messages) or [HI], **options}
    before = copy.deepcopy(body)
    request = parse(body, "r-1")
    assert body == before
    return request


CONVERSATIONS: list[tuple[dict[str, Any], Any]] = [
    ({"messages": [HI]}, [HI]),
    ({"messages": [HI], "system": "Be brief."}, [{"role": "system", "content": "Be brief."}, HI]),
    ({"messages": [HI], "system": [text("a"), text("b")]}, [{"role": "system", "content": "a\n\nb"}, HI]),
    ({"messages": [HI], "system": ""}, [HI]),
    ({"messages": [HI, {"role": "system", "content": [text("now")]}]}, [HI, {"role": "system", "content": "now"}]),
    ({"messages": [{"role": "user", "content": [text("hi")]}]}, [HI]),
    (
        {"messages": [{"role": "user", "content": [text("a"), IMAGE]}]},
        [{"role": "user", "content": [text("a"), IMAGE_PART]}],
    ),
    (
        {
            "messages": [
                {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "http://x/y"}}]}
            ]
        },
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/y"}}]}],
    ),
    (
        {"messages": [HI, {"role": "assistant", "content": [THOUGHT, text("a"), text("b")]}]},
        [HI, {"role": "assistant", "content": "ab"}],
    ),
    ({"messages": [HI, {"role": "assistant", "content": [THOUGHT, {"type": "redacted_thinking"}]}]}, [HI]),
    (
        {"messages": [{"role": "user", "content": [text("so"), result([text("3"), IMAGE, text("4")]), result(None)]}]},
        [
            {"role": "tool", "tool_call_id": "toolu_1", "content": "3\n4"},
            {"role": "tool", "tool_call_id": "toolu_1", "content": ""},
            {"role": "user", "content": [text("so"), IMAGE_PART]},
        ],
    ),
]


@pytest.mark.parametrize(("body", "messages"), CONVERSATIONS)
def test_conversations(body: dict[str, Any], messages: Any) -> None:
    request = parse({"model": "m", "max_tokens": 9, **body}, "r-1")
    assert list(request.chat.messages) == messages
    assert request.chat.body["messages"] == messages


def test_a_tool_call_and_its_result() -> None:
    turn = {"role": "assistant", "content": [text("Let me see."), CALL]}
    request = parsed(HI, turn, {"role": "user", "content": [result("4", is_error=True)]}, tools=[TOOL])
    _, called, answered = request.chat.messages
    (call,) = called["tool_calls"]
    assert (called["content"], call["id"], call["type"], call["function"]["name"]) == (
        *("Let me see.", "toolu_1", "function", "add"),
    )
    assert json.loads(call["function"]["arguments"]) == {"a": [1, "é"]}
    assert answered == {"role": "tool", "tool_call_id": "toolu_1", "content": "4"}


OPTIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"temperature": 0.5, "top_p": 0.9, "top_k": 5, "seed": 1},
        {"temperature": 0.5, "top_p": 0.9, "top_k": 5, "seed": 1},
    ),
    ({"stop_sequences": ["a", "b"]}, {"stop": ["a", "b"]}),
    ({"stop_sequences": []}, {}),
    ({"metadata": {"user_id": "u"}}, {"user": "u"}),
    (
        {"tools": [TOOL]},
        {
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}},
                }
            ]
        },
    ),
    ({"tools": [], "tool_choice": {"type": "auto"}}, {}),
    (
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
            }
        },
    ),
    ({"temperature": None, "stop_sequences": None, "tools": None, "system": None}, {"temperature": None}),
]


@pytest.mark.parametrize(("given", "carried"), OPTIONS)
def test_options(given: dict[str, Any], carried: dict[str, Any]) -> None:
    body = dict(parsed(**given).chat.body)
    assert body == {"model": "m", "max_tokens": 9, "messages": [HI], **carried}


@pytest.mark.parametrize(
    ("choice", "carried"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        ({"type": "tool", "name": "add"}, {"tool_choice": {"type": "function", "function": {"name": "add"}}}),
        ({"type": "auto", "disable_parallel_tool_use": True}, {"tool_choice": "auto", "parallel_tool_calls": False}),
    ],
)
def test_tool_choice(choice: dict[str, Any], carried: dict[str, Any]) -> None:
    body = parsed(tools=[TOOL], tool_choice=choice).chat.body
    assert {name: body[name] for name in body if name in ("tool_choice", "parallel_tool_calls")} == carried


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, "model"),
    ({"max_tokens": None}, "max_tokens"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": "9"}, "max_tokens"),
    ({"messages": None}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": ["hi"]}, "messages[0]"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]"),
    ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
    ({"messages": [{"role": "user", "content": [{"type": "document"}]}]}, "messages[0].content[0]"),
    ({"messages": [{"role": "assistant", "content": [IMAGE]}]}, "messages[0].content[0]"),
    ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages[0].content[0].source"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file"}}]}]},
        "messages[0].content[0].source.type",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {**PNG, "data": 1}}]}]},
        "messages[0].content[0].source.data",
    ),
    ({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]}, "messages[0].content[0].tool_use_id"),
    (
        {"messages": [{"role": "user", "content": [result([{"type": "search_result"}])]}]},
        "messages[0].content[0].content[0]",
    ),
    ({"messages": [{"role": "assistant", "content": [{**CALL, "input": "x"}]}]}, "messages[0].content[0].input"),
    ({"system": 1}, "system"),
    ({"system": [IMAGE]}, "system[0]"),
    ({"stop_sequences": "x"}, "stop_sequences"),
    ({"stop_sequences": [1]}, "stop_sequences[0]"),
    ({"temperature": "hot"}, "temperature"),
    ({"stream": "yes"}, "stream"),
    ({"metadata": "x"}, "metadata"),
    ({"metadata": {"user_id": 1}}, "metadata.user_id"),
    ({"thinking": "yes"}, "thinking"),
    ({"output_config": {"format": {"type": "xml"}}}, "output_config.format"),
    ({"mcp_servers": [{"url": "http://x"}]}, "mcp_servers"),
    ({"tools": {}}, "tools"),
    ({"tools": ["add"]}, "tools[0]"),
    ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
    ({"tools": [{"name": "add"}]}, "tools[0].input_schema"),
    ({"tools": [{**TOOL, "name": None}]}, "tools[0].name"),
    ({"tools": [TOOL], "tool_choice": "auto"}, "tool_choice"),
    ({"tools": [TOOL], "tool_choice": {"type": "some"}}, "tool_choice.type"),
    ({"tools": [TOOL], "tool_choice": {"type": "tool"}}, "tool_choice.name"),
]


@pytest.mark.parametrize(("options", "field"), REFUSED)
def test_refusals_name_the_field(options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parsed(**options)
    assert caught.value.field == field
    assert field.split(".")[0] in caught.value.message


@pytest.mark.parametrize("body", [None, [], "x", 1])
def test_a_body_that_is_no_object(body: Any) -> None:
    with pytest.raises(InvalidRequest, match="max_tokens"):
        parse(body, "r-1")


def test_what_no_other_service_knows_is_left_out_and_said() -> None:
    request = parsed(
        thinking={"type": "enabled", "budget_tokens": 1024},
        output_config={"effort": "low"},
        service_tier="auto",
        inference_geo=None,
    )
    assert set(request.chat.body) == {"model", "max_tokens", "messages"}
    assert request.left_out == ("service_tier", "output_config.effort", "thinking")
    assert request.thinks
    said = request.notices(("conversation not carried", "not carried: stop, top_k"))
    assert said == (
        "conversation not carried",
        "not carried: stop_sequences, top_k, service_tier, output_config.effort, thinking",
    )


def test_thinking_that_is_off_is_nothing_to_say() -> None:
    request = parsed(thinking={"type": "disabled"})
    assert (request.left_out, request.thinks, request.notices(())) == ((), False, ())


@pytest.mark.parametrize(
    ("field", "called"),
    [
        ("messages[3].content[1]", "messages[1].content[2]"),
        ("messages[2].role", "messages[1].content[1]"),
        ("messages[1].anything", "messages[0]"),
        ("response_format", "output_config.format"),
        ("tools", "tools"),
    ],
)
def test_refusals_of_workers_name_the_callers_own_fields(field: str, called: str) -> None:
    request = parsed(HI, {"role": "user", "content": [text("a"), result(), IMAGE]}, system="s")
    error = request.restated(UnsupportedByWorker(f"No worker can carry {field!r}; sorry.", field=field))
    assert (error.field, error.message) == (called, f"No worker can carry {called!r}; sorry.")
