"""A worker's bytes → an answer. One Reader for each way a worker can be called; stateless, shared by all requests."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from app.core.answer import (
    FailureWords,
    compile_failures,
    compile_usage,
    finder,
    finish_word,
    parsed,
    path_of,
    usage_of,
)
from app.core.conversation import Event, Item, Reply, Result, Task, Usage
from app.core.echo import refined, without_echo
from app.core.fault import WorkerFault
from app.core.frames import StreamWords, compile_stream
from app.core.image_shape import with_prompts
from app.core.language import text_of
from app.core.output import Output, compile_output
from app.core.replies import beginning, calls_a_tool, no_answer, nothing_in, reply_value, web_page
from app.core.reply_json import text_of_body
from app.core.streaming import StreamReader

__all__ = ["Reader", "WorkerFault", "compile_reader"]

_OPENAI_FINISH = "choices[].finish_reason"
# A code, or the name of a field: nothing that could be a sentence.
_WORD = re.compile(r"[A-Za-z][\w.\[\]-]{0,99}", re.ASCII)
_OPENAI_USAGE = {"prompt": "usage.prompt_tokens", "completion": "usage.completion_tokens"}


class Reader:
    """How the answers of one call are read. `output`: what kind of answer; `stream`: how a streamed one comes."""

    def __init__(self, spec: Mapping[str, Any], output: Output, *, stream: bool, openai_shaped: bool) -> None:
        self.failures: FailureWords = compile_failures(spec, openai_shaped=openai_shaped)
        self._path = path_of(spec.get("response_extract") or "", "response_extract")
        self._has_path = bool(self._path.text.strip())
        self._find = finder(self._path)
        finish = spec.get("finish_extract")
        self._finish = finder(path_of(finish, "finish_extract")) if finish else None
        self._usage = compile_usage(spec.get("usage"), "usage")
        self._openai_shaped = openai_shaped
        self._output = output
        self._echoes: Sequence[str] = ()
        self.words: StreamWords | None = None
        if stream:
            self.words = compile_stream(spec, self.failures, openai_shaped=openai_shaped)

    def hearing(self, echoes: Sequence[str]) -> Reader:
        """The same reader for a request that the worker may repeat in front of its answer in one of these texts."""
        reader = copy.copy(self)
        reader._echoes = echoes
        return reader

    def reply(self, status: int, body: bytes, content_type: str) -> Reply:
        """The answer in a reply of HTTP 2xx. Raises WorkerFault: error, empty or not_json."""
        raw, value = self._read(status, body, content_type)
        found = self._find(value, raw, "")
        said = "" if found is None else text_of(found)
        text = self._text(said)
        finish = self._finished(value, raw)
        shaped = value if self._openai_shaped and isinstance(value, dict) else None
        nothing = not said or (not text and self._output.search is not None)
        if nothing and finish is None and not (shaped and calls_a_tool(shaped)):
            raise no_answer(self._path, value, raw, regex=self._output.search is not None)
        usage = usage_of(self._usage.read(value), shaped.get("usage") if shaped else None)
        return Reply(text, finish, usage, shaped)

    def result(self, status: int, body: bytes, content_type: str) -> Result:
        """The images, video or embeddings in a reply of HTTP 2xx. Raises WorkerFault."""
        if self._output.kind == "binary":
            return Result((self.bytes_of(status, body, content_type),))
        raw, value = self._read(status, body, content_type)
        items = self._output.items(self._path.find_all(value))
        if not items:
            raise no_answer(self._path, value, raw, regex=self._output.search is not None)
        usage = usage_of(self._usage.read(value))
        if self._output.task == "image":
            items = with_prompts(items, value)
        return Result(items, self._finished(value, raw), usage, value if isinstance(value, dict) else None)

    def bytes_of(self, status: int, body: bytes, content_type: str) -> Item:
        """A reply that is itself the image or video. Raises WorkerFault: text is none."""
        if not body:
            raise nothing_in(status)
        kind = content_type.partition(";")[0].strip().lower()
        if is_text(kind):
            raw = text_of_body(body, content_type)
            self.failures.check(parsed(raw), raw)
            fault = f"The worker answered with {kind} where the bytes of the result were expected: {beginning(raw)}"
            raise WorkerFault(fault, "wrong_type")
        return Item("bytes", body, kind)

    def ending(self, value: Any, raw: str) -> tuple[str | None, Usage | None]:
        """The finish and the counts in a reply that is read already."""
        return self._finished(value, raw), usage_of(self._usage.read(value))

    def submitted(self, status: int, body: bytes, content_type: str) -> Any:
        """The parsed reply of HTTP 2xx to a job's submit, for JobPlan.job_id. Raises WorkerFault where it failed."""
        raw = text_of_body(body, content_type)
        if not raw.strip():
            raise nothing_in(status)
        value = reply_value(raw, content_type, needs_json=False)
        self.failures.check(value, raw)
        return value

    def events(self, chunks: Iterable[bytes], content_type: str) -> Iterator[Event]:
        """The answer in the body of a streamed call, as it comes.

        Counts and finish are the last events. Raises WorkerFault, also after events: broken for a body that ends
        without its end mark. A worker that answers with one JSON reply is read as if it had not been asked to stream.
        """
        events = StreamReader(self.words, self._whole, self._has_path).events(chunks, content_type)
        return events if self._output.plain else refined(events, self._output, self._echoes)

    def error_message(self, status: int, body: bytes) -> str:
        """What a reply of any status says went wrong: one line of at most 500 characters, never empty."""
        raw = text_of_body(body, "")
        page = web_page(status, raw)
        return page or self.failures.message(parsed(raw), raw) or f"HTTP {status} without a message"

    def error_words(self, body: bytes) -> tuple[str | None, str | None]:
        """The code for programs and the name of the field at fault in an error of OpenAI's shape."""
        value = parsed(text_of_body(body, ""))
        error = value.get("error") if isinstance(value, dict) else None
        return (_word(error.get("code")), _word(error.get("param"))) if isinstance(error, dict) else (None, None)

    def retry_matches(self, status: int, body: bytes) -> bool:
        """Does `retry_when` say that another worker may be asked after this reply?"""
        raw = text_of_body(body, "")
        return self.failures.may_retry(parsed(raw), raw)

    def _read(self, status: int, body: bytes, content_type: str) -> tuple[str, Any]:
        """The text of a reply and its value, which is no failure."""
        raw = text_of_body(body, content_type)
        if not raw.strip():
            raise nothing_in(status)
        value = reply_value(raw, content_type, needs_json=self._has_path)
        self.failures.check(value, raw)
        return raw, value

    def _text(self, found: str) -> str:
        """An echo is taken off before the regular expression sees the text, as in streams."""
        answer = without_echo(found, self._echoes)
        return answer if self._output.search is None else self._output.text(answer) or ""

    def _finished(self, value: Any, raw: str) -> str | None:
        return finish_word(self._finish(value, raw, "")) if self._finish is not None else None

    def _whole(self, body: bytes, content_type: str) -> Reply:
        reader = self if self._output.plain else self._unrefined()
        return reader.reply(200, body, content_type)

    def _unrefined(self) -> Reader:
        """For a whole reply in a stream, which is refined as its events."""
        reader = self.hearing(())
        reader._output = Output("text", self._output.task)
        return reader


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def is_text(kind: str) -> bool:
    """JSON, web pages and the like: never an image or a video."""
    return "json" in kind or (kind.startswith("text/") and kind != "text/uri-list") or "xml" in kind.partition("+")[0]


def compile_reader(
    spec: Mapping[str, Any], *, stream: bool, openai_shaped: bool, task: Task = "text", output: Output | None = None
) -> Reader:
    """Raises LanguageError. An OpenAI-shaped worker says its finish and counts in OpenAI's places unless told."""
    if openai_shaped:
        spec = {"finish_extract": _OPENAI_FINISH, "usage": _OPENAI_USAGE, **spec}
    output = output or compile_output(spec.get("output"), task)
    return Reader(spec, output, stream=stream, openai_shaped=openai_shaped)
