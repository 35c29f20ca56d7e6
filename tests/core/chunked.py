"""Chunks of OpenAI-shaped workers, as tests write them."""

from __future__ import annotations

from typing import Any

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 1}}
HEAD = {"id": "c1", "object": "chat.completion.chunk", "created": 5, "model": "vendor"}


def choice(delta: dict[str, Any], finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"index": index, "delta": delta, **more, "finish_reason": finish}


def chunk(*choices: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**HEAD, "choices": list(choices), **more}


def call(index: int, **function: str) -> dict[str, Any]:
    more = {"id": f"call_{index}", "type": "function"} if "name" in function else {}
    return {"tool_calls": [{"index": index, **more, "function": function}]}
