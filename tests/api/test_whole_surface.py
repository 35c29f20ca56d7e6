"""Whatever is sent to whatever route of the OpenAPI document: never a 500, and what is refused changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.storage import revision
from tests.api.management import Api, management, registration
from tests.fakes import refusing_port

Strategy = st.SearchStrategy[Any]
TEXTS = st.text(max_size=8) | st.sampled_from(
    ["m", "{USER_PROMPT}", "{A", "\x00", "\ud800", "a[].b", "1", "-1", "auto"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
PLAIN: dict[str, Strategy] = {
    "string": TEXTS,
    "integer": st.integers(-1, 5) | st.integers(),
    "number": st.floats(-1, 5),
    "boolean": st.booleans(),
}
DEEPEST = 4
INSTEAD = {"model": "m", "model_name": "m", "req_url_template": "http://127.0.0.1:9/x"}
"""Words that lead further in when they are right."""


@pytest.fixture(scope="module")
def api(shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder: Path = tmp_path_factory.mktemp("var")
    with refusing_port() as port, management(shared_database, folder, ROLLCALL_HEALTH_CHECKS=False) as api:
        url = f"http://127.0.0.1:{port}/x"
        assert api.post("/api/server/register", registration(req_url_template=url)).status_code == 200
        yield api


@pytest.fixture(scope="module")
def calls(api: Api) -> Strategy:
    """Method, path and body of a request that fits the document here and there."""
    document = api.get("/openapi.json").json
    assert document is not None
    made = [
        _call(document, method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters" and not path.startswith("/api/v1")
    ]
    return st.one_of(made)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_nothing_is_a_500_and_what_is_refused_changes_nothing(api: Api, calls: Strategy, data: st.DataObject) -> None:
    method, path, query, body = data.draw(calls)
    before = _revision(api)
    answer = api.send(method, path, query_string=query, **({} if body is None else {"json": body}))
    assert answer.status_code != 500, (method, path, query, body, answer.data)
    if answer.status_code >= 400:
        assert _revision(api) == before
        assert answer.json is not None
        assert answer.headers["X-Request-Id"]


def _revision(api: Api) -> int:
    with api.rollcall.database.read() as tx:
        return revision.current(tx)


def _call(document: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> Strategy:
    parts = [part for part in re.split(r"(\{\w+\})", path) if part]
    pieces = [st.sampled_from(["1", "m", "99", "x", "%00"]) if part[0] == "{" else st.just(part) for part in parts]
    names = [each["name"] for each in operation.get("parameters", []) if each.get("in") == "query"]
    query = st.fixed_dictionaries({}, optional=dict.fromkeys(names, TEXTS.map(lambda text: text.replace("\ud800", ""))))
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    body = st.none() if content is None else _of(document, content["schema"], 0) | JSON
    return st.tuples(st.just(method), st.tuples(*pieces).map("".join), query, body)


def _of(document: dict[str, Any], schema: dict[str, Any], depth: int) -> Strategy:
    """Mostly as the schema says, so that meaning is tried and not only types."""
    if "$ref" in schema:
        return _of(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], depth)
    if depth >= DEEPEST:
        return JSON
    inner: Callable[[dict[str, Any]], Strategy] = lambda of: _of(document, of, depth + 1)  # noqa: E731
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return st.one_of([inner(each) for each in schema[several]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"]) | TEXTS
    if schema.get("type") == "array":
        return st.lists(inner(schema.get("items", {})), max_size=2)
    if schema.get("type") == "object" and "properties" in schema:
        return _object(schema, inner)
    return PLAIN.get(schema.get("type", ""), JSON)


def _object(schema: dict[str, Any], inner: Callable[[dict[str, Any]], Strategy]) -> Strategy:
    known = {
        name: st.just(INSTEAD[name]) | inner(of) if name in INSTEAD else inner(of)
        for name, of in schema["properties"].items()
    }
    needed = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: known[name] for name in needed & set(known)},
        optional={name: values for name, values in known.items() if name not in needed},
    )
