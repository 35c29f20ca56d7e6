"""How views read their arguments: JSON by edge.read_json, errors as InvalidField with a path like stream.body."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import flask
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser

from app.api.edge import read_json
from app.core.errors import InvalidField

MAX_SHOWN = 5
LONGEST_PATH = 200

View = TypeVar("View", bound=Callable[..., Any])


class Parser(FlaskParser):
    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {}
    """Empty: the schema decides about unknown names, in query strings as well."""

    def load_json(self, req: flask.Request, schema: Schema) -> Any:
        return read_json()

    def handle_error(self, error: ValidationError, *args: Any, **kwargs: Any) -> NoReturn:
        raise refusal({"": list(error.messages_dict.values())})  # without the location's name in front


if TYPE_CHECKING:
    # The library has no types: for mypy it is a Flask blueprint whose decorators give back what they are given.
    class SmorestBlueprint(flask.Blueprint):
        def __init__(self, name: str, import_name: str, *, url_prefix: str = "", description: str = "") -> None: ...

        def arguments(self, schema: type[Schema], *, location: str = "json") -> Callable[[View], View]: ...

        def response(self, status: int, schema: type[Schema]) -> Callable[[View], View]: ...

        def alt_response(self, status: int, *, schema: type[Schema], description: str) -> Callable[[View], View]: ...
else:
    from flask_smorest import Blueprint as SmorestBlueprint


class Blueprint(SmorestBlueprint):
    ARGUMENTS_PARSER = Parser()


def load(schema: Schema, data: Any) -> Any:
    """What the schema makes of a parsed JSON body; raises InvalidField."""
    try:
        return schema.load(data)
    except ValidationError as error:
        raise refusal(error.messages) from None


def refusal(messages: Any) -> InvalidField:
    """Marshmallow's tree of messages as one sentence; `field` is the first place at fault."""
    found = list(_flat(messages))
    sentences = [f"{path or 'The body'} {message}" for path, message in found[:MAX_SHOWN]]
    more = [f"and {len(found) - MAX_SHOWN} more"] if len(found) > MAX_SHOWN else []
    sentence = "; ".join(sentences + more)
    return InvalidField(sentence if sentence.endswith("?") else sentence + ".", field=found[0][0] or None)


def _flat(messages: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            yield from _flat(inner, _deeper(path, name))
    elif isinstance(messages, list):
        for inner in messages:
            yield from _flat(inner, path)
    else:
        text = str(messages).rstrip(".")
        yield path, text[:1].lower() + text[1:]


def _deeper(path: str, name: str | int) -> str:
    if name in ("_schema", ""):
        return path
    if isinstance(name, int):
        return f"{path}[{name}]"
    return f"{path}.{name}"[:LONGEST_PATH] if path else name[:LONGEST_PATH]
