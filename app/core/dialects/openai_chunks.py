"""Events of a worker → the SSE bytes of OpenAI's `chat.completion.chunk` stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from app.core.conversation import ChatRequest, Event, JsonObject, Usage
from app.core.dialects.finish import finish_reason, is_finish
from app.core.dialects.openai_chat import counted, dated, error_body, named
from app.core.errors import RollcallError
from app.core.json_text import json_bytes

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"


def chunks(request: ChatRequest, events: Iterable[Event], *, reply_id: str, created: int) -> Iterator[bytes]:
    """One piece of bytes for each event: the role, the content, the finish, the usage where
    `stream_options.include_usage` asks for it, `[DONE]`. Chunks of OpenAI-shaped workers pass with the least touch.

    A RollcallError on the way becomes an in-band error, and no `[DONE]` follows. `created`: UTC seconds.
    """
    stream = _ChunkStream(request, reply_id, created)
    try:
        for event in events:
            if piece := stream.feed(event):
                yield piece
        last = stream.end()
    except RollcallError as error:
        yield error_frame(error, request.request_id)
        return
    yield last + DONE


def error_frame(error: RollcallError, request_id: str) -> bytes:
    return frame({"error": error_body(error, request_id)})


def frame(body: JsonObject) -> bytes:
    return b"data: " + json_bytes(body) + b"\n\n"


class _ChunkStream:
    """`_open` holds the choices that were heard of, `_over` those whose finish was sent."""

    def __init__(self, request: ChatRequest, reply_id: str, created: int) -> None:
        self._request = request
        self._name(reply_id, created)
        self._named = False
        self._open: set[int] = set()
        self._over: set[int] = set()
        self._finish: str | None = None
        self._usage: Usage | None = None
        self._characters = 0

    def _name(self, reply_id: str, created: int) -> None:
        """One id and one time for the whole stream: the worker's, where its first chunk tells them."""
        head = {"id": reply_id, "object": "chat.completion.chunk", "created": created, "model": self._request.model}
        self._head: dict[str, Any] = head
        self._text_head = b"data: " + json_bytes(head)[:-1] + b',"choices":[{"index":0,"delta":{"content":'

    def feed(self, event: Event) -> bytes:
        if event.finish is not None:
            self._finish = event.finish
        if event.usage is not None:
            self._usage = event.usage
        self._characters += len(event.text)
        if not self._named:
            chunk = event.chunk or {}
            self._name(named(chunk.get("id"), self._head["id"]), dated(chunk.get("created"), self._head["created"]))
            self._named = True
        if event.chunk is not None:
            return self._pass_on(event.chunk)
        return self._say(event.text) if event.text else b""

    def _say(self, text: str) -> bytes:
        content = self._text_head + json_bytes(text) + _TEXT_TAIL
        return content if 0 in self._open else self._role() + content

    def _role(self) -> bytes:
        self._open.add(0)
        return self._chunk(0, {"role": "assistant", "content": ""}, None)

    def _pass_on(self, chunk: JsonObject) -> bytes:
        raw = chunk.get("choices")
        found = [choice for choice in raw if isinstance(choice, dict)] if isinstance(raw, list) else []
        choices = [self._choice(raw, position) for position, raw in enumerate(found)]
        return frame({**chunk, **self._head, "choices": choices})

    def _choice(self, raw: JsonObject, position: int) -> dict[str, Any]:
        index, delta, finish = raw.get("index"), raw.get("delta"), raw.get("finish_reason")
        if type(index) is not int:
            index = position
        if not isinstance(delta, dict):
            delta = {}
        if index not in self._open:
            self._open.add(index)
            delta = {**delta, "role": "assistant"}
        if is_finish(finish):
            self._over.add(index)
            return {**raw, "index": index, "delta": delta, "finish_reason": finish_reason(finish)}
        return {**raw, "index": index, "delta": delta, "finish_reason": None}

    def end(self) -> bytes:
        """What is still missing: a role, a finish for every choice, the usage."""
        frames = [] if self._open else [self._role()]
        for index in sorted(self._open - self._over):
            frames.append(self._chunk(index, {}, finish_reason(self._finish)))
        options = self._request.body.get("stream_options") or {}
        if options.get("include_usage"):
            counts = counted(self._request, self._usage, self._characters)
            frames.append(frame({**self._head, "choices": [], "usage": counts}))
        return b"".join(frames)

    def _chunk(self, index: int, delta: dict[str, Any], finish: str | None) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return frame({**self._head, "choices": [choice]})


_TEXT_TAIL = b'},"logprobs":null,"finish_reason":null}]}\n\n'
