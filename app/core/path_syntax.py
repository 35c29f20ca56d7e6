"""How a path is written, taken apart into steps. What they find in a reply: paths.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.core.language import LanguageError, text_of

# A step takes a value to its member (None: there is none); a fan takes it to all the members it means.
Step = str | int | Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Fan:
    members: Callable[[Any], list[Any]]


Steps = tuple[Step | Fan, ...]
Fillings = Mapping[str, str]
"""Texts of the placeholders that may stand in a path's keys and values, such as JOB_ID."""

_SLOT = r"\{[A-Z][A-Z0-9_]*\}"
_NAME = re.compile(rf'"(?P<quoted>[^"]*)"|(?P<bare>(?:[^.\[\]|"{{}}]|{_SLOT})+)')
_BRACKET = re.compile(
    r"\[(?:(?P<index>-?[0-9]{1,9})?|(?P<all>\*)|\"(?P<key>[^\"]*)\""
    rf"|(?P<every>\*)?(?P<field>\"[^\"]+\"|(?:[^=\]\"*{{}}]|{_SLOT})(?:[^=\]{{}}]|{_SLOT})*)"
    rf"=(?P<value>\"[^\"]*\"|(?:[^\]{{}}]|{_SLOT})*))\]"
)
_SLOTS: Final = re.compile(r"\{([A-Z][A-Z0-9_]*)\}")
_JOB_ID: Final = "{JOB_ID}"


@dataclass(frozen=True, slots=True)
class Alternative:
    """One of the paths between bars. `ends[i]` is where the text of step i ends; `fans`: may it mean several values?"""

    steps: Steps
    start: int
    ends: tuple[int, ...]
    fans: bool


class PathParser:
    def __init__(self, text: str, fillings: Fillings) -> None:
        self._text = text
        self._fillings = fillings

    def alternative(self, start: int) -> tuple[Alternative, int]:
        """The steps from `start` to the next bar or the end, and where that is. Raises LanguageError."""
        text = self._text
        begin = position = self._past_spaces(start)
        steps: list[Step | Fan] = []
        ends: list[int] = []
        if text[position : position + 1] != "[":
            step, position = self._name(position)
            steps.append(step)
            ends.append(position)
        while position < len(text) and text[position] != "|":
            if text[position] == "[":
                step, position = self._bracket(position)
            elif text[position] == ".":
                step, position = self._name(position + 1)
            else:
                position = self._past_spaces(position)
                if position < len(text) and text[position] != "|":
                    raise LanguageError("a dot, a bracket or a bar is expected in the path", position)
                break
            steps.append(step)
            ends.append(position)
        fans = any(isinstance(step, Fan) for step in steps)
        return Alternative(tuple(steps), begin, tuple(ends), fans), position

    def _past_spaces(self, position: int) -> int:
        while self._text[position : position + 1] == " ":
            position += 1
        return position

    def _name(self, position: int) -> tuple[Step | Fan, int]:
        match = _NAME.match(self._text, position)
        if match is None:
            raise LanguageError(_why_no_name(self._text[position : position + 1]), position)
        quoted: str | None = match["quoted"]
        if quoted is not None:
            return self._filled(quoted), match.end()
        bare = match["bare"].rstrip(" ")
        if not bare:
            raise LanguageError(_why_no_name(""), position)
        if bare == "*":
            return _first_member, position + 1
        return self._filled(bare, position), position + len(bare)

    def _bracket(self, position: int) -> tuple[Step | Fan, int]:
        match = _BRACKET.match(self._text, position)
        if match is None:
            raise LanguageError(
                "a bracket of the path must hold nothing, a number, *, key=value or *key=value, and close", position
            )
        end = match.end()
        if match["all"]:
            return Fan(_elements), end
        if match["key"] is not None:
            return self._filled(match["key"]), end
        if match["field"] is None:
            return int(match["index"] or 0), end
        key = self._unquoted(match["field"], match.start("field"))
        wanted = self._unquoted(match["value"], match.start("value"))
        if match["every"]:
            return Fan(lambda value: [item for item in _elements(value) if _has(item, key, wanted)]), end
        return (lambda value: next((item for item in _elements(value) if _has(item, key, wanted)), None)), end

    def _unquoted(self, text: str, position: int) -> str:
        text = text.strip(" ")
        if len(text) > 1 and text[0] == text[-1] == '"':
            return self._filled(text[1:-1])
        return self._filled(text, position)

    def _filled(self, text: str, position: int | None = None) -> str:
        """The text with its placeholders filled. Braces of others are text in quotes; `position`: it stands in none.

        What is filled in is one key or value, whatever is in it: it is never read as a path.
        """
        if "{" not in text:
            return text
        if position is not None:
            for slot in _SLOTS.finditer(text):
                if slot[1] not in self._fillings:
                    raise LanguageError(_why_no_slot(slot[1]), position + slot.start())
        return _SLOTS.sub(lambda slot: self._fillings.get(slot[1], slot[0]), text)


def filled(text: str, fillings: Fillings) -> str:
    """A text that a reply is compared with, with its placeholders filled; other braces stay what they are.

    Raises LanguageError for the id of a job where there is none.
    """
    if _JOB_ID in text and "JOB_ID" not in fillings:
        raise LanguageError(_why_no_slot("JOB_ID"), text.index(_JOB_ID))
    return _SLOTS.sub(lambda slot: fillings.get(slot[1], slot[0]), text) if fillings else text


def _why_no_slot(name: str) -> str:
    if name == "JOB_ID":
        return "{JOB_ID} has a value in the job block only"
    return "a key with a brace in it is written in double quotes in a path"


def _why_no_name(found: str) -> str:
    if found == '"':
        return "a quoted key of the path does not close"
    if found in ("{", "}"):
        return "a key with a brace in it is written in double quotes in a path"
    return "the name of a key is missing in the path"


def _has(item: Any, key: str, wanted: str) -> bool:
    return isinstance(item, dict) and item.get(key) is not None and text_of(item[key]) == wanted


def _elements(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _first_member(value: Any) -> Any:
    if isinstance(value, dict):
        return next(iter(value.values()), None)
    return value[0] if isinstance(value, list) and value else None
