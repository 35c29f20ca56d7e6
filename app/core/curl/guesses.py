"""What the fields of a request mean, judged by their names: the model, the limits, the prompt, the conversation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_MEANINGS = {
    "MODEL_NAME": "model modelname modelid engine",
    "STREAM": "stream streaming",
    "MAX_TOKENS": "maxtokens maxcompletiontokens maxoutputtokens maxnewtokens maxgenlen numpredict npredict",
    "MODEL_TEMPERATURE": "temperature",
    "TOP_P": "topp",
    "SEED": "seed",
    "N": "n",
    "SIZE": "size",
    "WIDTH": "width",
    "HEIGHT": "height",
    "SECONDS": "seconds duration",
    "STEPS": "steps numinferencesteps",
    "NEGATIVE_PROMPT": "negativeprompt",
    "SYSTEM_PROMPT": "system systemprompt systemmessage systeminstruction systeminstructions instructions preamble",
}
_BY_NAME = {name: meaning for meaning, names in _MEANINGS.items() for name in names.split()}
_PROMPTS = (
    *("prompt", "userprompt", "prompttext", "textprompt", "input", "inputs", "query", "question", "userinput"),
    *("message", "text", "content", "contents", "instruction", "q"),
)
_PLAIN_DEFAULT = re.compile(r"[A-Za-z0-9 .:_/+-]{1,100}\Z")
_WHOLE = re.compile(r"\{(?P<name>[A-Z][A-Z0-9_]*)(?::[^{}]*)?\}\Z")
CARRIERS = ("MESSAGES", "USER_PROMPT", "INPUT")

Place = tuple[str | int, ...]
"""Keys and positions from the top of a tree to a member."""


def meaning_of(key: str, value: Any) -> str | None:
    """The placeholder for a field of this name, when its value is one that such a field has."""
    meaning = _BY_NAME.get(re.sub(r"[^a-z0-9]", "", key.lower()))
    if meaning == "STREAM":
        return meaning if isinstance(value, bool) else None
    if meaning in ("MODEL_NAME", "NEGATIVE_PROMPT", "SIZE"):
        return meaning if isinstance(value, str) else None
    if meaning == "SYSTEM_PROMPT":
        return meaning if isinstance(value, str | dict | list) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return meaning if is_number or (isinstance(value, str) and value.isdigit()) else None


def whole_placeholder(node: Any) -> str | None:
    """The name in a text that is one placeholder and nothing else."""
    match = _WHOLE.match(node) if isinstance(node, str) else None
    return match["name"] if match else None


def with_default(name: str, value: Any) -> str:
    """The placeholder with the example's value as its default, so that a call without the field is the example."""
    if (
        isinstance(value, bool | dict | list)
        or value is None
        or name in ("MODEL_NAME", "STREAM", "SYSTEM_PROMPT", *CARRIERS)
    ):
        return f"{{{name}}}"
    text = str(value)
    return f"{{{name}:{text}}}" if _PLAIN_DEFAULT.match(text) else f"{{{name}}}"


def leaves(node: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every member that holds no other, in the order of the tree."""
    items: Any = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()
    if not isinstance(node, Mapping | list) or not node:
        yield at, node
    for key, member in items:
        yield from leaves(member, (*at, key))


def conversation_at(body: Mapping[str, Any]) -> Place | None:
    """Where a list of turns stands: objects that say who speaks, or hold parts of text."""
    level: list[tuple[Place, Any]] = [((), body)]
    while level:
        for at, node in level:
            if isinstance(node, list) and node and all(_is_turn(item) for item in node):
                return at
        level = [
            ((*at, key), member) for at, node in level if isinstance(node, Mapping) for key, member in node.items()
        ]
    return None


def _is_turn(item: Any) -> bool:
    return isinstance(item, Mapping) and ("role" in item or isinstance(item.get("parts"), list))


def prompt_at(body: Mapping[str, Any]) -> Place | None:
    """Where the prompt stands: the best name, and of equals the one nearest to the top."""
    found = []
    for at, value in leaves(body):
        name = next((str(key) for key in reversed(at) if isinstance(key, str)), "")
        plain = re.sub(r"[^a-z0-9]", "", name.lower())
        if isinstance(value, str) and plain in _PROMPTS and not whole_placeholder(value):
            found.append((_PROMPTS.index(plain), len(at), at))
    return min(found, key=lambda each: each[:2])[2] if found else None


def put(tree: Any, at: Place, value: Any) -> Any:
    """The tree with another member at that place."""
    if not at:
        return value
    key, rest = at[0], at[1:]
    if isinstance(tree, Mapping):
        return {**tree, key: put(tree[str(key)], rest, value)}
    return [put(member, rest, value) if place == key else member for place, member in enumerate(tree)]


def look(tree: Any, at: Place) -> Any:
    """The member at that place; None when there is none."""
    for key in at:
        if isinstance(tree, Mapping):
            tree = tree.get(str(key))
        elif isinstance(tree, list) and isinstance(key, int) and key < len(tree):
            tree = tree[key]
        else:
            return None
    return tree
