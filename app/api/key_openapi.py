"""What the OpenAPI document says of keys: for each operation which scope opens it, from the table that checks it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from app.api.scopes import NEEDED, OPEN, STEERING

SCOPES: Final = "x-rollcall-scopes"
"""Any one of these will do; [] means no key. (OpenAPI 3.0 has scopes for OAuth alone.)"""

_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer KEY"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}
_REFUSALS: Final = {
    "401": "No API key came with the request, or none that counts.",
    "403": "The API key has not got the scope, or may not ask this model.",
    "429": "The API key made too many requests, or a worker throttles; see Retry-After.",
}
_METHODS: Final = ("get", "post", "put", "patch", "delete")


def with_scopes(document: dict[str, Any]) -> dict[str, Any]:
    """The same document, changed in place; doing it twice does nothing."""
    document.setdefault("components", {})["securitySchemes"] = _SCHEMES
    needed = {(method, _path(rule)): scopes for (method, rule), scopes in NEEDED.items()}
    for path, method, operation in _operations(document):
        is_open = path in OPEN
        operation[SCOPES] = [] if is_open else list(needed.get((method, _short(path)), STEERING))
        operation["security"] = [] if is_open else [{name: []} for name in _SCHEMES]
        if not is_open:
            shape = _error_shape(operation)
            for status, description in _REFUSALS.items():
                operation["responses"].setdefault(status, {"description": description, **shape})
    return document


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield path, method.upper(), item[method]


def _error_shape(operation: dict[str, Any]) -> dict[str, Any]:
    """As its other errors."""
    for status, response in operation["responses"].items():
        if status[:1] in "45" and "content" in response:
            return {"content": response["content"]}
    return {}


def _path(rule: str) -> str:
    return re.sub(r"<(?:[a-z]+:)?([a-z_]+)>", r"{\1}", rule)


def _short(path: str) -> str:
    return path.removeprefix("/api") if path.startswith("/api/v1/") else path
