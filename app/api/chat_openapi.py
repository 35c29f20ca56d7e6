"""The chat and model routes in the OpenAPI document. They are plain Flask views, so flask-smorest does not see them."""

from __future__ import annotations

from typing import Any

from apispec import APISpec
from marshmallow import Schema
from werkzeug.routing import Map, Rule

from app.api.chat_schemas import (
    ChatReplySchema,
    ChatRequestSchema,
    ErrorReplySchema,
    ModelListSchema,
    ModelSchema,
    PartSchema,
    SeedErrorSchema,
    SeedReplySchema,
    SeedRequestSchema,
)

_COMPONENTS: dict[str, type[Schema]] = {
    "ChatPart": PartSchema,
    "ChatRequest": ChatRequestSchema,
    "ChatReply": ChatReplySchema,
    "ChatError": ErrorReplySchema,
    "SeedRequest": SeedRequestSchema,
    "SeedReply": SeedReplySchema,
    "SeedError": SeedErrorSchema,
    "Model": ModelSchema,
    "ModelList": ModelListSchema,
}
_ERRORS = {
    "400": "The request cannot be understood; `param` or `field` names what is wrong.",
    "404": "No worker of this model is registered.",
    "413": "The body is too large.",
    "415": "The body is not application/json.",
    "502": "Every worker that was asked failed.",
    "503": "No worker may get traffic now; see Retry-After.",
    "504": "The worker did not answer in time.",
}
_HEADERS = {
    "X-Request-Id": "The id of this request, yours if you sent one.",
    "X-Rollcall-Worker": "The id of the worker that answered.",
    "X-Rollcall-Attempts": "How many workers were asked.",
    "X-Rollcall-Notice": "What of the request the worker could not be given.",
}


def document(spec: APISpec) -> None:
    """Adds the routes and their schemas. `spec` is flask-smorest's, which reads paths from Werkzeug's rules."""
    for name, schema in _COMPONENTS.items():
        spec.components.schema(name, schema=schema)
    for prefix in ("/v1", "/api/v1"):
        _add(spec, f"{prefix}/chat/completions", "post", _complete())
        _add(spec, f"{prefix}/models", "get", _read("ModelList", "Every model that may be asked.", "503"))
        name = "One model. Its name may contain slashes."
        _add(spec, f"{prefix}/models/<path:name>", "get", _read("Model", name, "404", "503"))


def _add(spec: APISpec, route: str, method: str, operation: dict[str, Any]) -> None:
    rule = Rule(route, defaults={})
    Map([rule])  # only a bound rule knows its parameters
    spec.path(rule=rule, operations={method: operation})


def _complete() -> dict[str, Any]:
    return {
        "tags": ["chat"],
        "summary": "Ask a model.",
        "description": "OpenAI's shape, or the seed's {input, model_name}: the body tells which.",
        "requestBody": {"required": True, "content": _json("ChatRequest", "SeedRequest")},
        "responses": {
            "200": {
                "description": "The answer; with `stream: true` OpenAI's chunks as server-sent events.",
                "headers": {name: _header(text) for name, text in _HEADERS.items()},
                "content": {**_json("ChatReply", "SeedReply"), "text/event-stream": {"schema": {"type": "string"}}},
            },
            **{status: _error(text) for status, text in _ERRORS.items()},
        },
    }


def _read(component: str, summary: str, *errors: str) -> dict[str, Any]:
    return {
        "tags": ["models"],
        "summary": summary,
        "responses": {
            "200": {"description": "OpenAI's object.", "content": _json(component)},
            **{status: _error(_ERRORS[status]) for status in errors},
        },
    }


def _json(*components: str) -> dict[str, Any]:
    schemas = [{"$ref": f"#/components/schemas/{name}"} for name in components]
    return {"application/json": {"schema": schemas[0] if len(schemas) == 1 else {"oneOf": schemas}}}


def _error(description: str) -> dict[str, Any]:
    return {"description": description, "content": _json("ChatError", "SeedError")}


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}
