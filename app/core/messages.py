"""A conversation in the shape that a worker's registration asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from app.core.conversation import JsonObject
from app.core.shapes import TextShape, Turn, check_item, compile_text_shape, pairs
from app.core.template import ABSENT, Template, compile_tree

SystemPlace = Literal["inline", "separate", "first_user", "drop"]
Shape = Literal["list", "pairs", "text"]
_SYSTEM_ROLES = ("system", "developer")
_TEXT_PARTS = frozenset({"text", "input_text", "output_text", "refusal"})


@dataclass(frozen=True, slots=True)
class MessagePlan:
    """The `messages` block. `verbatim`: an OpenAI-shaped worker gets what the caller sent beside what the plan moves.

    For all others a message is its role and text, and `developer` is `system`.
    """

    system: SystemPlace
    roles: Mapping[str, str]
    item: Template | None
    verbatim: bool
    shape: Shape = "list"
    text: TextShape | None = None

    @property
    def leads(self) -> bool:
        """System text goes in front of the first user message, also where the shape has no place for a message."""
        homeless = self.shape == "pairs" or (self.text is not None and not self.text.has_system)
        return self.system == "first_user" or (self.system == "inline" and homeless)

    def messages(self, messages: Sequence[JsonObject]) -> list[Any] | str:
        """The value of {MESSAGES}."""
        if self.verbatim and self.system == "inline" and not self.roles:
            return list(messages)
        stays = self.system == "inline" and not self.leads
        kept = messages if stays else [m for m in messages if m.get("role") not in _SYSTEM_ROLES]
        if self.leads and (lead := system_text(messages)):
            kept = _with_lead(kept, lead)
        if self.shape == "pairs":
            return pairs(_turns(kept))
        if self.text is not None:
            return self.text.text(_turns(kept), self.roles)
        shaped = (self._shaped(message) for message in kept)
        return [message for message in shaped if message is not ABSENT]

    def user_prompt(self, messages: Sequence[JsonObject]) -> str | None:
        """The value of {USER_PROMPT}: text of the last user message; None when there is none."""
        asked = [message for message in messages if message.get("role") == "user"]
        if not asked:
            return None
        prompt = text_of_content(asked[-1].get("content"))
        lead = system_text(messages) if self.leads and len(asked) == 1 else None
        return f"{lead}\n\n{prompt}" if lead else prompt

    def system_prompt(self, messages: Sequence[JsonObject]) -> str | None:
        """The value of {SYSTEM_PROMPT}; None when it has none."""
        return system_text(messages) if self.system == "separate" else None

    def _shaped(self, message: JsonObject) -> Any:
        if self.verbatim:
            told = message.get("role")
            return {**message, "role": self.roles.get(str(told), told)}
        role = _role(message)
        values = {"ROLE": self.roles.get(role, role), "CONTENT": text_of_content(message.get("content"))}
        if self.item is None:
            return {"role": values["ROLE"], "content": values["CONTENT"]}
        return self.item.render(values, _no_secret)


def compile_messages(block: Mapping[str, Any] | None, *, verbatim: bool) -> MessagePlan:
    """Raises LanguageError."""
    block = block or {}
    item = block.get("item")
    shape: Shape = block.get("shape") or "list"
    one = None
    if item is not None and shape == "list":
        one = compile_tree(item, "messages.item")
        check_item(one, "messages.item", needs_content=True)
    return MessagePlan(
        system=block.get("system") or "inline",
        roles=dict(block.get("roles") or {}),
        item=one,
        verbatim=verbatim,
        shape=shape,
        text=compile_text_shape(item) if shape == "text" else None,
    )


def _turns(messages: Sequence[JsonObject]) -> list[Turn]:
    return [(_role(message), text_of_content(message.get("content"))) for message in messages]


def _role(message: JsonObject) -> str:
    role = message.get("role")
    return "system" if role == "developer" else str(role)


def text_of_content(content: Any) -> str:
    """Text of a message's content: a string, or the text parts of a list joined."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "".join(_part_text(part) for part in content if isinstance(part, dict))


def _part_text(part: Mapping[str, Any]) -> str:
    text = part.get("refusal" if part.get("type") == "refusal" else "text")
    return text if isinstance(text, str) and part.get("type") in _TEXT_PARTS else ""


def system_text(messages: Sequence[JsonObject]) -> str | None:
    """Text of all system and developer messages, a blank line between them; None when there is none."""
    texts = [text_of_content(m.get("content")) for m in messages if m.get("role") in _SYSTEM_ROLES]
    return "\n\n".join(text for text in texts if text) or None


def single_input(given: Any) -> str | None:
    """The text of an embedding's input where it is one text, alone or in a list."""
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    return given if isinstance(given, str) else None


def beyond_text(messages: Sequence[JsonObject]) -> str | None:
    """The place of the first thing that text cannot carry, such as `messages[1].content[0]`, or None."""
    for i, message in enumerate(messages):
        for word in ("tool_calls", "function_call", "audio"):
            if message.get(word):
                return f"messages[{i}].{word}"
        if message.get("role") in ("tool", "function"):
            return f"messages[{i}].role"
        content = message.get("content")
        for j, part in enumerate(content if isinstance(content, list) else ()):
            if not isinstance(part, dict) or part.get("type") not in _TEXT_PARTS:
                return f"messages[{i}].content[{j}]"
    return None


def _with_lead(messages: Sequence[JsonObject], lead: str) -> list[JsonObject]:
    """`lead` put in front of the first user message with a blank line."""
    led = list(messages)
    for i, message in enumerate(led):
        if message.get("role") == "user":
            content = message.get("content")
            parts = [{"type": "text", "text": f"{lead}\n\n"}, *content] if isinstance(content, list) else None
            led[i] = {**message, "content": parts or f"{lead}\n\n{text_of_content(content)}"}
            break
    return led


def _no_secret(kind: str, name: str) -> NoReturn:
    raise LookupError(f"messages.item holds no secrets, so {kind}:{name} is refused at registration")
