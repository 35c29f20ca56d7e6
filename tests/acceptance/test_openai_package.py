"""The unmodified openai package, validating strictly, against `manage.py serve` and workers on real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest

from tests.acceptance.asking import HI, STREAM, TOOLS, posts
from tests.fakes import FakeUpstream, json_answer, openai_answer, openai_chunk, openai_stream, sse
from tests.served.toys import openai_worker
from tests.serving import Server

CALL = {"id": "call-1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}


def test_a_whole_answer_of_a_sample_worker(api: openai.OpenAI, toy: str) -> None:
    raw = api.chat.completions.with_raw_response.create(model=toy, messages=HI, temperature=0.2, max_tokens=20)
    reply = raw.parse()
    (choice,) = reply.choices
    assert choice.message.content
    assert choice.message.role == "assistant"
    assert (reply.model, reply.object) == ("toy", "chat.completion")
    assert raw.headers["x-rollcall-attempts"] == "1"
    assert raw.headers["x-rollcall-worker"].isdigit()
    assert raw.headers["x-request-id"] == reply._request_id


def test_a_streamed_answer_of_a_sample_worker(api: openai.OpenAI, toy: str) -> None:
    options: Any = {"include_usage": True}
    with api.chat.completions.create(model=toy, messages=HI, stream=True, stream_options=options) as stream:
        chunks = list(stream)
    texts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert len(texts) > 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] in ("stop", "length")
    assert (chunks[-1].choices, {chunk.id for chunk in chunks}) == ([], {chunks[0].id})
    assert chunks[-1].usage is not None


def test_the_stream_helper(api: openai.OpenAI, toy: str) -> None:
    with api.chat.completions.stream(model=toy, messages=HI) as stream:
        texts = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert final.choices[0].message.content == "".join(texts) != ""


async def _ask_at_once(url: str, model: str, times: int) -> list[Any]:
    async with openai.AsyncOpenAI(base_url=url, api_key="none", _strict_response_validation=True) as client:
        asked = (client.chat.completions.create(model=model, messages=HI) for _ in range(times))
        return await asyncio.gather(*asked)


def test_the_asynchronous_client(server: Server, toy: str) -> None:
    replies = asyncio.run(_ask_at_once(f"{server.url}/api/v1", toy, 20))
    assert all(reply.choices[0].message.content for reply in replies)


def test_a_worker_that_cannot_stream_is_one_chunk_and_the_end(server: Server, api: openai.OpenAI) -> None:
    body, path = {"input": "{USER_PROMPT}"}, "data.items[].attributes.answer"
    answer = {"data": {"items": [{"attributes": {"answer": "seed says hi"}}]}}
    with FakeUpstream(json_answer(answer)) as upstream:
        server.register(model_name="seed", req_url_template=upstream.url, body=body, response_extract=path)
        chunks = list(api.chat.completions.create(model="seed", messages=HI, stream=True))
        assert posts(upstream)[-1].json == {"input": "hello"}
    deltas = [(chunk.choices[0].delta.content, chunk.choices[0].finish_reason) for chunk in chunks]
    assert deltas == [("", None), ("seed says hi", None), (None, "stop")]


def test_a_worker_that_only_streams_is_gathered(server: Server, api: openai.OpenAI) -> None:
    with FakeUpstream(openai_stream("hel", "lo")) as upstream:
        server.register(**openai_worker("streams", upstream.url, is_stream=True, stream=STREAM))
        reply = api.chat.completions.create(model="streams", messages=HI)
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == ("hello", "stop")


def test_models(server: Server, api: openai.OpenAI, toy: str) -> None:
    listed = {model.id: model for model in api.models.list()}
    assert (listed["toy"].object, listed["toy"].owned_by) == ("model", "acceptance")
    assert api.models.retrieve("toy").created == listed["toy"].created > 1_700_000_000
    with pytest.raises(openai.NotFoundError, match="nobody"):
        api.models.retrieve("nobody")


def test_tools_and_other_fields_go_through_both_ways(api: openai.OpenAI, worker: FakeUpstream) -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [CALL], "reasoning_content": "hm"}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    worker.answer_with(openai_answer(choices=[choice], system_fingerprint="fp-1"))
    more: Any = {"top_k": 3, "guided_json": {"a": [1]}}
    reply = api.chat.completions.create(
        model="scripted", messages=HI, tools=TOOLS, tool_choice="auto", seed=7, stop=["X"], extra_body=more
    )
    said = reply.choices[0].message
    assert said.tool_calls is not None
    call: Any = said.tool_calls[0]
    assert (call.function.name, call.function.arguments, reply.system_fingerprint) == ("add", '{"a": 1}', "fp-1")
    assert said.model_extra == {"reasoning_content": "hm"}
    sent = posts(worker)[-1].json
    assert sent == {
        "model": "toy",
        "messages": HI,
        "tools": TOOLS,
        "tool_choice": "auto",
        "seed": 7,
        "stop": ["X"],
        **more,
    }
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "1"}
    worker.answer_with(openai_answer("it is 1"))
    final = api.chat.completions.create(model="scripted", messages=[*HI, said, result], tools=TOOLS)
    assert final.choices[0].message.content == "it is 1"
    assert posts(worker)[-1].json["messages"][2]["tool_calls"] == [CALL]


def test_streamed_tool_calls(api: openai.OpenAI, worker: FakeUpstream) -> None:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {**openai_chunk(), "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    begin = {"index": 0, "id": "call-1", "type": "function", "function": {"name": "add", "arguments": '{"a"'}}
    more = {"index": 0, "function": {"arguments": ": 1}"}}
    frames = [
        chunk({"role": "assistant", "content": None}),
        chunk({"tool_calls": [begin]}),
        chunk({"tool_calls": [more]}),
    ]
    worker.answer_with(sse(*frames, chunk({}, "tool_calls"), "[DONE]"))
    with api.chat.completions.stream(model="scripted", messages=HI, tools=TOOLS) as stream:
        choice = stream.get_final_completion().choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    assert choice.message.tool_calls[0].function.arguments == '{"a": 1}'
