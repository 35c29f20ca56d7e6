"""The `health` block: how a worker is probed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core.answer import condition_of
from app.core.extract import Condition
from app.core.language import text_of
from app.core.outgoing import compile_url_at
from app.core.template import Template, compile_tree


@dataclass(frozen=True, slots=True)
class HealthSpec:
    """Seconds; None: as the settings say. `header` is the registration's where the block names none."""

    req_url_template: Template | None
    req_type: str
    header: Template | None
    expect: Condition | None
    interval_s: float | None
    timeout_s: float | None
    fall: int | None
    rise: int | None
    tcp: bool
    _expect_words: Any = None

    def expectation(self, model_name: str) -> Condition | None:
        """`expect` with the worker's own name of the model for {MODEL_NAME} in it."""
        if "{MODEL_NAME}" not in text_of(self._expect_words):
            return self.expect
        return _expected(self._expect_words, model_name)

    @property
    def needs_token(self) -> bool:
        parts = (self.req_url_template, self.header)
        return any(part is not None and "ACCESS_TOKEN" in part.placeholders for part in parts)


def compile_health(block: Mapping[str, Any] | None, header: Template | None) -> HealthSpec | None:
    """`header`: that of the registration. Raises LanguageError."""
    if block is None:
        return None
    url, own = block.get("req_url_template"), block.get("header")
    return HealthSpec(
        req_url_template=compile_url_at(url, "health.req_url_template") if url else None,
        req_type=block.get("req_type") or "GET",
        header=header if own is None else compile_tree(own, "health.header") if own else None,
        expect=_expected(block.get("expect"), "x"),
        interval_s=block.get("interval_s"),
        timeout_s=block.get("timeout_s"),
        fall=block.get("fall"),
        rise=block.get("rise"),
        tcp=bool(block.get("tcp")),
        _expect_words=block.get("expect"),
    )


def _expected(words: Any, model_name: str) -> Condition | None:
    return condition_of(words, "health.expect", {"MODEL_NAME": model_name})
