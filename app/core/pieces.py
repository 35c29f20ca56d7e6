"""One template string taken apart: literal text, placeholders `{NAME}`, secrets `${env:NAME}`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from app.core.language import LanguageError, is_too_deep
from app.core.paths import Path, compile_path
from app.core.placeholders import KNOWN, check_name

NO_DEFAULT: Final = object()
_MAX_DEFAULT: Final = 1000
_WITH_PATH: Final = frozenset({"REQUEST", "RESP"})
JOB_ID: Final = "{JOB_ID}"
"""The one placeholder that may stand in the path of another."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A placeholder. `default_text` is the default as it stands inside longer text; `default` is its JSON value."""

    name: str
    position: int
    path: Path | None = None
    default: Any = NO_DEFAULT
    default_text: str = ""


@dataclass(frozen=True, slots=True)
class Secret:
    kind: str
    name: str
    position: int


Piece = str | Slot | Secret
_ANY_JOB: Final = {"JOB_ID": "x"}

_OPENING = re.compile(
    r"\$\{(?P<kind>(?i:env|secret)):"
    r"|\{(?P<escaped>\{[A-Z][A-Z0-9_]*+(?::[^{}]*+)?\})\}"
    r"|\{(?P<name>[A-Z][A-Z0-9_]*+)(?!\w)"
)
_SECRET_NAME = re.compile(r"([A-Za-z0-9_.-]+)\}")
_PATH = re.compile(r'((?:"[^"]*"|\[[^\]]*\]|\{JOB_ID\}|[^{}"\[])*+)\}')


def split(text: str) -> Iterator[Piece]:
    """The pieces of `text` in order, no two literals side by side, no empty one. Raises LanguageError on the way."""
    literal: list[str] = []
    position = 0
    last_brace = text.rfind("}")
    while match := _OPENING.search(text, position):
        literal.append(text[position : match.start()])
        piece, position = _piece(text, match, last_brace)
        if isinstance(piece, str):
            literal.append(piece)
            continue
        if before := "".join(literal):
            yield before
        literal.clear()
        yield piece
    literal.append(text[position:])
    if rest := "".join(literal):
        yield rest


def _piece(text: str, match: re.Match[str], last_brace: int) -> tuple[Piece, int]:
    """What stands at `match`, and where the text goes on behind it."""
    start, end = match.span()
    if match["kind"]:
        return _secret(text, match)
    if match["escaped"]:
        return match["escaped"], end
    name = match["name"]
    following = text[end : end + 1]
    if following not in ("}", ":"):
        if last_brace < end or name in KNOWN:
            raise LanguageError(f"the placeholder {{{name} does not close", start)
        return text[start:end], end  # {YES, NO}: no placeholder
    if known := check_name(name):
        raise LanguageError(f"{{{name}}} looks like a typing error of {{{known}}}", start)
    if following == "}":
        return Slot(name, start, path=compile_path("") if name in _WITH_PATH else None), end + 1
    return _with_path(text, name, start, end + 1) if name in _WITH_PATH else _with_default(text, name, start, end + 1)


def _secret(text: str, match: re.Match[str]) -> tuple[Piece, int]:
    start, end = match.span()
    kind = match["kind"]
    if kind != kind.lower():
        raise LanguageError(f"a secret is written ${{{kind.lower()}:NAME}}, in lower case", start)
    name = _SECRET_NAME.match(text, end)
    if name is None:
        raise LanguageError(f"a secret is written ${{{kind}:NAME}}, and must close", start)
    return Secret(kind, name[1], start), name.end()


def _with_path(text: str, name: str, start: int, after: int) -> tuple[Piece, int]:
    match = _PATH.match(text, after)
    if match is None:
        raise LanguageError(f"the placeholder {{{name}: does not close", start)
    try:
        path = compile_path(match[1], _ANY_JOB if name == "RESP" else {})
        return Slot(name, start, path=path), match.end()
    except LanguageError as error:
        raise error.moved(after) from None


def _with_default(text: str, name: str, start: int, after: int) -> tuple[Piece, int]:
    """The default is JSON where it reads as JSON (1024, true, "1024", ["a"]), else the text up to the brace."""
    near = text[after : after + _MAX_DEFAULT + 1]  # bounded, so that many of them take linear time
    value, length = _leading_json(near)
    if value is not NO_DEFAULT and near[length : length + 1] == "}":
        if is_too_deep(value):
            raise LanguageError("a default is nested too deep", after)
        shown = value if isinstance(value, str) else near[:length]
        return Slot(name, start, default=value, default_text=shown), after + length + 1
    end = text.find("}", after)
    if end < 0:
        raise LanguageError(f"the placeholder {{{name}: does not close", start)
    if end - after > _MAX_DEFAULT:
        raise LanguageError(f"a default has at most {_MAX_DEFAULT} characters", after)
    default = text[after:end]
    if "{" in default:
        raise LanguageError("a default is JSON or text without braces", after + default.index("{"))
    return Slot(name, start, default=default, default_text=default), end + 1


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


_JSON = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)


def _leading_json(text: str) -> tuple[Any, int]:
    """The JSON value that `text` begins with, and its length."""
    try:
        return _JSON.raw_decode(text)
    except (ValueError, RecursionError):
        return NO_DEFAULT, 0
