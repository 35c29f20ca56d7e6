"""Frames of a stream → events, for workers of any shape. The frames of OpenAI-shaped ones: chunks.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.core.answer import (
    FailureWords,
    Tokens,
    UsagePaths,
    compile_usage,
    condition_of,
    finder,
    finish_word,
    frame_names,
    parsed,
    path_of,
    usage_of,
)
from app.core.conversation import Event
from app.core.extract import Condition
from app.core.fault import WorkerFault
from app.core.framing import Frame
from app.core.language import text_of
from app.core.path_syntax import Fillings

OPENAI_DELTA = "choices[].delta.content"
_DONE = "[DONE]"


@dataclass(frozen=True, slots=True)
class StreamWords:
    """How a stream is read. `framing` None: the Content-Type decides. `marked`: the registration names how it ends."""

    framing: str | None
    cumulative: bool
    when: Condition | None
    delta: Callable[[Any, str, str], Any]
    finish: Callable[[Any, str, str], Any] | None
    usage: UsagePaths
    done: str | None
    done_when: Condition | None
    marked: bool
    failures: FailureWords
    openai_shaped: bool


def compile_stream(
    spec: Mapping[str, Any], failures: FailureWords, *, openai_shaped: bool, fillings: Fillings | None = None
) -> StreamWords:
    """From the `stream` block, or for a worker that always streams without one from the main words.

    Words that the block leaves out are taken from the main ones, but only its own promise an end. `fillings`: the
    texts of placeholders in its paths and values.
    Raises LanguageError.
    """
    block = spec.get("stream")
    own, inside = (spec, "") if block is None else (block, "stream.")
    delta, delta_at = _word("delta_extract", own, inside, {"delta_extract": spec.get("response_extract")})
    finish, finish_at = _word("finish_extract", own, inside, spec)
    usage, usage_at = _word("usage", own, inside, spec)
    return StreamWords(
        framing=None if block is None else block.get("framing") or "sse",
        cumulative=own.get("mode") == "cumulative",
        when=condition_of(own.get("when"), inside + "when", fillings),
        delta=finder(path_of(delta or "", delta_at, fillings)),
        finish=finder(path_of(finish, finish_at, fillings)) if finish else None,
        usage=compile_usage(usage, usage_at, fillings),
        done=own.get("done") or (_DONE if block is None else None),
        done_when=condition_of(own.get("done_when"), inside + "done_when", fillings),
        marked=any(own.get(word) for word in ("done", "done_when", "finish_extract")),
        failures=failures,
        openai_shaped=openai_shaped,
    )


def _word(name: str, own: Mapping[str, Any], inside: str, outer: Mapping[str, Any]) -> tuple[Any, str]:
    """The value of a word of the stream, and the place where it was named."""
    return (own[name], inside + name) if own.get(name) is not None else (outer.get(name), name)


class FrameReading:
    """One stream being read. `over`: its end mark has come."""

    def __init__(self, words: StreamWords) -> None:
        self.words = words
        self.over = False
        self._finish: str | None = None
        self._tokens: Tokens = (None, None)
        self._raw_usage: Any = None
        self._sent = 0
        self._answered = False
        self.was_cut = False

    @property
    def began(self) -> bool:
        """Has anything come of the answer, its counts or its end?"""
        return self._answered or self.over or self._finished()

    def cut(self, data: str) -> None:
        """The body ended inside a frame. Only an end mark may be so short of its own end."""
        self.was_cut = not self.is_done(data)
        self.over = self.over or not self.was_cut

    def is_done(self, data: str) -> bool:
        return self.words.done is not None and data.strip() == self.words.done

    def feed(self, frame: Frame) -> Event | None:
        """What the caller gains from one frame. Raises WorkerFault when the frame says that the worker failed."""
        raw, words = frame.data, self.words
        if self.is_done(raw):
            self.over = True
            return None
        value = parsed(raw)
        words.failures.check(value, raw, frame.event)
        if words.done_when is not None and words.done_when.holds(value, frame_names(value, raw, frame.event)):
            self.over = True
        return self._take(value, raw, frame.event)

    def _take(self, value: Any, raw: str, event: str) -> Event | None:
        words = self.words
        self._count(words.usage.read(value))
        if words.finish is not None and (finish := finish_word(words.finish(value, raw, event))) is not None:
            self._finish = finish
        if words.when is not None and not words.when.holds(value, frame_names(value, raw, event)):
            return None
        found = words.delta(value, raw, event)
        text = self._gained(text_of(found)) if found is not None else ""
        return Event(text=text) if text else None

    def _gained(self, text: str) -> str:
        if self.words.cumulative:
            text = text[self._sent :]
        self._sent += len(text)
        self._answered = self._answered or bool(text)
        return text

    def _count(self, tokens: Tokens) -> None:
        """Counts may come in different frames, and again: the last of each holds."""
        prompt, completion = tokens
        if prompt is not None or completion is not None:
            before = self._tokens
            self._tokens = (before[0] if prompt is None else prompt, before[1] if completion is None else completion)

    def end(self) -> Iterator[Event]:
        """The counts and the finish. Raises WorkerFault when the stream was cut, or held no answer at all."""
        self.check_whole()
        if not self._answered and not self._finished():
            raise WorkerFault("The worker's stream ended without an answer in it.", "empty")
        usage = usage_of(self._tokens, self._raw_usage)
        if usage is not None:
            yield Event(usage=usage)
        yield from self._last()

    def check_whole(self) -> None:
        """Raises WorkerFault (broken) for a stream that ended without the end that it was to have."""
        if not self.over and self._finish is None and (self.words.marked or self.was_cut):
            raise WorkerFault("The worker's stream ended in the middle of the answer, without its end mark.", "broken")

    def _finished(self) -> bool:
        return self._finish is not None

    def _last(self) -> Iterator[Event]:
        if self._finish is not None:
            yield Event(finish=self._finish)
