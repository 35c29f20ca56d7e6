"""/openapi.json and /docs: from the schemas that check, complete, and without anything from the internet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.management import Api, management


@pytest.fixture
def api(sqlite_url: str, tmp_path: Path) -> Iterator[Api]:
    with management(sqlite_url, tmp_path) as api:
        yield api


@pytest.fixture
def document(api: Api) -> dict[str, Any]:
    answer = api.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.json is not None
    return answer.json


def test_every_route_is_described(api: Api, document: dict[str, Any]) -> None:
    described = {
        (path, method.upper()) for path, item in document["paths"].items() for method in item if method != "parameters"
    }
    for rule in api.app.url_map.iter_rules():
        path = re.sub(r"<(?:[a-z]+:)?([a-z_]+)>", r"{\1}", rule.rule)
        if rule.endpoint == "static" or path in ("/docs", "/openapi.json"):
            continue
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            assert (path, method) in described


def test_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                assert operation.get("summary"), f"{method} {path}"


def test_the_document_says_what_the_check_checks(document: dict[str, Any]) -> None:
    words = document["components"]["schemas"]["RegistrationWords"]
    assert words["required"] == ["model_name", "req_url_template"]
    assert words["properties"]["weight"]["minimum"] == 0
    assert words["properties"]["weight"]["maximum"] == 1000
    assert words["properties"]["req_type"]["enum"] == ["POST", "GET"]
    assert words["additionalProperties"] is False


def test_references_point_at_something(document: dict[str, Any]) -> None:
    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            for inner in node.values():
                yield from references(inner)
        elif isinstance(node, list):
            for inner in node:
                yield from references(inner)

    for reference in references(document):
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_a_row_has_no_field_that_the_document_does_not_know(api: Api, document: dict[str, Any]) -> None:
    api.register()
    (row,) = api.rows()
    assert set(row) <= set(document["components"]["schemas"]["WorkerRow"]["properties"])


def test_the_page_needs_nothing_from_elsewhere(api: Api) -> None:
    answer = api.get("/docs")
    assert answer.status_code == 200
    assert answer.mimetype == "text/html"
    page = answer.text
    assert "<script" not in page
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    for text in ("/api/server/register", "req_url_template", "PATCH", "next_cursor"):
        assert text in page
