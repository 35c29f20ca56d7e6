"""JSON of the views that return dictionaries: names in the order of their schemas, text that people can read."""

from __future__ import annotations

from typing import Any

from flask.json.provider import DefaultJSONProvider

from app.core.json_text import json_bytes


class JsonProvider(DefaultJSONProvider):
    def dumps(self, obj: Any, **_: Any) -> str:
        return json_bytes(obj).decode()
