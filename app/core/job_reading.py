"""What the replies to a job's polls mean: running, done with these results, or failed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from app.core.answer import condition_of, frame_names, path_of, with_frame
from app.core.conditions import is_framed
from app.core.conversation import Event, Item
from app.core.extract import Condition, Path
from app.core.fault import WorkerFault, one_line
from app.core.frames import StreamWords, compile_stream
from app.core.language import LanguageError, text_of
from app.core.limits import Limits
from app.core.outgoing import compile_url_at
from app.core.output import Output, is_web_url
from app.core.path_syntax import Fillings
from app.core.reading import Reader, is_text
from app.core.replies import beginning, no_answer
from app.core.reply_json import parse_reply
from app.core.streaming import framed, last_frame_of
from app.core.template import Template
from app.core.urls import ascii_url

JobState = Literal["running", "done", "failed"]
_FINAL: Final = frozenset({400, 405, 406, 409, 410, 422, 451, 501})
"""Answers to a poll that no later poll will change; others may pass: an id that is not known yet, a busy server."""

_PERCENT = re.compile(r"\s*(\d{1,9}(?:\.\d{1,18})?)\s*(%?)")
_ANY_JOB: Final = {"JOB_ID": "JOB_ID"}


@dataclass(frozen=True, slots=True)
class Poll:
    """What one poll said. `progress` is 0 to 100.

    `error` of a failed job is its reason; of a running one it says why this poll told nothing (HTTP 503, say).
    """

    state: JobState
    items: tuple[Item, ...] = ()
    progress: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _JobWords:
    """The paths and conditions of the block, with the id of one job in them."""

    done_when: Condition | None
    failed_when: Condition | None
    result: Path
    error: Path | None
    progress: Path | None


@dataclass(frozen=True, slots=True)
class JobReading:
    """`block` is the `job` block. `template` makes the URL of the result where its reply holds none whole."""

    block: Mapping[str, Any]
    spec: Mapping[str, Any]
    output: Output
    reader: Reader
    template: Template | None

    @property
    def is_text(self) -> bool:
        return self.output.task == "text"

    def words(self, fillings: Fillings) -> _JobWords:
        """Raises LanguageError."""
        block = self.block

        def path(word: str) -> Path | None:
            return path_of(block[word], f"job.{word}", fillings) if block.get(word) else None

        answer = path_of(self.spec.get("response_extract") or "", "response_extract")
        return _JobWords(
            condition_of(block.get("done_when"), "job.done_when", fillings),
            condition_of(block.get("failed_when"), "job.failed_when", fillings),
            path("result_extract") or answer,
            path("error_extract"),
            path("progress_extract"),
        )

    def refused(self, status: int, body: bytes) -> Poll:
        message = self.reader.error_message(status, body)
        said = message if message.startswith("HTTP ") else f"HTTP {status}: {message}"
        return Poll("failed" if status in _FINAL else "running", error=said)

    def bytes_in(self, status: int, body: bytes, content_type: str) -> Item | None:
        """The result itself, where a worker answers its last poll with it."""
        kind = content_type.partition(";")[0].strip().lower()
        if self.output.kind != "binary" or status != 200 or not body or is_text(kind) or not kind:
            return None
        return Item("bytes", body, kind)

    def read(self, raw: str, job_id: str, told: Mapping[str, Any]) -> Poll:
        """`raw` is the text of a poll's reply. Raises WorkerFault."""
        try:
            value = parse_reply(raw) if raw.strip() else None
        except ValueError:
            return Poll("running", error=f"The worker's reply to a poll is no JSON: {beginning(raw)}")
        if value is None:
            return Poll("running")  # not known yet
        words = self.words({"JOB_ID": job_id})
        failures = self.reader.failures
        if failures.error is not None and failures.error.holds(value, frame_names(value, raw, "")):
            return Poll("failed", error=self._reason(words, value, raw))
        if words.failed_when is not None and words.failed_when.holds(value):
            return Poll("failed", error=self._reason(words, value, raw))
        progress = percent(words.progress.find(value)) if words.progress is not None else None
        if words.done_when is not None and not words.done_when.holds(value):
            return Poll("running", progress=progress)
        items = self._items(words.result, value, value, told)
        if not items and words.done_when is not None:
            raise no_answer(words.result, value, raw, "result of the job that is done")
        return Poll("done", items, 100.0) if items else Poll("running", progress=progress)

    def events(self, chunks: Iterable[bytes], job_id: str) -> Iterator[Event]:
        return framed(self._stream_words(job_id), self.block["framing"], chunks)

    def last_frame(self, chunks: Iterable[bytes], job_id: str, told: Mapping[str, Any]) -> Poll:
        """A framed poll whose last frame holds the result. Raises WorkerFault."""
        frame, value = last_frame_of(self._stream_words(job_id), self.block["framing"], chunks)
        words = self.words({"JOB_ID": job_id})
        seen = with_frame(value, frame.data, frame.event) if is_framed(words.result) else value
        items = self._items(words.result, seen, value, told)
        if not items:
            raise no_answer(words.result, seen, frame.data, "result of the job that is done")
        return Poll("done", items, 100.0)

    def _items(self, path: Path, seen: Any, value: Any, told: Mapping[str, Any]) -> tuple[Item, ...]:
        if self.template is not None:
            return self._made(value, told)
        if self.is_text:
            found = path.find(seen)
            text = None if found is None else self.output.text(text_of(found))
            return (Item("text", text),) if text else ()
        return self.output.items(path.find_all(seen))

    def _made(self, value: Any, told: Mapping[str, Any]) -> tuple[Item, ...]:
        """The URL that the template makes of the poll's reply, and of the submit's where that says more."""
        assert self.template is not None
        before = told["RESP"]
        both = {**value, **before, **value} if isinstance(value, dict) and isinstance(before, dict) else value
        url = ascii_url(self.template.render({**told, "RESP": both}, _no_secret))
        if not is_web_url(url):
            fault = f"job.result_template makes no http(s) URL of the reply: {one_line(url, 80)}"
            raise WorkerFault(fault, "wrong_type")
        return (Item("url", url),)

    def _reason(self, words: _JobWords, value: Any, raw: str) -> str:
        found = words.error.find(value) if words.error is not None else None
        said = one_line(text_of(found)) if found is not None else self.reader.failures.message(value, raw)
        return said or "The worker says that the job failed, and not why."

    def _stream_words(self, job_id: str) -> StreamWords:
        words = self.words({"JOB_ID": job_id})
        failures = self.reader.failures
        failed = words.failed_when.either(failures.error) if words.failed_when is not None else failures.error
        stream = compile_stream(self.spec, failures, openai_shaped=False)
        done = words.done_when.either(stream.done_when) if words.done_when is not None else stream.done_when
        told = replace(failures, error=failed, extract=words.error or failures.extract, retry_when=None)
        marked = stream.marked or words.done_when is not None
        return replace(stream, framing=self.block["framing"], done_when=done, marked=marked, failures=told)


def compile_job_reading(spec: Mapping[str, Any], output: Output, reader: Reader, limits: Limits) -> JobReading:
    """Raises LanguageError."""
    block = spec["job"]
    made = block.get("result_template")
    template = compile_url_at(made, "job.result_template", limits) if made else None
    reading = JobReading(block, spec, output, reader, template)
    reading.words(_ANY_JOB)
    if block.get("framing"):
        reading._stream_words(_ANY_JOB["JOB_ID"])
    if block.get("framing") == "text":
        fault = "a poll that streams plain text has no end: use sse, ndjson, null or json-array"
        raise LanguageError(fault, 0, "job.framing")
    return reading


def percent(found: Any) -> float | None:
    """`"40%"`, 40 and 0.4 are 40; a fraction is told from a percentage by its point. None: it says none."""
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        return None
    match = _PERCENT.match(found) if isinstance(found, str) else None
    if isinstance(found, str) and match is None:
        return None
    number = float(match[1]) if match else float(found)
    fraction = ("." in match[1] and not match[2]) if match else isinstance(found, float)
    number = number * 100 if fraction and number <= 1 else number
    return min(max(number, 0.0), 100.0)


def _no_secret(kind: str, name: str) -> str:
    raise LookupError(f"job.result_template holds no secrets, so {kind}:{name} is refused at registration")
