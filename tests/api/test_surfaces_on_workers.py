"""The other surfaces through the whole application, onto workers on real sockets: what each worker is sent and said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.management import Api, management
from tests.fakes import FakeUpstream, json_answer, openai_answer, openai_stream, sse

OPENAI = {
    "body": {"model": "{MODEL_NAME}", "messages": "{MESSAGES}", "stream": "{STREAM}"},
    "response_extract": "choices[].message.content",
    "stream": {"framing": "sse", "delta_extract": "choices[].delta.content", "done": "[DONE]"},
}
PLAIN = {
    "body": {"q": "{USER_PROMPT}", "max": "{MAX_TOKENS}", "k": "{TOP_K}", "system": "{SYSTEM_PROMPT}"},
    "messages": {"system": "separate"},
    "response_extract": "answer",
    "finish_extract": "why",
}
EMBEDDING = {
    "task": "embedding",
    "body": {"input": "{INPUT}", "dimensions": "{DIMENSIONS}"},
    "response_extract": "data[*].embedding",
    "output": {"type": "embedding", "as": "json"},
    "usage": {"prompt": "usage.prompt_tokens"},
}
TURN = {"role": "user", "content": [{"type": "text", "text": "what?"}]}
ASK: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [TURN]}
PNG = {"type": "base64", "media_type": "image/png", "data": "aGk="}
IMAGE = {"type": "image", "source": PNG}
TOOL = {"name": "add", "input_schema": {"type": "object"}}


@pytest.fixture
def api(sqlite_url: str, tmp_path: Path) -> Iterator[Api]:
    with management(sqlite_url, tmp_path) as api:
        yield api


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: {")]


def test_messages_onto_an_openai_shaped_worker(api: Api) -> None:
    call = {"id": "call-1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
    choice = {"index": 0, "message": {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}
    with FakeUpstream(openai_answer(choices=[choice])) as worker:
        api.register(req_url_template=worker.url, upstream_model="vendor", **OPENAI)
        ask = {**ASK, "messages": [{"role": "user", "content": [IMAGE]}], "system": "s", "tools": [TOOL], "top_k": 5}
        answer = api.post("/v1/messages", {**ask, "stop_sequences": ["x"], "service_tier": "auto"})
        sent = worker.requests[-1].json
    assert answer.status_code == 200, answer.json
    assert (answer.json["stop_reason"], answer.json["usage"]) == ("tool_use", {"input_tokens": 3, "output_tokens": 2})
    assert answer.json["content"] == [{"type": "tool_use", "id": "call-1", "name": "add", "input": {"a": 1}}]
    assert answer.headers["X-Rollcall-Notice"] == "not carried: service_tier"
    assert sent == {
        "model": "vendor",
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]},
        ],
        "stream": False,
        "max_tokens": 9,
        "top_k": 5,
        "stop": ["x"],
        "tools": [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}],
    }


def test_streamed_messages_onto_an_openai_shaped_worker(api: Api) -> None:
    def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
        return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    first = {"index": 0, "id": "call-1", "type": "function", "function": {"name": "add", "arguments": '{"a"'}}
    more = {"index": 0, "function": {"arguments": ":1}"}}
    frames = [chunk(content="Hm."), chunk(tool_calls=[first]), chunk(tool_calls=[more]), chunk("tool_calls"), "[DONE]"]
    with FakeUpstream(sse(*frames)) as worker:
        api.register(req_url_template=worker.url, **OPENAI)
        answer = api.post("/v1/messages", {**ASK, "tools": [TOOL], "stream": True})
        told = events(answer.text)
        assert worker.requests[-1].json["stream"] is True
    assert [event["type"].removeprefix("content_block_") for event in told] == [
        *(
            "message_start",
            "start",
            "delta",
            "stop",
            "start",
            "delta",
            "delta",
            "stop",
            "message_delta",
            "message_stop",
        ),
    ]
    assert [event["delta"]["partial_json"] for event in told if "partial_json" in event.get("delta", ())] == [
        *('{"a"', ":1}"),
    ]
    assert told[-2]["delta"]["stop_reason"] == "tool_use"


@pytest.mark.parametrize("stream", [False, True])
def test_messages_onto_a_text_worker(api: Api, stream: bool) -> None:
    with FakeUpstream(json_answer({"answer": "four", "why": "MAX_TOKENS"})) as worker:
        api.register(req_url_template=worker.url, **PLAIN)
        answer = api.post("/v1/messages", {**ASK, "system": "s", "top_k": 5, "stop_sequences": ["x"], "stream": stream})
        sent = worker.requests[-1].json
    assert answer.headers["X-Rollcall-Notice"] == "not carried: stop_sequences"
    assert sent == {"q": "what?", "max": 9, "k": 5, "system": "s"}
    if stream:
        told = events(answer.text)
        assert (told[2]["delta"]["text"], told[-2]["delta"]["stop_reason"]) == ("four", "max_tokens")
    else:
        assert (answer.json["content"], answer.json["stop_reason"]) == (
            [{"type": "text", "text": "four"}],
            "max_tokens",
        )


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"tools": [TOOL]}, "tools"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, IMAGE]}]}, "messages[0].content[1]"),
        (
            {
                "messages": [
                    TURN,
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "add", "input": {}}]},
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "4"}]},
                ]
            },
            "messages[1].content[0]",
        ),
        ({"output_config": {"format": {"type": "json_schema", "schema": {}}}}, "output_config.format"),
    ],
)
def test_what_a_text_worker_cannot_carry_is_named(api: Api, more: dict[str, Any], name: str) -> None:
    with FakeUpstream(json_answer({"answer": "four"})) as worker:
        api.register(req_url_template=worker.url, **PLAIN)
        answer = api.post("/v1/messages", {**ASK, "system": "s", **more})
        assert worker.requests == []
    assert (answer.status_code, answer.json["error"]["type"]) == (400, "invalid_request_error")
    assert repr(name) in answer.json["error"]["message"]


def test_a_worker_that_breaks_in_mid_stream_is_an_error_event(api: Api) -> None:
    half = {"choices": [{"index": 0, "delta": {"content": "half"}}]}
    with FakeUpstream(sse(half, cut="rst")) as worker:
        api.register(req_url_template=worker.url, **OPENAI)
        told = events(api.post("/v1/messages", {**ASK, "stream": True}).text)
    assert [event["type"] for event in told[:3]] == ["message_start", "content_block_start", "content_block_delta"]
    assert (told[-1]["type"], told[-1]["error"]["type"]) == ("error", "api_error")


@pytest.mark.parametrize("stream", [False, True])
def test_completions_onto_both_kinds(api: Api, stream: bool) -> None:
    ask = {"prompt": "Once", "echo": True, "max_tokens": 5, "seed": 1, "stream": stream}
    with FakeUpstream(openai_stream(" up", "on") if stream else openai_answer(" upon")) as shaped:
        api.register(model_name="shaped", req_url_template=shaped.url, **OPENAI)
        answer = api.post("/v1/completions", {"model": "shaped", **ask})
        assert _text(answer.text, stream) == "Once upon"
        assert shaped.requests[-1].json == {
            "model": "shaped",
            "messages": [{"role": "user", "content": "Once"}],
            "stream": stream,
            "max_tokens": 5,
            "seed": 1,
        }
    with FakeUpstream(json_answer({"answer": " upon"})) as plain:
        api.register(model_name="plain", req_url_template=plain.url, **PLAIN)
        answer = api.post("/v1/completions", {"model": "plain", **ask})
        assert _text(answer.text, stream) == "Once upon"
        assert plain.requests[-1].json == {"q": "Once", "max": 5}
        assert answer.headers["X-Rollcall-Notice"] == "not carried: seed"


def _text(answer: str, stream: bool) -> str:
    replies = events(answer) if stream else [json.loads(answer)]
    assert {reply["object"] for reply in replies} == {"text_completion"}
    return "".join(choice["text"] for reply in replies for choice in reply["choices"])


@pytest.mark.parametrize("given", ["a", [1, 2]])
def test_embeddings(api: Api, given: Any) -> None:
    row = {"object": "embedding", "index": 0, "embedding": [0.5, 1.0]}
    with FakeUpstream(json_answer({"data": [row], "usage": {"prompt_tokens": 2}})) as worker:
        api.register(req_url_template=worker.url, **EMBEDDING)
        answer = api.post("/v1/embeddings", {"model": "m", "input": given, "encoding_format": "float", "dimensions": 2})
        assert worker.requests[-1].json == {"input": given, "dimensions": 2}
    assert answer.json == {
        "object": "list",
        "data": [row],
        "model": "m",
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }
    assert "X-Rollcall-Notice" not in answer.headers


def test_many_embeddings_out_of_order(api: Api) -> None:
    rows = [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}]
    with FakeUpstream(json_answer({"data": rows})) as worker:
        api.register(req_url_template=worker.url, **EMBEDDING)
        answer = api.post("/v1/embeddings", {"model": "m", "input": ["a", "b"]})
    assert [row["embedding"] for row in answer.json["data"]] == [[1.0], [2.0]]


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("/v1/messages", ASK),
        ("/v1/completions", {"model": "m", "prompt": "a"}),
        ("/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": "a"}]}),
    ],
)
def test_a_model_of_another_task_is_a_sentence(api: Api, route: str, body: dict[str, Any]) -> None:
    api.register(**EMBEDDING)
    answer = api.post(route, body)
    assert answer.status_code == 400
    message = answer.json["error"]["message"]
    assert "embedding" in message
    assert answer.json["error"].get("code", "wrong_task") == "wrong_task"


def test_a_text_model_gives_no_embeddings(api: Api) -> None:
    api.register(**PLAIN)
    answer = api.post("/v1/embeddings", {"model": "m", "input": "a"})
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "wrong_task")
