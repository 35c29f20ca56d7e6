"""A model asked through Rollcall over HTTP, in every shape that callers have."""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import dataclass
from typing import Any

from tests.serving import Answer, Server

CHAT = "/v1/chat/completions"


@dataclass(frozen=True)
class Told:
    """`finish` is OpenAI's word. `usage` is empty where the reply says nothing of it."""

    text: str
    finish: str | None
    usage: dict[str, Any]
    error: str = ""
    whole: bool = True


def chat(server: Server, model: str, prompt: str, **fields: Any) -> Answer:
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], **fields}
    return server.ask("POST", CHAT, body)


def once(server: Server, model: str, prompt: str) -> Told:
    answer = chat(server, model, prompt)
    assert answer.status == 200, answer.body
    (choice,) = answer.body["choices"]
    return Told(choice["message"]["content"], choice["finish_reason"], answer.body.get("usage", {}))


def streamed(server: Server, model: str, prompt: str) -> Told:
    answer = chat(server, model, prompt, stream=True, stream_options={"include_usage": True})
    assert answer.status == 200, answer.body
    assert answer.headers.get_content_type() == "text/event-stream"
    return told(answer.body)


def told(stream: bytes) -> Told:
    """What the frames of a whole stream say together."""
    frames = [line.removeprefix("data: ") for line in stream.decode().split("\n\n") if line.startswith("data: ")]
    chunks = [json.loads(frame) for frame in frames if frame != "[DONE]"]
    errors = [chunk["error"]["message"] for chunk in chunks if "error" in chunk]
    choices = [choice for chunk in chunks for choice in chunk.get("choices", [])]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    finishes = [choice["finish_reason"] for choice in choices if choice.get("finish_reason")]
    assert len(finishes) <= 1, finishes
    usage = next((chunk["usage"] for chunk in chunks if chunk.get("usage")), {})
    return Told(text, finishes[0] if finishes else None, usage, "".join(errors), frames[-1:] == ["[DONE]"])


def seed(server: Server, model: str, prompt: str) -> str:
    answer = server.ask("POST", "/api/v1/chat/completions", {"model_name": model, "input": prompt})
    assert answer.status == 200, answer.body
    assert (answer.body["success"], answer.body["msg"]) == (True, "execute succeed")
    result: str = answer.body["result"]
    return result


def completion(server: Server, model: str, prompt: str) -> tuple[str, str]:
    """Its text and why it ended, in OpenAI's older shape."""
    answer = server.ask("POST", "/v1/completions", {"model": model, "prompt": prompt})
    assert answer.status == 200, answer
    (choice,) = answer.body["choices"]
    return choice["text"], choice["finish_reason"]


def message_text(server: Server, model: str, prompt: str) -> tuple[str, str]:
    """The same in Anthropic's shape."""
    turns = [{"role": "user", "content": prompt}]
    answer = server.ask("POST", "/v1/messages", {"model": model, "max_tokens": 64, "messages": turns})
    assert answer.status == 200, answer
    return "".join(block.get("text", "") for block in answer.body["content"]), answer.body["stop_reason"]


def floats(embedding: Any) -> list[float]:
    """Of either form."""
    if isinstance(embedding, list):
        return embedding
    data = base64.b64decode(embedding)
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def message(answer: Answer) -> str:
    """The sentence of an error in OpenAI's shape."""
    sentence: str = answer.body["error"]["message"]
    return sentence
