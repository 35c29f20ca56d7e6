"""Both shapes of a chat request → one ChatRequest. The shape of the body tells them apart, not the route."""

from __future__ import annotations

from typing import Any, Literal

from app.core.conversation import ChatRequest
from app.core.dialects import openai_chat, seed
from app.core.errors import InvalidRequest

Surface = Literal["seed", "openai"]

_BOTH_SHAPES = (
    "The body must be an object of one of two shapes: "
    '{"model": "NAME", "messages": [{"role": "user", "content": "…"}]} '
    'as with OpenAI, or {"model_name": "NAME", "input": "…"}.'
)


def surface_of(body: Any) -> Surface | None:
    """`messages` wins where both are there. None: the body is of neither shape."""
    if not isinstance(body, dict):
        return None
    if "messages" in body:
        return "openai"
    return "seed" if "input" in body or "model_name" in body else None


def parse_chat(body: Any, request_id: str) -> tuple[Surface, ChatRequest]:
    """Raises InvalidRequest with the field at fault. `body` is never changed."""
    surface = surface_of(body)
    if surface == "openai":
        return surface, openai_chat.parse(body, request_id)
    if surface == "seed":
        return surface, seed.parse(body, request_id)
    raise InvalidRequest(_BOTH_SHAPES, field="messages" if isinstance(body, dict) else None)
