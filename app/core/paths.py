"""Paths into a JSON value: `a.b[].c`, `[2]`, `[-1]`, `[*]`, `[k=v]`, `[*k=v]`, `"quoted.key"`, `*`, `x|y`.

`[]` is the first element, `[*]` all of them, `[k=v]` the first and `[*k=v]` every element whose field `k` has the
text `v`, `*` the first member of an object or list, `x|y` the first path that finds something. The empty path is the
whole value. Braces are kept for placeholders in paths: a key that holds one is written in quotes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from app.core.language import LanguageError
from app.core.path_syntax import Alternative, Fan, Fillings, PathParser, Step, Steps

_MAX_PATH: Final = 1000
_WHOLE: Final = Alternative((), 0, (), fans=False)
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path. `text` is what it was compiled from."""

    text: str
    _alternatives: tuple[Alternative, ...] = field(repr=False, compare=False)

    def find(self, value: Any) -> Any:
        """What the path means in `value`; None when nothing matches or a null does. Never raises on JSON.

        A path with `[*]` gives its texts joined, or the list of its matches when one is no text.
        """
        for way in self._alternatives:
            if way.fans:
                found = _joined(_gather(value, way.steps))
            else:
                found = value
                for step in way.steps:
                    # The first branch is most steps of most paths, on every streamed event.
                    found = found.get(step) if type(step) is str and type(found) is dict else _member(found, step)
                    if found is None:
                        break
            if found is not None:
                return found
        return None

    def find_all(self, value: Any) -> list[Any]:
        """Every match as it stands, texts not joined; one match may be a list itself."""
        for way in self._alternatives:
            found = _gather(value, way.steps)
            if found:
                return found
        return []

    def matched(self, value: Any) -> str:
        """The longest beginning of the path that finds something in `value`; empty when none does."""
        best = ""
        for way in self._alternatives:
            for count in range(len(way.steps), 0, -1):
                if _gather(value, way.steps[:count]):
                    part = self.text[way.start : way.ends[count - 1]]
                    best = max(best, part, key=len)
                    break
        return best


def compile_path(text: str, fillings: Fillings = _NOTHING) -> Path:
    """`fillings`: the texts of placeholders in it. Raises LanguageError with the position of the fault."""
    if len(text) > _MAX_PATH:
        raise LanguageError(f"a path has at most {_MAX_PATH} characters", _MAX_PATH)
    if not text.strip():
        return Path(text, (_WHOLE,))
    parser = PathParser(text, fillings)
    alternatives = []
    position = 0
    while True:
        way, position = parser.alternative(position)
        alternatives.append(way)
        if position == len(text):
            return Path(text, tuple(alternatives))
        position += 1  # the bar


def _member(value: Any, step: Step | Fan) -> Any:
    if isinstance(step, str):
        return value.get(step) if isinstance(value, dict) else None
    if isinstance(step, int):
        return value[step] if isinstance(value, list) and -len(value) <= step < len(value) else None
    assert not isinstance(step, Fan)
    return step(value)


def _gather(value: Any, steps: Steps) -> list[Any]:
    found = [] if value is None else [value]
    for step in steps:
        if isinstance(step, Fan):
            found = [member for item in found for member in step.members(item) if member is not None]
        else:
            members = (_member(item, step) for item in found)
            found = [member for member in members if member is not None]
    return found


def _joined(found: list[Any]) -> Any:
    if not found:
        return None
    return "".join(found) if all(isinstance(item, str) for item in found) else found
