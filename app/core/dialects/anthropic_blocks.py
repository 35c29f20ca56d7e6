"""Anthropic's turns as OpenAI's messages: what the neutral request carries."""

from __future__ import annotations

from typing import Any

from app.core.conversation import JsonObject
from app.core.dialects.fields import check_text, missing, refused
from app.core.errors import InvalidRequest
from app.core.json_text import json_bytes

ROLES = ("user", "assistant", "system")
_ROLES = ", ".join(ROLES)
_THOUGHTS = ("thinking", "redacted_thinking")
Placed = tuple[str, dict[str, Any]]
"""A block and its place in the caller's body, such as `messages[1].content[0]`."""


class Conversation:
    """`places` tells where in the caller's body a place in `messages` came from."""

    def __init__(self) -> None:
        self.messages: list[JsonObject] = []
        self.places: dict[str, str] = {}

    def add_system(self, value: Any) -> None:
        """The `system` of the request, text or text blocks. Raises InvalidRequest."""
        if value is None or value == "":
            return
        text = value if isinstance(value, str) else "\n\n".join(_texts("system", value))
        if text:
            self._add("system", {"role": "system", "content": text})

    def add_turn(self, place: str, message: Any) -> None:
        """Raises InvalidRequest naming the field, e.g. `messages[1].content[0].source.type`."""
        if not isinstance(message, dict):
            raise refused(place, "an object with role and content", message)
        role, content = message.get("role"), message.get("content")
        if not isinstance(role, str) or role not in ROLES:
            raise refused(f"{place}.role", f"one of {_ROLES}", role)
        if isinstance(content, str):
            self._add(place, {"role": role, "content": content})
        elif role == "system":
            self._add(place, {"role": role, "content": "\n\n".join(_texts(f"{place}.content", content))})
        elif role == "user":
            self._add_user(place, _blocks(f"{place}.content", content))
        else:
            self._add_assistant(place, _blocks(f"{place}.content", content))

    def _add(self, place: str, message: JsonObject) -> str:
        own = f"messages[{len(self.messages)}]"
        self.messages.append(message)
        self.places[own] = place
        return own

    def _add_user(self, place: str, blocks: list[Placed]) -> None:
        """Results first, for they answer the turn before; what else is said follows in one message."""
        if not blocks:
            raise refused(f"{place}.content", "a string or a list of at least one block", [])
        parts: list[Placed] = []
        for where, block in blocks:
            if block["type"] == "tool_result":
                parts.extend(self._add_result(where, block))
            else:
                parts.append((where, _part(where, block)))
        if len(parts) == 1 and parts[0][1]["type"] == "text":
            self._add(place, {"role": "user", "content": parts[0][1]["text"]})
        elif parts:
            own = self._add(place, {"role": "user", "content": [part for _, part in parts]})
            self.places |= {f"{own}.content[{index}]": where for index, (where, _) in enumerate(parts)}

    def _add_result(self, place: str, block: JsonObject) -> list[Placed]:
        """The images of a result are given back: a message of the role `tool` holds text only."""
        check_text(f"{place}.tool_use_id", block.get("tool_use_id"))
        content = block.get("content")
        parts: list[Placed] = []
        if content is not None and not isinstance(content, str):
            parts = [(where, _part(where, inner)) for where, inner in _blocks(f"{place}.content", content)]
            content = "\n".join(part["text"] for _, part in parts if part["type"] == "text")
        own = self._add(place, {"role": "tool", "tool_call_id": block["tool_use_id"], "content": content or ""})
        self.places[f"{own}.role"] = place
        return [(where, part) for where, part in parts if part["type"] != "text"]

    def _add_assistant(self, place: str, blocks: list[Placed]) -> None:
        """Thoughts are dropped: their signatures mean nothing to another model. A turn of nothing else goes too."""
        texts: list[str] = []
        calls: list[Placed] = []
        for where, block in blocks:
            if block["type"] == "tool_use":
                calls.append((where, _call(where, block)))
            elif block["type"] not in _THOUGHTS:
                texts.append(_text(where, block))
        said: dict[str, Any] = {"role": "assistant", "content": "".join(texts) or None}
        if calls:
            own = self._add(place, said | {"tool_calls": [call for _, call in calls]})
            self.places[f"{own}.tool_calls"] = calls[0][0]
        elif said["content"] is not None:
            self._add(place, said)


def _blocks(place: str, content: Any) -> list[Placed]:
    if not isinstance(content, list):
        wanted = "a string or a list of blocks"
        raise missing(place, wanted) if content is None else refused(place, wanted, content)
    blocks = []
    for index, block in enumerate(content):
        where = f"{place}[{index}]"
        if not isinstance(block, dict):
            raise refused(where, "an object with a type", block)
        if not isinstance(block.get("type"), str):
            raise refused(f"{where}.type", "a string such as text or image", block.get("type"))
        blocks.append((where, block))
    return blocks


def _texts(place: str, content: Any) -> list[str]:
    return [_text(where, block) for where, block in _blocks(place, content)]


def _text(place: str, block: JsonObject) -> str:
    if block["type"] != "text":
        raise _no_such_block(place, block)
    check_text(f"{place}.text", block.get("text"))
    text: str = block["text"]
    return text


def _part(place: str, block: JsonObject) -> dict[str, Any]:
    if block["type"] == "image":
        return {"type": "image_url", "image_url": {"url": _image(f"{place}.source", block.get("source"))}}
    return {"type": "text", "text": _text(place, block)}


def _image(place: str, source: Any) -> str:
    if not isinstance(source, dict):
        raise refused(place, "an object with a type", source)
    if source.get("type") == "url":
        check_text(f"{place}.url", source.get("url"))
        url: str = source["url"]
        return url
    if source.get("type") != "base64":
        raise refused(f"{place}.type", "base64 or url", source.get("type"))
    check_text(f"{place}.media_type", source.get("media_type"))
    check_text(f"{place}.data", source.get("data"))
    return f"data:{source['media_type']};base64,{source['data']}"


def _call(place: str, block: JsonObject) -> dict[str, Any]:
    check_text(f"{place}.id", block.get("id"))
    check_text(f"{place}.name", block.get("name"))
    given = block.get("input")
    if not isinstance(given, dict):
        raise refused(f"{place}.input", "an object", given)
    function = {"name": block["name"], "arguments": json_bytes(given).decode()}
    return {"id": block["id"], "type": "function", "function": function}


def _no_such_block(place: str, block: JsonObject) -> InvalidRequest:
    kind = str(block["type"])[:80]
    return InvalidRequest(f"{place} is a block of type {kind!r}, which cannot be carried here.", field=place)
