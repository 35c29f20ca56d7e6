"""Marshmallow fields that take JSON for what it is: "3" is no number, 1 is no boolean, true is no integer."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, pre_load

MAX_NAME = 200
NAMES_WITH_A_HINT = 5

_GENERAL: dict[str, Any] = {
    "required": "is required",
    "null": "must not be null; leave it out instead",
    "validator_failed": "has a value that is not allowed",
}


class Text(fields.String):
    """Without NUL, which PostgreSQL cannot compare with anything; the bodies' parser refuses it everywhere."""

    default_error_messages = {**_GENERAL, "invalid": "must be a text", "nul": "holds a NUL character; remove it"}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, *args, **kwargs)
        if "\x00" in text:
            raise self.make_error("nul")
        return text


class Flag(fields.Boolean):
    default_error_messages = {**_GENERAL, "invalid": "must be true or false, without quotes"}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Whole(fields.Integer):
    """An integer of JSON; in a query string (`text=True`) its digits."""

    default_error_messages = {**_GENERAL, "invalid": "must be a whole number, without quotes"}

    def __init__(self, *, text: bool = False, **kwargs: Any) -> None:
        super().__init__(strict=not text, **kwargs)


class Number(fields.Float):
    default_error_messages = {**_GENERAL, "invalid": "must be a number, without quotes", "special": "must be finite"}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid")
        if not math.isfinite(value):
            raise self.make_error("special")
        return value


class Tree(fields.Dict):
    """An object of any JSON, kept as it is."""

    default_error_messages = {**_GENERAL, "invalid": "must be an object"}


def _texts_only(tree: Mapping[str, Any]) -> None:
    wrong = {name: ["must be a text"] for name, text in tree.items() if not isinstance(text, str)}
    if wrong:
        raise ValidationError(wrong)


class Headers(Tree):
    """An object of texts."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=_texts_only, **kwargs)


class Json(fields.Raw):
    default_error_messages = _GENERAL


class Condition(Json):
    """An object, or a list of objects."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        parts = value if isinstance(value, list) else [value]
        if not parts or not all(isinstance(part, Mapping) for part in parts):
            raise ValidationError("must be an object like {path: value}, or a list of such objects")
        return value


class PathOrPaths(Json):
    """A path, or a list of paths."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        parts = value if isinstance(value, list) else [value]
        if not parts or not all(isinstance(part, str) for part in parts):
            raise ValidationError("must be a path, or a list of paths that are summed")
        return value


class Texts(fields.List[Any]):
    default_error_messages = {**_GENERAL, "invalid": "must be a list"}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Text(), **kwargs)


class Block(fields.Nested):
    default_error_messages = {**_GENERAL, "type": "must be an object"}


class Closed(Schema):
    """An object that refuses every name it does not know, with the nearest one it does."""

    class Meta:
        unknown = RAISE

    @pre_load
    def refuse_unknown_names(self, data: Any, **_: Any) -> Any:
        if not isinstance(data, Mapping):
            raise ValidationError("must be an object")
        known = {field.data_key or here for here, field in self.fields.items()}
        unknown = [name for name in data if name not in known]
        if unknown:
            # a body of 2 MB holds a hundred thousand names: only the first are worth a search for the nearest
            named = {name: [self._not_known(name)] for name in unknown[:NAMES_WITH_A_HINT]}
            raise ValidationError(dict.fromkeys(unknown, ["is not known"]) | named)
        return data

    def _not_known(self, name: str) -> str:
        known = [field.data_key or here for here, field in self.fields.items()]
        near = difflib.get_close_matches(name[:MAX_NAME], known, n=1)
        return f"is not known; did you mean {near[0]}?" if near else f"is not known; known: {', '.join(known)}"
