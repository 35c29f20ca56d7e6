"""Which workers speak OpenAI's chat API as it is, so that whatever a caller and a worker say may pass through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.core.conversation import Task
from app.core.frames import OPENAI_DELTA

_OPENAI_ANSWER = "choices[].message.content"


def is_openai_shaped(words: Mapping[str, Any], task: Task) -> bool:
    body, block, messages = words.get("body"), words.get("stream"), words.get("messages") or {}
    output = words.get("output") or {}
    if task != "text" or words.get("job") or words.get("body_type") not in (None, "json"):
        return False
    if output.get("regex") or output.get("strip_prompt") or messages.get("shape") not in (None, "list"):
        return False
    if not isinstance(body, dict) or body.get("messages") != "{MESSAGES}" or messages.get("item") is not None:
        return False
    if _first(words.get("response_extract")) != _OPENAI_ANSWER:
        return False
    if block is None:
        return not words.get("is_stream")
    return _first(block.get("delta_extract")) in ("", OPENAI_DELTA) and block.get("framing") != "text"


def _first(path: str | None) -> str:
    return (path or "").strip().replace("[0]", "[]")
