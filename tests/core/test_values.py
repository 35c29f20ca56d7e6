"""Placeholders of images, videos and embeddings; limits; and the three forms of a body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.conversation import ChatRequest, Task, UpstreamRequest
from app.core.dialect import build_request, dialect_of
from tests.core.registered import PLAIN, asked, refusal, registered, secret, worker_of


def request(task: Task, body: Mapping[str, Any]) -> ChatRequest:
    messages = () if task == "embedding" else ({"role": "user", "content": body.get("prompt", "a cat")},)
    return ChatRequest("m", messages, body, False, "request-1", task)


def built(raw: Mapping[str, Any], asks: ChatRequest) -> UpstreamRequest:
    return build_request(worker_of(raw), asks, stream=False, secrets=secret)


def sent(template: Mapping[str, Any], task: Task = "image", **body: Any) -> Any:
    raw = {**PLAIN, "task": task, "body": {"p": "{USER_PROMPT}", "i": "{INPUT:-}", **template}}
    got = json.loads(built(raw, request(task, body)).body or b"")
    return {name: value for name, value in got.items() if name in template}


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"size": "640x480"}, {"s": "640x480", "w": 640, "h": 480, "t": "640 wide"}),
        ({"size": "64X32"}, {"s": "64X32", "w": 64, "h": 32, "t": "64 wide"}),
        ({"size": "auto"}, {"s": "auto"}),
        ({"width": 10, "height": 20}, {"w": 10, "h": 20, "t": "10 wide"}),
        ({}, {}),
    ],
)
def test_sizes(body: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert sent({"s": "{SIZE}", "w": "{WIDTH}", "h": "{HEIGHT}", "t": "{WIDTH} wide"}, **body) == wanted


@pytest.mark.parametrize(
    ("given_", "wanted"), [("4", 4), ("4.5", 4.5), (4, 4), (" 8 ", 8), ("long", "long"), (None, 5), ("", "")]
)
def test_seconds(given_: Any, wanted: Any) -> None:
    assert sent({"s": "{SECONDS:5}"}, "video", seconds=given_) == {"s": wanted}


def test_the_callers_own_fields() -> None:
    template = {"n": "{N:1}", "seed": "{SEED:-1}", "neg": "{NEGATIVE_PROMPT}", "steps": "{STEPS:20}"}
    assert sent(template) == {"n": 1, "seed": -1, "steps": 20}
    assert sent(template, n=3, seed=0, negative_prompt="dog", steps=9) == {"n": 3, "seed": 0, "neg": "dog", "steps": 9}


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [
        ("one", {"i": "one", "p": "one"}),
        (["one"], {"i": ["one"], "p": "one"}),
        (["one", "two"], {"i": ["one", "two"]}),
        ([1, 2], {"i": [1, 2]}),
    ],
)
def test_the_input_of_an_embedding(given_: Any, wanted: dict[str, Any]) -> None:
    assert sent({"i": "{INPUT}", "p": "{USER_PROMPT}"}, "embedding", input=given_) == wanted


def test_a_worker_that_takes_one_text_is_not_given_several() -> None:
    one = dialect_of(worker_of({**PLAIN, "task": "embedding"}))
    assert one.unsupported(request("embedding", {"input": "a"})) is None
    assert one.unsupported(request("embedding", {"input": ["a", "b"]})) == "input"
    many = dialect_of(worker_of({**PLAIN, "task": "embedding", "body": {"i": "{INPUT}"}}))
    assert many.unsupported(request("embedding", {"input": ["a", "b"]})) is None


def test_what_a_worker_of_images_is_not_told() -> None:
    raw = {**PLAIN, "task": "image", "body": {"p": "{USER_PROMPT}", "w": "{WIDTH}", "q": "{QUALITY}"}}
    body = {"prompt": "p", "n": 2, "size": "1x1", "quality": "hd", "style": "vivid", "response_format": "url"}
    assert dialect_of(worker_of(raw)).notices(request("image", body)) == ("not carried: style",)
    assert dialect_of(worker_of(raw)).unsupported(request("image", body)) is None


def test_who_makes_several_at_once() -> None:
    for template, limits, wanted in (
        ({"n": "{N}"}, {}, True),
        ({"n": "{N:1}"}, {"N": {"max": 4}}, True),
        ({"n": "{N}"}, {"N": {"max": 1}}, False),
        ({}, {}, False),
    ):
        raw = {**PLAIN, "task": "image", "body": {"p": "{USER_PROMPT}", **template}, "limits": limits}
        assert dialect_of(worker_of(raw)).makes_n is wanted


LIMITED = {
    **PLAIN,
    "body": {"p": "{USER_PROMPT}", "t": "{MODEL_TEMPERATURE:3}", "s": "t={MODEL_TEMPERATURE:3.0}", "k": "{TOP_K}"},
    "limits": {"concurrency": 2, "MODEL_TEMPERATURE": {"min": 0.01, "max": 1}, "TOP_K": {"min": 5}},
}


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"temperature": 0}, {"t": 0.01, "s": "t=0.01"}),
        ({"temperature": 0.5}, {"t": 0.5, "s": "t=0.5"}),
        ({"temperature": 2}, {"t": 1, "s": "t=1"}),
        ({}, {"t": 1, "s": "t=1"}),
        ({"top_k": 1}, {"t": 1, "s": "t=1", "k": 5}),
        ({"top_k": "many"}, {"t": 1, "s": "t=1", "k": "many"}),
        ({"top_k": True}, {"t": 1, "s": "t=1", "k": True}),
    ],
)
def test_limits_bound_numbers_after_defaults(fields: dict[str, Any], wanted: dict[str, Any]) -> None:
    got = json.loads(built(LIMITED, asked("hi", **fields)).body or b"")
    assert got == {"p": "hi", **wanted}
    assert dialect_of(worker_of(LIMITED)).concurrency == 2
    assert dialect_of(worker_of(PLAIN)).concurrency is None


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        ({"concurrency": 0}, "limits.concurrency"),
        ({"concurrency": True}, "limits.concurrency"),
        ({"concurrency": 1.5}, "limits.concurrency"),
        ({"temperature": {"max": 1}}, "limits.temperature"),
        ({"MODEL_TEMPERATUR": {"max": 1}}, "limits.MODEL_TEMPERATUR"),
        ({"SEED": {}}, "limits.SEED"),
        ({"SEED": 3}, "limits.SEED"),
        ({"SEED": {"most": 3}}, "limits.SEED"),
        ({"SEED": {"min": "1"}}, "limits.SEED"),
        ({"SEED": {"min": 2, "max": 1}}, "limits.SEED"),
    ],
)
def test_limits_that_are_refused(limits: dict[str, Any], field: str) -> None:
    assert refusal({**PLAIN, "limits": limits})[0] == field


BODY = {"prompt": "{USER_PROMPT}", "n": "{N}", "list": ["a", 1], "flag": True, "tree": {"a": ["{SEED}", None]}}


def test_a_form() -> None:
    sent = built({**PLAIN, "body_type": "form", "body": BODY}, asked('é & "q"', n=2, seed=7))
    assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qsl((sent.body or b"").decode(), strict_parsing=True) == [
        *(("flag", "true"), ("list", "a"), ("list", "1"), ("n", "2"), ("prompt", 'é & "q"')),
        ("tree", '{"a":[7,null]}'),
    ]


def parts_of(sent: UpstreamRequest) -> list[tuple[str | None, str]]:
    head = b"Content-Type: " + sent.headers["Content-Type"].encode() + b"\r\n\r\n"
    message = BytesParser(policy=HTTP).parsebytes(head + (sent.body or b""))
    assert message.is_multipart()
    found = []
    for part in message.iter_parts():  # type: ignore[attr-defined]
        content = part.get_payload(decode=True)
        found.append((part.get_param("name", header="content-disposition"), content.decode("utf-8")))
    return found


def test_the_parts_of_a_multipart_form() -> None:
    raw = {**PLAIN, "body_type": "multipart", "body": BODY, "header": {"content-type": "multipart/form-data"}}
    sent = built(raw, asked('é & "q"\r\n--x', n=2, seed=7))
    assert [name for name in sent.headers if name.lower() == "content-type"] == ["Content-Type"]
    assert parts_of(sent) == [
        *(("flag", "true"), ("list", "a"), ("list", "1"), ("n", "2"), ("prompt", 'é & "q"\r\n--x')),
        ("tree", '{"a":[7,null]}'),
    ]
    again = built(raw, asked('é & "q"\r\n--x', n=2, seed=7))
    assert again.headers["Content-Type"] != sent.headers["Content-Type"]


@given(st.text().filter(lambda text: text.isprintable()))
def test_no_text_breaks_out_of_its_part(text: str) -> None:
    sent = built({**PLAIN, "body_type": "multipart", "body": {'na"me\r\n': "{USER_PROMPT}"}}, asked(text))
    boundary = sent.headers["Content-Type"].partition("boundary=")[2]
    assert (sent.body or b"").count(b"--" + boundary.encode()) == 2
    assert (sent.body or b"").count(b'name="na%22me%0D%0A"\r\n\r\n' + text.encode()) == 1


def test_time_limits_are_not_part_of_the_spec() -> None:
    assert registered({**PLAIN, "ttl_s": 30}).ttl_s == 30
    assert registered({**PLAIN, "ttl_s": 30}).spec == registered(PLAIN).spec
    assert registered(PLAIN).ttl_s is None
    for seconds in (4, 86_401):
        assert refusal({**PLAIN, "ttl_s": seconds})[0] == "ttl_s"


def test_a_callers_value_reaches_no_host() -> None:
    for url in ("http://{USER_PROMPT}/", "http://h{SIZE}/", "{USER_PROMPT}"):
        assert refusal({**PLAIN, "req_url_template": url})[0] == "req_url_template"
