"""The document of the other surfaces says what they take and give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask_smorest import Api
from marshmallow import Schema

from app.api.chat_openapi import document
from app.api.image_schemas import ImageReplySchema, ImageRequestSchema
from app.api.surface_openapi import document_surfaces
from app.api.surface_schemas import (
    EmbeddingReplySchema,
    EmbeddingRequestSchema,
    MessagesErrorSchema,
    MessagesReplySchema,
    MessagesRequestSchema,
    TextReplySchema,
    TextRequestSchema,
)
from app.core.conversation import Item, Reply, Result, Usage
from app.core.dialects import anthropic, anthropic_reply, completions, embeddings, images
from app.core.errors import InvalidRequest

HI = {"role": "user", "content": "hi"}
CALL = {"type": "tool_use", "id": "t", "name": "add", "input": {}}
TOOL = {"name": "add", "input_schema": {"type": "object"}}
Parse = Callable[[Any, str], Any]
MESSAGES: tuple[Parse, Schema, dict[str, Any]] = (
    *(anthropic.parse, MessagesRequestSchema()),
    {"model": "m", "max_tokens": 9, "messages": [HI]},
)
TEXT: tuple[Parse, Schema, dict[str, Any]] = (completions.parse, TextRequestSchema(), {"model": "m", "prompt": "p"})
EMBEDDING: tuple[Parse, Schema, dict[str, Any]] = (
    *(embeddings.parse, EmbeddingRequestSchema()),
    {"model": "m", "input": "a"},
)
IMAGE: tuple[Parse, Schema, dict[str, Any]] = (images.parse, ImageRequestSchema(), {"model": "m", "prompt": "p"})
JUDGED: list[tuple[tuple[Parse, Schema, dict[str, Any]], dict[str, Any], bool]] = [
    *((MESSAGES, options, True) for options in (
        {}, {"system": "s"}, {"system": [{"type": "text", "text": "s"}]}, {"stream": True}, {"top_k": 5},
        {"messages": [HI, {"role": "assistant", "content": [CALL]}]}, {"tools": [TOOL], "tool_choice": {"type": "any"}},
        {"stop_sequences": ["a"]}, {"metadata": {"user_id": "u"}}, {"thinking": {"type": "disabled"}, "vendor": 1},
    )),
    *((MESSAGES, options, False) for options in (
        {"model": ""}, {"max_tokens": None}, {"max_tokens": 0}, {"messages": []},
        {"messages": [{**HI, "role": "tool"}]},
        {"messages": [{"role": "user"}]}, {"system": 1}, {"stop_sequences": "a"}, {"temperature": 3}, {"tools": [{}]},
        {"stream": 1},
    )),
    *((TEXT, options, True) for options in (
        {}, {"prompt": ["p"]}, {"echo": True}, {"logprobs": 3}, {"stop": ["x"], "n": 2}, {"vendor": 1},
    )),
    *((TEXT, options, False) for options in (
        {"prompt": None}, {"prompt": []}, {"prompt": ["a", "b"]}, {"prompt": [1]}, {"echo": 1}, {"logprobs": True},
        {"logprobs": 21}, {"max_tokens": 0},
    )),
    *((EMBEDDING, options, True) for options in (
        {}, {"input": ["a"]}, {"input": [[1]]}, {"encoding_format": "base64", "dimensions": 2, "user": "u"},
    )),
    *((EMBEDDING, options, False) for options in (
        {"model": None}, {"input": None}, {"input": []}, {"encoding_format": "int8"}, {"dimensions": 0}, {"user": 1},
    )),
    *((IMAGE, options, True) for options in (
        {}, {"n": 10, "size": "1x1", "seed": -1}, {"response_format": "b64_json"}, {"stream": False, "vendor": [1]},
        dict.fromkeys(("n", "size", "seed", "quality", "response_format", "stream", "user")),
    )),
    *((IMAGE, options, False) for options in (
        {"model": None}, {"model": "x" * 201}, {"prompt": None}, {"prompt": 1}, {"n": 0}, {"n": 11}, {"n": True},
        {"size": 1}, {"seed": "1"}, {"quality": []}, {"response_format": "png"}, {"stream": True}, {"user": 1},
    )),
]  # fmt: skip


@pytest.mark.parametrize(("surface", "options", "good"), JUDGED)
def test_schema_and_hand_judge_alike(
    surface: tuple[Parse, Schema, dict[str, Any]], options: dict[str, Any], good: bool
) -> None:
    parse, schema, body = surface
    body = {**body, **options}
    try:
        parse(body, "r")
        taken = True
    except InvalidRequest:
        taken = False
    assert (taken, not schema.validate(body)) == (good, good)


def test_replies_and_errors_are_what_the_document_says() -> None:
    message = {"tool_calls": [{"id": "t", "function": {"name": "add", "arguments": "{}"}}]}
    asked = anthropic.parse(MESSAGES[2], "r")
    answer = Reply("a", None, None, {"choices": [{"message": message}]})
    assert MessagesReplySchema().validate(anthropic_reply.reply(asked, answer, reply_id="msg_1")) == {}
    assert MessagesErrorSchema().validate(anthropic_reply.error_body(InvalidRequest("Bad."), "r")) == {}
    text = completions.parse(TEXT[2], "r")
    reply = completions.reply(text, Reply("a", "stop", Usage(1, 2)), reply_id="cmpl-1", created=1)
    assert TextReplySchema().validate(reply) == {}
    for entry in ({"url": "http://h.example/1"}, {"b64_json": "aGk="}):
        beside, said = {"revised_prompt": "a"}, {"usage": {"total_tokens": 1}, "size": "1x1"}
        assert ImageReplySchema().validate(images.reply([{**entry, **beside}], said, created=1)) == {}
    for encoding in ("float", "base64"):
        embedding = embeddings.parse({**EMBEDDING[2], "encoding_format": encoding}, "r")
        assert EmbeddingReplySchema().validate(embeddings.reply(embedding, Result((Item("json", [0.5]),)))) == {}


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_the_document_holds_every_route_and_no_loose_reference(version: str) -> None:
    api = Api(Flask("document"), spec_kwargs={"title": "Rollcall", "version": "0", "openapi_version": version})
    document(api.spec)
    document_surfaces(api.spec)
    found = api.spec.to_dict()
    for prefix in ("/v1", "/api/v1"):
        for route, streams in (("messages", True), ("completions", True), ("embeddings", False)):
            content = found["paths"][f"{prefix}/{route}"]["post"]["responses"]["200"]["content"]
            assert ("text/event-stream" in content) is streams
    known = found["components"]["schemas"]
    assert all(name.removeprefix("#/components/schemas/") in known for name in _references(found))


def _references(node: Any) -> Any:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from _references(inner)
