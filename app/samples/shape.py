"""What a toy service's wire shape has to bring, so that one small HTTP server can speak any of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

Body = Mapping[str, Any]


class BadCall(Exception):
    """The request makes no sense in this shape; the message says why."""


class Shape(Protocol):
    path: str

    def answer(self, name: str, body: Body) -> Body:
        """The whole reply as one JSON object; raises BadCall."""

    def stream(self, name: str, body: Body) -> Iterator[bytes] | None:
        """The reply as server-sent events, or None when the body asks for no stream; raises BadCall."""

    def error(self, message: str) -> Body:
        """A failure as this shape reports it."""
