"""Token counts for answers whose worker gave none. They always leave marked as estimated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.core.conversation import JsonObject, Usage

CHARACTERS_A_TOKEN = 4


def estimated(messages: Iterable[JsonObject], answered_characters: int) -> Usage:
    prompt = sum(_characters(message.get("content")) for message in messages)
    return Usage(_tokens(prompt), _tokens(answered_characters))


def _tokens(characters: int) -> int:
    return -(-characters // CHARACTERS_A_TOKEN)


def _characters(content: Any) -> int:
    if isinstance(content, str):
        return len(content)
    parts = content if isinstance(content, list) else []
    return sum(len(part["text"]) for part in parts if isinstance(part.get("text"), str))
