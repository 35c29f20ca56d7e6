"""What the unmodified openai package makes of failures: the right exception, and no call more than need be."""

from __future__ import annotations

import openai
import pytest

from tests.acceptance.asking import HI, TOOLS, posts
from tests.fakes import Behaviour, FakeUpstream, json_answer, openai_chunk, sse
from tests.served.toys import question
from tests.serving import Server

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
    (json_answer({"error": "slow down"}, 429, {"Retry-After": "0"}), openai.RateLimitError, 429, "slow down", 2),
    (json_answer({"error": "busy"}, 503, {"Retry-After": "0"}), openai.InternalServerError, 503, "busy", 2),
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
        api.with_options(max_retries=1).chat.completions.create(model="scripted", messages=HI, stream=stream)
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
