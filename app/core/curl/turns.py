"""A conversation as an example shows it: the shape of one turn, and what its roles are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.core.curl.guesses import Place, leaves, put

_USERS = frozenset(("user", "human"))
_ASSISTANTS = frozenset(("assistant", "model", "bot", "chatbot", "ai", "gpt"))
_USUAL_KEYS = frozenset(("role", "content", "name"))
_USUAL_ROLES = frozenset(("system", "developer", "user", "assistant", "tool"))


def turns_plan(turns: list[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The `messages` block; None where turns are {role, content} with the usual roles, which needs none."""
    said = [str(turn.get("role", "")) for turn in turns]
    turn = next((turn for turn in reversed(turns) if str(turn.get("role", "")).lower() in _USERS), turns[-1])
    roles = _roles(said, turn)
    if turn.keys() <= _USUAL_KEYS and not roles and _is_usual(turn.get("content")):
        return None
    plan: dict[str, Any] = {"system": "first_user", "item": _item(turn)}
    return {**plan, "roles": roles} if roles else plan


def _is_usual(content: Any) -> bool:
    """A text, or typed parts: what a caller sends passes as it came."""
    if isinstance(content, list):
        return all(isinstance(part, Mapping) and "type" in part for part in content)
    return isinstance(content, str)


def _roles(said: list[str], turn: Mapping[str, Any]) -> dict[str, str]:
    """Roles by another name. A conversation of `parts` that shows no answer calls whoever answers the model."""
    roles = {}
    for role in said:
        if role.lower() in _USERS and role != "user":
            roles["user"] = role
        if role.lower() in _ASSISTANTS and role != "assistant":
            roles["assistant"] = role
    if "parts" in turn and "assistant" not in said:
        roles.setdefault("assistant", "model")
    return roles


def _item(turn: Mapping[str, Any]) -> dict[str, Any]:
    item = {"role": "{ROLE}", **{key: value for key, value in turn.items() if key != "role"}}
    texts = [at for at, node in leaves(turn) if isinstance(node, str) and at != ("role",)]
    best = next((at for at in reversed(texts) if at[-1] in ("text", "content", "message", "value")), None)
    at: Place = best or (texts[-1] if texts else ("content",))
    shape: dict[str, Any] = _only_part(put({**item, "content": item.get("content", "")}, at, "{CONTENT}"), at)
    return {key: value for key, value in shape.items() if key in item or key == at[0]}


def _only_part(item: Any, at: Place) -> Any:
    """Lists of parts keep the one with the text."""
    if not at:
        return item
    if isinstance(item, list) and isinstance(at[0], int):
        return [_only_part(item[at[0]], at[1:])]
    return {**item, at[0]: _only_part(item[at[0]], at[1:])}
