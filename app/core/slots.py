"""Compiled templates, and how one placeholder or secret gets its value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

from app.core.language import LanguageError, text_of
from app.core.limits import Limits
from app.core.paths import Path, compile_path
from app.core.pieces import JOB_ID, NO_DEFAULT, Piece, Secret, Slot, split
from app.core.placeholders import KNOWN


class _Absent(Enum):
    ABSENT = "ABSENT"


ABSENT: Final = _Absent.ABSENT
_MAX_SLOTS: Final = 500
Values = Mapping[str, Any]
Secrets = Callable[[str, str], str]
Render = Callable[[Values, Secrets], Any]


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """Immutable and safe to share between threads.

    `placeholders` are the names used, `request_paths` the paths of `{REQUEST:path}`, `secrets` pairs such as
    `("env", "OPENAI_API_KEY")`.
    """

    placeholders: frozenset[str]
    request_paths: frozenset[str]
    secrets: frozenset[tuple[str, str]]
    _render: Render = field(repr=False)

    def render(self, values: Values, secrets: Secrets) -> Any:
        """A JSON value or ABSENT; of a URL a text. Raises only what `secrets` raises.

        `values` has JSON values under the placeholders' names, missing or None where there is none; `REQUEST` is the
        caller's whole JSON object, `RESP` the worker's earlier reply. Constant parts of the result are the template's
        own and filled-in values the caller's: copy before changing anything inside.
        """
        return self._render(values, secrets)


class Names:
    """Collects what a template uses while it is compiled. `limits` bound the numbers of its placeholders."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or {}
        self._count = 0
        self._placeholders: set[str] = set()
        self._request_paths: set[str] = set()
        self._secrets: set[tuple[str, str]] = set()

    def read(self, text: str) -> list[Piece]:
        """The pieces of one string of the template.

        Raises LanguageError, also when the placeholders are too many: each may stand for megabytes of a caller's text.
        """
        pieces = []
        for piece in split(text):
            pieces.append(piece)
            if not isinstance(piece, str):
                self._note(piece)
        return pieces

    def _note(self, piece: Slot | Secret) -> None:
        self._count += 1
        if self._count > _MAX_SLOTS:
            raise LanguageError(f"a template holds at most {_MAX_SLOTS} placeholders", piece.position)
        if isinstance(piece, Secret):
            self._secrets.add((piece.kind, piece.name))
            return
        self._placeholders.add(piece.name)
        if piece.path is not None and JOB_ID in piece.path.text:
            self._placeholders.add("JOB_ID")
        if piece.name == "REQUEST" and piece.path is not None:
            self._request_paths.add(piece.path.text)

    def filled(self, piece: Slot | Secret, *, in_text: bool) -> Render:
        """Gives the value of the piece or ABSENT; `in_text` gives a default as it was written (1.0 stays 1.0)."""
        if isinstance(piece, Secret):
            kind, secret = piece.kind, piece.name
            return lambda values, secrets: secrets(kind, secret)
        render = _value_of(piece, in_text)
        bounds = self._limits.get(piece.name)
        if bounds is None:
            return render
        # A default inside text is text, which no bounds hold: the number that it stands for takes its place.
        number = bounds.clamp(piece.default)
        default = text_of(number) if in_text and piece.default != number else None
        if default is not None:
            render = _value_of(replace(piece, default=number, default_text=default), in_text)
        return lambda values, secrets: bounds.clamp(render(values, secrets))

    def template(self, render: Render) -> Template:
        return Template(frozenset(self._placeholders), frozenset(self._request_paths), frozenset(self._secrets), render)


def _value_of(piece: Slot, in_text: bool) -> Render:
    name, default = piece.name, _default(piece, in_text)
    if piece.path is not None and piece.path.text:
        find = _finding(piece.path)
        return lambda values, secrets: default if (value := find(values, name)) is None else value
    if name in KNOWN:
        return lambda values, secrets: default if (value := values.get(name)) is None else value
    return _callers_field(name, name.lower(), default)


def _finding(path: Path) -> Callable[[Values, str], Any]:
    if JOB_ID not in path.text:
        find = path.find
        return lambda values, name: find(values.get(name))

    def find_in_job(values: Values, name: str) -> Any:
        filled = compile_path(path.text, {"JOB_ID": text_of(values.get("JOB_ID"))})
        return filled.find(values.get(name))

    return find_in_job


def _default(slot: Slot, in_text: bool) -> Any:
    if slot.default is NO_DEFAULT:
        return ABSENT
    return slot.default_text if in_text else slot.default


def _callers_field(name: str, key: str, default: Any) -> Render:
    def render(values: Values, secrets: Secrets) -> Any:
        value = values.get(name)
        if value is None and isinstance(request := values.get("REQUEST"), dict):
            value = request.get(key)
        return default if value is None else value

    return render
