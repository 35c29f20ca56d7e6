"""What the descriptions of the plain Flask views share; flask-smorest does not see those."""

from __future__ import annotations

from typing import Any

from apispec import APISpec
from werkzeug.routing import Map, Rule

ERRORS = {
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


def add_route(spec: APISpec, route: str, method: str, operation: dict[str, Any]) -> None:
    """`spec` is flask-smorest's, which reads paths from Werkzeug's rules."""
    rule = Rule(route, defaults={})
    Map([rule])  # only a bound rule knows its parameters
    spec.path(rule=rule, operations={method: operation})


def json_content(*components: str) -> dict[str, Any]:
    """A JSON body of one of these components."""
    schemas = [{"$ref": f"#/components/schemas/{name}"} for name in components]
    return {"application/json": {"schema": schemas[0] if len(schemas) == 1 else {"oneOf": schemas}}}


def asking(
    tag: str,
    summary: str,
    description: str,
    *,
    takes: tuple[str, ...],
    gives: tuple[str, ...],
    error: tuple[str, ...],
    streams: str = "",
) -> dict[str, Any]:
    """A POST that asks a model. `streams` says what `stream: true` is answered with; empty: it cannot be asked for."""
    content = json_content(*gives)
    said = "The answer."
    if streams:
        content["text/event-stream"] = {"schema": {"type": "string"}}
        said = f"The answer; with `stream: true` {streams} as server-sent events."
    headers = {name: {"schema": {"type": "string"}, "description": text} for name, text in _HEADERS.items()}
    return {
        "tags": [tag],
        "summary": summary,
        "description": description,
        "requestBody": {"required": True, "content": json_content(*takes)},
        "responses": {
            "200": {"description": said, "headers": headers, "content": content},
            **{status: error_response(status, *error) for status in ERRORS},
        },
    }


def error_response(status: str, *components: str) -> dict[str, Any]:
    return {"description": ERRORS[status], "content": json_content(*components)}
