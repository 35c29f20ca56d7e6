"""The toy with the seed's odd reply, data.items[].attributes.answer; it never streams."""

from __future__ import annotations

from collections.abc import Iterator

from app.samples.shape import BadCall, Body
from app.samples.words import made_up


class SeedShape:
    path = "/api/generate"

    def answer(self, name: str, body: Body) -> Body:
        prompt = body.get("input")
        if not isinstance(prompt, str):
            raise BadCall("input must be a text.")
        return {"data": {"items": [{"attributes": {"answer": "".join(made_up(name, prompt))}}]}}

    def stream(self, name: str, body: Body) -> Iterator[bytes] | None:
        return None

    def error(self, message: str) -> Body:
        return {"success": False, "msg": message}
