"""Good and bad chat bodies, for everything that judges them."""

from __future__ import annotations

from typing import Any

HI = {"role": "user", "content": "hi"}


def openai(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": list(messages) or [HI], **fields}


def seed(**fields: Any) -> dict[str, Any]:
    return {"model_name": "m", "input": "hi", **fields}


GOOD_MESSAGES: list[Any] = [
    {"role": "developer", "content": "x"},
    {"role": "user", "content": ""},
    {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "u"}}]},
    {"role": "user", "content": "x", "name": None},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": {}}]},
    {"role": "assistant", "tool_calls": [{}]},
    {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
    {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
    {"role": "tool", "tool_call_id": "c", "content": "4"},
    {"role": "function", "name": "f", "content": "4"},
]

BAD_MESSAGES: list[tuple[Any, str]] = [
    ("hi", "messages[1]"),
    (None, "messages[1]"),
    ({"content": "x"}, "messages[1].role"),
    ({"role": "robot", "content": "x"}, "messages[1].role"),
    ({"role": ["user"], "content": "x"}, "messages[1].role"),
    ({"role": "user"}, "messages[1].content"),
    ({"role": "user", "content": None}, "messages[1].content"),
    ({"role": "user", "content": 3}, "messages[1].content"),
    ({"role": "user", "content": {"type": "text"}}, "messages[1].content"),
    ({"role": "user", "content": []}, "messages[1].content"),
    ({"role": "user", "content": None, "tool_calls": [{}]}, "messages[1].content"),
    ({"role": "assistant", "content": None}, "messages[1].content"),
    ({"role": "assistant", "content": None, "tool_calls": []}, "messages[1].content"),
    ({"role": "user", "content": ["x"]}, "messages[1].content[0]"),
    ({"role": "user", "content": [{"text": "x"}]}, "messages[1].content[0].type"),
    ({"role": "user", "content": [{"type": "text"}]}, "messages[1].content[0].text"),
    ({"role": "user", "content": [{"type": "text", "text": 3}]}, "messages[1].content[0].text"),
    ({"role": "user", "content": "x", "name": 3}, "messages[1].name"),
    ({"role": "tool", "content": "x", "tool_call_id": 3}, "messages[1].tool_call_id"),
    ({"role": "assistant", "tool_calls": "call"}, "messages[1].tool_calls"),
    ({"role": "assistant", "content": "x", "tool_calls": {}}, "messages[1].tool_calls"),
    ({"role": "assistant", "content": "x", "tool_calls": ["f"]}, "messages[1].tool_calls[0]"),
]

GOOD_OPTIONS: list[dict[str, Any]] = [
    {"temperature": 0},
    {"temperature": 2.0, "top_p": 1, "presence_penalty": -2, "frequency_penalty": 1.5},
    {"max_tokens": 1, "max_completion_tokens": 10**30, "n": 128, "seed": -5},
    {"stop": "x"},
    {"stop": ["x", "y"]},
    {"stop": []},
    {"stream": True, "stream_options": {"include_usage": True, "vendor": 1}},
    {"stream_options": None, "temperature": None, "tools": None, "n": None, "stop": None, "stream": None},
    {"tools": [{"type": "function"}], "tool_choice": "auto", "parallel_tool_calls": False},
    {"tool_choice": {"type": "function"}, "response_format": {"type": "json_object"}, "logit_bias": {}},
    {"logprobs": True, "top_logprobs": 0, "user": "u", "metadata": {}},
    {"functions": [{}], "function_call": "none"},
    {"top_k": "anything", "vendor": {"x": [1]}, "guided_json": None},
]

BAD_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"temperature": "3"}, "temperature"),
    ({"temperature": True}, "temperature"),
    ({"temperature": 2.1}, "temperature"),
    ({"temperature": -1}, "temperature"),
    ({"top_p": 1.5}, "top_p"),
    ({"presence_penalty": 3}, "presence_penalty"),
    ({"frequency_penalty": []}, "frequency_penalty"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": "3"}, "max_tokens"),
    ({"max_tokens": True}, "max_tokens"),
    ({"max_tokens": 3.0}, "max_tokens"),
    ({"max_completion_tokens": -1}, "max_completion_tokens"),
    ({"n": 0}, "n"),
    ({"n": 129}, "n"),
    ({"seed": "1"}, "seed"),
    ({"stream": "true"}, "stream"),
    ({"stream": 1}, "stream"),
    ({"stream_options": True}, "stream_options"),
    ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
    ({"stop": 3}, "stop"),
    ({"stop": ["x", 3]}, "stop[1]"),
    ({"tools": {}}, "tools"),
    ({"tools": ["f"]}, "tools[0]"),
    ({"tool_choice": 1}, "tool_choice"),
    ({"parallel_tool_calls": 0}, "parallel_tool_calls"),
    ({"functions": "f"}, "functions"),
    ({"function_call": []}, "function_call"),
    ({"response_format": "json"}, "response_format"),
    ({"logprobs": 3}, "logprobs"),
    ({"top_logprobs": 21}, "top_logprobs"),
    ({"logit_bias": []}, "logit_bias"),
    ({"user": {}}, "user"),
    ({"metadata": "x"}, "metadata"),
]

BAD_NAMES: list[tuple[dict[str, Any], str]] = [
    ({"messages": [HI]}, "model"),
    ({"model": "", "messages": [HI]}, "model"),
    ({"model": 3, "messages": [HI]}, "model"),
    ({"model": "m" * 201, "messages": [HI]}, "model"),
    ({"model_name": "m", "messages": [HI]}, "model"),
    ({"model": "m", "messages": []}, "messages"),
    ({"model": "m", "messages": None}, "messages"),
    ({"model": "m", "messages": {"role": "user"}}, "messages"),
    ({"model": "m", "messages": "hi"}, "messages"),
    ({"input": "hi"}, "model_name"),
    ({"input": "hi", "model": "m"}, "model_name"),
    ({"input": "hi", "model_name": ["m"]}, "model_name"),
    ({"input": None, "model_name": "m"}, "input"),
    ({"input": 3, "model_name": "m"}, "input"),
    ({"input": ["hi"], "model_name": "m"}, "input"),
    ({"model_name": "m"}, "input"),
]
