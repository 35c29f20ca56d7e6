"""Whole replies with no answer in them, or of a kind that nobody promised: 502, and what came is shown."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.acceptance.bad_door import (
    TEXT,
    TEXT_SURFACES,
    VECTORS,
    Ask,
    ask_chat,
    ask_vectors,
    copied,
    refused,
    worker_of,
)
from tests.api.management import Api, management
from tests.fakes import Behaviour, Exchange, bytes_answer, html_answer, json_answer

CANARY = 'canary/7f3a+key=="9'
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256))


@pytest.fixture(scope="module")
def api(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("var")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCEPTANCE_KEY", CANARY)
        with management(copied(sqlite_template, folder), folder, ROLLCALL_SECRET_ENV="ACCEPTANCE_*") as api:
            yield api


@pytest.mark.parametrize("ask", TEXT_SURFACES)
@pytest.mark.parametrize(
    ("reply", "matched"),
    [
        ({"data": {"items": []}}, "only 'data.items' of it is there"),
        ({"data": {"items": [{"question": 1}]}}, "only 'data.items[]' of it is there"),
        ({"data": {"items": [{"answer": None}]}}, "only 'data.items[]' of it is there"),
        ({"data": {"items": [{"answer": ""}]}}, "what is there is empty"),
        ({"detail": "x"}, "nothing of it is there"),
        ([], "nothing of it is there"),
    ],
)
def test_no_answer_shows_the_path_what_matched_and_how_the_reply_begins(
    api: Api, ask: Ask, reply: Any, matched: str
) -> None:
    if isinstance(reply, dict):
        reply = {**reply, "note": "y" * 300}
    with worker_of(api, json_answer(reply), **TEXT) as (model, upstream):
        message = refused(ask(api, model), 502, "no answer at 'data.items[].answer'", matched)
    begin = json.dumps(reply)[:200]
    assert message.endswith(f"It begins: {begin}.")
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("ask", TEXT_SURFACES)
def test_an_answer_that_the_regular_expression_does_not_fit(api: Api, ask: Ask) -> None:
    reply = json_answer({"data": {"items": [{"answer": "sorry"}]}})
    with worker_of(api, reply, **{**TEXT, "output": {"regex": "ok (.*)"}}) as (model, _):
        refused(ask(api, model), 502, "at 'data.items[].answer' (what is there does not fit output.regex). It begins")


def test_nor_do_embeddings(api: Api) -> None:
    with worker_of(api, json_answer({"data": [{"vector": [1]}]}), **VECTORS) as (model, _):
        refused(ask_vectors(api, model), 502, "no answer at 'data[*].embedding' (only 'data[*]' of it is there)")


@pytest.mark.parametrize(
    "reply",
    [
        {"data": {"items": [{"answer": ""}]}, "why": "length"},
        {"choices": [], "why": "stop"},
    ],
)
def test_a_finish_reason_is_answer_enough(api: Api, reply: Any) -> None:
    with worker_of(api, json_answer(reply), **TEXT, finish_extract="why") as (model, _):
        answer = ask_chat(api, model)
        assert answer.status_code == 200, answer.text
        assert answer.json["choices"][0]["message"]["content"] == ""


def test_so_is_a_tool_call(api: Api) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    shaped = {"body": {"messages": "{MESSAGES}"}, "response_extract": "choices[].message.content"}
    with worker_of(api, json_answer({"choices": [{"index": 0, "message": message}]}), **shaped) as (model, _):
        answer = ask_chat(api, model)
        assert answer.status_code == 200, answer.text
        assert answer.json["choices"][0]["message"]["tool_calls"] == [call]


def written(secret: str) -> dict[str, str]:
    packed = base64.b64encode(secret.encode()).decode()
    behind = base64.b64encode(f"user:{secret}".encode()).decode()
    return {"plain": secret, "url": quote(secret, safe=""), "base64": packed, "basic": behind}


@pytest.mark.parametrize("form", ["plain", "url", "base64", "basic"])
@pytest.mark.parametrize("lead", [0, 150, 183])
@pytest.mark.parametrize("as_text", [False, True])
def test_the_reply_is_shown_without_the_credentials_in_it(api: Api, form: str, lead: int, as_text: bool) -> None:
    """Wherever the 200 characters end."""
    secret = written(CANARY)[form]
    body = ("x" * lead + secret).encode() if as_text else json.dumps({"pad": "x" * lead, "got": secret}).encode()
    header = {"Authorization": "Bearer ${env:ACCEPTANCE_KEY}"}
    with worker_of(api, bytes_answer(body, content_type="application/json"), **TEXT, header=header) as (
        model,
        upstream,
    ):
        message = refused(ask_chat(api, model), 502)
    assert upstream.requests[0].headers["authorization"] == f"Bearer {CANARY}"
    shown = secret if form != "basic" else secret[8:]
    assert not any(shown[:n] in message for n in range(8, len(shown) + 1))


@pytest.mark.parametrize("ask", TEXT_SURFACES)
@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (html_answer(), "text/html where JSON was expected"),
        (bytes_answer(PNG, content_type="image/png"), "image/png where JSON was expected"),
        (bytes_answer(b"hello", content_type="text/plain"), "text/plain where JSON was expected: hello"),
        (bytes_answer(b'{"data": {"items": [', content_type="application/json"), "where JSON was expected"),
        (bytes_answer(b"[" * 100_000, content_type="application/json"), "where JSON was expected"),
        (bytes_answer(b"\xff\xfe\x00", content_type="application/json"), "where JSON was expected"),
        (bytes_answer(b" \r\n ", content_type="application/json"), "nothing in it"),
    ],
)
def test_what_is_no_json_where_json_is_expected(api: Api, ask: Ask, behaviour: Behaviour, said: str) -> None:
    with worker_of(api, behaviour, **TEXT) as (model, _):
        refused(ask(api, model), 502, said)


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (html_answer(), "text/html"),
        (bytes_answer(PNG, content_type="image/png"), "image/png where an answer was expected"),
        (bytes_answer(PNG, content_type="video/mp4; codecs=x"), "video/mp4; codecs=x where an answer was expected"),
    ],
)
def test_where_the_whole_reply_is_the_answer_an_image_is_none(api: Api, behaviour: Behaviour, said: str) -> None:
    with worker_of(api, behaviour, body={"input": "{USER_PROMPT}"}) as (model, _):
        refused(ask_chat(api, model), 502, said)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (json_answer({"error": {"message": "out of memory"}}), "out of memory"),
        (json_answer({"detail": "no such route"}), "no answer at 'choices[].message.content'"),
        (html_answer(), "text/html where JSON was expected"),
        (bytes_answer(PNG, content_type="image/png"), "image/png"),
        (bytes_answer(b"", content_type="text/event-stream"), "without"),
        (bytes_answer(b"hello there", content_type="text/event-stream"), ""),
        (bytes_answer(b"data: hello\n\ndata: [DONE]\n\n", content_type="text/event-stream"), "without an answer in it"),
    ],
)
def test_what_is_no_stream_where_one_is_expected(api: Api, behaviour: Behaviour, said: str, stream: bool) -> None:
    shaped = {
        "body": {"messages": "{MESSAGES}", "stream": True},
        "is_stream": True,
        "response_extract": "choices[].message.content",
        "error": {"error": "*"},
        "stream": {"framing": "sse", "delta_extract": "choices[].delta.content", "done": "[DONE]"},
    }
    with worker_of(api, behaviour, **shaped) as (model, _):
        refused(ask_chat(api, model, stream=stream), 502, said)


def test_one_json_reply_where_a_stream_is_expected_is_an_answer(api: Api) -> None:
    words = {**TEXT, "stream": {"framing": "sse", "delta_extract": "delta", "done": "[DONE]"}}
    with worker_of(api, json_answer({"data": {"items": [{"answer": "yes"}]}}), **words) as (model, _):
        answer = ask_chat(api, model, stream=True)
        assert answer.status_code == 200
        assert '"yes"' in answer.text
        assert answer.text.rstrip().endswith("data: [DONE]")


def test_vectors_that_are_none(api: Api) -> None:
    def said(reply: Any) -> str:
        with worker_of(api, json_answer(reply), **VECTORS) as (model, _):
            return refused(ask_vectors(api, model), 502)

    assert "no list of numbers" in said({"data": [{"embedding": {"a": 1}}]})
    assert "no list of numbers" in said({"data": [{"embedding": 7}]})
    for odd in (["a", "b"], [None], [[]], "not base64!", "AAA="):
        said({"data": [{"embedding": odd}]})
    said({"data": [{"embedding": [1]}, {"embedding": [2]}]})


def test_a_credential_in_the_error_of_a_stream_that_began_well(api: Api) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.head(200, framing="chunked", content_type="text/event-stream")
        exchange.piece(b'data: {"delta": "hel"}\n\n')
        exchange.piece(b"data: %s\n\n" % json.dumps({"error": quote(CANARY, safe="")}).encode())
        exchange.finish()

    words = {
        **TEXT,
        "header": {"X-Api-Key": "${env:ACCEPTANCE_KEY}"},
        "error": {"error": "*"},
        "stream": {"framing": "sse", "delta_extract": "delta", "done": "[DONE]"},
    }
    with worker_of(api, behave, **words) as (model, _):
        answer = ask_chat(api, model, stream=True)
    assert answer.status_code == 200
    assert "hel" in answer.text
    assert "***" in answer.text
    assert quote(CANARY, safe="") not in answer.text
    assert "[DONE]" not in answer.text
