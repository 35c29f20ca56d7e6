"""Paths into a JSON value: `a.b[].c`, `[2]`, `[-1]`, `[*]`, `[k=v]`, `[*k=v]`, `"quoted.key"`, `*`, `x|y`.

`[]` is the first element, `[*]` all of them, `[k=v]` the first and `[*k=v]` every element whose field `k` has the
text `v`, `*` the first member of an object or list, `x|y` the first path that finds something. The empty path is the
whole value. Braces are kept for placeholders in paths: a key that holds one is written in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from app.core.language import LanguageError, text_of

# A step takes a value to its member (None: there is none); a fan takes it to all the members it means.
_Step = str | int | Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Fan:
    members: Callable[[Any], list[Any]]


_Steps = tuple[_Step | _Fan, ...]

_MAX_PATH: Final = 1000
_NAME = re.compile(r'"(?P<quoted>[^"]*)"|(?P<bare>[^.\[\]|"{}]+)')
_BRACKET = re.compile(
    r"\[(?:(?P<index>-?[0-9]{1,9})?|(?P<all>\*)|\"(?P<key>[^\"]*)\""
    r"|(?P<every>\*)?(?P<field>\"[^\"]+\"|[^=\]\"*{}][^=\]{}]*)=(?P<value>\"[^\"]*\"|[^\]{}]*))\]"
)


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path. `text` is what it was compiled from."""

    text: str
    _alternatives: tuple[tuple[_Steps, bool], ...] = field(repr=False, compare=False)

    def find(self, value: Any) -> Any:
        """What the path means in `value`; None when nothing matches or a null does. Never raises on JSON.

        A path with `[*]` gives its texts joined, or the list of its matches when one is no text.
        """
        for steps, fans in self._alternatives:
            found = _gather(value, steps) if fans else _follow(value, steps)
            if found is not None:
                return found
        return None


def compile_path(text: str) -> Path:
    """Raises LanguageError with the position of the fault."""
    if len(text) > _MAX_PATH:
        raise LanguageError(f"a path has at most {_MAX_PATH} characters", _MAX_PATH)
    if not text.strip():
        return Path(text, (((), False),))
    alternatives = []
    position = 0
    while True:
        steps, position = _alternative(text, position)
        alternatives.append((steps, any(isinstance(step, _Fan) for step in steps)))
        if position == len(text):
            return Path(text, tuple(alternatives))
        position += 1  # the bar


def _alternative(text: str, start: int) -> tuple[_Steps, int]:
    """The steps from `start` to the next bar or the end, and where that is."""
    position = _past_spaces(text, start)
    steps: list[_Step | _Fan] = []
    if text[position : position + 1] != "[":
        step, position = _name(text, position)
        steps.append(step)
    while position < len(text) and text[position] != "|":
        if text[position] == "[":
            step, position = _bracket(text, position)
        elif text[position] == ".":
            step, position = _name(text, position + 1)
        else:
            position = _past_spaces(text, position)
            if position < len(text) and text[position] != "|":
                raise LanguageError("a dot, a bracket or a bar is expected in the path", position)
            break
        steps.append(step)
    return tuple(steps), position


def _past_spaces(text: str, position: int) -> int:
    while text[position : position + 1] == " ":
        position += 1
    return position


def _name(text: str, position: int) -> tuple[_Step | _Fan, int]:
    match = _NAME.match(text, position)
    if match is None:
        raise LanguageError(_why_no_name(text[position : position + 1]), position)
    quoted: str | None = match["quoted"]
    if quoted is not None:
        return quoted, match.end()
    bare = match["bare"].rstrip(" ")
    if not bare:
        raise LanguageError(_why_no_name(""), position)
    return (_first_member if bare == "*" else bare), position + len(bare)


def _why_no_name(found: str) -> str:
    if found == '"':
        return "a quoted key of the path does not close"
    if found in ("{", "}"):
        return "a key with a brace in it is written in double quotes in a path"
    return "the name of a key is missing in the path"


def _bracket(text: str, position: int) -> tuple[_Step | _Fan, int]:
    match = _BRACKET.match(text, position)
    if match is None:
        raise LanguageError(
            "a bracket of the path must hold nothing, a number, *, key=value or *key=value, and close", position
        )
    end = match.end()
    if match["all"]:
        return _Fan(_elements), end
    if match["key"] is not None:
        return match["key"], end
    if match["field"] is None:
        return int(match["index"] or 0), end
    key, wanted = _unquoted(match["field"]), _unquoted(match["value"])
    if match["every"]:
        return _Fan(lambda value: [item for item in _elements(value) if _has(item, key, wanted)]), end
    return (lambda value: next((item for item in _elements(value) if _has(item, key, wanted)), None)), end


def _unquoted(text: str) -> str:
    text = text.strip(" ")
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _has(item: Any, key: str, wanted: str) -> bool:
    return isinstance(item, dict) and item.get(key) is not None and text_of(item[key]) == wanted


def _elements(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _first_member(value: Any) -> Any:
    if isinstance(value, dict):
        return next(iter(value.values()), None)
    return value[0] if isinstance(value, list) and value else None


def _follow(value: Any, steps: _Steps) -> Any:
    for step in steps:
        # The first branch is most steps of most paths, on every streamed event.
        value = value.get(step) if isinstance(step, str) and isinstance(value, dict) else _member(value, step)
        if value is None:
            return None
    return value


def _member(value: Any, step: _Step | _Fan) -> Any:
    if isinstance(step, str):
        return value.get(step) if isinstance(value, dict) else None
    if isinstance(step, int):
        return value[step] if isinstance(value, list) and -len(value) <= step < len(value) else None
    assert not isinstance(step, _Fan)
    return step(value)


def _gather(value: Any, steps: _Steps) -> Any:
    found = [value]
    for step in steps:
        if isinstance(step, _Fan):
            found = [member for item in found for member in step.members(item) if member is not None]
        else:
            members = (_member(item, step) for item in found)
            found = [member for member in members if member is not None]
    if not found:
        return None
    return "".join(found) if all(isinstance(item, str) for item in found) else found
