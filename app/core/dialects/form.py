"""The fields of a form as the JSON object that their names and texts stand for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from app.core.errors import InvalidRequest

DEEPEST = 8
SHOWN = 80
# Texts, whatever they look like.
TEXTS = frozenset({"model", "prompt", "negative_prompt", "seconds", "size", "user", "input_reference"})
_WORDS = {"true": True, "false": False, "null": None}
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?P<rest>\.\d{1,15})?", re.ASCII)
_NAME = re.compile(r"(?P<first>[^\[\]]+)(?P<rest>(?:\[[^\[\]]*\])*)")
_STEP = re.compile(r"\[([^\[\]]*)\]")


def typed(fields: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """`a[b]` is a member of an object, `a[]` one of a list, and so is a name that comes again. Raises InvalidRequest.

    A text that is a number, true, false or null is that, because forms know no types; those of TEXTS stay texts.
    """
    whole: dict[str, Any] = {}
    for name, text in fields:
        if "\x00" in name or "\x00" in text:
            shown = name.replace("\x00", "")[:SHOWN]
            raise InvalidRequest(f"{shown or 'The form'} holds a NUL character; remove it.", field=shown or None)
        path = _path(name)
        _put(whole, path, name, text if path[0] in TEXTS else _value(text))
    return whole


def _path(name: str) -> list[str]:
    """The members on the way; the last is "" for one more of a list."""
    match = _NAME.fullmatch(name)
    steps = [match["first"], *_STEP.findall(match["rest"])] if match else []
    if not 0 < len(steps) <= DEEPEST or "" in steps[:-1]:
        raise InvalidRequest(f"A field of the form has the name {name[:SHOWN]!r}; names are like a, a[b] and a[].")
    return steps


def _put(node: dict[str, Any], path: list[str], name: str, value: Any) -> None:
    one_of_list = path[-1] == ""
    *inner, last = path[:-1] if one_of_list else path
    for step in inner:
        node = node.setdefault(step, {})
        if not isinstance(node, dict):
            raise _clash(name)
    if last not in node:
        node[last] = [value] if one_of_list else value
    elif isinstance(node[last], list):
        node[last].append(value)
    elif one_of_list or isinstance(node[last], dict):
        raise _clash(name)
    else:
        node[last] = [node[last], value]


def _clash(name: str) -> InvalidRequest:
    return InvalidRequest(f"The field {name[:SHOWN]!r} of the form does not go with the others.", field=name[:SHOWN])


def _value(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    match = _NUMBER.fullmatch(text)
    if match is None:
        return text
    return float(text) if match["rest"] else int(text)
