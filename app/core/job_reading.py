"""What the replies to a job's polls mean: running, done with these results, or failed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from app.core.answer import frame_names, parsed, with_frame
from app.core.conditions import is_framed
from app.core.conversation import Event, Item, Usage
from app.core.extract import Path
from app.core.fault import WorkerFault, one_line
from app.core.job_words import job_words, stream_words
from app.core.language import LanguageError, text_of
from app.core.limits import Limits
from app.core.outgoing import compile_url_at
from app.core.output import Output, is_web_url
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
_ANY_JOB: Final = "JOB_ID"


@dataclass(frozen=True, slots=True)
class Poll:
    """What one poll said. `progress` is 0 to 100; `finish` and `usage` are those of a text.

    `error` of a failed job is its reason; of a running one it says why this poll told nothing (HTTP 503, say).
    """

    state: JobState
    items: tuple[Item, ...] = ()
    progress: float | None = None
    error: str | None = None
    finish: str | None = None
    usage: Usage | None = None


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
        value = parsed(raw) if raw.strip() else None
        if value is None:
            return Poll("running")  # not known yet
        words, failures, frame = job_words(self.spec, job_id), self.reader.failures, frame_names(value, raw, "")
        if any(each is not None and each.holds(value, frame) for each in (failures.error, words.failed_when)):
            return Poll("failed", error=words.reason(value, raw, failures))
        progress = percent(words.progress.find(value)) if words.progress is not None else None
        said = Poll("running", progress=progress, error=_no_json(raw))
        if said.error if words.done_when is None else not words.done_when.holds(value, frame):
            return said
        done = self._done(words.result, value, raw, told)
        if done is None and words.done_when is not None:
            raise self._no_result(words.result, value, raw)
        return done or said

    def events(self, chunks: Iterable[bytes], job_id: str) -> Iterator[Event]:
        return framed(stream_words(self.spec, job_id, self.reader.failures), self.block["framing"], chunks)

    def last_frame(self, chunks: Iterable[bytes], job_id: str, told: Mapping[str, Any]) -> Poll:
        """A framed poll whose last frame holds the result. Raises WorkerFault."""
        words = stream_words(self.spec, job_id, self.reader.failures)
        frame, value = last_frame_of(words, self.block["framing"], chunks)
        path = job_words(self.spec, job_id).result
        items = self._items(path, with_frame(value, frame.data, frame.event) if is_framed(path) else value, value, told)
        if not items:
            raise self._no_result(path, value, frame.data)
        return Poll("done", items, 100.0)

    def _no_result(self, path: Path, value: Any, raw: str) -> WorkerFault:
        regex = self.output.search is not None
        return no_answer(path, value, raw, "result of the job that is done", regex=regex)

    def _done(self, path: Path, value: Any, raw: str, told: Mapping[str, Any]) -> Poll | None:
        """None: there is no result in the reply."""
        items = self._items(path, with_frame(value, raw, "") if is_framed(path) else value, value, told)
        if not self.is_text:
            return Poll("done", items, 100.0) if items else None
        finish, usage = self.reader.ending(value, raw)
        return Poll("done", items, 100.0, finish=finish, usage=usage) if items or finish is not None else None

    def _items(self, path: Path, seen: Any, value: Any, told: Mapping[str, Any]) -> tuple[Item, ...]:
        if self.template is not None:
            return self._made(value, told)
        if self.is_text:
            found = path.find(seen)
            text = None if found is None else self.output.text(text_of(found))
            return (Item("text", text),) if text else ()
        if not path.text.strip() and isinstance(seen, dict) and self.output.kind != "json":
            return ()  # a reply that is the result itself is no object
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


def compile_job_reading(spec: Mapping[str, Any], output: Output, reader: Reader, limits: Limits) -> JobReading:
    """Raises LanguageError."""
    block = spec["job"]
    made = block.get("result_template")
    template = compile_url_at(made, "job.result_template", limits) if made else None
    reading = JobReading(block, spec, output, reader, template)
    job_words(spec, _ANY_JOB)
    if block.get("framing"):
        stream_words(spec, _ANY_JOB, reader.failures)
    if block.get("framing") == "text":
        fault = "a poll that streams plain text has no end: use sse, ndjson, null or json-array"
        raise LanguageError(fault, 0, "job.framing")
    return reading


def _no_json(raw: str) -> str | None:
    try:
        parse_reply(raw)
    except ValueError:
        return f"The worker's reply to a poll is no JSON: {beginning(raw)}"
    return None


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
