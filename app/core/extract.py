"""The door to everything that reads a reply: paths, conditions, and the text of an error."""

from __future__ import annotations

from typing import Any, Final

from app.core.conditions import Condition, compile_condition
from app.core.language import LanguageError, text_of
from app.core.paths import Path, compile_path

__all__ = ["Condition", "LanguageError", "Path", "compile_condition", "compile_path", "first_error_text"]

_RAW_CHARACTERS: Final = 200
_ERROR_PATHS: Final = tuple(
    compile_path(text) for text in ("error.message", "error", "message", "detail", "msg", "error_msg", "description")
)


def first_error_text(value: Any, raw: str = "") -> str:
    """What a worker says went wrong, where the registration has no `error_extract`.

    `value` is the parsed reply (None when it was no JSON), `raw` its text, of which the first 200 characters are
    taken when no usual field holds a text.
    """
    if isinstance(value, list) and value:
        value = value[0]  # Gemini wraps its errors in a list
    for path in _ERROR_PATHS:
        found = path.find(value)
        if isinstance(found, str) and found.strip():
            return found.strip()
    if isinstance(value, str) or not raw:
        raw = text_of(value) if value is not None else ""
    return raw.strip()[:_RAW_CHARACTERS]
