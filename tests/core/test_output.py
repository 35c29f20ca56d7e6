"""What a result is cut out of: kinds, regular expressions, and what is there and not of the promised kind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.core.conversation import Event, Item, Result
from app.core.dialect import dialect_of
from app.core.fault import WorkerFault
from tests.core.registered import PLAIN, asked, reader, refusal, replied, sse, worker_of

IMAGE = {**PLAIN, "task": "image", "response_extract": "data[*].x"}
EMBEDDING = {**PLAIN, "task": "embedding", "body": {"i": "{INPUT}"}}
JSON = "application/json"


def result(raw: dict[str, Any], value: Any, content_type: str = JSON) -> Result:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return reader(raw).result(200, body, content_type)


def values(raw: dict[str, Any], value: Any) -> list[Any]:
    return [(item.kind, item.value) for item in result(raw, value).items]


def fault(raw: dict[str, Any], value: Any, content_type: str = JSON) -> tuple[str, str]:
    with pytest.raises(WorkerFault) as caught:
        result(raw, value, content_type)
    assert caught.value.message.isprintable()
    return caught.value.kind, caught.value.message


def rows(*values: Any) -> dict[str, Any]:
    return {"data": [{"x": value} for value in values]}


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("url", rows("http://h/a.png", " https://h/b.png\n"), [("url", "http://h/a.png"), ("url", "https://h/b.png")]),
        ("url", rows(["http://h/1", ["http://h/2"]]), [("url", "http://h/1"), ("url", "http://h/2")]),
        ("url", rows("data:image/png;base64,aGk="), [("b64", "aGk=")]),
        ("b64", rows("aGk=", "aGk"), [("b64", "aGk="), ("b64", "aGk=")]),
        ("b64", rows("aG\nk=", "-_8="), [("b64", "aGk="), ("b64", "+/8=")]),
        ("b64", rows("data:image/webp;base64,aGk="), [("b64", "aGk=")]),
        ("path", rows("/srv/out/a.png"), [("path", "/srv/out/a.png")]),
        ("text", rows("a cat"), [("text", "a cat")]),
        ("json", rows({"a": 1}, [2]), [("json", {"a": 1}), ("json", [2])]),
    ],
)
def test_kinds(kind: str, value: Any, wanted: list[Any]) -> None:
    assert values({**IMAGE, "output": {"as": kind}}, value) == wanted


def test_an_image_is_a_url_unless_told() -> None:
    assert values(IMAGE, rows("http://h/a")) == [("url", "http://h/a")]
    assert dialect_of(worker_of(IMAGE)).output_as == "url"
    assert dialect_of(worker_of(EMBEDDING)).output_as == "json"
    assert dialect_of(worker_of(PLAIN)).output_as == "text"


def test_a_data_url_tells_its_type() -> None:
    assert result(IMAGE, rows("data:image/webp;base64,aGk=")).items == (Item("b64", "aGk=", "image/webp"),)


@pytest.mark.parametrize(
    ("pattern", "text", "wanted"),
    [
        (r"at: *(\S+)", "at:  http://h/a.png ok", "http://h/a.png"),
        (r"http://\S+", "see http://h/a.png now", "http://h/a.png"),
        (r"(?:x|(nothing))http://\S+", "xhttp://h", None),
        (r"zzz", "http://h", None),
    ],
)
def test_regular_expressions(pattern: str, text: str, wanted: str | None) -> None:
    raw = {**IMAGE, "output": {"as": "url", "regex": pattern}}
    if wanted is None:
        assert fault(raw, rows(text))[0] in ("empty", "wrong_type")
    else:
        assert values(raw, rows(text)) == [("url", wanted)]


@pytest.mark.parametrize("value", ["ftp://h/a", "/a.png", "a b", "http://", "http://h/a b", {"url": 1}, 7])
def test_what_is_no_url(value: Any) -> None:
    kind, message = fault(IMAGE, rows(value))
    assert kind == "wrong_type"
    assert "http(s) URL" in message


@pytest.mark.parametrize("value", ["!!!", "aGk=aGk=", "a", "http://h/a.png", "é"])
def test_what_is_no_base64(value: str) -> None:
    kind, message = fault({**IMAGE, "output": {"as": "b64"}}, rows(value))
    assert kind == "wrong_type"
    assert "base64" in message


def test_a_path_that_finds_nothing_shows_how_far_it_came_and_the_reply() -> None:
    kind, message = fault({**IMAGE, "response_extract": "data[].image.url"}, {"data": [{"pic": "u" * 300}]})
    assert kind == "empty"
    assert "'data[].image.url'" in message
    assert "'data[]'" in message
    assert '{"data": [{"pic": "uuu' in message
    assert len(message) < 400
    assert "whole reply" in fault({**IMAGE, "response_extract": ""}, [])[1]
    assert "nothing of it is there" in fault(IMAGE, {"other": 1})[1]


BINARY = {**IMAGE, "response_extract": "", "output": {"as": "binary"}, "error": {"error": "*"}}


def test_bytes_are_passed_on_as_they_are() -> None:
    assert result(BINARY, b"\x89PNG", "image/png; q=1").items == (Item("bytes", b"\x89PNG", "image/png"),)
    assert result(BINARY, b"{", "").items == (Item("bytes", b"{", ""),)


@pytest.mark.parametrize(
    ("body", "content_type", "kind"),
    [
        (b"", "image/png", "empty"),
        (b'{"error": "no"}', JSON, "error"),
        (b'{"a": 1}', JSON, "wrong_type"),
        (b"<html>", "text/html", "wrong_type"),
        (b"<a/>", "application/xml", "wrong_type"),
    ],
)
def test_what_are_no_bytes_of_an_image(body: bytes, content_type: str, kind: str) -> None:
    assert fault(BINARY, body, content_type)[0] == kind


@pytest.mark.parametrize(
    ("path", "reply", "wanted"),
    [
        ("data[*].e", {"data": [{"e": [0.5, 1]}, {"e": [2, 3]}]}, [[0.5, 1], [2, 3]]),
        ("e", {"e": [0.5, 1]}, [[0.5, 1]]),
        ("e", {"e": [[0.5, 1], [2, 3]]}, [[0.5, 1], [2, 3]]),
        ("", [[0.5, 1], [2, 3]], [[0.5, 1], [2, 3]]),
        ("", [0.5, 1], [[0.5, 1]]),
        ("[*].e", [{"e": [[0.5]]}, {"e": [[1]]}], [[0.5], [1]]),
        ("data[*].e", {"data": [{"e": "AAA="}, {"e": "BBB="}]}, ["AAA=", "BBB="]),
    ],
)
def test_embeddings(path: str, reply: Any, wanted: list[Any]) -> None:
    assert values({**EMBEDDING, "response_extract": path}, reply) == [("json", value) for value in wanted]


@pytest.mark.parametrize(("reply", "kind"), [({"e": []}, "empty"), ({"e": None}, "empty"), ({"e": 3}, "wrong_type")])
def test_what_is_no_embedding(reply: Any, kind: str) -> None:
    assert fault({**EMBEDDING, "response_extract": "e"}, reply)[0] == kind


ECHO = {**PLAIN, "output": {"strip_prompt": True}, "body": {"p": "Q: {USER_PROMPT}\nA:", "model": "{MODEL_NAME}"}}


def heard(raw: dict[str, Any], *texts: str, prompt: str = "hi", mode: str = "delta", end: bool = True) -> list[Event]:
    streams = {"framing": "sse", "delta_extract": "t", "mode": mode, "finish_extract": "why"}
    dialect = dialect_of(worker_of({**raw, "stream": streams}))
    frames = [{"t": text} for text in texts] + ([{"why": "stop"}] if end else [])
    return list(dialect.reader(stream=True, request=asked(prompt)).events(sse(*frames), "text/event-stream"))


@pytest.mark.parametrize(
    ("answer", "left"),
    [("Q: hi\nA: yes", " yes"), ("hi yes", "hi yes"), ("Q: hi\nA", "Q: hi\nA"), ("Q: hi\nA:", ""), ("yes", "yes")],
)
def test_an_echoed_prompt_is_taken_off(answer: str, left: str) -> None:
    dialect = dialect_of(worker_of(ECHO))
    read = dialect.reader(stream=False, request=asked("hi"))
    assert read.reply(200, json.dumps({"answer": answer}).encode(), JSON).text == left
    for size in range(1, len(answer) + 1):
        pieces = [answer[i : i + size] for i in range(0, len(answer), size)]
        assert "".join(event.text for event in heard(ECHO, *pieces)) == left
        grown = [answer[: i + size] for i in range(0, len(answer), size)]
        events = heard(ECHO, *grown, mode="cumulative")
        assert "".join(event.text for event in events) == left
        assert events[-1].finish == "stop"


def test_without_a_request_nothing_is_taken_off() -> None:
    assert replied(ECHO, {"answer": "Q: hi\nA: yes"}).text == "Q: hi\nA: yes"


def test_a_regular_expression_on_text_also_streamed() -> None:
    raw = {**PLAIN, "output": {"regex": "<answer>(.*)</answer>"}}
    assert replied(raw, {"answer": "hm <answer>yes</answer>"}).text == "yes"
    assert "".join(event.text for event in heard(raw, "hm <ans", "wer>ye", "s</answer>")) == "yes"
    with pytest.raises(WorkerFault) as caught:
        replied(raw, {"answer": "hm"})
    assert caught.value.kind == "empty"
    with pytest.raises(WorkerFault):
        heard(raw, "hm")


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"output": {"regex": "("}}, "output.regex"),
        ({"output": {"regex": r"(?=x)"}}, "output.regex"),
        ({"output": {"as": "png"}}, "output.as"),
        ({"task": "video", "output": {"type": "image"}}, "output.type"),
        ({"task": "audio"}, "task"),
        ({"task": "embedding", "output": {"as": "url"}}, "output.as"),
        ({"task": "image", "stream": {"framing": "sse"}}, "stream"),
        ({"task": "image", "is_stream": True}, "is_stream"),
    ],
)
def test_outputs_that_are_refused(words: dict[str, Any], field: str) -> None:
    assert refusal({**PLAIN, **words})[0] == field
