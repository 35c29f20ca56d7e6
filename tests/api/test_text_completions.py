"""/v1/completions with the unmodified openai package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest

from app.core import errors
from app.core.conversation import Event, Reply, Usage
from tests.api.callers import ScriptedRouter, callers_app, no_model, served

ASK: Any = {"model": "m", "prompt": "Once"}


@contextmanager
def client(router: ScriptedRouter, base: str = "/v1", *, strict: bool = True) -> Iterator[openai.OpenAI]:
    # Strict validation wants a finish reason in every chunk, where the real service says null too: whole replies only.
    with (
        served(callers_app(router)) as url,
        openai.OpenAI(base_url=url + base, api_key="none", max_retries=0, _strict_response_validation=strict) as api,
    ):
        yield api


def choice(text: str, index: int = 0, finish: str | None = "stop", **more: Any) -> dict[str, Any]:
    return {"index": index, "message": {"content": text}, "finish_reason": finish, **more}


def chunk(*choices: tuple[int, str], **more: Any) -> Event:
    raw = [{"index": index, "delta": {"content": text}, "finish_reason": None, **more} for index, text in choices]
    return Event(text="".join(text for index, text in choices if index == 0), chunk={"id": "w", "choices": raw})


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
def test_whole_reply(base: str) -> None:
    router = ScriptedRouter(Reply(" upon", "MAX_TOKENS", Usage(3, 4)), notices=("not carried: stop",))
    with client(router, base) as api:
        raw = api.completions.with_raw_response.create(**ASK, max_tokens=5, temperature=0.5, stop=["x"])
    reply = raw.parse()
    assert (reply.object, reply.model, reply.id[:5]) == ("text_completion", "m", "cmpl-")
    assert [each.to_dict() for each in reply.choices] == [
        {"text": " upon", "index": 0, "logprobs": None, "finish_reason": "length"}
    ]
    assert reply.usage is not None
    assert reply.usage.total_tokens == 7
    assert raw.headers["x-rollcall-worker"] == "7"
    assert raw.headers["x-rollcall-notice"] == "not carried: stop"
    (asked,) = router.asked
    assert asked.messages == ({"role": "user", "content": "Once"},)
    assert asked.body == {**ASK, "max_tokens": 5, "temperature": 0.5, "stop": ["x"]}


def test_several_choices_of_an_openai_shaped_worker() -> None:
    raw = {"choices": [choice("a"), choice("b", 1, "length"), choice("c", 2, "tool_calls")], "system_fingerprint": "f"}
    with client(ScriptedRouter(Reply("a", "stop", raw=raw))) as api:
        reply = api.completions.create(**ASK, n=3)
    assert [(each.index, each.text, each.finish_reason) for each in reply.choices] == [
        *((0, "a", "stop"), (1, "b", "length"), (2, "c", "stop")),
    ]
    assert (reply.system_fingerprint, reply.usage) == ("f", None)


@pytest.mark.parametrize("prompt", ["Once", ["Once"]])
def test_echo_puts_the_prompt_in_front(prompt: Any) -> None:
    router = ScriptedRouter(Reply(" upon", "stop"))
    with client(router) as api:
        assert api.completions.create(model="m", prompt=prompt, echo=True).choices[0].text == "Once upon"
    assert "echo" not in router.asked[0].body


def test_stream() -> None:
    router = ScriptedRouter(events=[Event(" up"), Event("on"), Event(usage=Usage(3, 4)), Event(finish="length")])
    with client(router, strict=False) as api:
        options: Any = {"include_usage": True}
        told = list(api.completions.create(**ASK, stream=True, stream_options=options))
    choices: list[Any] = [each.choices[0] for each in told if each.choices]
    assert [(each.text, each.finish_reason) for each in choices] == [(" up", None), ("on", None), ("", "length")]
    assert {each.id for each in told} == {told[0].id}
    assert {each.object for each in told} == {"text_completion"}
    assert told[-1].choices == []
    assert told[-1].usage is not None
    assert told[-1].usage.total_tokens == 7


def test_the_frames_of_a_stream() -> None:
    app = callers_app(ScriptedRouter(events=[Event("a"), Event(finish="stop")]))
    answer = app.test_client().post("/v1/completions", json={**ASK, "stream": True})
    assert answer.content_type == "text/event-stream; charset=utf-8"
    frames = answer.text.split("\n\n")
    assert frames[-2:] == ["data: [DONE]", ""]
    assert '"usage"' not in answer.text


STREAMS: list[tuple[list[Event], dict[int, str]]] = [
    ([Event(" upon"), Event(finish="stop")], {0: "Once upon"}),
    ([Event(finish="stop")], {0: "Once"}),
    ([chunk((0, " a"), (1, " b")), chunk((1, "c")), Event(finish="stop")], {0: "Once a", 1: "Once bc"}),
]


@pytest.mark.parametrize(("events", "texts"), STREAMS)
def test_a_streamed_echo(events: list[Event], texts: dict[int, str]) -> None:
    with client(ScriptedRouter(events=events), strict=False) as api:
        choices = [each for told in api.completions.create(**ASK, echo=True, stream=True) for each in told.choices]
    found: dict[int, str] = {}
    for each in choices:
        found[each.index] = found.get(each.index, "") + each.text
    assert found == texts
    assert [each.index for each in choices if each.finish_reason] == sorted(texts)


def token(text: str, logprob: float, *tops: str) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "top_logprobs": [{"token": top, "logprob": -9.0} for top in tops]}


def test_logprobs_in_the_older_shape() -> None:
    told = {"content": [token(" up", -0.5, " up", " off"), token("on", -1.0)]}
    router = ScriptedRouter(
        Reply(" upon", "stop", raw={"choices": [choice(" upon", logprobs=told)]}),
        events=[
            chunk((0, " up"), logprobs={"content": told["content"][:1]}),
            chunk((0, "on"), logprobs={"content": told["content"][1:]}),
            Event(finish="stop"),
        ],
    )
    with client(router) as api:
        found = api.completions.create(**ASK, logprobs=2).choices[0].logprobs
    assert found is not None
    assert found.to_dict() == {
        "tokens": [" up", "on"],
        "token_logprobs": [-0.5, -1.0],
        "top_logprobs": [{" up": -9.0, " off": -9.0}, {}],
        "text_offset": [0, 3],
    }
    assert (router.asked[0].body["logprobs"], router.asked[0].body["top_logprobs"]) == (True, 2)
    with client(router, strict=False) as api:
        told_ = list(api.completions.create(**ASK, logprobs=2, stream=True))
    assert [each.choices[0].logprobs and each.choices[0].logprobs.text_offset for each in told_] == [[0], [3], None]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, "model"),
    ({"prompt": None}, "prompt"),
    ({"prompt": []}, "prompt"),
    ({"prompt": ["a", "b"]}, "prompt"),
    ({"prompt": [1, 2]}, "prompt"),
    ({"prompt": [[1, 2]]}, "prompt"),
    ({"prompt": 1}, "prompt"),
    ({"suffix": "x"}, "suffix"),
    ({"best_of": 3}, "best_of"),
    ({"echo": "yes"}, "echo"),
    ({"echo": True, "logprobs": 1}, "echo"),
    ({"logprobs": True}, "logprobs"),
    ({"logprobs": 21}, "logprobs"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
]


@pytest.mark.parametrize(("options", "field"), REFUSED)
def test_refusals_name_the_field(options: dict[str, Any], field: str) -> None:
    answer = callers_app().test_client().post("/v1/completions", json={**ASK, **options})
    assert (answer.status_code, answer.json["error"]["param"]) == (400, field)
    assert field in answer.json["error"]["message"]


def test_a_body_that_is_no_object() -> None:
    answer = callers_app().test_client().post("/api/v1/completions", json=["x"])
    assert (answer.status_code, list(answer.json)) == (400, ["error"])


@pytest.mark.parametrize("stream", [False, True])
def test_errors_become_the_right_exception(stream: bool) -> None:
    with client(ScriptedRouter(error=no_model())) as api, pytest.raises(openai.NotFoundError) as caught:
        api.completions.create(**ASK, stream=stream)
    assert caught.value.code == "model_not_found"


def test_an_error_in_mid_stream_is_raised() -> None:
    def events() -> Iterator[Event]:
        yield Event(" up")
        raise errors.UpstreamError("The worker stopped in mid-stream.")

    router = ScriptedRouter(events=events())
    with client(router, strict=False) as api, pytest.raises(openai.APIError, match="mid-stream"):
        list(api.completions.create(**ASK, stream=True))
    assert router.streams[0].closed.wait(5)
