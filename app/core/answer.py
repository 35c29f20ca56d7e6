"""What a registration says about where the answer, its end, its token counts and its failures stand in a reply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.core.conditions import beside, is_framed
from app.core.conversation import Usage
from app.core.extract import Condition, LanguageError, Path, compile_condition, compile_path, first_error_text
from app.core.fault import WorkerFault, one_line
from app.core.language import text_of
from app.core.path_syntax import Fillings
from app.core.reply_json import parse_reply

_NO_WORDS = frozenset({"", "null", "none"})
_Find = Callable[[Any], Any]
Tokens = tuple[int | None, int | None]
"""Prompt and completion; None: not said."""


def path_of(text: str, where: str, fillings: Fillings | None = None) -> Path:
    """Raises LanguageError that names the word `where`."""
    try:
        return compile_path(text, fillings or {})
    except LanguageError as error:
        raise error.moved(where=where) from None


def condition_of(spec: Any, where: str, fillings: Fillings | None = None) -> Condition | None:
    return None if spec is None else compile_condition(spec, where, fillings)


def finish_word(found: Any) -> str | None:
    """The worker's own word for why it stopped. Some write "null" or "none" while they have not."""
    if isinstance(found, str):
        return None if found.strip().lower() in _NO_WORDS else found
    return None if found is None else text_of(found)


def finder(path: Path) -> Callable[[Any, str, str], Any]:
    """How a path reads one reply or frame: find(value, raw, event).

    The empty path means the whole text, unquoted when it is a JSON text. A path that names `@event`, `@data` or
    `@json` sees them beside the members.
    """
    if not path.text.strip():
        return lambda value, raw, event: value if isinstance(value, str) else raw
    if is_framed(path):
        return lambda value, raw, event: path.find(with_frame(value, raw, event))
    return lambda value, raw, event: path.find(value)


def with_frame(value: Any, raw: str, event: str) -> Mapping[str, Any]:
    return beside(value, frame_names(value, raw, event))


def frame_names(value: Any, raw: str, event: str) -> dict[str, Any]:
    """What conditions call `@event`, `@data` and `@json`."""
    return {"@event": event, "@data": raw, "@json": None if isinstance(value, dict) else value}


def parsed(raw: str) -> Any:
    """The JSON value of a frame or reply, or its text when it is none."""
    try:
        return parse_reply(raw)
    except ValueError:
        return raw


@dataclass(frozen=True, slots=True)
class UsagePaths:
    """Each count is the sum of the whole numbers that its paths find."""

    prompt: tuple[_Find, ...]
    completion: tuple[_Find, ...]

    def read(self, value: Any) -> Tokens:
        return _sum(self.prompt, value), _sum(self.completion, value)


def compile_usage(spec: Mapping[str, Any] | None, where: str, fillings: Fillings | None = None) -> UsagePaths:
    """`{"prompt": path or [paths], "completion": …}`, each optional. Raises LanguageError."""
    words = ("prompt", "completion")
    return UsagePaths(*(_usage_paths((spec or {}).get(word), f"{where}.{word}", fillings) for word in words))


def _usage_paths(spec: Any, where: str, fillings: Fillings | None) -> tuple[_Find, ...]:
    if isinstance(spec, list):
        return tuple(_count_finder(path_of(text, f"{where}[{i}]", fillings)) for i, text in enumerate(spec))
    return () if spec is None else (_count_finder(path_of(spec, where, fillings)),)


def _count_finder(path: Path) -> _Find:
    return (lambda value: path.find(with_frame(value, "", ""))) if is_framed(path) else path.find


def _sum(finds: tuple[_Find, ...], value: Any) -> int | None:
    total = None
    for find in finds:
        if (count := _count(find(value))) is not None:
            total = count if total is None else total + count
    return total


def _count(found: Any) -> int | None:
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 1 << 53 else None


def usage_of(tokens: Tokens, raw: Any = None) -> Usage | None:
    prompt, completion = tokens
    if prompt is None and completion is None:
        return None
    return Usage(prompt, completion, raw if isinstance(raw, dict) else None)


@dataclass(frozen=True, slots=True)
class FailureWords:
    """`error`, `error_extract` and `retry_when`."""

    error: Condition | None
    extract: Path | None
    retry_when: Condition | None

    def check(self, value: Any, raw: str, event: str = "") -> None:
        """Raises WorkerFault when the reply or frame is a failure although HTTP said 200."""
        if self.error is None and self.retry_when is None:
            return
        frame = frame_names(value, raw, event)
        retryable = self.retry_when is not None and self.retry_when.holds(value, frame)
        if retryable or (self.error is not None and self.error.holds(value, frame)):
            raise WorkerFault(self.message(value, raw, event), "error", retryable=retryable)

    def message(self, value: Any, raw: str, event: str = "") -> str:
        """The worker's own words, on one line; empty when it said nothing."""
        found = finder(self.extract)(value, raw, event) if self.extract is not None else None
        return (one_line(text_of(found)) if found is not None else "") or one_line(first_error_text(value, raw))

    def may_retry(self, value: Any, raw: str) -> bool:
        return self.retry_when is not None and self.retry_when.holds(value, frame_names(value, raw, ""))


def compile_failures(spec: Mapping[str, Any], *, openai_shaped: bool) -> FailureWords:
    """OpenAI's shape says a failure on HTTP 200 by a top-level `error`, so that needs no word. Raises LanguageError."""
    error = spec.get("error")
    if error is None and openai_shaped:
        error = {"error": "*"}
    extract = spec.get("error_extract")
    return FailureWords(
        condition_of(error, "error"),
        path_of(extract, "error_extract") if extract else None,
        condition_of(spec.get("retry_when"), "retry_when"),
    )
