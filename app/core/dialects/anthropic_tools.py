"""Anthropic's `tools` and `tool_choice` in OpenAI's words."""

from __future__ import annotations

from typing import Any

from app.core.conversation import JsonObject
from app.core.dialects.fields import check_object, check_objects, check_text, refused
from app.core.errors import InvalidRequest

_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def tool_options(body: JsonObject) -> dict[str, Any]:
    """`tools`, `tool_choice` and `parallel_tool_calls`, as far as the caller says them. Raises InvalidRequest."""
    tools, choice = body.get("tools"), body.get("tool_choice")
    if choice is not None:
        check_object("tool_choice", choice)
    if not tools:
        if tools is not None:
            check_objects("tools", tools)
        return {}
    check_objects("tools", tools)
    options: dict[str, Any] = {"tools": [_tool(f"tools[{index}]", tool) for index, tool in enumerate(tools)]}
    if choice is not None:
        options["tool_choice"] = _choice(choice)
        if choice.get("disable_parallel_tool_use") is True:
            options["parallel_tool_calls"] = False
    return options


def _tool(place: str, tool: JsonObject) -> dict[str, Any]:
    kind = tool.get("type")
    if kind not in (None, "custom"):
        shown = str(kind)[:80]
        message = f"{place} is of type {shown!r}, which only its maker's own service knows; give it an input_schema."
        raise InvalidRequest(message, field=f"{place}.type")
    check_text(f"{place}.name", tool.get("name"))
    check_object(f"{place}.input_schema", tool.get("input_schema"))
    function = {"name": tool["name"], "parameters": tool["input_schema"]}
    for name in ("description", "strict"):
        if tool.get(name) is not None:
            function[name] = tool[name]
    return {"type": "function", "function": function}


def _choice(choice: JsonObject) -> Any:
    kind = choice.get("type")
    if kind == "tool":
        check_text("tool_choice.name", choice.get("name"))
        return {"type": "function", "function": {"name": choice["name"]}}
    if not isinstance(kind, str) or kind not in _CHOICES:
        raise refused("tool_choice.type", "one of auto, any, tool, none", kind)
    return _CHOICES[kind]
