"""The toy that looks like OpenAI's chat completions and streams when asked."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from app.samples.shape import BadCall, Body
from app.samples.words import made_up

PAUSE_S = 0.04
"""Between two pieces of a stream, so that an eye can follow."""


class OpenAIShape:
    path = "/v1/chat/completions"

    def answer(self, name: str, body: Body) -> Body:
        prompt = _last_user_message(body)
        pieces = made_up(name, prompt)
        message = {"role": "assistant", "content": "".join(pieces)}
        used = len(prompt.split())
        return {
            "id": "chatcmpl-toy",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": str(body.get("model", name)),
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {
                "prompt_tokens": used,
                "completion_tokens": len(pieces),
                "total_tokens": used + len(pieces),
            },
        }

    def stream(self, name: str, body: Body) -> Iterator[bytes] | None:
        if body.get("stream") is not True:
            return None
        return self._chunks(str(body.get("model", name)), made_up(name, _last_user_message(body)))

    def error(self, message: str) -> Body:
        return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}

    def _chunks(self, model: str, pieces: list[str]) -> Iterator[bytes]:
        yield _chunk(model, {"role": "assistant", "content": ""}, None)
        for piece in pieces:
            yield _chunk(model, {"content": piece}, None)
            time.sleep(PAUSE_S)
        yield _chunk(model, {}, "stop")
        yield b"data: [DONE]\n\n"


def _chunk(model: str, delta: Body, finish: str | None) -> bytes:
    chunk = {
        "id": "chatcmpl-toy",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _last_user_message(body: Body) -> str:
    messages = body.get("messages")
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, dict) and message.get("role") == "user":
            content = message.get("content")
            return content if isinstance(content, str) else json.dumps(content, sort_keys=True)
    raise BadCall("messages holds no message of the role user.")
