"""The answer paths of real systems on replies in the shapes that those systems send."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.extract import compile_condition, compile_path

OPENAI = {"choices": [{"message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}]}
GEMINI = {
    "candidates": [{"content": {"parts": [{"text": "hel"}, {"text": "lo"}], "role": "model"}, "finishReason": "STOP"}]
}
BLOCKED = {"promptFeedback": {"blockReason": "SAFETY"}}
CLAUDE = {"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "hello"}], "type": "message"}
RESPONSES = {
    "status": "completed",
    "incomplete_details": None,
    "error": None,
    "output": [
        {"type": "reasoning", "content": []},
        {"type": "message", "content": [{"type": "output_text", "text": "hel"}, {"type": "output_text", "text": "lo"}]},
    ],
}
COMFYUI = {
    "b3f0-1": {
        "outputs": {"9": {"images": [{"filename": "a b.png"}]}},
        "status": {"messages": [["execution_error", {}]]},
    }
}


@pytest.mark.parametrize(
    ("path", "reply", "wanted"),
    [
        ("choices[].message.content", OPENAI, "hello"),
        ("choices[].finish_reason", OPENAI, "stop"),
        ("choices[].delta.content", {"choices": [{"delta": {"role": "assistant", "content": None}}]}, None),
        ("choices[].delta.content", {"choices": [], "usage": {"prompt_tokens": 3}}, None),
        ("candidates[].content.parts[*].text", GEMINI, "hello"),
        ("candidates[].finishReason|promptFeedback.blockReason", BLOCKED, "SAFETY"),
        ("content[*type=text].text", CLAUDE, "hello"),
        ("output[type=message].content[*type=output_text].text", RESPONSES, "hello"),
        ("incomplete_details.reason|status", RESPONSES, "completed"),
        ("generated_text|[0].generated_text", [{"generated_text": "hello"}], "hello"),
        ("*.outputs.9.images[].filename", COMFYUI, "a b.png"),
        ("b3f0-1.status.messages[*]", COMFYUI, [["execution_error", {}]]),
        ("data[*].embedding", {"data": [{"embedding": [0.1, 0.2]}]}, [[0.1, 0.2]]),
        ("", "I am ChatGLM2-6B", "I am ChatGLM2-6B"),
    ],
)
def test_answers(path: str, reply: Any, wanted: Any) -> None:
    assert compile_path(path).find(reply) == wanted


@pytest.mark.parametrize(
    ("condition", "met_by", "not_met_by"),
    [
        ({"error": "*"}, {"error": {"message": "m"}}, RESPONSES),
        ([{"error": "*"}, {"promptFeedback.blockReason": "*"}], BLOCKED, GEMINI),
        ({"type": "error"}, {"type": "error"}, CLAUDE),
        ({"success": False}, {"success": False, "msg": "m"}, {"msg": "no success field"}),
        ({"error_code": {"not": 0}}, {"error_code": 50001}, {"error_code": 0}),
        ({"error_code": {"not": 0}}, {"error_code": "50001"}, {"text": "no code"}),
        ({"code": {"not": [1, 21, 22]}}, {"code": 24}, {"code": 22}),
        ({"msg": {"match": "was existed"}}, {"msg": "folder /1 was existed!"}, {"msg": "fine"}),
        ({"token.special": False}, {"token": {"special": False}}, {"token": {"special": True}}),
        ({"type": ["response.completed", "response.incomplete"]}, {"type": "response.incomplete"}, {"type": "x"}),
        ({"models[name=llama3.2:latest]": "*"}, {"models": [{"name": "llama3.2:latest"}]}, {"models": []}),
        ({"data[].id": "*"}, {"data": [{"id": "m"}]}, {"data": []}),
    ],
)
def test_failures_and_other_conditions(condition: Any, met_by: Any, not_met_by: Any) -> None:
    compiled = compile_condition(condition)
    assert compiled.holds(met_by)
    assert not compiled.holds(not_met_by)
