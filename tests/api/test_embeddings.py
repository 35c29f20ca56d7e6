"""/v1/embeddings with the unmodified openai package."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest

from app.core import errors
from app.core.conversation import Item, Result, Usage
from tests.api.callers import ScriptedRouter, callers_app, served

ONE = [0.5, -2.0, 3]
TWO = [1.0, 0.25, 0.0]


def packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def embedded(*values: Any, **more: Any) -> ScriptedRouter:
    return ScriptedRouter(embedded=Result(tuple(Item("json", value) for value in values), **more))


@contextmanager
def client(router: ScriptedRouter, base: str = "/v1", *, strict: bool = False) -> Iterator[openai.OpenAI]:
    # Strict validation refuses base64, which the SDK asks for and unpacks by itself: only where numbers are asked for.
    with (
        served(callers_app(router)) as url,
        openai.OpenAI(base_url=url + base, api_key="none", max_retries=0, _strict_response_validation=strict) as api,
    ):
        yield api


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
@pytest.mark.parametrize("options", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}])
def test_the_sdk_reads_both_encodings(base: str, options: Any) -> None:
    router = embedded([ONE, TWO], usage=Usage(9, 0))
    with client(router, base, strict=options == {"encoding_format": "float"}) as api:
        raw = api.embeddings.with_raw_response.create(model="m", input=["a", "b"], **options)
    reply = raw.parse()
    assert (reply.object, reply.model) == ("list", "m")
    # The SDK asks for base64 where nothing is said, and unpacks that itself; what was asked for by name stays text.
    wanted: list[Any] = [packed(ONE), packed(TWO)] if options.get("encoding_format") == "base64" else [ONE, TWO]
    assert [(each.index, each.embedding) for each in reply.data] == list(enumerate(wanted))
    assert (reply.usage.prompt_tokens, reply.usage.total_tokens) == (9, 9)
    assert raw.headers["x-rollcall-worker"] == "7"
    (asked,) = router.asked
    assert (asked.task, asked.messages, dict(asked.body)) == ("embedding", (), {"model": "m", "input": ["a", "b"]})


@pytest.mark.parametrize("given", ["a", ["a"], [1, 2, 3], [[1, 2, 3]]])
@pytest.mark.parametrize(
    "values",
    [
        [ONE],
        [[ONE]],
        [packed(ONE)],
        [[packed(ONE)]],
        [{"embedding": ONE}],
        [[{"index": 0, "embedding": ONE}]],
    ],
)
def test_one_input_in_every_shape(given: Any, values: list[Any]) -> None:
    router = embedded(*values)
    with client(router) as api:
        reply = api.embeddings.create(model="m", input=given, dimensions=3, user="u")
    assert [each.embedding for each in reply.data] == [ONE]
    assert (reply.usage.prompt_tokens, reply.usage.total_tokens) == (0, 0)
    assert router.asked[0].body["input"] == given
    assert router.asked[0].body["dimensions"] == 3


MANY: list[tuple[list[Any], Any]] = [
    ([ONE, TWO], None),
    ([[ONE, TWO]], None),
    ([[{"index": 1, "embedding": TWO}, {"index": 0, "embedding": ONE}]], None),
    ([[TWO, ONE]], {"data": [{"index": 1}, {"index": 0}]}),
    ([[ONE, TWO]], {"data": [{"index": 5}, {"index": 0}]}),
    ([[ONE, TWO]], {"data": [{"index": 0}]}),
]


@pytest.mark.parametrize(("values", "raw"), MANY)
@pytest.mark.parametrize("given", [["a", "b"], [[1], [2, 3]]])
def test_many_inputs_in_their_order(values: list[Any], raw: Any, given: Any) -> None:
    with client(embedded(*values, raw=raw)) as api:
        reply = api.embeddings.create(model="m", input=given)
    assert [(each.index, each.embedding) for each in reply.data] == [(0, ONE), (1, TWO)]


WRONG: list[tuple[list[Any], str]] = [
    ([], "0 embeddings for 1 inputs"),
    ([[ONE, TWO]], "2 embeddings for 1 inputs"),
    ([[]], "no list of numbers"),
    (["not base64!"], "no list of numbers"),
    ([[1.0, None]], "no list of numbers"),
    ([[1.0, True]], "no list of numbers"),
    ([{"vector": ONE}], "no list of numbers"),
    ([[[[1.0]]]], "no list of numbers"),
    ([[1e39, 1.0]], "32 bits"),
]


@pytest.mark.parametrize(("values", "words"), WRONG)
def test_what_is_no_embedding_is_502(values: list[Any], words: str) -> None:
    body = {"model": "m", "input": "a", "encoding_format": "base64"}
    answer = callers_app(embedded(*values)).test_client().post("/v1/embeddings", json=body)
    assert answer.status_code == 502
    assert words in answer.json["error"]["message"]
    assert answer.headers["X-Rollcall-Worker"] == "7"


def test_sizes_that_differ() -> None:
    answer = (
        callers_app(embedded([ONE, [1.0]]))
        .test_client()
        .post("/v1/embeddings", json={"model": "m", "input": ["a", "b"]})
    )
    assert (answer.status_code, "sizes, 1 and 3" in answer.text) == (502, True)


def test_dimensions_that_the_model_has_not() -> None:
    with client(embedded([ONE])) as api, pytest.raises(openai.BadRequestError, match="3 dimensions") as caught:
        api.embeddings.create(model="m", input="a", dimensions=2)
    assert (caught.value.param, caught.value.code) == ("dimensions", "unsupported_by_model")


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, "model"),
    ({"input": None}, "input"),
    ({"input": []}, "input"),
    ({"input": 1}, "input"),
    ({"input": {}}, "input"),
    ({"input": ["a", 1]}, "input[1]"),
    ({"input": [1, "a"]}, "input[0]"),
    ({"input": [True]}, "input[0]"),
    ({"input": [[]]}, "input[0]"),
    ({"input": [[1], ["a"]]}, "input[1]"),
    ({"encoding_format": "int8"}, "encoding_format"),
    ({"dimensions": 0}, "dimensions"),
    ({"dimensions": 2.5}, "dimensions"),
    ({"user": 1}, "user"),
]


@pytest.mark.parametrize(("options", "field"), REFUSED)
def test_refusals_name_the_field(options: dict[str, Any], field: str) -> None:
    answer = callers_app().test_client().post("/v1/embeddings", json={"model": "m", "input": "a", **options})
    assert (answer.status_code, answer.json["error"]["param"]) == (400, field)
    assert field in answer.json["error"]["message"]


def test_a_body_that_is_no_object() -> None:
    assert callers_app().test_client().post("/v1/embeddings", json="x").status_code == 400


def test_a_model_of_another_task() -> None:
    error = errors.InvalidRequest("'m' makes text.", code="wrong_task", field="model")
    with client(ScriptedRouter(error=error)) as api, pytest.raises(openai.BadRequestError) as caught:
        api.embeddings.create(model="m", input="a")
    assert caught.value.code == "wrong_task"
