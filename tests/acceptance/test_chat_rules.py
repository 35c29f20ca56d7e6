"""The rules between callers of OpenAI's surface and workers of any shape, each through the whole application."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.api.management import Api, management
from tests.fakes import FakeUpstream, bytes_answer, hang, json_answer, openai_answer, openai_chunk, openai_stream, sse

CHAT = "/v1/chat/completions"
HI: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
SHAPED: dict[str, Any] = {
    "body": {"model": "{MODEL_NAME}", "messages": "{MESSAGES}", "stream": "{STREAM}"},
    "response_extract": "choices[].message.content",
    "stream": {"framing": "sse", "done": "[DONE]"},
}
PLAIN: dict[str, Any] = {
    "body": {"prompt": "{USER_PROMPT}", "max": "{MAX_TOKENS}"},
    "response_extract": "text",
    "finish_extract": "why",
    "usage": {"prompt": "in", "completion": ["out", "thought"]},
    "stream": {"framing": "sse", "done_when": {"end": True}},
}


@pytest.fixture
def worker() -> Iterator[FakeUpstream]:
    with FakeUpstream(openai_answer()) as worker:
        yield worker


@pytest.fixture
def api(sqlite_url: str, tmp_path: Path, worker: FakeUpstream) -> Iterator[Api]:
    with management(sqlite_url, tmp_path, ROLLCALL_TIMEOUT_S=0.5) as api:
        api.register(**SHAPED, model_name="shaped", req_url_template=worker.url)
        api.register(**PLAIN, model_name="plain", req_url_template=worker.url)
        yield api


def ask(api: Api, model: str = "plain", status: int = 200, **fields: Any) -> TestResponse:
    answer = api.post(CHAT, {"model": model, "messages": HI, **fields})
    assert answer.status_code == status, answer.text
    return answer


def frames(answer: TestResponse) -> list[Any]:
    """The frames as clients read them: each needs its blank line and holds data, nothing else."""
    assert answer.mimetype == "text/event-stream"
    *whole, rest = answer.text.split("\n\n")
    assert rest == ""
    assert all(frame.startswith("data: ") and "\n" not in frame for frame in whole)
    return [frame[6:] if frame == "data: [DONE]" else json.loads(frame[6:]) for frame in whole]


def finishes(answer: TestResponse) -> list[str]:
    chunks = [frame for frame in frames(answer) if isinstance(frame, dict) and frame["choices"]]
    return [chunk["choices"][0]["finish_reason"] for chunk in chunks]


@pytest.mark.parametrize(
    ("fields", "sent"),
    [({"max_tokens": 5}, 5), ({"max_completion_tokens": 7}, 7), ({"max_tokens": 5, "max_completion_tokens": 7}, 7)],
)
def test_max_completion_tokens_is_max_tokens_and_wins(
    api: Api, worker: FakeUpstream, fields: dict[str, int], sent: int
) -> None:
    worker.answer_with(json_answer({"text": "hello"}))
    ask(api, **fields)
    assert worker.requests[-1].json == {"prompt": "hi", "max": sent}


def test_the_prompt_is_the_text_of_the_last_user_message_and_developer_is_system(
    api: Api, worker: FakeUpstream
) -> None:
    parts = [{"type": "text", "text": "what "}, {"type": "text", "text": "now?"}]
    messages = [
        {"role": "developer", "content": "Be brief."},
        *HI,
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": parts},
    ]
    worker.answer_with(json_answer({"text": "hello"}))
    answer = ask(api, messages=messages)
    assert worker.requests[-1].json == {"prompt": "what now?"}
    assert answer.headers["X-Rollcall-Notice"] == "conversation not carried, only the last user message"
    body = {"system": "{SYSTEM_PROMPT}", "turns": "{MESSAGES}"}
    words = {"body": body, "messages": {"system": "separate"}, "response_extract": "text"}
    api.register(**words, model_name="turns", req_url_template=worker.url)
    assert "X-Rollcall-Notice" not in ask(api, "turns", messages=messages).headers
    turns = [*HI, {"role": "assistant", "content": "hello"}, {"role": "user", "content": "what now?"}]
    assert worker.requests[-1].json == {"system": "Be brief.", "turns": turns}


def test_an_unknown_model_is_404_model_not_found(api: Api) -> None:
    error = ask(api, "nobody", 404).json["error"]
    assert (error["code"], error["param"], error["type"]) == ("model_not_found", "model", "invalid_request_error")


def test_a_stream_from_a_worker_that_cannot_is_role_content_finish_and_done(api: Api, worker: FakeUpstream) -> None:
    words = {**PLAIN, "stream": None, "model_name": "whole"}
    api.register(**{name: word for name, word in words.items() if word}, req_url_template=worker.url)
    worker.answer_with(json_answer({"text": "hello", "why": "COMPLETE"}))
    *chunks, last = frames(ask(api, "whole", stream=True))
    deltas = [(chunk["choices"][0]["delta"], chunk["choices"][0]["finish_reason"]) for chunk in chunks]
    assert deltas == [({"role": "assistant", "content": ""}, None), ({"content": "hello"}, None), ({}, "stop")]
    assert (last, len(worker.requests)) == ("[DONE]", 1)
    assert {(chunk["object"], chunk["model"], chunk["id"]) for chunk in chunks} == {
        ("chat.completion.chunk", "whole", chunks[0]["id"])
    }


def test_a_worker_that_only_streams_is_gathered(api: Api, worker: FakeUpstream) -> None:
    api.register(**{**SHAPED, "is_stream": True}, model_name="streams", req_url_template=worker.url)
    worker.answer_with(openai_stream("hel", "lo"))
    choice = ask(api, "streams").json["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("hello", "stop")
    assert worker.requests[-1].json["stream"] is True


REASONS = {
    "stop": "stop end_turn stop_sequence eos eos_token word COMPLETE STOP_SEQUENCE STOP completed pause_turn abort "
    "None null",
    "length": "length max_tokens MAX_TOKENS limit max_output_tokens model_context_window_exceeded",
    "tool_calls": "tool_calls tool_use TOOL_CALL",
    "content_filter": "content_filter refusal SAFETY RECITATION BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY "
    "content_filtered CONTENT_FILTERED",
}


@pytest.mark.parametrize("reason", REASONS)
def test_finish_reasons_become_openais(api: Api, worker: FakeUpstream, reason: str) -> None:
    for word in REASONS[reason].split():
        said: Any = None if word == "null" else word
        worker.answer_with(json_answer({"text": "hello", "why": said}))
        assert ask(api).json["choices"][0]["finish_reason"] == reason, word
        worker.answer_with(sse({"text": "hello", "why": said}, {"end": True}))
        assert finishes(ask(api, stream=True)) == [None, None, reason], word
        worker.answer_with(openai_answer("hello", said))
        assert ask(api, "shaped").json["choices"][0]["finish_reason"] == reason, word
        worker.answer_with(sse(openai_chunk("hello"), openai_chunk(finish=said), "[DONE]"))
        assert finishes(ask(api, "shaped", stream=True))[-1] == reason, word


@pytest.mark.parametrize("word", ["ERROR", "TIMEOUT"])
def test_a_finish_that_says_failure_is_an_error(api: Api, worker: FakeUpstream, word: str) -> None:
    worker.answer_with(json_answer({"text": "hel", "why": word}))
    assert ask(api, status=502).headers["x-should-retry"] == "false"
    worker.answer_with(sse({"text": "hel"}, {"why": word, "end": True}))
    *_, content, last = frames(ask(api, stream=True))
    assert content["choices"][0]["delta"] == {"content": "hel"}
    assert last["error"]["code"] == "upstream_error"


def test_usage_is_mapped_and_its_total_is_the_sum(api: Api, worker: FakeUpstream) -> None:
    counted = {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}
    worker.answer_with(json_answer({"text": "hello", "in": 3, "out": 4, "thought": 5}))
    assert ask(api).json["usage"] == counted
    worker.answer_with(sse({"text": "hello", "in": 3}, {"out": 4, "thought": 5, "end": True}))
    answer = frames(ask(api, stream=True, stream_options={"include_usage": True}))
    assert (answer[-2]["choices"], answer[-2]["usage"]) == ([], counted)
    assert all("usage" not in frame for frame in frames(ask(api, stream=True))[:-1])
    worker.answer_with(openai_answer(usage={"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 99, "x": 1}))
    assert ask(api, "shaped").json["usage"] == {**counted, "x": 1}


def test_usage_that_no_worker_told_is_left_out_or_marked_as_estimated(api: Api, worker: FakeUpstream) -> None:
    worker.answer_with(json_answer({"text": "hello"}))
    assert "usage" not in ask(api).json
    worker.answer_with(sse({"text": "hello"}, {"end": True}))
    assert all("usage" not in frame for frame in frames(ask(api, stream=True))[:-1])
    answer = frames(ask(api, stream=True, stream_options={"include_usage": True}))
    assert answer[-2]["choices"] == []
    assert answer[-2]["usage"]["estimated"] is True
    assert answer[-1] == "[DONE]"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_what_the_worker_blames_on_the_request_is_the_callers_answer(
    api: Api, worker: FakeUpstream, status: int, stream: bool
) -> None:
    with FakeUpstream(json_answer({"text": "never"})) as other:
        api.register(**PLAIN, model_name="plain", req_url_template=other.url, weight=0)
        worker.answer_with(json_answer({"error": {"message": "no such thing"}}, status))
        error = ask(api, status=status, stream=stream).json["error"]
        assert other.requests == []
    assert (error["message"], error["type"]) == ("no such thing", "invalid_request_error")
    assert {"code", "param"} < set(error)


def test_with_its_own_code_and_field(api: Api, worker: FakeUpstream) -> None:
    for code, param, told in (("too_long", "a[0].b", ("too_long", "a[0].b")), (4, "a b", ("upstream_rejected", None))):
        worker.answer_with(json_answer({"error": {"message": "no", "code": code, "param": param}}, 400))
        error = ask(api, status=400).json["error"]
        assert (error["code"], error["param"]) == told


def test_an_error_never_travels_as_200(api: Api, worker: FakeUpstream) -> None:
    for said in ({"error": {"message": "oom"}}, {"error": "oom"}):
        for stream in (False, True):
            worker.answer_with(json_answer(said))
            assert "oom" in ask(api, "shaped", 502, stream=stream).json["error"]["message"]


def test_silence_is_504_before_the_first_event_and_in_band_after_it(api: Api, worker: FakeUpstream) -> None:
    worker.answer_with(hang())
    for stream in (False, True):
        assert ask(api, status=504, stream=stream).json["error"]["code"] == "upstream_timeout"

    def falls_silent(exchange: Any) -> None:
        exchange.head(200, framing="chunked", content_type="text/event-stream")
        exchange.piece(b'data: {"text": "hel"}\n\n')
        exchange.wait(None)

    worker.answer_with(falls_silent)
    *_, last = frames(ask(api, stream=True))
    assert last["error"]["code"] == "upstream_timeout"


def test_models_are_one_entry_for_each_name_owned_by_the_owner(api: Api, worker: FakeUpstream) -> None:
    api.register(model_name="plain", req_url_template=f"{worker.url}/2", owner="me")
    listed = {model["id"]: model for model in api.get("/v1/models").json["data"]}
    assert set(listed) == {"plain", "shaped"}
    assert listed["plain"]["owned_by"] == "me"
    assert listed["plain"]["object"] == "model"


def test_every_sort_of_line_end_and_a_lost_end_mark_in_a_workers_stream(api: Api, worker: FakeUpstream) -> None:
    for end in (b"\n", b"\r\n", b"\r"):
        body = b"".join(
            b": comment" + end + b"event: x" + end + b"data:" + json.dumps(value).encode() + end + end
            for value in ({"text": "hel"}, {"text": "lo", "end": True})
        )
        worker.answer_with(bytes_answer(body, content_type="text/event-stream"))
        said = "".join(frame["choices"][0]["delta"].get("content", "") for frame in frames(ask(api, stream=True))[:-1])
        assert said == "hello"
    worker.answer_with(sse({"text": "hel"}, {"text": "lo"}))
    *_, last = frames(ask(api, stream=True))
    assert "ended in the middle of the answer" in last["error"]["message"]
