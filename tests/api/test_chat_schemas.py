"""The schemas of the OpenAPI document and the validation by hand judge every body alike."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from flask import Flask
from flask_smorest import Api
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError

from app.api.chat_openapi import document
from app.api.chat_schemas import (
    ChatReplySchema,
    ChatRequestSchema,
    ErrorReplySchema,
    SeedErrorSchema,
    SeedReplySchema,
    SeedRequestSchema,
)
from app.core.conversation import Reply, Usage
from app.core.dialects import openai_chat
from app.core.dialects import seed as seed_dialect
from app.core.dialects.chat import parse_chat, surface_of
from app.core.errors import InvalidRequest
from tests.core.chat_bodies import (
    BAD_MESSAGES,
    BAD_NAMES,
    BAD_OPTIONS,
    GOOD_MESSAGES,
    GOOD_OPTIONS,
    HI,
    openai,
    seed,
)

GOOD = [
    *(openai(HI, message) for message in GOOD_MESSAGES),
    *(openai(**options) for options in GOOD_OPTIONS),
    *(seed(**options) for options in GOOD_OPTIONS),
]
BAD = [
    *(openai(HI, message) for message, _ in BAD_MESSAGES),
    *(openai(**options) for options, _ in BAD_OPTIONS),
    *(seed(**options) for options, _ in BAD_OPTIONS),
    *(body for body, _ in BAD_NAMES),
]


def by_hand(body: Any) -> bool:
    try:
        parse_chat(body, "r")
    except InvalidRequest:
        return False
    return True


def by_schema(body: Any) -> bool:
    schema: Schema = ChatRequestSchema() if surface_of(body) == "openai" else SeedRequestSchema()
    return not schema.validate(body)


@pytest.mark.parametrize("body", GOOD)
def test_both_take_the_good(body: Any) -> None:
    assert (by_hand(body), by_schema(body)) == (True, True)


@pytest.mark.parametrize("body", BAD)
def test_both_refuse_the_bad(body: Any) -> None:
    assert (by_hand(body), by_schema(body)) == (False, False)


LEAVES = st.sampled_from(
    [None, True, 0, 1, 3, -1, 0.5, 1.0, 200, "", "x", "user", "text", [], {}, ["x"], [{}], {"type": "text"}]
)


@settings(deadline=None, max_examples=300)
@given(body=st.sampled_from(GOOD), data=st.data())
def test_both_judge_alike_what_one_change_makes_of_a_good_body(body: dict[str, Any], data: st.DataObject) -> None:
    changed = copy.deepcopy(body)
    node, name = data.draw(st.sampled_from(list(_places(changed))))
    if data.draw(st.booleans()):
        node[name] = data.draw(LEAVES)
    else:
        del node[name]
    if surface_of(changed) is not None:
        assert by_hand(changed) == by_schema(changed), changed


def _places(node: Any) -> Any:
    """Every (container, key) inside."""
    items = list(node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ())
    for name, inner in items:
        yield node, name
        yield from _places(inner)


def test_every_option_is_in_both() -> None:
    from app.api.chat_schemas import OptionsSchema
    from app.core.dialects.fields import OPTIONS

    assert set(OptionsSchema().fields) == set(OPTIONS)


def test_replies_and_errors_are_what_the_document_says() -> None:
    _, chat = parse_chat(openai(HI), "r")
    reply = openai_chat.reply(chat, Reply("hello", "stop", Usage(1, 2)), reply_id="x", created=1)
    error = InvalidRequest("Bad.", field="n")
    assert ChatReplySchema().validate(reply) == {}
    assert SeedReplySchema().validate(seed_dialect.reply(Reply("hello"))) == {}
    assert ErrorReplySchema().validate({"error": openai_chat.error_body(error, "r")}) == {}
    assert SeedErrorSchema().validate(seed_dialect.error_body(error, "r")) == {}


def test_a_reply_that_is_none_is_seen() -> None:
    with pytest.raises(ValidationError):
        ChatReplySchema().load({"id": "x", "object": "chat.completion", "created": 1, "model": "m"})


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_the_document_holds_every_route_and_no_loose_reference(version: str) -> None:
    app = Flask("document")
    api = Api(app, spec_kwargs={"title": "Rollcall", "version": "0", "openapi_version": version})
    document(api.spec)
    found = api.spec.to_dict()
    for prefix in ("/v1", "/api/v1"):
        assert "post" in found["paths"][f"{prefix}/chat/completions"]
        assert "get" in found["paths"][f"{prefix}/models"]
        one = found["paths"][f"{prefix}/models/{{name}}"]
        assert "get" in one
        assert [(parameter["name"], parameter["in"]) for parameter in one["parameters"]] == [("name", "path")]
    for reference in _references(found):
        assert reference.removeprefix("#/components/schemas/") in found["components"]["schemas"]
    required = found["components"]["schemas"]["ChatRequest"]["required"]
    assert sorted(required) == ["messages", "model"]


def _references(node: Any) -> Any:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from _references(inner)
