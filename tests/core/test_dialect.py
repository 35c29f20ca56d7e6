"""From a registration and a caller's request to what a worker is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.conversation import ChatRequest
from app.core.dialect import build_request, dialect_of
from app.core.errors import InvalidRequest, UpstreamError
from tests.core.registered import OPENAI, PLAIN, SAMPLES, STREAMING, asked, built, secret, sent, worker_of

BY_ID = {sample["id"]: sample["registration"] for sample in SAMPLES}


def test_a_plain_post() -> None:
    request = built(PLAIN)
    assert (request.method, request.url) == ("POST", "http://h/q")
    assert request.headers == {"Content-Type": "application/json", "X-Request-Id": "request-1"}
    assert request.body == b'{"prompt":"hi"}'


def test_the_first_callers_prompt_is_not_frozen_for_later_ones() -> None:
    worker = worker_of(PLAIN)
    bodies = [build_request(worker, asked(text), stream=False, secrets=secret).body for text in ("one", "two", "one")]
    assert bodies == [b'{"prompt":"one"}', b'{"prompt":"two"}', b'{"prompt":"one"}']


def test_a_request_without_a_body() -> None:
    raw = {**PLAIN, "req_type": "GET", "req_param": {"q": "{USER_PROMPT}", "t": "{MODEL_TEMPERATURE}", "v": "2"}}
    request = built({**raw, "body": None}, asked("a b&c=d/é"))
    assert (request.method, request.body) == ("GET", None)
    assert request.url == "http://h/q?q=a%20b%26c%3Dd%2F%C3%A9&v=2"
    assert "Content-Type" not in request.headers


@pytest.mark.parametrize(
    ("url", "params", "sent_to"),
    [
        ("http://h/q?a=1", {"b": "{USER_PROMPT}"}, "http://h/q?a=1&b=hi"),
        ("http://h/q?", {"b": "{USER_PROMPT}"}, "http://h/q?b=hi"),
        ("http://h", {"b": "{USER_PROMPT}"}, "http://h?b=hi"),
        ("http://h/{USER_PROMPT}/x", {}, "http://h/hi/x"),
        (
            "http://h/q",
            {"b": ["{USER_PROMPT}", 2], "c": True, "d": {"e": 1}},
            "http://h/q?b=hi&b=2&c=true&d=%7B%22e%22%3A1%7D",
        ),
        ("http://h/größe", {}, "http://h/gr%C3%B6%C3%9Fe"),
        ("http://h/m/{MODEL_NAME}:go?k=${env:A_KEY}", {}, "http://h/m/m:go?k=%3Cenv%3AA_KEY%3E"),
    ],
)
def test_urls(url: str, params: dict[str, Any], sent_to: str) -> None:
    assert built({**PLAIN, "req_url_template": url, "req_param": params}).url == sent_to


def test_a_caller_cannot_climb_in_the_path_or_add_to_the_query() -> None:
    raw = {**PLAIN, "req_url_template": "http://h/files/{USER_PROMPT}/read"}
    assert built(raw, asked("../../admin?x=1#y")).url == "http://h/files/..%2F..%2Fadmin%3Fx%3D1%23y/read"
    assert built(raw, asked("..")).url == "http://h/files/%2E%2E/read"


def test_headers_take_placeholders_and_secrets() -> None:
    header = {"Authorization": "Bearer ${env:A_KEY}", "X-User": "{USER}", "X-Lang": "{LANG:de}", "content-type": "a/b"}
    headers = built({**PLAIN, "header": header}, asked("hi", user="ann")).headers
    assert headers == {
        "X-Request-Id": "request-1",
        "Authorization": "Bearer <env:A_KEY>",
        "X-User": "ann",
        "X-Lang": "de",
        "content-type": "a/b",
    }


def test_a_header_whose_placeholder_has_no_value_disappears() -> None:
    assert "X-User" not in built({**PLAIN, "header": {"X-User": "{USER}"}}).headers


def test_no_caller_can_add_a_header() -> None:
    with pytest.raises(InvalidRequest) as caught:
        built({**PLAIN, "header": {"X-User": "{USER}"}}, asked("hi", user="a\r\nX-Evil: 1"))
    assert "X-User" in caught.value.message
    assert "Evil" not in caught.value.message


def test_a_secret_with_a_line_break_is_not_the_callers_fault() -> None:
    worker = worker_of({**PLAIN, "header": {"A": "${env:A_KEY}"}})
    with pytest.raises(UpstreamError) as caught:
        build_request(worker, asked("hi"), stream=False, secrets=lambda kind, name: "top\nsecret")
    assert "secret" not in caught.value.message
    fine = build_request(worker, asked("hi"), stream=False, secrets=lambda kind, name: "key\n")
    assert fine.headers["A"] == "key"


def test_a_header_outside_ascii_goes_as_utf8() -> None:
    headers = built({**PLAIN, "header": {"X-User": "{USER}"}}, asked("hi", user="é\ud800")).headers
    assert headers["X-User"].encode("latin-1") == "é?".encode()


@pytest.mark.parametrize("value", ["\x00", "\ud800", "🙂", 'a"b\\', "\u2028", "{MODEL_NAME}"])
def test_any_text_reaches_the_worker_as_it_is(value: str) -> None:
    assert sent(PLAIN, asked(value)) == {"prompt": value}
    assert sent(OPENAI, asked(value))["messages"] == [{"role": "user", "content": value}]


def test_a_number_that_json_cannot_carry_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        sent(OPENAI, asked("hi", top_p=float("nan")))


def test_the_placeholders_of_the_request() -> None:
    names = ("MODEL_NAME", "MODEL_TEMPERATURE", "TOP_P", "SEED", "N", "MAX_TOKENS", "STREAM", "REQUEST_ID", "TOP_K")
    body = {"USER_PROMPT": "{USER_PROMPT}", **{name: f"{{{name}}}" for name in names}}
    raw = {**PLAIN, "body": body, "upstream_model": "vendor/m"}
    asked_all = asked("hi", temperature=0, top_p=0.5, seed=7, n=1, max_tokens=5, max_completion_tokens=6, top_k=3)
    assert sent(raw, asked_all) == {
        "USER_PROMPT": "hi",
        "MODEL_NAME": "vendor/m",
        "MODEL_TEMPERATURE": 0,
        "TOP_P": 0.5,
        "SEED": 7,
        "N": 1,
        "MAX_TOKENS": 6,
        "STREAM": False,
        "REQUEST_ID": "request-1",
        "TOP_K": 3,
    }
    assert sent(raw) == {"USER_PROMPT": "hi", "MODEL_NAME": "vendor/m", "STREAM": False, "REQUEST_ID": "request-1"}


def test_the_seeds_caller_is_carried_the_same_way() -> None:
    message = {"role": "user", "content": "hi"}
    request = ChatRequest("m", (message,), {"model_name": "m", "input": "hi", "temperature": 1}, False, "r")
    assert sent({**PLAIN, "body": {"i": "{INPUT}", "t": "{MODEL_TEMPERATURE}"}}, request) == {"i": "hi", "t": 1}
    body = sent(OPENAI, request)
    assert body == {"model": "llama-3-8b", "messages": [message], "temperature": 1, "stream": False}


def test_input_is_the_prompt_of_a_chat() -> None:
    assert sent({**PLAIN, "body": {"i": "{INPUT}"}}, asked("hi")) == {"i": "hi"}


def test_a_stream_is_an_overlay_of_the_request() -> None:
    raw = {
        **PLAIN,
        "header": {"X-Mode": "plain", "X-Keep": "1"},
        "body": {"prompt": "{USER_PROMPT}", "options": {"a": 1, "b": {"c": 1}}, "stream": "{STREAM}"},
        "req_param": {"v": "1"},
        "stream": {
            "framing": "sse",
            "req_url_template": "http://h/stream?alt=sse",
            "header": {"x-mode": "stream"},
            "body": {"options": {"b": {"d": 2}}, "stream_options": {"include_usage": True}},
            "req_param": {"w": "2"},
        },
    }
    plain, stream = built(raw), built(raw, stream=True)
    assert plain.url == "http://h/q?v=1"
    assert stream.url == "http://h/stream?alt=sse&v=1&w=2"
    assert plain.headers["X-Mode"] == "plain"
    assert "X-Mode" not in stream.headers
    assert (stream.headers["x-mode"], stream.headers["X-Keep"]) == ("stream", "1")
    assert json.loads(plain.body or b"") == {"prompt": "hi", "options": {"a": 1, "b": {"c": 1}}, "stream": False}
    assert json.loads(stream.body or b"") == {
        "prompt": "hi",
        "options": {"a": 1, "b": {"c": 1, "d": 2}},
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_worker_that_cannot_stream_is_asked_plainly() -> None:
    raw = {**PLAIN, "body": {"p": "{USER_PROMPT}", "stream": "{STREAM}"}}
    assert sent(raw, stream=True) == {"p": "hi", "stream": False}
    assert sent({**raw, "is_stream": True}) == {"p": "hi", "stream": True}
    assert sent({**raw, "is_stream": True, "stream": {"body": {"x": 1}}}) == {"p": "hi", "stream": True, "x": 1}


@pytest.mark.parametrize(
    ("words", "streams", "only"),
    [
        ({}, False, False),
        ({"stream": {"framing": "sse"}}, True, False),
        ({"is_stream": True}, True, True),
        ({"is_stream": True, "stream": {"framing": "sse"}}, True, True),
    ],
)
def test_who_can_stream(words: dict[str, Any], streams: bool, only: bool) -> None:
    dialect = dialect_of(worker_of({**PLAIN, **words}))
    assert (dialect.streams, dialect.only_streams) == (streams, only)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | (st.dictionaries(st.text(), inner)),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["temperature", "tools", "stop", "n", "top_k", "x"]), JSON), st.text())
def test_whatever_a_caller_sends_builds_json_and_harms_nothing(fields: dict[str, Any], text: str) -> None:
    for raw in (OPENAI, STREAMING, BY_ID["gemini"], BY_ID["anthropic"]):
        before = json.dumps(fields)
        request = asked(text, **fields)
        for stream in (False, True):
            assert text in json.dumps(sent(raw, request, stream=stream), ensure_ascii=False) or json.dumps(text)[
                1:-1
            ] in (json.dumps(sent(raw, request, stream=stream)))
        dialect_of(worker_of(raw)).notices(request)
        dialect_of(worker_of(raw)).unsupported(request)
        assert json.dumps(fields) == before
