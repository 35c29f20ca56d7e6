"""The unmodified openai package, validating strictly, against `manage.py serve` and workers on real sockets."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.fakes import (
    Behaviour,
    FakeUpstream,
    Request,
    json_answer,
    openai_answer,
    openai_chunk,
    openai_stream,
    sse,
)
from tests.served.toys import Toy, openai_worker, question
from tests.serving import Server, serving

HI: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]
TOOLS: Any = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}]
CALL = {"id": "call-1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
STREAM = {"framing": "sse", "done": "[DONE]", "body": {"stream": True}}


@pytest.fixture(scope="module")
def server(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("var")
    shutil.copyfile(sqlite_template, folder / "rollcall.db")
    with serving(f"sqlite:///{folder / 'rollcall.db'}", folder) as running:
        yield running


@pytest.fixture(scope="module")
def api(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", _strict_response_validation=True) as client:
        yield client


@pytest.fixture(scope="module")
def toy(server: Server) -> Iterator[str]:
    """The name of a model that one sample worker serves."""
    with Toy("toy") as running:
        server.register(**openai_worker("toy", running.url, stream=STREAM, owner="acceptance"))
        yield "toy"


@pytest.fixture
def worker(server: Server) -> Iterator[FakeUpstream]:
    """An OpenAI-shaped worker of the model "scripted"."""
    with FakeUpstream(openai_answer()) as upstream:
        worker_id = server.register(**openai_worker("scripted", upstream.url, stream=STREAM))
        yield upstream
        server.ask("DELETE", f"/api/server/workers/{worker_id}")


def posts(worker: FakeUpstream) -> list[Request]:
    """What it was asked, without the probes."""
    return [request for request in worker.requests if request.method == "POST"]


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
    import asyncio

    async with openai.AsyncOpenAI(base_url=url, api_key="none", _strict_response_validation=True) as client:
        asked = (client.chat.completions.create(model=model, messages=HI) for _ in range(times))
        return await asyncio.gather(*asked)


def test_the_asynchronous_client(server: Server, toy: str) -> None:
    import asyncio

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


ERRORS: list[tuple[Behaviour, type[openai.APIStatusError], int, str, int]] = [
    (
        json_answer({"error": {"message": "too long", "code": "context"}}, 400),
        openai.BadRequestError,
        400,
        "too long",
        1,
    ),
    (json_answer({"detail": "no such adapter"}, 404), openai.NotFoundError, 404, "no such adapter", 1),
    (json_answer({"error": "too large"}, 413), openai.APIStatusError, 413, "too large", 1),
    (json_answer({"detail": "n is bad"}, 422), openai.UnprocessableEntityError, 422, "n is bad", 1),
    (json_answer({"error": "bad key"}, 401), openai.InternalServerError, 502, "refused the credentials", 1),
    (json_answer({"error": "boom"}, 500), openai.InternalServerError, 502, "boom", 1),
    (json_answer({"error": {"message": "oom"}}), openai.InternalServerError, 502, "oom", 1),
    (json_answer({"error": "slow down"}, 429, {"Retry-After": "0"}), openai.RateLimitError, 429, "slow down", 3),
    (json_answer({"error": "busy"}, 503, {"Retry-After": "0"}), openai.InternalServerError, 503, "busy", 3),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("behaviour", "kind", "status", "said", "calls"), ERRORS, ids=[row[3] for row in ERRORS])
def test_failures_of_workers_are_the_right_exceptions_and_not_multiplied(
    api: openai.OpenAI,
    worker: FakeUpstream,
    behaviour: Behaviour,
    kind: type[openai.APIStatusError],
    status: int,
    said: str,
    calls: int,
    stream: bool,
) -> None:
    worker.answer_with(behaviour)
    with pytest.raises(kind, match=said) as caught:
        api.chat.completions.create(model="scripted", messages=HI, stream=stream)
    assert caught.value.status_code == status
    assert caught.value.request_id
    assert len(posts(worker)) == calls


def test_the_routers_own_refusals(server: Server, api: openai.OpenAI, toy: str) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        api.chat.completions.create(model="toyy", messages=HI)
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    assert "toy" in unknown.value.message
    with pytest.raises(openai.BadRequestError) as invalid:
        api.chat.completions.create(model=toy, messages=HI, temperature=3)
    assert invalid.value.param == "temperature"
    with FakeUpstream(json_answer({"answer": "hi"})) as upstream:
        body = {"input": "{USER_PROMPT}"}
        server.register(model_name="text", req_url_template=upstream.url, body=body, response_extract="answer")
        with pytest.raises(openai.BadRequestError) as unsupported:
            api.chat.completions.create(model="text", messages=HI, tools=TOOLS)
        assert (unsupported.value.param, unsupported.value.code) == ("tools", "unsupported_by_model")
        server.ask("POST", "/api/server/offline", {"model_name": "text", "req_url_template": upstream.url})
        server.ask_each("POST", "/v1/chat/completions", question("text"), until=lambda answer: answer.status == 503)
        with pytest.raises(openai.InternalServerError) as nobody:
            api.with_options(max_retries=0).chat.completions.create(model="text", messages=HI)
    assert nobody.value.status_code == 503
    assert int(nobody.value.response.headers["retry-after"]) >= 1


def test_a_stream_that_breaks_is_an_exception_and_is_not_asked_again(api: openai.OpenAI, worker: FakeUpstream) -> None:
    worker.answer_with(sse(openai_chunk("hel"), cut="close"))
    stream = api.chat.completions.create(model="scripted", messages=HI, stream=True)
    assert [next(stream).choices[0].delta.content] == ["hel"]
    with pytest.raises(openai.APIError, match="ended in the middle"):
        next(stream)
    assert len(posts(worker)) == 1
