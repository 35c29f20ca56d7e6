"""Both request shapes → one ChatRequest; every wrong type is refused by the name of its field."""

from __future__ import annotations

from typing import Any

import pytest

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


def test_openai_shape() -> None:
    body = openai({"role": "system", "content": "be brief"}, HI, stream=True, top_k=5)
    surface, chat = parse_chat(body, "r-1")
    assert surface == "openai"
    assert (chat.model, chat.stream, chat.request_id) == ("m", True, "r-1")
    assert chat.messages == tuple(body["messages"])
    assert chat.body is body


def test_seed_shape_is_one_user_message() -> None:
    surface, chat = parse_chat(seed(temperature=0.5), "r-1")
    assert surface == "seed"
    assert chat.messages == ({"role": "user", "content": "hi"},)
    assert (chat.model, chat.stream) == ("m", False)
    assert chat.body["temperature"] == 0.5


@pytest.mark.parametrize("stream", [None, False])
def test_stream_is_off_unless_true(stream: Any) -> None:
    assert parse_chat(openai(stream=stream), "r")[1].stream is False


def test_messages_win_over_input() -> None:
    body = openai(input="other", model_name="other")
    assert surface_of(body) == "openai"
    assert parse_chat(body, "r")[1].model == "m"


@pytest.mark.parametrize("body", [{}, {"model": "m"}, {"prompt": "hi"}])
def test_neither_shape_is_told_both(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_chat(body, "r")
    assert "messages" in caught.value.message
    assert "model_name" in caught.value.message
    assert caught.value.field == "messages"


@pytest.mark.parametrize("body", [None, [], "hi", 3, True])
def test_a_body_that_is_no_object(body: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_chat(body, "r")
    assert "object" in caught.value.message


@pytest.mark.parametrize("message", GOOD_MESSAGES)
def test_good_messages(message: Any) -> None:
    assert parse_chat(openai(HI, message), "r")[1].messages[1] == message


@pytest.mark.parametrize(("message", "field"), BAD_MESSAGES)
def test_bad_messages_are_named(message: Any, field: str) -> None:
    assert refusal_of(openai(HI, message)).field == field


@pytest.mark.parametrize("shape", [openai, seed])
@pytest.mark.parametrize("options", GOOD_OPTIONS)
def test_good_options_in_both_shapes(shape: Any, options: dict[str, Any]) -> None:
    assert parse_chat(shape(**options), "r")[1].body == shape(**options)


@pytest.mark.parametrize("shape", [openai, seed])
@pytest.mark.parametrize(("options", "field"), [*BAD_OPTIONS, ({"temperature": 10**400}, "temperature")])
def test_bad_options_are_named_in_both_shapes(shape: Any, options: dict[str, Any], field: str) -> None:
    error = refusal_of(shape(**options))
    assert error.field == field
    assert field in error.message
    assert len(error.message) < 300


@pytest.mark.parametrize(("body", "field"), BAD_NAMES)
def test_names_and_prompts(body: dict[str, Any], field: str) -> None:
    error = refusal_of(body)
    assert error.field == field
    assert (error.status, error.type) == (400, "invalid_request_error")


def refusal_of(body: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse_chat(body, "r")
    return caught.value


def test_empty_lists_and_objects_are_called_so() -> None:
    with pytest.raises(InvalidRequest, match="not an empty list"):
        parse_chat({"model": "m", "messages": []}, "r")
    with pytest.raises(InvalidRequest, match="not an empty object"):
        parse_chat({"model": {}, "messages": [{"role": "user", "content": "hi"}]}, "r")
