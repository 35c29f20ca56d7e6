"""What templates, paths and conditions share: their error, the text form of a JSON value, the names of places."""

from __future__ import annotations

import json
import re
from typing import Any, Final

MAX_DEPTH: Final = 100
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_@-]+\Z")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


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
        return _encode(value)
    except (RecursionError, TypeError, ValueError):
        return ""


def place(where: str, key: str | int) -> str:
    """The name of a member of the container `where`."""
    if isinstance(key, int):
        return f"{where}[{key}]"
    if not _PLAIN_KEY.match(key):
        return f"{where}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{where}.{key}" if where else key


def is_too_deep(value: Any, limit: int = MAX_DEPTH) -> bool:
    """Are there more than `limit` containers inside each other?"""
    level = [value]
    for _ in range(limit + 1):
        level = [member for item in level if isinstance(item, dict | list) for member in _members(item)]
        if not level:
            return False
    return True


def _members(container: dict[str, Any] | list[Any]) -> list[Any]:
    return list(container.values()) if isinstance(container, dict) else container
