"""The values of a registration's words: what their types alone do not say. Names and types are checked before."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from app.core.errors import AddressRefused, InvalidField
from app.core.framings import FRAMINGS
from app.core.headers import check_headers
from app.core.limits import CONCURRENCY
from app.core.output import OUTPUTS
from app.core.placeholders import check_name
from app.core.targets import Targets
from app.core.urls import check_url

_STREAM_WORDS = frozenset(
    (
        *("req_type", "req_url_template", "req_param", "header", "body", "framing", "mode", "when", "delta_extract"),
        *("finish_extract", "usage", "done", "done_when"),
    )
)
_RETRIES = ("502", "504", "reset", "timeout")
_CALLS = ("stream", "health", "job", "auth")
TASKS = ("text", "image", "video", "embedding")
BODY_TYPES = ("json", "form", "multipart")
SHAPES = ("list", "pairs", "text")
SYSTEMS = ("inline", "separate", "first_user", "drop")
MODES = ("delta", "cumulative")
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "task": TASKS,
    "body_type": BODY_TYPES,
    "auth.body_type": BODY_TYPES,
    "stream.mode": MODES,
    "stream.framing": FRAMINGS,
    "job.framing": FRAMINGS,
    "messages.shape": SHAPES,
    "messages.system": SYSTEMS,
    "output.as": OUTPUTS,
    "output.type": TASKS,
}
_POSITIVE = (
    *("timeout_s", "health.interval_s", "health.timeout_s", "health.fall", "health.rise"),
    *("job.interval_s", "job.timeout_s"),
)


def check_addresses(words: Mapping[str, Any], url: str) -> None:
    """The URLs and headers of every block. Raises LanguageError."""
    for where, each in urls_of(words, url):
        check_url(each, where, from_reply=where.startswith("job."))
    for name in ("", *_CALLS):
        block = words.get(name) or {} if name else words
        check_headers(block.get("header") or {}, f"{name}.header".lstrip("."))
    download = (words.get("job") or {}).get("download") or {}
    check_headers(download.get("header") or {}, "job.download.header")


def urls_of(words: Mapping[str, Any], url: str) -> Iterator[tuple[str, str]]:
    """Every URL of a registration, with its place in front."""
    yield "req_url_template", url
    for name in _CALLS:
        if own_url := (words.get(name) or {}).get("req_url_template"):
            yield f"{name}.req_url_template", own_url
    if made := (words.get("job") or {}).get("result_template"):
        yield "job.result_template", made


def check_targets(words: Mapping[str, Any], url: str, targets: Targets) -> None:
    """Raises AddressRefused. What only a name server or a reply can tell is checked before each call."""
    for where, each in urls_of(words, url):
        if not each.startswith("{RESP") and (refused := targets.refusal_in(each)):
            raise AddressRefused(f"{where}: {refused.clause}.", field=where)


def check_values(words: Mapping[str, Any]) -> None:
    """Raises InvalidField."""
    for field, known in _CHOICES.items():
        value = _at(words, field)
        if value is not None and value not in known:
            raise InvalidField(f"{field} must be one of {', '.join(known)}, not {value!r}.", field=field)
    for field in _POSITIVE:
        value = _at(words, field)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise InvalidField(f"{field} must be greater than 0.", field=field)
    for word in sorted((words.get("stream") or {}).keys() - _STREAM_WORDS):
        raise InvalidField(f"stream.{word} is not known; it is named beside stream.", field=f"stream.{word}")
    for i, failure in enumerate(words.get("retry") or ()):
        if failure not in _RETRIES:
            raise InvalidField(f"retry holds only {', '.join(_RETRIES)}, not {failure!r}.", field=f"retry[{i}]")
    _check_limits(words.get("limits") or {})
    _check_agreement(words)


def _at(words: Mapping[str, Any], field: str) -> Any:
    block, dot, word = field.partition(".")
    return (words.get(block) or {}).get(word) if dot else words.get(block)


def _check_limits(limits: Mapping[str, Any]) -> None:
    for name, given in limits.items():
        field = f"limits.{name}"
        if name == CONCURRENCY:
            if type(given) is not int or given < 1:
                raise InvalidField("limits.concurrency must be a whole number of at least 1.", field=field)
            continue
        if known := check_name(name):
            raise InvalidField(f"{field} looks like a typing error of {known}.", field=field)
        for fault in _faults_of_bounds(name, given):
            raise InvalidField(f"{field} {fault}.", field=field)


def _faults_of_bounds(name: str, given: Any) -> Iterator[str]:
    if not name.isascii() or not name.replace("_", "").isalnum() or name != name.upper():
        yield "is neither concurrency nor the name of a placeholder, in upper case"
    if not isinstance(given, Mapping) or not given or given.keys() - {"min", "max"}:
        yield 'must be like {"min": 0, "max": 1}, with either or both'
        return
    for value in given.values():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            yield "must have numbers as its min and max"
            return
    if given.get("min", -math.inf) > given.get("max", math.inf):
        yield "has a min above its max"


def _check_agreement(words: Mapping[str, Any]) -> None:
    """Words that only make sense together."""
    task, output = words.get("task") or "text", words.get("output") or {}
    kind, named = output.get("as"), output.get("type")
    if named is not None and named != task:
        fault = f"output.type is {named} where task is {task}; they say the same, or one is left out."
        raise InvalidField(fault, field="output.type")
    if task == "embedding" and kind not in (None, "json"):
        raise InvalidField("An embedding is lists of numbers: output.as must be json.", field="output.as")
    if task != "text" and (words.get("stream") is not None or words.get("is_stream")) and not words.get("job"):
        field = "is_stream" if words.get("stream") is None else "stream"
        raise InvalidField(f"A worker of task {task} has no stream of text.", field=field)
    if words.get("job") is not None and words.get("is_stream"):
        raise InvalidField("A job's submit is answered once; a poll that streams is job.framing.", field="is_stream")
