"""Templates: a registered JSON tree with placeholders, compiled once into nested closures; the door to URL templates.

A string that is exactly one placeholder becomes the JSON value itself; inside longer text a value is text. What is
filled in is never read again, so a caller's `{MODEL_NAME}` stays the text that it is. A placeholder without a value
makes its key disappear, and with it every container that this empties; text with several placeholders disappears
only when none of them has a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.language import MAX_DEPTH, LanguageError, place, text_of
from app.core.limits import Limits
from app.core.slots import ABSENT, Names, Render, Secrets, Template, Values
from app.core.url_template import compile_url

__all__ = ["ABSENT", "LanguageError", "Secrets", "Template", "Values", "compile_tree", "compile_url"]


@dataclass(frozen=True, slots=True)
class _Constant:
    value: Any


_Part = Render | _Constant


def compile_tree(node: Any, where: str = "", limits: Limits | None = None) -> Template:
    """A template of a parsed JSON tree, whose keys are left as they are. `where` is the tree's own name in errors.

    `limits` bound the numbers of its placeholders, after defaults.

    Raises LanguageError.
    """
    names = Names(limits)
    return names.template(_as_render(_compile(node, where, names, 0)))


def _compile(node: Any, where: str, names: Names, depth: int) -> _Part:
    if isinstance(node, str):
        return _compile_text(node, where, names)
    if not isinstance(node, dict | list):
        return _Constant(node)
    if depth == MAX_DEPTH:
        raise LanguageError(f"the template is nested deeper than {MAX_DEPTH} levels", 0, where)
    if isinstance(node, dict):
        return _object({key: _compile(item, place(where, key), names, depth + 1) for key, item in node.items()})
    return _array([_compile(item, place(where, i), names, depth + 1) for i, item in enumerate(node)])


def _compile_text(text: str, where: str, names: Names) -> _Part:
    try:
        pieces = names.read(text)
    except LanguageError as error:
        raise error.moved(where=where) from None
    if len(pieces) == 1 and not isinstance(pieces[0], str):
        return names.filled(pieces[0], in_text=False)
    parts = [piece if isinstance(piece, str) else names.filled(piece, in_text=True) for piece in pieces]
    constant = "".join(part for part in parts if isinstance(part, str))
    return _Constant(constant) if len(parts) < 2 else _text(parts)


def _object(parts: Mapping[str, _Part]) -> _Part:
    # Every key is there from the start, so that a copy keeps the order of the template.
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


def _array(parts: Sequence[_Part]) -> _Part:
    constants = [part.value for part in parts if isinstance(part, _Constant)]
    if len(constants) == len(parts):
        return _Constant(constants)
    renders = [_as_render(part) for part in parts]

    def render(values: Values, secrets: Secrets) -> Any:
        out = [value for part in renders if (value := part(values, secrets)) is not ABSENT]
        return out or ABSENT

    return render


def _text(parts: Sequence[str | Render]) -> Render:
    def render(values: Values, secrets: Secrets) -> Any:
        out = []
        has_value = False
        for part in parts:
            if isinstance(part, str):
                out.append(part)
            elif (value := part(values, secrets)) is not ABSENT:
                has_value = True
                out.append(text_of(value))
        return "".join(out) if has_value else ABSENT

    return render


def _as_render(part: _Part) -> Render:
    if not isinstance(part, _Constant):
        return part
    constant = part.value
    return lambda values, secrets: constant
