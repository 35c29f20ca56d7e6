"""GET /openapi.json, and GET /docs: the same as one page of plain HTML. No script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import flask_smorest
from flask import Blueprint, current_app, render_template_string

from app.api.chat_schemas import SeedErrorSchema
from app.api.key_openapi import SCOPES, with_scopes

blueprint = Blueprint("rollcall-docs", __name__)

METHODS = ("get", "post", "put", "patch", "delete")
DEEPEST = 3

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }} API</title><style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
section { border-top: 1px solid #ccc; padding: .5rem 0 1rem; } h2 code { font-size: 1.1rem; }
td, th { text-align: left; vertical-align: top; padding: .1rem 1rem .1rem 0; } .type { color: #666; }
</style></head><body>
<h1>{{ title }} {{ version }}</h1>
<p>Every route, from the schemas that check the requests. For programs: <a href="{{ document }}">{{ document }}</a>.</p>
{% for operation in operations %}<section id="{{ operation.id }}">
<h2><code>{{ operation.method }} {{ operation.path }}</code></h2>
<p>{{ operation.summary }}</p>{% if operation.description %}<p>{{ operation.description }}</p>{% endif %}
<p class="type">Key: {{ operation.scopes or "none needed" }}</p>
{% for table in operation.tables %}<h3>{{ table.title }}</h3>
<table>{% for row in table.rows %}<tr><td><code>{{ row.name }}</code>{{ " *" if row.required }}</td>
<td class="type">{{ row.type }}</td><td>{{ row.description }}</td></tr>{% endfor %}</table>{% endfor %}
</section>{% endfor %}
<p>* required</p></body></html>
"""


class ErrorSchema(SeedErrorSchema):
    """Named apart: flask-smorest describes its default error before any other schema has a name."""


class Api(flask_smorest.Api):  # type: ignore[misc]
    """flask-smorest without its error shape and handlers: ours are in errors.py."""

    ERROR_SCHEMA = ErrorSchema

    def _register_error_handlers(self) -> None:
        """Those of an application that embeds us are none of our business."""


@blueprint.get("/openapi.json")
def openapi() -> dict[str, Any]:
    # the Api of our own blueprints: an application that embeds us may have others
    api = current_app.extensions["flask-smorest"]["blp_name_to_api"]["rollcall-register"]
    document: dict[str, Any] = api.spec.to_dict()
    return with_scopes(document)


@blueprint.get("/docs")
def docs() -> str:
    document = openapi()
    return render_template_string(
        PAGE,
        title=document["info"]["title"],
        version=document["info"]["version"],
        document="/openapi.json",
        operations=list(_operations(document)),
    )


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                operation = item[method]
                parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
                yield {
                    "id": f"{method}{path}",
                    "method": method.upper(),
                    "path": path,
                    "summary": operation.get("summary", ""),
                    "description": operation.get("description", ""),
                    "scopes": " or ".join(operation[SCOPES]),
                    "tables": list(_tables(document, parameters, operation)),
                }


def _tables(document: Mapping[str, Any], parameters: Any, operation: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if parameters:
        rows = [_row(one["name"], one["schema"] | one, one.get("required", False)) for one in parameters]
        yield {"title": "Parameters", "rows": rows}
    if "requestBody" in operation:
        yield {"title": "Request body", "rows": list(_body_rows(document, operation["requestBody"]))}
    for status, response in operation.get("responses", {}).items():
        if status != "default" and "content" in response:
            yield {"title": f"{status} {response.get('description', '')}", "rows": list(_body_rows(document, response))}


def _body_rows(document: Mapping[str, Any], body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for content in body["content"].values():
        yield from _schema_rows(document, content.get("schema", {}))


def _schema_rows(document: Mapping[str, Any], schema: Mapping[str, Any], prefix: str = "") -> Iterator[dict[str, Any]]:
    schema = _resolved(document, schema)
    for one in schema.get("oneOf", ()):
        yield from _schema_rows(document, one, prefix)
    for name, part in schema.get("properties", {}).items():
        part = _resolved(document, part)
        yield _row(prefix + name, part, name in schema.get("required", ()))
        if prefix.count(".") < DEEPEST:
            mark = "[]" if "items" in part else ""
            yield from _schema_rows(document, part.get("items", part), f"{prefix}{name}{mark}.")


def _row(name: str, part: Mapping[str, Any], required: bool) -> dict[str, Any]:
    kinds = part.get("enum") or part.get("type", "any")
    text = " | ".join(str(kind) for kind in kinds) if isinstance(kinds, list) else str(kinds)
    return {"name": name, "type": text, "description": part.get("description", ""), "required": required}


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema or "allOf" in schema:
        schema = schema["allOf"][0] if "allOf" in schema else _pointed(document, schema["$ref"])
    return schema


def _pointed(document: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    node: Any = document
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    found: Mapping[str, Any] = node
    return found
