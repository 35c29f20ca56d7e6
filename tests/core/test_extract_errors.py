"""The text of a worker's error where the registration has no `error_extract`."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.extract import first_error_text


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        ({"error": {"message": "Model is overloaded", "type": "x"}}, "Model is overloaded"),
        ({"error": "Streaming is not supported.", "message": "no"}, "Streaming is not supported."),
        ({"message": "m", "detail": "d"}, "m"),
        ({"detail": "d", "msg": "s"}, "d"),
        ({"msg": "generate image error", "error_msg": "e"}, "generate image error"),
        ({"error_code": 110, "error_msg": "Access token invalid"}, "Access token invalid"),
        ({"code": 24, "description": "可能包含敏感词"}, "可能包含敏感词"),
        ({"error": {"code": 500}, "detail": "d"}, "d"),
        ({"error": "", "message": " \n", "detail": " d "}, "d"),
        ({"error": None, "msg": "s"}, "s"),
        ([{"error": {"message": "API key not valid"}}], "API key not valid"),
        ("bare text", "bare text"),
    ],
)
def test_the_first_usual_field_with_a_text(reply: Any, wanted: str) -> None:
    assert first_error_text(reply, "RAW") == wanted


@pytest.mark.parametrize("reply", [None, {}, [], {"error": {"code": 1}}, {"detail": [{"msg": "x"}]}, 5, False])
def test_else_the_first_200_characters_of_the_reply(reply: Any) -> None:
    assert first_error_text(reply, "<html>" + "é" * 300) == "<html>" + "é" * 194


def test_a_reply_without_its_text_is_shown_as_json() -> None:
    assert first_error_text({"code": 5}) == '{"code":5}'
    assert first_error_text(None) == ""
