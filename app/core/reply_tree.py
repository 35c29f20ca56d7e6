"""A reply as the paths that lead to its values, for whoever has to name the one that is the answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from app.core.language import text_of

SHOWN_ITEMS = 3
SHOWN_PATHS = 80
SHOWN_TEXT = 80
_BARE = re.compile(r'[^.\[\]|"{}\s*]+\Z')
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9_.-]+\Z")


def reply_paths(reply: Any) -> list[tuple[str, str]]:
    """(path, its value as a line of text) of every value, at most SHOWN_PATHS; of lists the first items."""
    found: list[tuple[str, str]] = []
    for path, value in _values(reply, ""):
        if len(found) == SHOWN_PATHS:
            break
        text = text_of(value).replace("\n", " ")
        found.append((path, text if len(text) <= SHOWN_TEXT else text[: SHOWN_TEXT - 1] + "…"))
    return found


def _values(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, member in value.items():
            if '"' not in key:
                name = key if _BARE.match(key) else f'"{key}"'
                yield from _values(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for place, item in enumerate(value[:SHOWN_ITEMS]):
            yield from _values(item, path + _bracket(place, item))
    else:
        yield path, value


def _bracket(place: int, item: Any) -> str:
    """By its type where it has one, because its place may change from reply to reply."""
    kind = item.get("type") if isinstance(item, Mapping) else None
    if isinstance(kind, str) and _PLAIN_VALUE.match(kind):
        return f"[type={kind}]"
    return f"[{place}]" if place else "[]"
