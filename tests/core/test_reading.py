"""A worker's whole reply → its answer, and every way in which a reply can be wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.core.conversation import Reply, Usage
from app.core.json_text import json_bytes
from tests.core.readings import (
    WHOLE,
    fault,
)
from tests.core.registered import OPENAI, PLAIN, SSE, reader, replied


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'"I am ChatGLM2"', "I am ChatGLM2"),
        (b"plain words", "plain words"),
        (b'{"a": 1}', '{"a": 1}'),
        (b"42", "42"),
        (b'\xef\xbb\xbf"bom"', "bom"),
        ("中文".encode(), "中文"),
        (b"\xff\xfe", "\N{REPLACEMENT CHARACTER}" * 2),
        (b"say <html> twice", "say <html> twice"),
    ],
)
def test_without_a_path_the_whole_body_is_the_answer(body: bytes, text: str) -> None:
    assert replied(WHOLE, body, "text/html; charset=utf-8").text == text


def test_the_declared_charset_is_read() -> None:
    assert replied(PLAIN, '{"answer": "中文"}'.encode("gb18030"), "application/json; charset=GB18030").text == "中文"
    assert replied(PLAIN, b'{"answer": "a"}', "application/json; charset=zip").text == "a"


@pytest.mark.parametrize(
    ("found", "text"),
    [("a", "a"), (3, "3"), (True, "true"), (["a", 1], '["a",1]'), ({"a": "é"}, '{"a":"é"}'), (0, "0")],
)
def test_an_answer_that_is_no_text_becomes_one(found: Any, text: str) -> None:
    assert replied(PLAIN, {"answer": found}).text == text


@pytest.mark.parametrize("body", [b"", b" \r\n", {"answer": ""}, {"answer": None}, {"other": 1}, [], 3, None])
@pytest.mark.parametrize("raw", [PLAIN, OPENAI], ids=["plain", "openai"])
def test_an_empty_answer_is_an_error(raw: dict[str, Any], body: Any) -> None:
    assert fault(raw, body).kind == "empty"


def test_an_empty_answer_says_what_the_worker_said() -> None:
    assert "the queue is full" in fault(PLAIN, {"detail": "the queue is full"}).message


def test_an_empty_answer_is_fine_with_a_finish_or_a_tool_call() -> None:
    assert replied({**PLAIN, "finish_extract": "end"}, {"answer": "", "end": "stop"}) == Reply("", "stop")
    calls = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    raw = {"choices": [{"index": 0, "message": {"role": "assistant", "content": None, "tool_calls": calls}}]}
    assert replied(OPENAI, raw) == Reply("", None, None, raw)
    finished = {"choices": [{"index": 0, "message": {"content": None}, "finish_reason": "length"}]}
    assert replied(OPENAI, finished).finish == "length"


@pytest.mark.parametrize("word", ["null", "None", "", None])
def test_words_for_no_finish(word: Any) -> None:
    assert replied({**PLAIN, "finish_extract": "end"}, {"answer": "a", "end": word}).finish is None


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<html><body>Sign in</body></html>", "text/html"),
        (b"Sign in\x00\r\n please", "text/plain; charset=utf-8"),
        (b'{"answer": "cut', "application/json"),
        (b'{"a": 1}\n{"b": 2}', "application/x-ndjson"),
        (b"9" * 5000, "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"answer": ' * 500 + b"1" + b"}" * 500, "application/json"),
        (b"\x1f\x8b\x08\x00", ""),
    ],
)
@pytest.mark.parametrize("raw", [PLAIN, OPENAI], ids=["plain", "openai"])
def test_what_is_no_json_where_a_path_is_set(raw: dict[str, Any], body: bytes, content_type: str) -> None:
    caught = fault(raw, body, content_type)
    assert caught.kind == "not_json"
    assert not caught.retryable
    assert (content_type or "no content type") in caught.message
    assert len(caught.message) < 300


def test_a_web_page_is_no_answer_even_without_a_path() -> None:
    assert fault(WHOLE, b"\n<!DOCTYPE html><html>..", "text/html").kind == "not_json"


def test_errors_on_http_200() -> None:
    raw = {**PLAIN, "error": [{"success": False}, {"code": {"not": 0}}], "error_extract": "why.text|msg"}
    assert replied(raw, {"answer": "a", "success": True, "code": 0}).text == "a"
    assert fault(raw, {"answer": "a", "success": "False", "msg": "no\r\nmemory"}).message == "no memory"
    assert fault(raw, {"code": 3, "why": {"text": "x"}}).message == "x"
    assert not fault(raw, {"code": 3}).retryable


def test_an_openai_shaped_worker_needs_no_word_for_an_error() -> None:
    raw = {word: value for word, value in OPENAI.items() if word != "error"}
    assert fault(raw, {"error": {"message": "overloaded"}}).message == "overloaded"
    assert replied(raw, {"error": None, "choices": [{"message": {"content": "a"}}]}).text == "a"


def test_retry_when_marks_a_failure_that_another_worker_may_take() -> None:
    raw = {**PLAIN, "error": {"success": False}, "retry_when": {"msg": {"match": "was existed"}}}
    assert fault(raw, {"success": False, "msg": "folder 1 was existed!"}).retryable
    assert fault(raw, {"answer": "", "msg": "folder 1 was existed!"}).retryable
    assert not fault(raw, {"success": False, "msg": "other"}).retryable
    read = reader(raw)
    assert read.retry_matches(500, b'{"msg": "folder 1 was existed!"}')
    assert not read.retry_matches(500, b"")
    assert reader({**PLAIN, "retry_when": {"@data": {"match": "busy"}}}).retry_matches(418, b"so busy")
    assert not reader(PLAIN).retry_matches(500, b"{}")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {"message": "bad key"}}', "bad key"),
        (b'{"detail": "x"}', "x"),
        (b"plain\n\ttrouble", "plain trouble"),
        (b"", "HTTP 500 without a message"),
        (b"<html><head><title>502 Bad Gateway</title></head>", "HTTP 500 with a web page: 502 Bad Gateway"),
        (b'{"error": "' + b"x" * 5000 + b'"}', "x" * 499 + "…"),
        (b'{"error": "a\\u0000b\\ud800c"}', "a b c"),
    ],
)
def test_error_messages(body: bytes, message: str) -> None:
    assert reader(PLAIN).error_message(500, body) == message


def test_usage_sums_and_keeps_an_openai_shaped_workers_details() -> None:
    raw = {**PLAIN, "usage": {"prompt": ["a", "b.c"], "completion": "d"}}
    assert replied(raw, {"answer": "x", "a": 1, "b": {"c": 2}, "d": 4.0}).usage == Usage(3, 4)
    assert replied(raw, {"answer": "x", "a": 1, "b": "2", "d": True}).usage == Usage(1, None)
    assert replied(raw, {"answer": "x", "a": -1, "d": 1e30}).usage is None
    told = {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}}
    reply = {"choices": [{"message": {"content": "a"}}], "usage": told}
    assert replied(OPENAI, reply).usage == Usage(1, 2, told)


@pytest.mark.parametrize(
    "value",
    [b'"\\ud800"', b'"\\u0000"', b"NaN", b"-Infinity", b"1e999", b'"a\x00b\tc"', b'"\\udc00\\ud800"', b"1e400"],
)
def test_whatever_a_reply_holds_can_be_written_out(value: bytes) -> None:
    body = b'{"answer": "ok", "choices": [{"message": {"content": "ok"}, "x": VALUE}], "y": [VALUE]}'
    reply = replied(OPENAI, body.replace(b"VALUE", value))
    assert json.loads(json_bytes(reply.raw))["choices"][0]["message"] == {"content": "ok"}
    assert b"NaN" not in json_bytes(reply.raw)
    assert b"Infinity" not in json_bytes(reply.raw)
    frame = b'data: {"choices": [{"delta": {"content": "ok"}, "x": VALUE}]}\n\ndata: [DONE]\n\n'
    for event in reader(OPENAI, stream=True).events([frame.replace(b"VALUE", value)], SSE):
        assert b"NaN" not in json_bytes(event.chunk)
        assert b"Infinity" not in json_bytes(event.chunk)


def test_a_lone_surrogate_in_the_text_is_kept_and_escaped_on_the_way_out() -> None:
    text = replied(PLAIN, b'{"answer": "a\\ud83d"}').text
    assert json_bytes(text) == b'"a\\ud83d"'
