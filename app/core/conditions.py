"""Conditions on a reply: `{path: test}`; the paths of one object must all hold, of a list of objects any."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.core.language import LanguageError, place, text_of
from app.core.path_syntax import Fillings, filled
from app.core.paths import Path, compile_path

_FRAMED: Final = re.compile(r"(?:^|\|)\s*@(?:event|data|json)\s*(?:$|[.\[|])")
_NO_FRAME: Final = dict.fromkeys(("@event", "@data", "@json"))
_Test = Callable[[Any], bool]
_MAX_PATTERN: Final = 1000
_PATTERN_MEMORY: Final = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    _any_of: tuple[tuple[tuple[Path, bool, _Test], ...], ...] = field(repr=False)

    def holds(self, value: Any, frame: Mapping[str, Any] | None = None) -> bool:
        """Is the condition met by the JSON `value`? Never raises on JSON.

        `frame` has the keys `@event`, `@data` and `@json`: a path that begins with one of them looks there.
        """
        for tests in self._any_of:
            for path, framed, test in tests:
                if not test(path.find(beside(value, frame) if framed else value)):
                    break
            else:
                return True
        return False

    def either(self, other: Condition | None) -> Condition:
        return self if other is None else Condition(self._any_of + other._any_of)


def compile_condition(spec: Any, where: str = "", fillings: Fillings | None = None) -> Condition:
    """`fillings`: the texts of placeholders in its paths and values.

    Raises LanguageError, whose `where` names the place inside `spec`.
    """
    names = fillings or {}
    if isinstance(spec, list) and spec:
        return Condition(tuple(_all_of(item, place(where, i), names) for i, item in enumerate(spec)))
    return Condition((_all_of(spec, where, names),))


def _all_of(spec: Any, where: str, fillings: Fillings) -> tuple[tuple[Path, bool, _Test], ...]:
    if not isinstance(spec, dict) or not spec:
        raise LanguageError("a condition is an object of paths and what they must find, or a list of such", 0, where)
    tests = []
    for text, wanted in spec.items():
        inside = place(where, text)
        try:
            path = compile_path(text, fillings)
        except LanguageError as error:
            raise error.moved(where=inside) from None
        tests.append((path, is_framed(path), _test(wanted, inside, fillings)))
    return tuple(tests)


def is_framed(path: Path) -> bool:
    """Does it, or one of its alternatives, look at `@event`, `@data` or `@json`?"""
    return "@" in path.text and _FRAMED.search(path.text) is not None


def beside(value: Any, frame: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What a framed path looks at: the members of an object, and the names of its frame."""
    names = frame or _NO_FRAME
    return {**value, **names} if isinstance(value, dict) else names


def _test(wanted: Any, where: str, fillings: Fillings) -> _Test:
    if isinstance(wanted, list):
        tests = [_one_of(item, place(where, i), fillings) for i, item in enumerate(wanted)]
        return lambda found: any(test(found) for test in tests)
    if not isinstance(wanted, dict):
        return _plain(wanted, where, fillings)
    if len(wanted) == 1 and "match" in wanted:
        return _match(wanted["match"], place(where, "match"), fillings)
    if len(wanted) == 1 and "not" in wanted:
        return _not(wanted["not"], place(where, "not"), fillings)
    raise LanguageError('a test is a value, a list of values, "*", {"not": …} or {"match": "…"}', 0, where)


def _one_of(wanted: Any, where: str, fillings: Fillings) -> _Test:
    if isinstance(wanted, list):
        raise LanguageError("a list of values holds no list", 0, where)
    return _test(wanted, where, fillings)


def _plain(wanted: Any, where: str, fillings: Fillings) -> _Test:
    if wanted is None:
        return lambda found: found is None
    if wanted == "*":
        return lambda found: found is not None and found is not False and found != ""
    try:
        text = _comparable(filled(wanted, fillings) if isinstance(wanted, str) else wanted)
    except LanguageError as error:
        raise error.moved(where=where) from None
    return lambda found: found is not None and not isinstance(found, dict | list) and _comparable(found) == text


def _not(wanted: Any, where: str, fillings: Fillings) -> _Test:
    if isinstance(wanted, dict) and "not" in wanted:
        raise LanguageError('"not" inside "not" says nothing', 0, where)
    test = _test(wanted, where, fillings)
    return lambda found: found is not None and not test(found)


def _comparable(value: Any) -> str:
    """Texts are compared without case, 200.0 as 200."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return text_of(value).casefold()


def _match(pattern: Any, where: str, fillings: Fillings) -> _Test:
    if not isinstance(pattern, str):
        raise LanguageError("a regular expression is a text", 0, where)
    try:
        search = compile_pattern(filled(pattern, {name: re.escape(text) for name, text in fillings.items()})).search
    except LanguageError as error:
        raise error.moved(where=where) from None
    return lambda found: found is not None and search(text_of(found).encode("utf-8", "replace")) is not None


def compile_pattern(pattern: str) -> Any:
    """A regular expression that runs in linear time, on UTF-8 bytes. Raises LanguageError."""
    if len(pattern) > _MAX_PATTERN:
        raise LanguageError(f"a regular expression has at most {_MAX_PATTERN} characters")
    import re2  # a few MB for each serving process, which most registrations never ask for

    options = re2.Options()
    options.max_mem = _PATTERN_MEMORY
    options.log_errors = False
    try:
        return re2.compile(pattern.encode(), options)
    except UnicodeEncodeError as error:
        raise LanguageError("a regular expression holds half a character", error.start) from None
    except re2.error as error:
        raise LanguageError(f"the regular expression cannot be used: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
