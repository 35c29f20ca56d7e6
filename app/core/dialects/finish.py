"""Why a worker stopped, in OpenAI's words."""

from __future__ import annotations

from typing import Any

from app.core.errors import UpstreamError

_REASONS = {
    "length": ("length", "max_tokens", "limit", "max_output_tokens", "model_context_window_exceeded"),
    "tool_calls": ("tool_calls", "tool_use", "tool_call"),
    "function_call": ("function_call",),
    "content_filter": (
        *("content_filter", "content_filtered", "refusal", "safety", "recitation"),
        *("blocklist", "prohibited_content", "spii"),
    ),
}
_REASON_OF = {word: reason for reason, words in _REASONS.items() for word in words}
_FAILURES = ("error", "timeout")


def is_finish(word: Any) -> bool:
    """Has the worker stopped? Some say "null" or "none" for "not yet"."""
    return word is not None and word not in ("", "null", "none", "None")


def finish_reason(word: Any) -> str:
    """OpenAI's word for the worker's own, whatever its case; "stop" for every word that is not known.

    Raises UpstreamError where the word says that the model failed.
    """
    known = word.lower() if isinstance(word, str) else ""
    if known in _FAILURES:
        raise UpstreamError(f"The worker ended its answer with {word!r} instead of a result.", should_retry=False)
    return "content_filter" if known.startswith("image_") else _REASON_OF.get(known, "stop")
