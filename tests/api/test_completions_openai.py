"""The unmodified openai package against our surface, with its strict validation of every reply."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest

from app.core import errors
from app.core.conversation import Event, Reply, Usage
from tests.api.callers import ScriptedFleet, ScriptedRouter, callers_app, no_model, served, worker

HI: Any = [{"role": "user", "content": "hi"}]
TOOLS: Any = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}]
CALL = {"id": "call-1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}


@contextmanager
def client(router: ScriptedRouter, retries: int = 0, base: str = "/v1") -> Iterator[openai.OpenAI]:
    app = callers_app(router, ScriptedFleet(worker("m"), worker("org/name", 2)))
    with (
        served(app) as url,
        openai.OpenAI(
            base_url=url + base, api_key="none", max_retries=retries, _strict_response_validation=True
        ) as client,
    ):
        yield client


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
@pytest.mark.parametrize("usage", [None, Usage(3, 4, {"prompt_tokens": 3, "completion_tokens": 4})])
def test_whole_reply_of_a_text_worker(base: str, usage: Usage | None) -> None:
    with client(ScriptedRouter(Reply("hello", "COMPLETE", usage)), base=base) as api:
        raw = api.chat.completions.with_raw_response.create(model="m", messages=HI, temperature=0.5)
    reply = raw.parse()
    assert reply.choices[0].message.content == "hello"
    assert (reply.model, reply.choices[0].finish_reason) == ("m", "stop")
    assert (reply.usage and reply.usage.total_tokens) == (usage and 7)
    assert reply._request_id == raw.headers["x-request-id"]


def test_a_poor_reply_of_an_openai_shaped_worker_passes_strict_validation() -> None:
    raw = {"model": "vendor", "choices": [{"message": {"content": "hello"}, "finish_reason": "eos_token"}]}
    with client(ScriptedRouter(Reply("hello", "eos_token", raw=raw))) as api:
        reply = api.chat.completions.create(model="m", messages=HI)
    assert (reply.choices[0].message.content, reply.model) == ("hello", "m")


def test_stream_of_a_text_worker() -> None:
    router = ScriptedRouter(events=[Event("hel"), Event("lo"), Event(finish="MAX_TOKENS")])
    with client(router) as api:
        chunks = list(
            api.chat.completions.create(model="m", messages=HI, stream=True, stream_options={"include_usage": True})
        )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "hello"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.model_extra == {"estimated": True}
    assert router.asked[0].body["stream_options"] == {"include_usage": True}


def test_stream_helper_accumulates() -> None:
    with client(ScriptedRouter()) as api, api.chat.completions.stream(model="m", messages=HI) as stream:
        texts = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert "".join(texts) == "hello"
    assert (final.choices[0].message.content, final.choices[0].message.role) == ("hello", "assistant")


def test_tools_round_trip() -> None:
    raw = {"choices": [{"message": {"content": None, "tool_calls": [CALL]}, "finish_reason": "tool_calls"}]}
    router = ScriptedRouter(Reply("", "tool_calls", raw=raw))
    with client(router) as api:
        first = api.chat.completions.create(model="m", messages=HI, tools=TOOLS, tool_choice="auto").choices[0]
        assert first.finish_reason == "tool_calls"
        assert first.message.tool_calls is not None
        call: Any = first.message.tool_calls[0]
        assert (call.function.name, call.function.arguments) == ("add", '{"a": 1}')
        result: Any = {"role": "tool", "tool_call_id": call.id, "content": "4"}
        api.chat.completions.create(model="m", messages=[*HI, first.message, result], tools=TOOLS)
    assert router.asked[0].body["tools"] == TOOLS
    assert router.asked[1].messages[1]["tool_calls"][0]["id"] == "call-1"
    assert router.asked[1].messages[2] == result


def test_streamed_tool_calls() -> None:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> Event:
        return Event(chunk={"id": "w", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    begin = {"index": 0, "id": "call-1", "type": "function", "function": {"name": "add", "arguments": '{"a"'}}
    more = {"index": 0, "function": {"arguments": ": 1}"}}
    events = [chunk({"tool_calls": [begin]}), chunk({"tool_calls": [more]}), chunk({}, "tool_calls")]
    router = ScriptedRouter(events=[*events, Event(finish="tool_calls")])
    with client(router) as api, api.chat.completions.stream(model="m", messages=HI, tools=TOOLS) as stream:
        choice = stream.get_final_completion().choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    assert choice.message.tool_calls[0].function.arguments == '{"a": 1}'


CLASSES: list[tuple[errors.RollcallError, type[openai.APIStatusError]]] = [
    (errors.InvalidRequest("Bad.", field="n"), openai.BadRequestError),
    (errors.UnsupportedByWorker("No tools.", field="tools"), openai.BadRequestError),
    (no_model(), openai.NotFoundError),
    (errors.UpstreamRejected("Too long.", status=413), openai.APIStatusError),
    (errors.UpstreamRejected("No.", status=422), openai.UnprocessableEntityError),
    (errors.UpstreamError("Slow down.", status=429, code="rate_limited", retry_after_s=1), openai.RateLimitError),
    (errors.UpstreamError("It failed.", should_retry=False), openai.InternalServerError),
    (errors.NoWorkerAvailable("All down.", retry_after_s=1), openai.InternalServerError),
    (errors.UpstreamTimeout("Too slow.", should_retry=False), openai.InternalServerError),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("error", "kind"), CLASSES, ids=[error.message for error, _ in CLASSES])
def test_errors_become_the_right_exception(
    error: errors.RollcallError, kind: type[openai.APIStatusError], stream: bool
) -> None:
    with client(ScriptedRouter(error=error)) as api, pytest.raises(kind) as caught:
        api.chat.completions.create(model="m", messages=HI, stream=stream)
    assert caught.value.status_code == error.status
    assert error.message in caught.value.message
    assert (caught.value.code, caught.value.param, caught.value.type) == (error.code, error.field, error.type)
    assert caught.value.request_id


def test_exhausted_workers_are_not_asked_again_by_the_sdk() -> None:
    router = ScriptedRouter(error=errors.UpstreamError("It failed.", should_retry=False))
    with client(router, retries=2) as api, pytest.raises(openai.InternalServerError):
        api.chat.completions.create(model="m", messages=HI)
    assert len(router.asked) == 1


def test_an_error_in_mid_stream_is_raised() -> None:
    def events() -> Iterator[Event]:
        yield Event("hel")
        raise errors.UpstreamError("The worker stopped in mid-stream.")

    with client(ScriptedRouter(events=events())) as api:
        stream = api.chat.completions.create(model="m", messages=HI, stream=True)
        assert [next(stream).choices[0].delta.content for _ in range(2)] == ["", "hel"]
        with pytest.raises(openai.APIError) as caught:
            next(stream)
    assert "The worker stopped in mid-stream." in caught.value.message


def test_models() -> None:
    with client(ScriptedRouter()) as api:
        assert [model.id for model in api.models.list()] == ["m", "org/name"]
        assert api.models.retrieve("org/name").owned_by == "rollcall"
        with pytest.raises(openai.NotFoundError) as caught:
            api.models.retrieve("nobody")
    assert caught.value.code == "model_not_found"


def test_other_openai_routes_are_an_honest_404() -> None:
    with client(ScriptedRouter()) as api, pytest.raises(openai.NotFoundError) as caught:
        api.moderations.create(input="x")
    assert "/v1/moderations" in caught.value.message
