"""Events of a worker → the SSE bytes of Anthropic's stream: a message in blocks, each begun and ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.core.conversation import Event, JsonObject, Usage
from app.core.dialects.anthropic import MessagesRequest
from app.core.dialects.anthropic_reply import (
    call_id,
    error_body,
    first_choice,
    function_of,
    head,
    reasoning,
    stop_of,
    tool_calls,
    usage_body,
)
from app.core.errors import RollcallError, UpstreamError
from app.core.json_text import json_bytes

# Anthropic's own sign of life; its clients pass it over, also in front of the message.
PING = b'event: ping\ndata: {"type": "ping"}\n\n'


def pieces(request: MessagesRequest, events: Iterable[Event], *, reply_id: str) -> Iterator[bytes]:
    """One piece of bytes for each event that says something. A RollcallError on the way becomes an `error` event."""
    stream = _BlockStream(request, reply_id)
    yield stream.begin()
    try:
        for event in events:
            if piece := stream.feed(event):
                yield piece
        last = stream.end()
    except RollcallError as error:
        yield error_frame(error, request.chat.request_id)
        return
    yield last


def error_frame(error: RollcallError, request_id: str) -> bytes:
    return _frame(error_body(error, request_id))


def _frame(body: JsonObject) -> bytes:
    kind: str = body["type"]
    return b"event: " + kind.encode("ascii") + b"\ndata: " + json_bytes(body) + b"\n\n"


@dataclass(slots=True)
class _Call:
    """A tool call that is being told. `begun`: its name was heard, so its block is open; until then pieces wait."""

    id: str
    begun: bool = False
    waiting: str = ""


class _BlockStream:
    """`_kind` is the type of the block that is open, `_index` its number; `_call` the tool call it tells."""

    def __init__(self, request: MessagesRequest, reply_id: str) -> None:
        self._request = request
        self._reply_id = reply_id
        self._kind = ""
        self._index = -1
        self._text_head = b""
        self._calls: dict[int, _Call] = {}
        self._call: _Call | None = None
        self._refused = False
        self._finish: str | None = None
        self._choice: dict[str, Any] = {}
        self._usage: Usage | None = None
        self._characters = 0

    def begin(self) -> bytes:
        counts = usage_body(self._request, None, 0)
        rest: dict[str, Any] = {"content": [], "stop_reason": None, "stop_sequence": None, "usage": counts}
        return _frame({"type": "message_start", "message": {**head(self._request, self._reply_id), **rest}})

    def feed(self, event: Event) -> bytes:
        if event.finish is not None:
            self._finish = event.finish
        if event.usage is not None:
            self._usage = event.usage
        if event.chunk is None:
            return self._say(event.text) if event.text else b""
        choice = first_choice(event.chunk)
        self._choice |= {name: choice[name] for name in ("stop_reason", "matched_stop") if choice.get(name)}
        delta = choice.get("delta")
        return self._grow(event.text, delta if isinstance(delta, Mapping) else {})

    def _grow(self, text: str, delta: Mapping[str, Any]) -> bytes:
        told = b""
        if self._request.thinks and (thought := reasoning(delta)):
            told = self._open("thinking", {"thinking": "", "signature": ""})
            told += self._delta({"type": "thinking_delta", "thinking": thought})
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            self._refused = True
            text += refusal
        if text:
            told += self._say(text)
        for position, piece in enumerate(tool_calls(delta)):
            told += self._call_tool(piece, position)
        return told

    def _say(self, text: str) -> bytes:
        self._characters += len(text)
        return self._open("text", {"text": ""}) + self._text_head + json_bytes(text) + b"}}\n\n"

    def _call_tool(self, piece: Mapping[str, Any], position: int) -> bytes:
        call = self._called(piece, position)
        function = function_of(piece)
        arguments = function.get("arguments")
        if isinstance(arguments, Mapping):
            arguments = json_bytes(arguments).decode()
        call.waiting += arguments if isinstance(arguments, str) else ""
        told = b""
        if not call.begun and isinstance(function.get("name"), str) and function["name"]:
            call.begun, self._call = True, call
            told = self._open("tool_use", {"id": call.id, "name": function["name"], "input": {}}, another=True)
        if call.begun and call.waiting:
            if call is not self._call or self._kind != "tool_use":
                raise UpstreamError("The worker mixed the pieces of its tool calls.", should_retry=False)
            told += self._delta({"type": "input_json_delta", "partial_json": call.waiting})
            call.waiting = ""
        return told

    def _called(self, piece: Mapping[str, Any], position: int) -> _Call:
        """The call that a piece belongs to: by its `index`, but another id is another call."""
        index = piece.get("index")
        key = index if type(index) is int else position
        known = self._calls.get(key)
        if known is None or (piece.get("id") and piece["id"] != known.id and function_of(piece).get("name")):
            known = self._calls[key] = _Call(call_id(piece, self._reply_id, self._index + 1))
        return known

    def _open(self, kind: str, block: dict[str, Any], *, another: bool = False) -> bytes:
        """The begin of a block, after the end of the one before; nothing where one of this kind is open already."""
        if self._kind == kind and not another:
            return b""
        told = self._close()
        self._kind, self._index = kind, self._index + 1
        begin = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":' % self._index
        self._text_head = begin + b'{"type":"text_delta","text":'
        start = {"type": "content_block_start", "index": self._index, "content_block": {"type": kind, **block}}
        return told + _frame(start)

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _frame({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _close(self) -> bytes:
        return _frame({"type": "content_block_stop", "index": self._index}) if self._kind else b""

    def end(self) -> bytes:
        finish = "refusal" if self._refused else self._finish
        reason, sequence = stop_of(finish, self._choice, self._request.stops, called=bool(self._calls))
        told = b"" if self._kind in ("text", "tool_use") else self._open("text", {"text": ""})
        delta = {"stop_reason": reason, "stop_sequence": sequence}
        counts = usage_body(self._request, self._usage, self._characters)
        told += self._close() + _frame({"type": "message_delta", "delta": delta, "usage": counts})
        return told + _frame({"type": "message_stop"})
