"""A worker's bytes → an answer. One Reader for each way a worker can be called; stateless, shared by all requests."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from app.core.answer import FailureWords, compile_failures, compile_usage, finder, finish_word, path_of, usage_of
from app.core.chunks import ChunkReading
from app.core.conversation import Event, Reply, Result
from app.core.fault import WorkerFault, one_line
from app.core.frames import FrameReading, StreamWords, compile_stream
from app.core.framing import sse_frames
from app.core.gather import as_events
from app.core.language import text_of
from app.core.reply_json import parse_reply, text_of_body

__all__ = ["Reader", "WorkerFault", "compile_reader"]

MAX_REPLY_BYTES = 32_000_000
_SHOWN = 80
_TITLE = re.compile(r"<title[^>]*>([^<]{1,200})", re.IGNORECASE)
_HTML = re.compile(r"\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)
_OPENAI_FINISH = "choices[].finish_reason"
_OPENAI_USAGE = {"prompt": "usage.prompt_tokens", "completion": "usage.completion_tokens"}


class Reader:
    """How the answers of one call are read. `stream` None: this call is not streamed."""

    def __init__(self, spec: Mapping[str, Any], *, stream: bool, openai_shaped: bool) -> None:
        self._failures: FailureWords = compile_failures(spec, openai_shaped=openai_shaped)
        self._path = path_of(spec.get("response_extract") or "", "response_extract")
        self._find = finder(self._path)
        finish = spec.get("finish_extract")
        self._finish = finder(path_of(finish, "finish_extract")) if finish else None
        self._usage = compile_usage(spec.get("usage"), "usage")
        self._openai_shaped = openai_shaped
        self._stream: StreamWords | None = None
        if stream:
            self._stream = compile_stream(spec, self._failures, openai_shaped=openai_shaped)

    def reply(self, status: int, body: bytes, content_type: str) -> Reply:
        """The answer in a reply of HTTP 2xx. Raises WorkerFault: error, empty or not_json."""
        raw = text_of_body(body, content_type)
        if not raw.strip():
            raise WorkerFault(f"The worker answered HTTP {status} with nothing in it.", "empty")
        value = self._parsed(raw, content_type)
        self._failures.check(value, raw)
        found = self._find(value, raw, "")
        text = "" if found is None else text_of(found)
        finish = finish_word(self._finish(value, raw, "")) if self._finish is not None else None
        shaped = value if self._openai_shaped and isinstance(value, dict) else None
        if not text and finish is None and not (shaped and _calls_a_tool(shaped)):
            raise self._empty(value, raw)
        usage = usage_of(self._usage.read(value), shaped.get("usage") if shaped else None)
        return Reply(text, finish, usage, shaped)

    def result(self, status: int, body: bytes, content_type: str) -> Result:
        """The images, video or embeddings in a reply of HTTP 2xx. Raises WorkerFault."""
        raise NotImplementedError

    def submitted(self, status: int, body: bytes, content_type: str) -> Any:
        """The parsed reply of HTTP 2xx to a job's submit, for JobPlan.job_id. Raises WorkerFault where it failed."""
        raise NotImplementedError

    def events(self, chunks: Iterable[bytes], content_type: str) -> Iterator[Event]:
        """The answer in the body of a streamed call, as it comes.

        Counts and finish are the last events. Raises WorkerFault, also after events: broken for a body that ends
        without its end mark. A worker that answers with one JSON reply is read as if it had not been asked to stream.
        """
        words = self._stream
        first, chunks = _begun(chunks)
        framing = words and (words.framing or _framing(content_type))
        if framing == "sse" and first[:1] in (b"{", b"[", b'"', b"<"):
            framing = None
        if words is None or framing is None or (framing == "text" and self._path.text.strip()):
            yield from as_events(self.reply(200, _joined(chunks), content_type))
        elif framing == "text":
            yield from _texts(chunks)
        else:
            yield from self._framed(words, chunks)

    def _framed(self, words: StreamWords, chunks: Iterable[bytes]) -> Iterator[Event]:
        reading = ChunkReading(words) if words.openai_shaped else FrameReading(words)
        for frame in sse_frames(chunks):
            event = reading.feed(frame)
            if event is not None:
                yield event
            if reading.over:
                break
        yield from reading.end()

    def error_message(self, status: int, body: bytes) -> str:
        """What a reply of any status says went wrong: one line of at most 500 characters, never empty."""
        raw = text_of_body(body, "")
        if _HTML.match(raw):
            title = _TITLE.search(raw)
            return one_line(f"HTTP {status} with a web page: {title[1] if title else raw[:_SHOWN]}")
        return self._failures.message(_value(raw), raw) or f"HTTP {status} without a message"

    def retry_matches(self, status: int, body: bytes) -> bool:
        """Does `retry_when` say that another worker may be asked after this reply?"""
        raw = text_of_body(body, "")
        return self._failures.may_retry(_value(raw), raw)

    def _parsed(self, raw: str, content_type: str) -> Any:
        try:
            return parse_reply(raw)
        except ValueError:
            if self._path.text.strip() or ("html" in content_type.lower() and _HTML.match(raw)):
                raise _not_json(raw, content_type) from None
            return raw

    def _empty(self, value: Any, raw: str) -> WorkerFault:
        said = self._failures.message(value, raw)
        return WorkerFault(f"The worker's reply has no answer at {self._path.text!r}. It says: {said}", "empty")


def compile_reader(spec: Mapping[str, Any], *, stream: bool, openai_shaped: bool) -> Reader:
    """Raises LanguageError. An OpenAI-shaped worker says its finish and counts in OpenAI's places unless told."""
    if openai_shaped:
        spec = {"finish_extract": _OPENAI_FINISH, "usage": _OPENAI_USAGE, **spec}
    return Reader(spec, stream=stream, openai_shaped=openai_shaped)


def _value(raw: str) -> Any:
    try:
        return parse_reply(raw)
    except ValueError:
        return raw


def _not_json(raw: str, content_type: str) -> WorkerFault:
    kind = one_line(content_type, _SHOWN) or "no content type"
    return WorkerFault(f"The worker answered with {kind} where JSON was expected: {one_line(raw, _SHOWN)}", "not_json")


def _calls_a_tool(raw: Mapping[str, Any]) -> bool:
    choices = raw.get("choices")
    messages = (
        [choice.get("message") for choice in choices if isinstance(choice, dict)] if (isinstance(choices, list)) else []
    )
    return any(isinstance(m, dict) and (m.get("tool_calls") or m.get("function_call")) for m in messages)


def _framing(content_type: str) -> str | None:
    """The framing of a worker that always streams; None: one reply. Raises WorkerFault for one that we cannot read."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/event-stream":
        return "sse"
    if "ndjson" in kind or "jsonl" in kind or "json-seq" in kind:
        raise WorkerFault(f"The worker streams {kind}, which this version cannot read.", "not_json")
    return None if "json" in kind else "text"


def _begun(chunks: Iterable[bytes]) -> tuple[bytes, Iterable[bytes]]:
    """The first bytes that are no white space, and all chunks. Empty: the body ended before any came."""
    rest = iter(chunks)
    seen: list[bytes] = []
    for chunk in rest:
        seen.append(chunk)
        if begin := chunk.removeprefix(codecs.BOM_UTF8).lstrip():
            return begin, chain(seen, rest)
    return b"", seen


def _joined(chunks: Iterable[bytes]) -> bytes:
    """One reply in the body of a streamed call, which nobody else caps when it calls itself a stream."""
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MAX_REPLY_BYTES:
            limit = MAX_REPLY_BYTES // 1_000_000
            raise WorkerFault(f"The worker answered with more than {limit} MB, and not as a stream.", "too_large")
    return bytes(body)


def _texts(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Plain text as it comes; its end is the end of the body."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    said = False
    for chunk in chain(chunks, (None,)):
        text = decode(chunk or b"", chunk is None)
        if text:
            said = said or not text.isspace()
            yield Event(text=text)
    if not said:
        raise WorkerFault("The worker's stream ended without an answer in it.", "empty")
