"""Templates: a registered JSON tree or URL with placeholders, compiled once into nested closures.

A string that is exactly one placeholder becomes the JSON value itself; inside longer text a value is text. What is
filled in is never read again, so a caller's `{MODEL_NAME}` stays the text that it is. A placeholder without a value
makes its key disappear, and with it every container that this empties; text with several placeholders disappears
only when none of them has a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final
from urllib.parse import quote

from app.core.language import MAX_DEPTH, LanguageError, place, text_of
from app.core.pieces import NO_DEFAULT, Piece, Secret, Slot, split
from app.core.placeholders import KNOWN

__all__ = ["ABSENT", "LanguageError", "Secrets", "Template", "Values", "compile_tree", "compile_url"]


class _Absent(Enum):
    ABSENT = "ABSENT"


ABSENT: Final = _Absent.ABSENT
Values = Mapping[str, Any]
Secrets = Callable[[str, str], str]
_Render = Callable[[Values, Secrets], Any]


@dataclass(frozen=True, slots=True)
class Template:
    """Immutable and safe to share between threads.

    `placeholders` are the names used, `request_paths` the paths of `{REQUEST:path}`, `secrets` pairs such as
    `("env", "OPENAI_API_KEY")`.
    """

    placeholders: frozenset[str]
    request_paths: frozenset[str]
    secrets: frozenset[tuple[str, str]]
    _render: _Render = field(repr=False, compare=False)

    def render(self, values: Values, secrets: Secrets) -> Any:
        """A JSON value or ABSENT; of a URL a text. Raises only what `secrets` raises.

        Constant parts are the template's own and filled-in values the caller's: copy before changing anything.
        """
        return self._render(values, secrets)


def compile_tree(node: Any, where: str = "") -> Template:
    """A template of a parsed JSON tree. Keys are left as they are. Raises LanguageError."""
    used = _Used()
    part = _compile(node, where, used, 0)
    return used.template(part if callable(part) else _constantly(part.value))


def compile_url(text: str) -> Template:
    """A template of a URL, whose values are percent-encoded; one that begins the URL is taken as it is.

    No placeholder of the caller's request may stand in or before the host: a caller must not choose where the
    worker's credentials go. Raises LanguageError.
    """
    pieces = split(text)
    used = _Used()
    used.add(pieces)
    _check_host(pieces)
    parts = [piece if isinstance(piece, str) else _slot(piece, as_text=True) for piece in pieces]

    def render(values: Values, secrets: Secrets) -> str:
        out = []
        for i, part in enumerate(parts):
            if isinstance(part, str):
                out.append(part)
            elif (value := part(values, secrets)) is not ABSENT:
                out.append(_quoted(text_of(value)) if i else text_of(value))
        return "".join(out)

    return used.template(render)


class _Used:
    """Collects the names while a template is compiled."""

    def __init__(self) -> None:
        self.placeholders: set[str] = set()
        self.request_paths: set[str] = set()
        self.secrets: set[tuple[str, str]] = set()

    def add(self, pieces: list[Piece]) -> None:
        for piece in pieces:
            if isinstance(piece, Secret):
                self.secrets.add((piece.kind, piece.name))
            elif isinstance(piece, Slot):
                self.placeholders.add(piece.name)
                if piece.name == "REQUEST" and piece.path is not None:
                    self.request_paths.add(piece.path.text)

    def template(self, render: _Render) -> Template:
        return Template(frozenset(self.placeholders), frozenset(self.request_paths), frozenset(self.secrets), render)


@dataclass(frozen=True, slots=True)
class _Constant:
    value: Any


def _compile(node: Any, where: str, used: _Used, depth: int) -> _Render | _Constant:
    if depth > MAX_DEPTH:
        raise LanguageError(f"the template is nested deeper than {MAX_DEPTH} levels", 0, where)
    if isinstance(node, str):
        return _compile_text(node, where, used)
    if isinstance(node, dict):
        return _object({key: _compile(item, place(where, key), used, depth + 1) for key, item in node.items()})
    if isinstance(node, list):
        return _array([_compile(item, place(where, i), used, depth + 1) for i, item in enumerate(node)])
    return _Constant(node)


def _compile_text(text: str, where: str, used: _Used) -> _Render | _Constant:
    try:
        pieces = split(text)
    except LanguageError as error:
        raise error.moved(where=where) from None
    used.add(pieces)
    if all(isinstance(piece, str) for piece in pieces):
        return _Constant("".join(map(str, pieces)))
    if len(pieces) == 1 and not isinstance(pieces[0], str):
        return _slot(pieces[0], as_text=False)
    return _text([piece if isinstance(piece, str) else _slot(piece, as_text=True) for piece in pieces])


def _object(parts: Mapping[str, _Render | _Constant]) -> _Render | _Constant:
    # Every key from the start, so that the copy keeps the order of the template.
    base = {key: part.value if isinstance(part, _Constant) else ABSENT for key, part in parts.items()}
    moving = [(key, part) for key, part in parts.items() if not isinstance(part, _Constant)]
    if not moving:
        return _Constant(base)

    def render(values: Values, secrets: Secrets) -> Any:
        out = base.copy()
        for key, part in moving:
            value = part(values, secrets)
            if value is ABSENT:
                del out[key]
            else:
                out[key] = value
        return out or ABSENT

    return render


def _array(parts: list[_Render | _Constant]) -> _Render | _Constant:
    if all(isinstance(part, _Constant) for part in parts):
        return _Constant([part.value for part in parts if isinstance(part, _Constant)])
    renders = [_constantly(part.value) if isinstance(part, _Constant) else part for part in parts]

    def render(values: Values, secrets: Secrets) -> Any:
        out = [value for part in renders if (value := part(values, secrets)) is not ABSENT]
        return out or ABSENT

    return render


def _text(parts: list[str | _Render]) -> _Render:
    def render(values: Values, secrets: Secrets) -> Any:
        out = []
        found = False
        for part in parts:
            if isinstance(part, str):
                out.append(part)
            elif (value := part(values, secrets)) is not ABSENT:
                found = True
                out.append(text_of(value))
        return "".join(out) if found else ABSENT

    return render


def _constantly(value: Any) -> _Render:
    return lambda values, secrets: value


def _slot(piece: Slot | Secret, *, as_text: bool) -> _Render:
    if isinstance(piece, Secret):
        kind, secret = piece.kind, piece.name
        return lambda values, secrets: secrets(kind, secret)
    name, default = piece.name, piece.default_text if as_text and piece.default is not NO_DEFAULT else piece.default
    if default is NO_DEFAULT:
        default = ABSENT
    if piece.path is not None and piece.path.text:
        find = piece.path.find
        return lambda values, secrets: default if (value := find(values.get(name))) is None else value
    if name in KNOWN:
        return lambda values, secrets: default if (value := values.get(name)) is None else value
    return _callers_field(name, name.lower(), default)


def _callers_field(name: str, key: str, default: Any) -> _Render:
    def render(values: Values, secrets: Secrets) -> Any:
        value = values.get(name)
        if value is None and isinstance(request := values.get("REQUEST"), Mapping):
            value = request.get(key)
        return default if value is None else value

    return render


def _quoted(text: str) -> str:
    quoted = quote(text, safe="", errors="replace")
    # A piece of only dots would climb in the path.
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E")


def _check_host(pieces: list[Piece]) -> None:
    before = ""
    for i, piece in enumerate(pieces):
        if isinstance(piece, str):
            before += piece
        elif isinstance(piece, Slot) and not _may_choose_host(piece, i) and not _host_ended(before):
            raise LanguageError(f"{{{piece.name}}} may not stand in or before the host of a URL", piece.position)


def _may_choose_host(piece: Slot, index: int) -> bool:
    return piece.name == "MODEL_NAME" if index else piece.name == "RESP"


def _host_ended(text: str) -> bool:
    _, scheme, rest = text.partition("://")
    return bool(scheme) and any(mark in rest for mark in "/?#")
