"""Which of a caller's fields reach a worker: by its placeholders, or as they came where the worker is OpenAI-shaped."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.core.conversation import ChatRequest, JsonObject
from app.core.limits import Bounds, Limits
from app.core.messages import beyond_text, single_input, system_text

MAX_TOKENS = frozenset({"max_tokens", "max_completion_tokens"})
CONVERSATION_NOTICE = "conversation not carried, only the last user message"
# The router's own: what they mean to a worker is decided by its registration.
NEVER_CARRIED = frozenset({"model", "model_name", "messages", "input", "prompt", "stream", "stream_options"})
_FIELDS = {
    "MODEL_TEMPERATURE": frozenset({"temperature"}),
    "MAX_TOKENS": MAX_TOKENS,
    "WIDTH": frozenset({"size", "width"}),
    "HEIGHT": frozenset({"size", "height"}),
    **dict.fromkeys(
        ("USER_PROMPT", "MESSAGES", "SYSTEM_PROMPT", "INPUT", "MODEL_NAME", "STREAM", "REQUEST_ID", "REQUEST"),
        frozenset[str](),
    ),
}
# How Rollcall hands out a result, and how often it asks for one: not the worker's business.
_NEVER_CARRIED_MEDIA = frozenset({"n", "response_format", "encoding_format", "metadata"})
_FIRST_MEMBER = re.compile(r'\s*"?([^."\[\]|]+)')
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_MAX_NAMED = 20

# Fields that change what an answer is, with the test for a value that asks for nothing.
_MUST_BE_CARRIED: Mapping[str, Callable[[Any], bool]] = {
    "tools": lambda value: value == [],
    "functions": lambda value: value == [],
    "tool_choice": lambda value: value == "none",
    "function_call": lambda value: value == "none",
    "response_format": lambda value: isinstance(value, dict) and value.get("type") == "text",
    "logprobs": lambda value: value is False,
    "top_logprobs": lambda value: value == 0,
    "modalities": lambda value: value == ["text"],
    "audio": lambda value: False,
    "n": lambda value: value == 1,
}


@dataclass(frozen=True, slots=True)
class Carried:
    """What a template takes from a caller's request."""

    names: frozenset[str]
    fields: frozenset[str]
    whole: bool
    """{REQUEST} stands in it, the body as it came."""

    @property
    def conversation(self) -> bool:
        return self.whole or "messages" in self.fields or not self.names.isdisjoint({"MESSAGES", "SYSTEM_PROMPT"})

    def unsupported(self, request: ChatRequest) -> str | None:
        """The first field of a request that a worker which speaks only text cannot be given; None: all can."""
        if request.task != "text":
            return self._unsupported_input(request) if request.task == "embedding" else self._unsupported_file(request)
        for field, asks_nothing in _MUST_BE_CARRIED.items():
            value = request.body.get(field)
            if value is not None and not asks_nothing(value) and not self._takes(field):
                return field
        if self.whole or "messages" in self.fields:
            return None
        if "USER_PROMPT" in self.names and not any(m.get("role") == "user" for m in request.messages):
            return "messages"
        return beyond_text(request.messages)

    def _unsupported_input(self, request: ChatRequest) -> str | None:
        """One text fits where a prompt stands; several texts, or tokens, only where the input stands as it came."""
        takes_all = "INPUT" in self.names or self._takes("input")
        return None if takes_all or single_input(request.body.get("input")) is not None else "input"

    def _unsupported_file(self, request: ChatRequest) -> str | None:
        """A picture that came along changes what is made, so it is never left out."""
        return next(
            (name for name, value in request.body.items() if _is_file(name, value) and not self._takes(name)), None
        )

    def notices(self, request: ChatRequest, *, system_leads: bool) -> tuple[str, ...]:
        """What is left out, in words for the caller. `system_leads`: system text goes in front of the first prompt."""
        said = [CONVERSATION_NOTICE] if self._loses_turns(request, system_leads) else []
        told = _MUST_BE_CARRIED if request.task == "text" else _NEVER_CARRIED_MEDIA
        left_out = [field for field in request.body if self._leaves_out(field, request.body[field], told)]
        if left_out:
            named = [field for field in left_out if _PLAIN_NAME.match(field)][:_MAX_NAMED]
            more = len(left_out) - len(named)
            said.append("not carried: " + ", ".join([*named, *([f"{more} more"] if more else [])]))
        return tuple(said)

    def _takes(self, field: str) -> bool:
        return self.whole or field in self.fields

    def _leaves_out(self, field: str, value: Any, told: Container[str]) -> bool:
        """`told`: what the caller hears of in another way."""
        return value is not None and field not in NEVER_CARRIED and field not in told and not self._takes(field)

    def _loses_turns(self, request: ChatRequest, system_leads: bool) -> bool:
        if request.task != "text" or self.whole or "messages" in self.fields or "MESSAGES" in self.names:
            return False
        spoken = [m for m in request.messages if m.get("role") not in ("system", "developer")]
        if len(spoken) > 1:
            return True
        return system_text(request.messages) is not None and "SYSTEM_PROMPT" not in self.names and not system_leads


def _is_file(name: str, value: Any) -> bool:
    return (name == "input_reference" and value is not None) or is_data_url(value)


def is_data_url(value: Any) -> bool:
    return isinstance(value, str) and value[:5].lower() == "data:" and "," in value


def carried_by(names: Iterable[str], request_paths: Iterable[str]) -> Carried:
    """`names` are a template's placeholders, `request_paths` the paths of its {REQUEST:path}."""
    names, paths = frozenset(names), [path.strip() for path in request_paths]
    fields = {match[1].strip() for path in paths for way in path.split("|") if (match := _FIRST_MEMBER.match(way))}
    for name in names:
        fields |= _FIELDS.get(name, {name.lower()})
    if fields & MAX_TOKENS:
        fields |= MAX_TOKENS
    whole = "" in paths or ("REQUEST" in names and not paths)
    return Carried(names, frozenset(fields), whole)


FieldBounds = Mapping[str, Bounds]
"""By the caller's field."""


def field_bounds(limits: Limits) -> FieldBounds:
    return {field: bounds for name, bounds in limits.items() for field in _FIELDS.get(name, {name.lower()})}


def passed_on(body: JsonObject, taken: frozenset[str], bounds: FieldBounds | None = None) -> dict[str, Any]:
    """A caller's fields that go into an OpenAI-shaped worker's body as they came, but for what limits them."""
    passed = {field: value for field, value in body.items() if field not in taken}
    if bounds:
        passed |= {field: bounds[field].clamp(passed[field]) for field in bounds.keys() & passed.keys()}
    return passed


def taken_by(carried: Carried, template_keys: Iterable[str]) -> frozenset[str]:
    """The fields that are not passed on: the router's own, those of placeholders, those that the template sets."""
    taken = NEVER_CARRIED | carried.fields | frozenset(template_keys)
    return taken | MAX_TOKENS if taken & MAX_TOKENS else taken
