"""The shapes of a conversation that are no list of messages: pairs of turns, or one text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.language import LanguageError, place
from app.core.template import ABSENT, Template, compile_tree

Turn = tuple[str, str]
"""A message's role (system, user, assistant) and its text."""

_PLAIN_ITEM: Mapping[str, str] = {
    "system": "{CONTENT}\n",
    "user": "User: {CONTENT}\n",
    "assistant": "Assistant: {CONTENT}\n",
    "end": "Assistant:",
}
_ROLES = ("system", "user", "assistant", "end")


def pairs(turns: Sequence[Turn]) -> list[list[str]]:
    """`[[user, assistant], …]` of the finished turns: what comes before the last user message.

    A question without an answer is paired with an empty text, and so is an answer without a question.
    """
    last = max((i for i, (role, _) in enumerate(turns) if role == "user"), default=len(turns))
    found: list[list[str]] = []
    for role, text in turns[:last]:
        if role == "user":
            found.append([text, ""])
        elif not found:
            found.append(["", text])
        else:
            found[-1][1] = f"{found[-1][1]}\n\n{text}" if found[-1][1] else text
    return found


@dataclass(frozen=True, slots=True)
class TextShape:
    """How each role's message is written into the one text."""

    parts: Mapping[str, Template]

    @property
    def has_system(self) -> bool:
        return "system" in self.parts

    def text(self, turns: Sequence[Turn], roles: Mapping[str, str]) -> str:
        written = [self._part(role, roles.get(role, role), text) for role, text in turns]
        return "".join([*written, self._part("end", roles.get("assistant", "assistant"), "")])

    def _part(self, role: str, name: str, text: str) -> str:
        part = self.parts.get(role)
        if part is None:
            return "" if role == "end" else f"{text}\n"
        rendered = part.render({"ROLE": name, "CONTENT": text}, _no_secret)
        return "" if rendered is ABSENT else str(rendered)


def compile_text_shape(item: Any) -> TextShape:
    """`item` {system, user, assistant, end}, or one text for every role. Raises LanguageError."""
    if item is None:
        item = _PLAIN_ITEM
    if isinstance(item, str):
        item = dict.fromkeys(_ROLES[:3], item)
    if not isinstance(item, Mapping) or not all(isinstance(text, str) for text in item.values()):
        raise LanguageError("with shape text, item is an object of texts for system, user, assistant and end", 0, _AT)
    for role in item:
        if role not in _ROLES:
            raise LanguageError(f"with shape text, item holds only {', '.join(_ROLES)}", 0, place(_AT, role))
    if "user" not in item:
        raise LanguageError("with shape text, item must say how a user's message is written", 0, _AT)
    parts = {role: compile_tree(text, place(_AT, role)) for role, text in item.items()}
    for role, part in parts.items():
        check_item(part, place(_AT, role), needs_content=role != "end")
    return TextShape(parts)


_AT = "messages.item"


def check_item(item: Template, where: str, *, needs_content: bool) -> None:
    """Raises LanguageError for placeholders that have no value in a message."""
    if needs_content and "CONTENT" not in item.placeholders:
        raise LanguageError("a message's shape must hold {CONTENT}", 0, where)
    if item.secrets or item.placeholders - {"ROLE", "CONTENT"}:
        raise LanguageError("a message's shape holds no placeholder but {ROLE} and {CONTENT}", 0, where)


def _no_secret(kind: str, name: str) -> str:
    raise LookupError(f"messages.item holds no secrets, so {kind}:{name} is refused at registration")
