"""The paths and conditions of a `job` block, with the id of one job in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.core.answer import FailureWords, condition_of, finder, path_of
from app.core.extract import Condition, Path
from app.core.fault import one_line
from app.core.frames import StreamWords, compile_stream
from app.core.language import text_of


@dataclass(frozen=True, slots=True)
class JobWords:
    done_when: Condition | None
    failed_when: Condition | None
    result: Path
    error: Path | None
    progress: Path | None

    def reason(self, value: Any, raw: str, failures: FailureWords) -> str:
        """Why the job failed, in the worker's words."""
        found = finder(self.error)(value, raw, "") if self.error is not None else None
        said = one_line(text_of(found)) if found is not None else ""
        return said or failures.message(value, raw) or "The worker says that the job failed, and not why."


def job_words(spec: Mapping[str, Any], job_id: str) -> JobWords:
    """Of a registration with a `job` block. Raises LanguageError."""
    block, fillings = spec["job"], {"JOB_ID": job_id}

    def path(word: str) -> Path | None:
        return path_of(block[word], f"job.{word}", fillings) if block.get(word) else None

    answer = path_of(spec.get("response_extract") or "", "response_extract")
    return JobWords(
        condition_of(block.get("done_when"), "job.done_when", fillings),
        condition_of(block.get("failed_when"), "job.failed_when", fillings),
        path("result_extract") or answer,
        path("error_extract"),
        path("progress_extract"),
    )


def stream_words(spec: Mapping[str, Any], job_id: str, failures: FailureWords) -> StreamWords:
    """How a poll is read whose reply is itself a stream. Raises LanguageError."""
    words = job_words(spec, job_id)
    stream = compile_stream(spec, failures, openai_shaped=False, fillings={"JOB_ID": job_id})
    failed = words.failed_when.either(failures.error) if words.failed_when is not None else failures.error
    done = words.done_when.either(stream.done_when) if words.done_when is not None else stream.done_when
    told = replace(failures, error=failed, extract=words.error or failures.extract, retry_when=None)
    marked = stream.marked or words.done_when is not None
    return replace(stream, framing=spec["job"]["framing"], done_when=done, marked=marked, failures=told)
