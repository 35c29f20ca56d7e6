"""Registrations as tests use them: parsed, built, read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.core.conversation import ChatRequest, Event, Reply, UpstreamRequest
from app.core.dialect import build_request, dialect_of
from app.core.errors import InvalidField
from app.core.reading import Reader
from app.core.registration import Registration, parse_registration
from app.core.worker import Worker
from app.services.preview import unstored

SAMPLES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "registrations.json").read_text(encoding="utf-8"))
OPENAI: dict[str, Any] = next(sample for sample in SAMPLES if sample["id"] == "vllm")["registration"]
PLAIN: dict[str, Any] = {
    "model_name": "m",
    "req_url_template": "http://h/q",
    "body": {"prompt": "{USER_PROMPT}"},
    "response_extract": "answer",
}
STREAMING: dict[str, Any] = {
    **PLAIN,
    "error": {"error": "*"},
    "stream": {"framing": "sse", "delta_extract": "t", "finish_extract": "end", "done": "[DONE]"},
}
SSE = "text/event-stream; charset=utf-8"


def registered(raw: Mapping[str, Any], *allowed: str) -> Registration:
    usual = ("_KEY", "_TOKEN", "_SECRET", "_BASIC")
    return parse_registration(raw, lambda name: name in allowed or name.endswith(usual))


def worker_of(raw: Mapping[str, Any]) -> Worker:
    return replace(unstored(registered(raw)), id=1)


def asked(*turns: str | Mapping[str, Any], **fields: Any) -> ChatRequest:
    """Turns as texts are user, assistant, user, …"""
    roles = ("user", "assistant")
    messages = [
        {"role": roles[i % 2], "content": turn} if isinstance(turn, str) else dict(turn) for i, turn in enumerate(turns)
    ]
    body = {"model": "m", "messages": messages, **fields}
    return ChatRequest("m", tuple(messages), body, fields.get("stream", False) is True, "request-1")


def secret(kind: str, name: str) -> str:
    return f"<{kind}:{name}>"


def built(raw: Mapping[str, Any], request: ChatRequest | None = None, *, stream: bool = False) -> UpstreamRequest:
    return build_request(worker_of(raw), request or asked("hi"), stream=stream, secrets=secret)


def sent(raw: Mapping[str, Any], request: ChatRequest | None = None, *, stream: bool = False) -> Any:
    body = built(raw, request, stream=stream).body
    assert body is not None
    return json.loads(body)


def reader(raw: Mapping[str, Any], *, stream: bool = False) -> Reader:
    return dialect_of(worker_of(raw)).reader(stream)


def replied(raw: Mapping[str, Any], value: Any, content_type: str = "application/json") -> Reply:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return reader(raw).reply(200, body, content_type)


def streamed(raw: Mapping[str, Any], *frames: Any, content_type: str = SSE) -> list[Event]:
    return list(reader(raw, stream=True).events(sse(*frames), content_type))


def sse(*frames: Any) -> Iterable[bytes]:
    return [f"data: {frame if isinstance(frame, str) else json.dumps(frame)}\n\n".encode() for frame in frames]


def refusal(raw: Mapping[str, Any]) -> tuple[str | None, str]:
    """The field and the message of a registration that must be refused."""
    with pytest.raises(InvalidField) as caught:
        registered(raw)
    return caught.value.field, caught.value.message
