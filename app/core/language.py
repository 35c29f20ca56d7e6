"""What templates, paths and conditions share: their error, the text form of a JSON value, the names of places in a tree."""

from __future__ import annotations

import json
import re
from typing import Any

MAX_DEPTH = 100
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_@-]+\Z")


class LanguageError(ValueError):
    """A template, path or condition that cannot be compiled.

    `message` is one sentence without the place. `position` is the 0-based offset inside the offending string;
    `where` names that string inside its tree, such as `body.messages[0].content`, and is empty for a lone string.
    """

    def __init__(self, message: str, position: int = 0, where: str = "") -> None:
        super().__init__(message, position, where)
        self.message = message
        self.position = position
        self.where = where

    def __str__(self) -> str:
        place = f"{self.where}, position {self.position}" if self.where else f"position {self.position}"
        return f"{self.message} (at {place})"

    def moved(self, offset: int = 0, where: str = "") -> LanguageError:
        """The same fault seen from the outer string or tree."""
        return LanguageError(self.message, self.position + offset, where or self.where)


def text_of(value: Any) -> str:
    """A JSON value inside text: a string as it is, anything else as compact JSON. Never raises."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (RecursionError, TypeError, ValueError):
        return ""


def place(where: str, key: str | int) -> str:
    """The name of a member of the container `where`."""
    if isinstance(key, int):
        return f"{where}[{key}]"
    if not _PLAIN_KEY.match(key):
        return f"{where}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{where}.{key}" if where else key
