"""Presets: registrations that ship as data, and what it means to lay a caller's own words over one. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.core.errors import InvalidField
from app.core.headers import merged
from app.core.moved import moved_registration

REFERENCE = re.compile(r"\$\{(?:env|secret):[^}]*\}")

# A condition or the shape of a message is one thought: half of it and half of another would mean neither.
_WHOLE = frozenset(("error", "retry_when", "when", "done_when", "failed_when", "expect", "item", "retry"))


@dataclass(frozen=True, slots=True)
class Preset:
    """`registration` is an ordinary one. `key`: headers for those whose system may, but need not, ask for a key.

    `generic`: no system of its own but the dialect of many, so of several that fit a call equally well it is named.
    """

    name: str
    summary: str
    task: str
    source: str
    date: str
    registration: Mapping[str, Any]
    key: Mapping[str, str]
    generic: bool = False

    def with_key(self, key: str) -> Preset:
        """`key` is env:NAME, or the key itself; it stands where the registration reads one from the environment.

        Raises InvalidField when there is no such place, or more than one.
        """
        text = f"${{{key}}}" if re.fullmatch(r"(?:env|secret):[A-Za-z_][A-Za-z0-9_]*", key) else key
        words = self.registration
        names = sorted(references(words))
        if not names and self.key:
            words = {**words, "header": merged(words.get("header") or {}, self.key)}
            names = sorted(references(self.key))
        if len(names) != 1:
            why = f"reads {len(names)} secrets: {', '.join(names)}; name them in header, auth or body" if names else ""
            raise InvalidField(f"The preset {self.name} {why or 'has no place for a key; add a header'}.", field="key")
        return replace(self, registration=_substituted(words, names[0], text))

    def under(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The preset's registration with `given` laid over it; a URL in `given` moves the preset's others along."""
        words = dict(self.registration)
        if isinstance(url := given.get("req_url_template"), str) and url:
            words = moved_registration(words, url)
            given = {word: value for word, value in given.items() if word != "req_url_template"}
        if isinstance(header := given.get("header"), Mapping):
            words = _with_header(words, header)
        return laid_over(words, given)


def parse_preset(name: str, raw: Mapping[str, Any]) -> Preset:
    return Preset(name, **{"key": {}, **raw})


def laid_over(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Objects are laid over each other member by member; conditions, lists and everything else replace."""
    return {**under, **{word: _one_over(word, under.get(word), value) for word, value in over.items()}}


def _one_over(word: str, under: Any, over: Any) -> Any:
    if word in _WHOLE or not isinstance(under, Mapping) or not isinstance(over, Mapping):
        return over
    return merged(under, over) if word == "header" else laid_over(under, over)


def references(node: Any) -> set[str]:
    """Every ${env:NAME} in a tree, as it stands there."""
    if isinstance(node, str):
        return set(REFERENCE.findall(node))
    members = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    return {name for member in members for name in references(member)}


def _substituted(node: Any, old: str, new: str) -> Any:
    if isinstance(node, str):
        return node.replace(old, new)
    if isinstance(node, Mapping):
        return {key: _substituted(value, old, new) for key, value in node.items()}
    return [_substituted(item, old, new) for item in node] if isinstance(node, list) else node


def _with_header(words: dict[str, Any], header: Mapping[str, Any]) -> dict[str, Any]:
    """A header that is given anew is new in every block that repeats the preset's own value of it."""
    own = {name.lower(): value for name, value in (words.get("header") or {}).items()}
    new = {name.lower(): value for name, value in header.items() if name.lower() in own}

    def follow(node: Any) -> Any:
        if not isinstance(node, Mapping):
            return node
        return {key: renewed(value) if key == "header" else follow(value) for key, value in node.items()}

    def renewed(block: Any) -> Any:
        if not isinstance(block, Mapping):
            return block
        return {
            name: new[name.lower()] if name.lower() in new and value == own[name.lower()] else value
            for name, value in block.items()
        }

    blocks = ("stream", "job", "health")
    return {word: follow(value) if word in blocks else value for word, value in words.items()}
