"""For the scripts of checks that run in an environment of their own: one JSON value a line, which run.py reads.

A check is a function that takes the name of a model, or nothing. Its source is its transcript, so what the page shows
is what ran; what it passes to `show` stands behind it.
"""

from __future__ import annotations

import inspect
import json
import os
import textwrap
import time
import traceback
from collections.abc import Callable
from typing import Any

from models import RESPONSES

DOOR = os.environ["LIVE_DOOR"]

QUESTION: Any = [{"role": "user", "content": "Tell me about the sea."}]
LONG: Any = [{"role": "user", "content": "the sea " * 3000}]

_checks: list[tuple[Callable[..., None], tuple[str, ...]]] = []
_shown: list[str] = []


def check(*models: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def added(function: Callable[..., None]) -> Callable[..., None]:
        _checks.append((function, models))
        return function

    return added


def show(*values: object) -> None:
    _shown.append("  ".join(value if isinstance(value, str) else repr(value) for value in values))


def raised(kind: type[Exception], call: Callable[..., Any], **words: Any) -> Any:
    """The exception of `kind` that the call raises, shown with its first line."""
    try:
        call(**words)
    except kind as error:
        show(f"{type(error).__name__}: {str(error).splitlines()[0][:300]}")
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


def finish(model: str) -> str:
    """Of an answer that was cut off. llama-server's Responses API calls that one "completed" like any other."""
    return "stop" if model == RESPONSES else "length"


def run() -> None:
    for function, models in _checks:
        title = inspect.getdoc(function) or function.__name__
        _say("say", text=f"**{title}**")
        _say("block", kind="python", text=_body(function))
        rows, results = [], []
        for model in models or ("",):
            started = time.monotonic()
            why = _failure(function, model)
            took = time.monotonic() - started
            rows += [f"{model + ': ' if model else ''}{line}" for line in [*_shown, *([why] if why else [])]]
            results.append({"name": title, "model": model, "ok": not why, "why": why, "took": took})
        if rows:
            _say("block", kind="text", text="\n".join(rows))
        for result in results:
            _say("result", **result)


def _failure(function: Callable[..., None], model: str) -> str:
    _shown.clear()
    try:
        function(model) if model else function()
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)
        line = next((step.line for step in reversed(place) if step.filename == function.__code__.co_filename), "")
        return f"{type(error).__name__} {error} at: {line}"
    return ""


def _body(function: Callable[..., None]) -> str:
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("def ")) + 1
    body = textwrap.dedent("\n".join(lines[start:])).strip()
    return body.split('"""', 2)[2].strip() if body.startswith('"""') else body


def _say(what: str, **words: Any) -> None:
    print(json.dumps({"what": what, **words}), flush=True)
