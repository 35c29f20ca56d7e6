"""Between a stream and a whole reply, both ways, for callers and workers that differ in which they speak."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.core.chunks import ending, index_of
from app.core.conversation import Event, JsonObject, Reply, Usage

_ROLE = "assistant"


def gather(events: Iterable[Event]) -> Reply:
    """A stream as one reply; `raw` is OpenAI-shaped when chunks were there. Raises what the events raise."""
    texts: list[str] = []
    finish: str | None = None
    usage: Usage | None = None
    choices = _Choices()
    for event in events:
        texts.append(event.text)
        finish = event.finish if event.finish is not None else finish
        usage = event.usage or usage
        if event.chunk is not None:
            choices.add(event.chunk)
    return Reply("".join(texts), finish, usage, choices.raw(finish, usage))


def as_events(reply: Reply) -> list[Event]:
    """A whole reply as a stream: its text, or its chunk, then its counts and its finish."""
    events = [] if reply.raw is None else _chunk_of(reply)
    if reply.raw is None and reply.text:
        events.append(Event(text=reply.text))
    if reply.usage is not None:
        events.append(Event(usage=reply.usage))
    others = _finishes(reply.raw) if reply.raw is not None else {}
    events.extend(ending(reply.finish, others, _chunk_head(reply.raw or {})))
    return events


class _Choices:
    """The choices of a chunked answer, each as it grows."""

    def __init__(self) -> None:
        self._head: dict[str, Any] | None = None
        self._choices: dict[int, dict[str, Any]] = {}

    def add(self, chunk: JsonObject) -> None:
        if self._head is None:
            self._head = {**_head(chunk), "object": "chat.completion"}
        raw = chunk.get("choices")
        for position, choice in enumerate(raw if isinstance(raw, list) else ()):
            if isinstance(choice, dict):
                self._grow(index_of(choice, position), choice)

    def _grow(self, index: int, choice: JsonObject) -> None:
        whole = self._choices.setdefault(index, {"index": index, "message": {"role": _ROLE, "content": None}})
        for name, item in choice.items():
            if name == "delta" and isinstance(item, dict):
                _grow_message(whole["message"], item)
            elif name == "logprobs":
                whole[name] = _grown(whole.get(name), item)
            elif name not in ("index", "delta") and (item is not None or name not in whole):
                whole[name] = item

    def raw(self, finish: str | None, usage: Usage | None) -> dict[str, Any] | None:
        if self._head is None:
            return None
        choices = [_settled(self._choices[index]) for index in sorted(self._choices)]
        for choice in choices:
            if choice["index"] == 0 and finish is not None:
                choice["finish_reason"] = finish
        counts = {"usage": usage.raw} if usage is not None and usage.raw is not None else {}
        return {**self._head, "choices": choices, **counts}


def _grow_message(message: dict[str, Any], delta: JsonObject) -> None:
    for name, item in delta.items():
        if name == "role":
            continue
        if name == "tool_calls" and isinstance(item, list):
            calls = message.get(name)
            message[name] = _grown_calls(calls if isinstance(calls, _Calls) else _Calls(), item)
        else:
            message[name] = _grown(message.get(name), item)


class _Calls(dict[int, dict[str, Any]]):
    """Tool calls by the `index` that the pieces of one share."""


def _grown_calls(calls: _Calls, deltas: list[Any]) -> _Calls:
    """Only `function` comes in pieces; `index` is no part of a whole call."""
    for position, delta in enumerate(deltas):
        for name, item in delta.items() if isinstance(delta, dict) else ():
            call = calls.setdefault(index_of(delta, position), {})
            if name == "function":
                call[name] = _grown(call.get(name), item)
            elif name != "index" and item is not None:
                call[name] = item
    return calls


class _Text(list[str]):
    """A text in pieces, joined once at the end."""


def _grown(whole: Any, piece: Any) -> Any:
    """Texts and lists grow, objects grow by their members; anything else is replaced, but not by nothing."""
    if isinstance(piece, str):
        if isinstance(whole, _Text):
            whole.append(piece)
            return whole
        return _Text([piece])
    if isinstance(piece, list):
        if isinstance(whole, list) and not isinstance(whole, _Text):
            whole.extend(piece)
            return whole
        return list(piece)
    if isinstance(piece, dict):
        members = whole if isinstance(whole, dict) else {}
        for name, item in piece.items():
            # Some workers repeat a function's whole name with every piece of its arguments.
            members[name] = item if name == "name" and item else _grown(members.get(name), item)
        return members
    return whole if piece is None else piece


def _settled(value: Any) -> Any:
    if isinstance(value, _Text):
        return "".join(value)
    if isinstance(value, _Calls):
        return [_settled(value[index]) for index in sorted(value)]
    if isinstance(value, dict):
        return {name: _settled(item) for name, item in value.items()}
    return [_settled(item) for item in value] if isinstance(value, list) else value


def _head(raw: JsonObject) -> dict[str, Any]:
    return {name: item for name, item in raw.items() if name not in ("choices", "usage")}


def _chunk_head(raw: JsonObject) -> dict[str, Any]:
    return {**_head(raw), "object": "chat.completion.chunk"}


def _chunk_of(reply: Reply) -> list[Event]:
    raw = reply.raw or {}
    choices = [_delta_of(choice, position) for position, choice in _numbered(raw)]
    if not choices:
        return [Event(text=reply.text)] if reply.text else []
    return [Event(text=reply.text, chunk={**_chunk_head(raw), "choices": choices})]


def _delta_of(choice: JsonObject, position: int) -> dict[str, Any]:
    message = choice.get("message")
    delta = dict(message) if isinstance(message, dict) else {}
    calls = delta.get("tool_calls")
    if isinstance(calls, list):
        delta["tool_calls"] = [{"index": i, **call} if isinstance(call, dict) else call for i, call in enumerate(calls)]
    kept = {name: item for name, item in choice.items() if name not in ("message", "finish_reason")}
    return {**kept, "index": index_of(choice, position), "delta": delta, "finish_reason": None}


def _numbered(raw: JsonObject) -> list[tuple[int, JsonObject]]:
    choices = raw.get("choices")
    found = choices if isinstance(choices, list) else []
    return [(i, choice) for i, choice in enumerate(found) if isinstance(choice, dict)]


def _finishes(raw: JsonObject) -> dict[int, str]:
    """Of the choices other than the first."""
    words = {index_of(choice, i): choice.get("finish_reason") for i, choice in _numbered(raw)}
    return {index: word for index, word in words.items() if index and isinstance(word, str)}
