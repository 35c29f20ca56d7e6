"""Events of a worker → the SSE bytes of OpenAI's older stream, whose chunks are `text_completion` objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from app.core.conversation import Event, JsonObject, Usage
from app.core.dialects.completions import CompletionRequest, older_logprobs, older_reason
from app.core.dialects.finish import finish_reason, is_finish
from app.core.dialects.openai_chat import counted
from app.core.dialects.openai_chunks import DONE, error_frame, frame
from app.core.errors import RollcallError


def chunks(request: CompletionRequest, events: Iterable[Event], *, reply_id: str, created: int) -> Iterator[bytes]:
    """One piece of bytes for each event that says something, the finish, the usage where asked for, `[DONE]`.

    A RollcallError on the way becomes an in-band error, and no `[DONE]` follows. `created`: UTC seconds.
    """
    stream = _TextStream(request, reply_id, created)
    try:
        for event in events:
            if piece := stream.feed(event):
                yield piece
        last = stream.end()
    except RollcallError as error:
        yield error_frame(error, request.chat.request_id)
        return
    yield last + DONE


class _TextStream:
    """`_offsets`: for each choice that was heard of, where in its text the next token stands."""

    def __init__(self, request: CompletionRequest, reply_id: str, created: int) -> None:
        self._request = request
        model = request.chat.model
        self._head = {"id": reply_id, "object": "text_completion", "created": created, "model": model}
        self._offsets: dict[int, int] = {}
        self._finishes: dict[int, str] = {}
        self._finish: str | None = None
        self._usage: Usage | None = None
        self._characters = 0

    def feed(self, event: Event) -> bytes:
        if event.finish is not None:
            self._finish = event.finish
        if event.usage is not None:
            self._usage = event.usage
        self._characters += len(event.text)
        if event.chunk is None:
            return self._say(0, event.text, None) if event.text else b""
        raw = event.chunk.get("choices")
        found = [choice for choice in raw if isinstance(choice, Mapping)] if isinstance(raw, list) else []
        return b"".join(self._choice(choice, position) for position, choice in enumerate(found))

    def _choice(self, choice: JsonObject, position: int) -> bytes:
        index, delta, finish = choice.get("index"), choice.get("delta"), choice.get("finish_reason")
        index = index if type(index) is int else position
        if is_finish(finish):
            self._finishes[index] = str(finish)
            self._offsets.setdefault(index, 0)
        said = delta.get("content") if isinstance(delta, Mapping) else None
        text = said if isinstance(said, str) else ""
        return self._say(index, text, choice.get("logprobs")) if text or choice.get("logprobs") else b""

    def _say(self, index: int, text: str, logprobs: Any) -> bytes:
        lead = self._request.lead if not self._offsets.get(index) else ""
        older, self._offsets[index] = older_logprobs(logprobs, self._offsets.get(index) or len(lead))
        return self._chunk(index, lead + text, older, None)

    def _chunk(self, index: int, text: str, logprobs: Any, finish: str | None) -> bytes:
        choice = {"text": text, "index": index, "logprobs": logprobs, "finish_reason": finish}
        return frame({**self._head, "choices": [choice]})

    def end(self) -> bytes:
        """A finish for every choice, the usage."""
        frames = []
        for index in sorted(self._offsets) or [0]:
            text = "" if self._offsets.get(index) else self._request.lead
            word = self._finishes.get(index, self._finish)
            frames.append(self._chunk(index, text, None, older_reason(finish_reason(word))))
        options = self._request.chat.body.get("stream_options") or {}
        if options.get("include_usage"):
            counts = counted(self._request.chat, self._usage, self._characters)
            frames.append(frame({**self._head, "choices": [], "usage": counts}))
        return b"".join(frames)
