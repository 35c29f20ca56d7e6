"""Frames of an OpenAI-shaped worker → events that carry its chunks, so that tool calls and all else survive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.core.answer import finish_word, frame_names
from app.core.conversation import Event, JsonObject
from app.core.frames import FrameReading, StreamWords

_FRAME_OF_CHOICE = frozenset({"index", "delta", "finish_reason"})


class ChunkReading(FrameReading):
    """A finish is taken out of its chunk and given at the end: some workers repeat it on every chunk."""

    def __init__(self, words: StreamWords) -> None:
        super().__init__(words)
        self._finishes: dict[int, str] = {}
        self._head: JsonObject = {}
        self._lengths: dict[int, int] = {}

    def _take(self, value: Any, raw: str, event: str) -> Event | None:
        choices = value.get("choices") if isinstance(value, dict) else None
        if not isinstance(choices, list):
            return None
        counted = self._take_usage(value)
        if not choices:
            return None if counted else Event(chunk=value)
        if not self._head:
            self._head = {name: item for name, item in value.items() if name != "choices"}
        text, said = "", False
        for position, choice in enumerate(choices):
            if isinstance(choice, dict):
                index = index_of(choice, position)
                if self.words.cumulative:
                    self._keep_news(choice, index)
                said = self._take_finish(choice, index) or said
                if index == 0:
                    text = _text(choice)
        if self.words.when is not None and not self.words.when.holds(value, frame_names(value, raw, event)):
            return None
        return Event(text=text, chunk=value) if said else None

    def _keep_news(self, choice: JsonObject, index: int) -> None:
        """Of content that repeats what came before only what is new."""
        delta = choice.get("delta")
        content = delta.get("content") if isinstance(delta, dict) else None
        if isinstance(delta, dict) and isinstance(content, str):
            before = self._lengths.get(index, 0)
            delta["content"] = content[before:]
            self._lengths[index] = max(before, len(content))

    def _take_usage(self, chunk: dict[str, Any]) -> bool:
        usage = chunk.get("usage")
        if not isinstance(usage, dict):
            return False
        self._raw_usage = usage
        self._count(self.words.usage.read(chunk))
        del chunk["usage"]
        return True

    def _take_finish(self, choice: dict[str, Any], index: int) -> bool:
        """Is anything left to be said by the chunk for this choice?"""
        reason = choice.get("finish_reason")
        if reason is None:
            self._answered = self._answered or not _is_bare(choice)
            return True
        choice["finish_reason"] = None
        word = finish_word(reason)
        if word is not None:
            self._finishes[index] = word
            self._finish = word
        bare = _is_bare(choice)
        self._answered = self._answered or not bare
        return word is None or not bare

    def _finished(self) -> bool:
        return bool(self._finishes)

    def _last(self) -> Iterator[Event]:
        """The finish of choice 0, and those of the other choices in a chunk."""
        others = {index: word for index, word in self._finishes.items() if index}
        yield from ending(self._finishes.get(0), others, self._head)


def ending(finish: str | None, others: dict[int, str], head: JsonObject) -> Iterator[Event]:
    choices = [{"index": index, "delta": {}, "finish_reason": word} for index, word in others.items()]
    chunk = {**head, "choices": choices} if choices else None
    if finish is not None or chunk is not None:
        yield Event(finish=finish, chunk=chunk)


def index_of(choice: JsonObject, position: int) -> int:
    index = choice.get("index")
    return index if type(index) is int and 0 <= index < 1024 else position


def _text(choice: JsonObject) -> str:
    delta = choice.get("delta")
    content = delta.get("content") if isinstance(delta, dict) else None
    return content if isinstance(content, str) else ""


def _is_bare(choice: JsonObject) -> bool:
    """Nothing is said in it beside a role and a finish."""
    delta = choice.get("delta")
    if isinstance(delta, dict) and any(item not in (None, "", []) for name, item in delta.items() if name != "role"):
        return False
    return all(item is None or name in _FRAME_OF_CHOICE for name, item in choice.items())
