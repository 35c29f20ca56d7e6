"""Registrations that may not be: refused by field and position."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.core.registered import PLAIN, refusal, registered

URLS: list[tuple[str, int]] = [
    ("ftp://h/x", 0),
    ("h/x", 0),
    ("//h/x", 0),
    ("javascript:alert(1)", 0),
    ("file:///etc/passwd", 0),
    ("http:/h", 0),
    ("http://", 7),
    ("http:///x", 7),
    ("http://?q={USER_PROMPT}", 7),
    ("http://user:pw@h/x", 14),
    ("http://user@h/x", 11),
    ("http://h:99999/x", 7),
    ("http://h:0/x", 7),
    ("http://h:/x", 7),
    ("http://h:8x/x", 7),
    ("http://[::1/x", 7),
    ("http://h..example/x", 7),
    ("http://exämple.com/x", 7),
    ("http://h/x#frag", 10),
    ("http://h/a b", 10),
    ("http://h/a\x00b", 10),
    ("http://h/a\r\nHost: x", 10),
    ("http://h\\@evil/x", 8),
    ("http://{USER_PROMPT}/x", 7),
    ("http://{MODEL_NAME}.example/x", 7),
    ("http://h:{PORT}/x", 9),
    ("http://${env:HOST_KEY}/x", 7),
    ("{REQUEST:url}", 0),
    ("${env:URL_KEY}", 0),
    ("http://h/{USER_PROMPT", 9),
    ("http://h/" + "x" * 2000, 2000),
]


@pytest.mark.parametrize(("url", "position"), URLS, ids=lambda value: str(value)[:40].encode("ascii", "replace"))
@pytest.mark.parametrize("block", ["", "stream", "health"])
def test_urls_that_are_refused(url: str, position: int, block: str) -> None:
    words = {"req_url_template": url}
    field, message = refusal({**PLAIN, block: words} if block else {**PLAIN, **words})
    assert field == f"{block}.req_url_template".lstrip(".")
    assert message.startswith(f"{field}: ")
    assert message.endswith(f"(position {position}).")


@pytest.mark.parametrize(
    "url",
    [
        "http://h",
        "https://api.example.com:8443/v1/x?a=b",
        "HTTP://127.0.0.1:1/",
        "http://[::1]:80/x",
        "http://model_a.internal./x",
        "http://h/größe?q={USER_PROMPT}",
        "http://h/{MODEL_NAME}:generate?key=${env:A_KEY}&lang={LANG:de #1}",
        "http://h/" + "x" * 1991,
    ],
)
def test_urls_that_are_taken(url: str) -> None:
    assert registered({**PLAIN, "req_url_template": url}).url == url


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    # what parses as no template, path or condition, with its place
    ({"body": {"m": [{"content": "ab {USER_PROMPT"}]}}, "body.m[0].content", "position 3"),
    ({"body": {"p": "{USER_PROMPTS}"}}, "body.p", "USER_PROMPT"),
    ({"req_param": {"q": "{USER_PROMPT"}}, "req_param.q", "position 0"),
    ({"header": {"X-A": "a{SEED"}}, "header.X-A", "position 1"),
    ({"response_extract": "a..b"}, "response_extract", "position 2"),
    ({"response_extract": "a["}, "response_extract", "position 1"),
    ({"finish_extract": "a[b"}, "finish_extract", "position 1"),
    ({"error_extract": "x y["}, "error_extract", "position 3"),
    ({"usage": {"prompt": ["a", "b["]}}, "usage.prompt[1]", "position 1"),
    ({"usage": {"completion": "["}}, "usage.completion", "position 0"),
    ({"error": {"a[": 1}}, 'error["a["]', "position 1"),
    ({"retry_when": {"a": {"match": "("}}}, "retry_when.a.match", "regular expression"),
    ({"stream": {"delta_extract": "["}}, "stream.delta_extract", "position 0"),
    ({"stream": {"finish_extract": "["}}, "stream.finish_extract", "position 0"),
    ({"stream": {"usage": {"prompt": "["}}}, "stream.usage.prompt", "position 0"),
    ({"stream": {"when": {}}}, "stream.when", "condition"),
    ({"stream": {"done_when": {"a": {"not": {"not": 1}}}}}, "stream.done_when.a.not", "not"),
    ({"stream": {"body": {"x": "{SEED"}}}, "stream.body.x", "position 0"),
    ({"stream": {"header": {"X": "{SEED"}}}, "stream.header.X", "position 0"),
    ({"messages": {"item": {"c": "{CONTENT"}}}, "messages.item.c", "position 0"),
    ({"health": {"expect": {"a": {"wrong": 1}}}}, "health.expect.a", "test"),
    ({"health": {"header": {"X": "{SEED"}}}, "health.header.X", "position 0"),
    # what would carry nothing of the caller's request
    ({"body": {"p": "hello"}}, "body", "nothing of the caller's request"),
    ({"body": None}, "body", "nothing of the caller's request"),
    ({"body": {"p": "{MODEL_NAME} {SEED}"}}, "body", "nothing of the caller's request"),
    ({"body": {"p": "{SYSTEM_PROMPT}"}}, "body", "nothing of the caller's request"),
    ({"body": {}, "header": {"X-Prompt": "{USER_PROMPT}"}}, "body", "nothing of the caller's request"),
    ({"req_type": "GET"}, "req_param", "a GET request has no body"),
    ({"stream": {"body": {"prompt": "fixed"}}}, "stream.body", "nothing of the caller's request"),
    ({"stream": {"req_type": "GET"}}, "stream.req_param", "a GET request has no body"),
    # placeholders and references that have no value where they stand
    ({"body": {"p": "{USER_PROMPT}", "r": ["x {ROLE}"]}}, "body.r[0]", "position 2"),
    ({"body": {"p": "{USER_PROMPT}", "j": "{JOB_ID}"}}, "body.j", "in the job block only"),
    ({"body": {"p": "{USER_PROMPT}", "j": "{RESP:a}"}}, "body.j", "in the job block only"),
    ({"header": {"A": "Bearer {ACCESS_TOKEN}"}}, "header.A", "position 7"),
    ({"messages": {"item": {"role": "{ROLE}"}}}, "messages.item", "{CONTENT}"),
    ({"messages": {"item": {"c": "{CONTENT} {SEED}"}}}, "messages.item", "no placeholder but"),
    ({"messages": {"item": {"c": "{CONTENT} ${env:A_KEY}"}}}, "messages.item", "no placeholder but"),
    ({"health": {"req_url_template": "http://h/{USER_PROMPT}"}}, "health.req_url_template", "MODEL_NAME"),
    ({"header": {"A": "Bearer ${env:HOME}"}}, "header.A", "ROLLCALL_SECRET_ENV"),
    ({"header": {"A": "Bearer ${env:HOME}"}}, "header.A", "position 7"),
    ({"req_url_template": "http://h/?k=${env:HOME}"}, "req_url_template", "position 12"),
    ({"body": {"p": "{USER_PROMPT}", "k": {"a": "${env:PATH}"}}}, "body.k.a", "PATH"),
    ({"health": {"header": {"A": "${env:PATH}"}}}, "health.header.A", "PATH"),
    ({"stream": {"header": {"A": "${env:PATH}"}}}, "stream.header.A", "PATH"),
    ({"header": {"A": "Bearer ${secret:a}"}}, "header.A", "position 7"),
    ({"header": {"A": "Bearer ${vault:a/b}"}}, "header.A", "position 7"),
    ({"body": {"p": "{USER_PROMPT}", "v": "${file:/etc/passwd}"}}, "body.v", "no known reference"),
    # headers
    ({"header": {"X-A": "a\r\nEvil: 1"}}, "header.X-A", "position 1"),
    ({"header": {"X-A": "a\x00"}}, "header.X-A", "position 1"),
    ({"header": {"X A": "a"}}, 'header["X A"]', "name"),
    ({"header": {"X-A\r\n": "a"}}, r'header["X-A\r\n"]', "name"),
    ({"header": {"": "a"}}, 'header[""]', "name"),
    ({"header": {"größe": "a"}}, 'header["größe"]', "name"),
    ({"header": {"Content-Length": "3"}}, "header.Content-Length", "connection"),
    ({"header": {"transfer-encoding": "chunked"}}, "header.transfer-encoding", "connection"),
    ({"header": {"Connection": "keep-alive"}}, "header.Connection", "may only say close"),
    ({"header": {"Connection": "{USER_PROMPT}"}}, "header.Connection", "connection"),
    ({"header": {"Keep-Alive": "close"}}, "header.Keep-Alive", "connection"),
    ({"header": {"HOST": "evil"}}, "header.HOST", "connection"),
    ({"stream": {"header": {"Upgrade": "h2c"}}}, "stream.header.Upgrade", "connection"),
    ({"health": {"header": {"TE": "x"}}}, "health.header.TE", "connection"),
    ({"header": {"X-A": "1", "x-a": "2"}}, "header.x-a", "twice"),
    # values
    ({"model_name": ""}, "model_name", "missing"),
    ({"req_url_template": ""}, "req_url_template", "missing"),
    ({"model_name": "x" * 256}, "model_name", "255"),
    ({"model_name": "a\x00b"}, "model_name", "position 1"),
    ({"model_name": "a\ud800"}, "model_name", "position 1"),
    ({"model_name": "a "}, "model_name", "space"),
    ({"owner": "a\nb"}, "owner", "position 1"),
    ({"instance": "\x7f"}, "instance", "position 0"),
    ({"upstream_model": "\u2028"}, "upstream_model", "position 0"),
    ({"weight": 1001}, "weight", "1000"),
    ({"weight": -1}, "weight", "1000"),
    ({"timeout_s": 0}, "timeout_s", "greater than 0"),
    ({"timeout_s": float("inf")}, "timeout_s", "greater than 0"),
    ({"health": {"interval_s": -1}}, "health.interval_s", "greater than 0"),
    ({"health": {"fall": 0}}, "health.fall", "greater than 0"),
    ({"retry": ["502", "500"]}, "retry[1]", "reset"),
    ({"body": {"p": "{USER_PROMPT}", "x": float("nan")}}, "body", "NaN"),
    # words that do not go together, and of no version
    ({"stream": {"framing": "xml"}}, "stream.framing", "json-array"),
    ({"messages": {"shape": "tree"}}, "messages.shape", "pairs"),
    ({"stream": {"mode": "sometimes"}}, "stream.mode", "cumulative"),
    ({"stream": {"error": {"a": 1}}}, "stream.error", "beside stream"),
]


@pytest.mark.parametrize(("words", "field", "says"), REFUSED, ids=lambda value: json.dumps(value)[:60])
def test_registrations_that_are_refused(words: dict[str, Any], field: str, says: str) -> None:
    at, message = refusal({**PLAIN, **words})
    assert at == field
    assert says in message


def test_a_tree_that_is_nested_too_deep_is_refused() -> None:
    tree: Any = "{USER_PROMPT}"
    for _ in range(150):
        tree = {"a": tree}
    field, message = refusal({**PLAIN, "body": tree})
    assert field is not None
    assert field.startswith("body.a.a")
    assert "deep" in message
    assert refusal({**PLAIN, "stream": {"body": tree}})[0].startswith("stream.body.a")  # type: ignore[union-attr]
