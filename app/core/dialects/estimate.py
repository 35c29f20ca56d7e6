"""Token counts that a worker did not give. They always leave marked as estimated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.core.conversation import JsonObject, Usage

CHARACTERS_A_TOKEN = 4


def completed(
    usage: Usage | None, messages: Iterable[JsonObject], answered_characters: int
) -> tuple[int, int, dict[str, Any]]:
    """Prompt and completion, and the mark that goes with them where one of them is estimated."""
    prompt, completion = (None, None) if usage is None else (usage.prompt, usage.completion)
    mark = {"estimated": True} if prompt is None or completion is None else {}
    if prompt is None:
        prompt = _tokens(sum(_characters(message.get("content")) for message in messages))
    return prompt, _tokens(answered_characters) if completion is None else completion, mark


def _tokens(characters: int) -> int:
    return -(-characters // CHARACTERS_A_TOKEN)


def _characters(content: Any) -> int:
    if isinstance(content, str):
        return len(content)
    parts = content if isinstance(content, list) else []
    return sum(len(part["text"]) for part in parts if isinstance(part.get("text"), str))
