"""Blocks that are legal word by word and cannot work as they are: each would fail in every call, or never be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from app.core.dialect import Dialect
from app.core.language import LanguageError, text_of
from app.core.limits import CONCURRENCY
from app.core.template import Template

_JOB_ID = "{JOB_ID}"
_SAID_BY_URL = ("url", "b64", "path")


def check_blocks(words: Mapping[str, Any]) -> None:
    """Raises LanguageError."""
    if (job := words.get("job")) is not None:
        _check_job(words, job)
    health = words.get("health") or {}
    for word in ("expect", "header", "req_type"):
        if health.get(word) is not None and not health.get("req_url_template") and not health.get("tcp"):
            fault = f"health.{word} is about the request to health.req_url_template, which is missing"
            raise LanguageError(fault, 0, f"health.{word}")


def _check_job(words: Mapping[str, Any], job: Mapping[str, Any]) -> None:
    told = text_of(job) + (text_of(words.get("stream")) if job.get("framing") else "")
    if not job.get("id_extract") and _JOB_ID in told:
        raise LanguageError(
            f"{_JOB_ID} has no value without job.id_extract, its path in the reply", 0, "job.id_extract"
        )
    places = (job.get("result_extract"), job.get("result_template"), words.get("response_extract"))
    kind = (words.get("output") or {}).get("as") or "url"
    is_whole = (words.get("task") or "text") in ("image", "video") and kind in _SAID_BY_URL and not any(places)
    if is_whole and _looks_inside(job.get("done_when")):
        fault = "where the result stands is not said: name job.result_extract or job.result_template"
        raise LanguageError(fault, 0, "job.result_extract")


def _looks_inside(condition: Any) -> bool:
    """Is the reply an object, so that it is no URL as a whole?"""
    parts = condition if isinstance(condition, list) else [condition]
    return any(not path.lstrip().startswith("@") for part in parts if isinstance(part, Mapping) for path in part)


def unused(words: Mapping[str, Any], dialect: Dialect) -> Iterator[str]:
    """Words that say something about nothing, as sentences for the operator."""
    names = {name for part in _parts(dialect) for name in part.placeholders}
    messages = words.get("messages") or {}
    if "MESSAGES" not in names and (messages.get("item") is not None or messages.get("shape")):
        yield "messages is not used: it says how {MESSAGES} is written, and that stands nowhere"
    if dialect.auth is not None and "ACCESS_TOKEN" not in names:
        yield "auth is not used: {ACCESS_TOKEN} stands nowhere"
    for name in words.get("limits") or {}:
        if name not in names and name != CONCURRENCY and not dialect.openai_shaped:
            yield f"limits.{name} is not used: {{{name}}} stands nowhere"


def _parts(dialect: Dialect) -> Iterator[Template]:
    yield from dialect.parts()
    if dialect.job is not None:
        yield from dialect.job.parts()
        if dialect.job.reading.template is not None:
            yield dialect.job.reading.template
