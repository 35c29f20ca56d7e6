"""The body of a call as a template: after a known one, or judged from the names of its fields alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.core.curl.guesses import (
    CARRIERS,
    Place,
    conversation_at,
    leaves,
    look,
    meaning_of,
    prompt_at,
    put,
    whole_placeholder,
    with_default,
)
from app.core.curl.shell import CurlError
from app.core.curl.turns import turns_plan

Hide = Callable[[str, Any], Any]
"""(name of a field, its value) -> the value, or a reference to an environment variable where it is a secret."""
_ABSENT = object()


@dataclass
class Told:
    """`model`: what the call named. `messages`: the block of that name, where the conversation needs one."""

    template: dict[str, Any] = field(default_factory=dict)
    model: str | None = None
    messages: dict[str, Any] | None = None


def filled(body: Mapping[str, Any], known: Mapping[str, Any], stream: Mapping[str, Any], hide: Hide) -> Told:
    """The call's fields under a known template's placeholders, its own values as their defaults.

    What belongs to `stream` only, and what the call says with another field, is not said twice. A field for the model,
    which would always be sent, is not added.
    """
    told = Told()
    mine = {key: _after(told, key, value, known.get(key), hide) for key, value in body.items()}
    mine = _without(mine, stream)
    used = {name for _, node in leaves(mine) if (name := whole_placeholder(node))}
    told.template = _under(_pruned(known, used | {"MODEL_NAME"}, mine), mine)
    return told


def _after(told: Told, key: str, value: Any, known: Any, hide: Hide) -> Any:
    if name := whole_placeholder(known):
        if name == "MODEL_NAME" and isinstance(value, str):
            told.model = value
        return with_default(name, value)
    if isinstance(known, Mapping) and isinstance(value, Mapping):
        return {inner: _after(told, inner, member, known.get(inner), hide) for inner, member in value.items()}
    if known is not None:
        return known if "{" in json.dumps(known)[1:] and any(_holds_one(node) for _, node in leaves(known)) else value
    return _guess(told, key, value, hide)


def _guess(told: Told, key: str, value: Any, hide: Hide, depth: int = 0) -> Any:
    meaning = meaning_of(key, value)
    if meaning == "MODEL_NAME":
        if depth > 1 or (told.model is not None and told.model != value):
            return value
        told.model = value
    if meaning == "SYSTEM_PROMPT":
        return _system(value)
    if meaning:
        return with_default(meaning, value)
    if isinstance(value, Mapping):
        return {inner: _guess(told, inner, member, hide, depth + 1) for inner, member in value.items()}
    return hide(key, value)


def _system(value: Any) -> Any:
    texts = [at for at, node in leaves(value) if isinstance(node, str) and at[-1:] in ((), ("text",), ("content",))]
    if not texts:
        return value
    for at in texts[1:]:
        value = put(value, at, "")
    return put(value, texts[0], "{SYSTEM_PROMPT}")


def guessed(body: Mapping[str, Any], hide: Hide, carrier: str = "USER_PROMPT") -> Told:
    """By names alone. Raises CurlError when nothing looks like a prompt."""
    told = Told()
    places, told.messages = _carriers(body, carrier)
    for at, placeholder in places.items():
        body = put(body, at, placeholder)
    told.template = {key: _guess(told, key, value, hide) for key, value in body.items()}
    used = {name for _, node in leaves(told.template) if (name := whole_placeholder(node))}
    if "SYSTEM_PROMPT" in used:
        told.messages = {**(told.messages or {}), "system": "separate"}
    return told


def _carriers(body: Mapping[str, Any], carrier: str) -> tuple[dict[Place, str], dict[str, Any] | None]:
    """Where prompt and conversation go, and the `messages` block that this needs."""
    if any(_holds_one(node) for _, node in leaves(body)):
        return {}, None  # the operator wrote the placeholders already
    if (at := conversation_at(body)) is not None:
        return {at: "{MESSAGES}"}, turns_plan(look(body, at))
    at = prompt_at(body)
    if at is None:
        raise CurlError("No field of the command looks like the prompt; write {USER_PROMPT} in its place.")
    history = next((key for key, value in body.items() if key.lower() == "history" and isinstance(value, list)), None)
    if history is not None:
        return {at: "{USER_PROMPT}", (history,): "{MESSAGES}"}, {"shape": "pairs", "system": "first_user"}
    return {at: f"{{{carrier}}}"}, None


def _holds_one(node: Any) -> bool:
    return isinstance(node, str) and any(
        "{" + name in node for name in (*CARRIERS, "REQUEST:", "WIDTH", "SYSTEM_PROMPT")
    )


def _without(mine: Any, stream: Any) -> Any:
    """Without the constants that the stream block says for itself."""
    if not isinstance(mine, Mapping) or not isinstance(stream, Mapping):
        return mine
    kept = {key: value for key, value in mine.items() if key not in stream or stream[key] != value}
    return {key: _without(value, stream.get(key)) for key, value in kept.items()}


def _pruned(known: Any, used: set[str], mine: Any) -> Any:
    """A known template without the placeholders that the call's fields hold elsewhere."""
    if isinstance(known, Mapping):
        own = mine if isinstance(mine, Mapping) else {}
        members = {key: _pruned(value, used, own.get(key)) for key, value in known.items()}
        kept = {key: value for key, value in members.items() if value is not _ABSENT}
        return kept if kept or not known else _ABSENT
    if isinstance(known, list):
        items = [item for item in (_pruned(item, used, None) for item in known) if item is not _ABSENT]
        return items if items or not known else _ABSENT
    return _ABSENT if mine is None and whole_placeholder(known) in used else known


def _under(known: Any, mine: dict[str, Any]) -> dict[str, Any]:
    known = {} if known is _ABSENT else known
    laid = {
        key: _under(known[key], value) if isinstance(value, dict) and isinstance(known.get(key), dict) else value
        for key, value in mine.items()
    }
    return {**laid, **{key: value for key, value in known.items() if key not in mine}}
