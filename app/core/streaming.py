"""The body of a streamed call → events, whatever its framing; and one reply where a stream was asked for."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from app.core.answer import parsed
from app.core.chunks import ChunkReading
from app.core.conversation import Event, Reply
from app.core.fault import MAX_REPLY_BYTES, WorkerFault
from app.core.frames import FrameReading, StreamWords
from app.core.framing import CutFrame, Frame
from app.core.framings import frames_of
from app.core.gather import as_events
from app.core.replies import joined
from app.core.watching import Kept, Watched, no_answer_in_sight

_SSE = "text/event-stream"
# White space in front of an answer; what is more is not passed on.
MOST_SPACE = 65_536
# A stream of events begins with one of these, whatever its Content-Type says.
_SSE_FIELDS = (b"data", b"event", b"id", b"retry", b":")
_JSON_LINES = ("ndjson", "jsonl", "json-seq", "jsonlines")
ReadReply = Callable[[bytes, str], Reply]


@dataclass(frozen=True, slots=True)
class StreamReader:
    """`words` None: this call is not streamed. `needs_path`: the answer stands at a path, so plain text holds none."""

    words: StreamWords | None
    reply: ReadReply
    needs_path: bool

    def events(self, chunks: Iterable[bytes], content_type: str) -> Iterator[Event]:
        """Counts and finish are the last events. Raises WorkerFault, also after events."""
        first, chunks = _begun(chunks)
        framing = None
        if self.words is not None:
            framing = self.words.framing or _framing_of(content_type)
        if framing == "text" and self.needs_path and self.words is not None and self.words.framing is None:
            framing = None
        if framing is None or self.words is None or _is_one_reply(framing, first, content_type):
            yield from as_events(self.reply(joined(chunks), content_type))
        elif framing == "text":
            yield from _texts(chunks, self.words.done if self.words.framing else None)
        elif framing in ("ndjson", "null"):
            yield from self._separated(self.words, framing, chunks, content_type)
        else:
            yield from framed(self.words, framing, chunks)

    def _separated(
        self, words: StreamWords, framing: str, chunks: Iterable[bytes], content_type: str
    ) -> Iterator[Event]:
        """A body of JSON values. One that holds a single value without a piece of the answer is read as one reply."""
        kept = Kept(chunks)
        reading = reading_of(words)
        watched = Watched(kept)
        seen = 0
        for frame in _uncut(frames_of(framing, watched), reading):
            seen += 1
            if seen == 1 and frame.data[:1] in ("{", "[") and parsed(frame.data) is frame.data:
                yield from as_events(self.reply(joined(kept.all()), content_type))  # one value on many lines
                return
            event = reading.feed(frame)
            watched.saw(event)
            if event is not None:
                yield event
            if event is not None or seen > 1:
                kept.forget()
            if reading.over:
                break
        if seen == 1 and kept.keeps and not reading.began and not reading.was_cut:
            yield from as_events(self.reply(joined(kept.all()), content_type))
        else:
            yield from reading.end()


def framed(words: StreamWords, framing: str, chunks: Iterable[bytes]) -> Iterator[Event]:
    """Raises WorkerFault: broken for a body that ends without its end mark, too_large for one without any answer."""
    reading = reading_of(words)
    watched = Watched(chunks)
    for frame in _uncut(frames_of(framing, watched), reading):
        event = reading.feed(frame)
        watched.saw(event)
        if event is not None:
            yield event
        if reading.over:
            break
    yield from reading.end()


def last_frame_of(words: StreamWords, framing: str, chunks: Iterable[bytes]) -> tuple[Frame, Any]:
    """The frame in which a stream said its end, and its value; where a mark of its own says it, the one before.

    Raises WorkerFault.
    """
    reading = FrameReading(words)
    watched = Watched(chunks)
    last: Frame | None = None
    for frame in _uncut(frames_of(framing, watched), reading):
        watched.saw(reading.feed(frame))
        if not reading.is_done(frame.data):
            last = frame
        if reading.over:
            break
    reading.check_whole()
    if last is None:
        raise WorkerFault("The worker's stream ended without an answer in it.", "empty")
    return last, parsed(last.data)


def reading_of(words: StreamWords) -> FrameReading:
    return ChunkReading(words) if words.openai_shaped else FrameReading(words)


def _uncut(frames: Iterator[Frame], reading: FrameReading) -> Iterator[Frame]:
    """The whole frames; a cut one at the end is told to the reading."""
    try:
        yield from frames
    except CutFrame as cut:
        reading.cut(cut.data)


def _framing_of(content_type: str) -> str | None:
    """The framing of a worker that always streams and names none; None: one reply."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == _SSE:
        return "sse"
    if any(name in kind for name in _JSON_LINES):
        return "ndjson"
    return None if "json" in kind else "text"


def _is_one_reply(framing: str, first: bytes, content_type: str) -> bool:
    """Did the worker answer with one JSON reply or a web page, although a stream was asked of it?"""
    if framing == "sse":
        return first[:1] in (b"{", b"[", b'"', b"<") or not (_SSE in content_type.lower() or _is_sse(first))
    if framing == "json-array":
        return first[:1] not in (b"[", b"")
    if framing == "text":
        return "json" in content_type.lower() and first[:1] in (b"{", b"[", b'"')
    return first[:1] == b"<"


def _is_sse(first: bytes) -> bool:
    return any(first.startswith(field[: len(first)]) for field in _SSE_FIELDS)


def _begun(chunks: Iterable[bytes]) -> tuple[bytes, Iterable[bytes]]:
    """The first bytes that are no white space, and all chunks. Empty: the body ended before any came."""
    rest = iter(chunks)
    seen: list[bytes] = []
    size = 0
    for chunk in rest:
        seen.append(chunk)
        size += len(chunk)
        if begin := chunk.removeprefix(codecs.BOM_UTF8).lstrip():
            return begin, chain(seen, rest)
        if size > MOST_SPACE:
            seen.pop()
        if size > MAX_REPLY_BYTES:
            raise no_answer_in_sight()
    return b"", seen


def _texts(chunks: Iterable[bytes], done: str | None) -> Iterator[Event]:
    """Plain text as it comes, to the end of the body, or to `done`, whose beginning is held back."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    said = False
    held = ""
    for chunk in chain(chunks, (None,)):
        held += decode(chunk or b"", chunk is None)
        text, mark, _ = held.partition(done) if done else (held, "", "")
        if not mark and done and chunk is not None:
            text = held[: len(held) - _overlap(held, done)]
        held = held[len(text) :]
        if text:
            said = said or not text.isspace()
            yield Event(text=text)
        if mark:
            break
    else:
        if done:
            raise WorkerFault("The worker's stream ended in the middle of the answer, without its end mark.", "broken")
    if not said:
        raise WorkerFault("The worker's stream ended without an answer in it.", "empty")


def _overlap(text: str, mark: str) -> int:
    """How many characters at the end of `text` may be the beginning of `mark`."""
    return next((n for n in range(min(len(text), len(mark) - 1), 0, -1) if text.endswith(mark[:n])), 0)
