"""The unmodified anthropic package against our surface, with its strict validation of every reply."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import pytest

from app.core import errors
from app.core.conversation import Event, Reply, Usage
from tests.api.callers import ScriptedRouter, callers_app, no_model, served

HI: Any = [{"role": "user", "content": "hi"}]
TOOLS: Any = [{"name": "add", "input_schema": {"type": "object", "properties": {}}}]
ASK: Any = {"model": "m", "max_tokens": 9, "messages": HI}


@contextmanager
def client(router: ScriptedRouter, retries: int = 0, base: str = "", **login: str) -> Iterator[anthropic.Anthropic]:
    with (
        served(callers_app(router)) as url,
        anthropic.Anthropic(
            base_url=url + base,
            max_retries=retries,
            _strict_response_validation=True,
            **(login or {"api_key": "any"}),  # type: ignore[arg-type]
        ) as api,
    ):
        yield api


def call(number: int, name: str = "", arguments: str = "", call_id: str | None = None) -> dict[str, Any]:
    function = {"arguments": arguments, **({"name": name} if name else {})}
    return {"index": number, **({"id": call_id, "type": "function"} if call_id else {}), "function": function}


def chunk(delta: dict[str, Any], **choice: Any) -> Event:
    raw = {"id": "w", "choices": [{"index": 0, "delta": delta, "finish_reason": None, **choice}]}
    return Event(text=delta.get("content") or "", chunk=raw)


@pytest.mark.parametrize("base", ["", "/api"])
@pytest.mark.parametrize("login", [{"api_key": "any"}, {"auth_token": "any"}])
def test_whole_reply_of_a_text_worker(base: str, login: dict[str, str]) -> None:
    router = ScriptedRouter(Reply("hello", "COMPLETE", Usage(3, 4)))
    with client(router, base=base, **login) as api:
        raw = api.messages.with_raw_response.create(**ASK, system="Be brief.")
    message = raw.parse()
    assert [(block.type, getattr(block, "text", None)) for block in message.content] == [("text", "hello")]
    assert (message.model, message.role, message.stop_reason, message.stop_sequence) == (
        "m",
        "assistant",
        "end_turn",
        None,
    )
    assert (message.usage.input_tokens, message.usage.output_tokens) == (3, 4)
    assert message.id.startswith("msg_")
    assert message._request_id == raw.headers["x-request-id"]
    assert raw.headers["x-rollcall-worker"] == "7"
    assert [each["role"] for each in router.asked[0].messages] == ["system", "user"]


def test_any_version_is_taken() -> None:
    with client(ScriptedRouter()) as api:
        for version in ("2023-06-01", "2099-12-31", "tomorrow"):
            assert api.messages.create(**ASK, extra_headers={"anthropic-version": version}).stop_reason == "end_turn"


def test_counts_that_nobody_gave_are_estimated_and_marked() -> None:
    with client(ScriptedRouter(Reply("hello", "stop"))) as api:
        usage = api.messages.create(**ASK).usage
    assert (usage.input_tokens, usage.output_tokens, usage.model_extra) == (1, 2, {"estimated": True})


STOPS: list[tuple[str | None, str, str | None]] = [
    (None, "end_turn", None),
    ("stop", "end_turn", None),
    ("eos_token", "end_turn", None),
    ("STOP_SEQUENCE", "stop_sequence", "END"),
    ("stop_sequence", "stop_sequence", "END"),
    ("length", "max_tokens", None),
    ("MAX_TOKENS", "max_tokens", None),
    ("max_tokens", "max_tokens", None),
    ("model_context_window_exceeded", "model_context_window_exceeded", None),
    ("pause_turn", "pause_turn", None),
    ("SAFETY", "refusal", None),
    ("content_filter", "refusal", None),
    ("refusal", "refusal", None),
    ("tool_calls", "tool_use", None),
    ("tool_use", "tool_use", None),
]


@pytest.mark.parametrize(("finish", "reason", "sequence"), STOPS)
def test_stop_reasons(finish: str | None, reason: str, sequence: str | None) -> None:
    router = ScriptedRouter(Reply("hello", finish), events=[Event("hello"), Event(finish=finish)])
    with client(router) as api:
        message = api.messages.create(**ASK, stop_sequences=["END"])
        assert (message.stop_reason, message.stop_sequence) == (reason, sequence)
        with api.messages.stream(**ASK, stop_sequences=["END"]) as stream:
            message = stream.get_final_message()
        assert (message.stop_reason, message.stop_sequence) == (reason, sequence)


def test_a_server_that_names_the_sequence_it_met() -> None:
    raw = {"choices": [{"message": {"content": "a"}, "finish_reason": "stop", "stop_reason": "B"}]}
    events = [chunk({"content": "a"}), chunk({}, matched_stop="B"), Event(finish="stop")]
    with client(ScriptedRouter(Reply("a", "stop", raw=raw), events=events)) as api:
        message = api.messages.create(**ASK, stop_sequences=["A", "B"])
        assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "B")
        with api.messages.stream(**ASK, stop_sequences=["A", "B"]) as stream:
            message = stream.get_final_message()
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "B")


def test_stream_of_a_text_worker() -> None:
    router = ScriptedRouter(events=[Event("hel"), Event("lo"), Event(usage=Usage(3, 4)), Event(finish="length")])
    with client(router) as api:
        events: Any = list(api.messages.create(**ASK, stream=True))
        assert [event.type for event in events] == [
            *("message_start", "content_block_start", "content_block_delta", "content_block_delta"),
            *("content_block_stop", "message_delta", "message_stop"),
        ]
        assert [event.delta.text for event in events if event.type == "content_block_delta"] == ["hel", "lo"]
        assert events[0].message.model == "m"
        assert events[-2].delta.stop_reason == "max_tokens"
        assert (events[-2].usage.input_tokens, events[-2].usage.output_tokens) == (3, 4)
        router.events = [Event("hel"), Event("lo"), Event(finish="stop")]
        with api.messages.stream(**ASK) as stream:
            assert "".join(stream.text_stream) == "hello"
            final = stream.get_final_message()
    assert final.usage.output_tokens == 2
    assert all(stream.closed.is_set() for stream in router.streams)


def test_every_frame_names_its_event() -> None:
    app = callers_app(ScriptedRouter(events=[Event("a\nb\u2028"), Event(finish="stop")]))
    answer = app.test_client().post("/v1/messages", json={**ASK, "stream": True})
    assert answer.content_type == "text/event-stream; charset=utf-8"
    assert answer.headers["request-id"] == answer.headers["X-Request-Id"]
    frames = answer.text.split("\n\n")
    assert frames.pop() == ""
    for frame in frames:
        event, data = frame.split("\n")
        assert data.startswith('data: {"type":"' + event.removeprefix("event: ") + '"')


def test_an_answer_of_nothing_is_an_empty_text() -> None:
    with client(ScriptedRouter(Reply("", "stop"), events=[Event(finish="stop")])) as api:
        whole = api.messages.create(**ASK)
        with api.messages.stream(**ASK) as stream:
            streamed = stream.get_final_message()
    for message in (whole, streamed):
        assert [block.to_dict() for block in message.content] == [{"type": "text", "text": ""}]


def test_tools_round_trip() -> None:
    calls = [
        {"id": "call-1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}},
        {"function": {"name": "now", "arguments": ""}},
    ]
    message = {"content": "Let me see.", "tool_calls": calls}
    router = ScriptedRouter(Reply("Let me see.", "stop", raw={"choices": [{"message": message}]}))
    with client(router) as api:
        first = api.messages.create(**ASK, tools=TOOLS, tool_choice={"type": "any"})
        assert first.stop_reason == "tool_use"
        text, add, now = first.content
        assert text.type == "text"
        assert add.type == now.type == "tool_use"
        assert (add.id, add.name, add.input) == ("call-1", "add", {"a": 1})
        assert (now.name, now.input) == ("now", {})
        assert now.id.startswith("toolu_")
        result: Any = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call-1", "content": "4"}]}
        again: Any = [*HI, {"role": "assistant", "content": first.content}, result]
        api.messages.create(model="m", max_tokens=9, messages=again, tools=TOOLS)
    assert router.asked[0].body["tool_choice"] == "required"
    assert router.asked[0].body["tools"][0]["function"]["name"] == "add"
    _, called, answered = router.asked[1].messages
    assert [each["id"] for each in called["tool_calls"]] == [add.id, now.id]
    assert answered == {"role": "tool", "tool_call_id": "call-1", "content": "4"}


STREAMED_CALLS: list[list[Event]] = [
    [
        chunk({"role": "assistant", "content": "Let "}),
        chunk({"content": "me."}),
        chunk({"tool_calls": [call(0, "add", "", "call-1")]}),
        chunk({"tool_calls": [call(0, arguments='{"a"')]}),
        chunk({"tool_calls": [call(0, arguments=": 1}")]}),
        chunk({"tool_calls": [call(1, "now", "{}", "call-2")]}),
    ],
    # all at once, and both numbered 0
    [chunk({"content": "Let me.", "tool_calls": [call(0, "add", '{"a": 1}', "call-1"), call(0, "now", "", "call-2")]})],
    # the name comes after the id; a piece repeats it
    [
        chunk({"content": "Let me."}),
        chunk({"tool_calls": [call(0, call_id="call-1")]}),
        chunk({"tool_calls": [call(0, "add", '{"a": ')]}),
        chunk({"tool_calls": [call(0, "add", "1}", "call-1"), call(1, "now", "", "call-2")]}),
    ],
]


@pytest.mark.parametrize("events", STREAMED_CALLS)
def test_streamed_tool_calls(events: list[Event]) -> None:
    router = ScriptedRouter(events=[*events, Event(finish="tool_calls")])
    with client(router) as api:
        with api.messages.stream(**ASK, tools=TOOLS) as stream:
            message = stream.get_final_message()
        raw: Any = list(api.messages.create(**ASK, tools=TOOLS, stream=True))
    text, add, now = message.content
    assert text.type == "text"
    assert text.text == "Let me."
    assert add.type == now.type == "tool_use"
    assert (add.id, add.name, add.input) == ("call-1", "add", {"a": 1})
    assert (now.id, now.name, now.input) == ("call-2", "now", {})
    assert message.stop_reason == "tool_use"
    order = [(event.type, event.index) for event in raw if event.type in ("content_block_start", "content_block_stop")]
    assert order == [(f"content_block_{what}", index) for index in range(3) for what in ("start", "stop")]
    assert "input_json_delta" in [event.delta.type for event in raw if event.type == "content_block_delta"]


def test_reasoning_is_given_to_those_who_think() -> None:
    message = {"content": "4", "reasoning_content": "2 and 2"}
    events = [chunk({"reasoning": "2 "}), chunk({"reasoning": "and 2"}), chunk({"content": "4"}), Event(finish="stop")]
    router = ScriptedRouter(Reply("4", "stop", raw={"choices": [{"message": message}]}), events=events)
    thinking: Any = {"type": "enabled", "budget_tokens": 1024}
    with client(router) as api:
        whole = api.messages.create(**ASK, thinking=thinking)
        with api.messages.stream(**ASK, thinking=thinking) as stream:
            streamed = stream.get_final_message()
        silent = api.messages.create(**ASK)
        with api.messages.stream(**ASK) as stream:
            also_silent = stream.get_final_message()
    for message_ in (whole, streamed):
        assert [block.type for block in message_.content] == ["thinking", "text"]
        assert getattr(message_.content[0], "thinking", None) == "2 and 2"
    assert [block.type for block in (*silent.content, *also_silent.content)] == ["text", "text"]
    assert "thinking" not in router.asked[0].body


def test_a_refusal_in_its_own_field() -> None:
    raw = {"choices": [{"message": {"content": None, "refusal": "No."}}]}
    events = [chunk({"refusal": "N"}), chunk({"refusal": "o."}), Event(finish="stop")]
    with client(ScriptedRouter(Reply("", "stop", raw=raw), events=events)) as api:
        whole = api.messages.create(**ASK)
        with api.messages.stream(**ASK) as stream:
            streamed = stream.get_final_message()
    for message in (whole, streamed):
        assert (getattr(message.content[0], "text", None), message.stop_reason) == ("No.", "refusal")


BROKEN = {"content": None, "tool_calls": [{"id": "c", "function": {"name": "add", "arguments": '{"a": '}}]}


def test_arguments_that_are_no_json() -> None:
    with (
        client(ScriptedRouter(Reply("", "tool_calls", raw={"choices": [{"message": BROKEN}]}))) as api,
        pytest.raises(anthropic.InternalServerError, match="no JSON object") as caught,
    ):
        api.messages.create(**ASK)
    assert caught.value.status_code == 502
    assert caught.value.response.headers["x-rollcall-worker"] == "7"
    with client(ScriptedRouter(Reply("", "length", raw={"choices": [{"message": BROKEN}]}))) as api:
        message = api.messages.create(**ASK)
    assert (message.stop_reason, message.content[0].type) == ("max_tokens", "tool_use")


CLASSES: list[tuple[errors.RollcallError, type[anthropic.APIStatusError], str]] = [
    (errors.InvalidRequest("Bad."), anthropic.BadRequestError, "invalid_request_error"),
    (errors.UpstreamRejected("Who?", status=401), anthropic.AuthenticationError, "authentication_error"),
    (errors.HostRefused("Not you."), anthropic.PermissionDeniedError, "permission_error"),
    (no_model(), anthropic.NotFoundError, "not_found_error"),
    (errors.BodyTooLarge("Too long."), anthropic.APIStatusError, "request_too_large"),
    (errors.UpstreamRejected("No.", status=422), anthropic.UnprocessableEntityError, "invalid_request_error"),
    (errors.UpstreamError("Slow down.", status=429, code="rate_limited"), anthropic.RateLimitError, "rate_limit_error"),
    (errors.RollcallError("Broken."), anthropic.InternalServerError, "api_error"),
    (errors.UpstreamError("It failed.", should_retry=False), anthropic.InternalServerError, "api_error"),
    (errors.NoWorkerAvailable("All down.", retry_after_s=1), anthropic.InternalServerError, "overloaded_error"),
    (errors.UpstreamError("Busy.", status=529), anthropic.InternalServerError, "overloaded_error"),
    (errors.UpstreamTimeout("Too slow."), anthropic.InternalServerError, "timeout_error"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("error", "kind", "name"), CLASSES, ids=[error.message for error, _, _ in CLASSES])
def test_errors_become_the_right_exception(
    error: errors.RollcallError, kind: type[anthropic.APIStatusError], name: str, stream: bool
) -> None:
    with client(ScriptedRouter(error=error)) as api, pytest.raises(kind) as caught:
        api.messages.create(**ASK, stream=stream)
    body: Any = caught.value.body
    assert caught.value.status_code == error.status
    assert body == {
        "type": "error",
        "error": {"type": name, "message": error.message},
        "request_id": body["request_id"],
    }
    assert caught.value.request_id == body["request_id"]


def test_a_failed_answer_is_not_asked_for_again_by_the_sdk() -> None:
    router = ScriptedRouter(error=errors.UpstreamError("It failed.", should_retry=False))
    with client(router, retries=2) as api, pytest.raises(anthropic.InternalServerError):
        api.messages.create(**ASK)
    assert len(router.asked) == 1


@pytest.mark.parametrize("finish", [None, "ERROR"])
def test_an_error_in_mid_stream_is_raised(finish: str | None) -> None:
    def events() -> Iterator[Event]:
        yield Event("hel")
        if finish:
            yield Event(finish=finish)
        else:
            raise errors.UpstreamError("The worker stopped in mid-stream.")

    with client(ScriptedRouter(events=events())) as api:
        stream = api.messages.create(**ASK, stream=True)
        assert [next(stream).type for _ in range(3)] == ["message_start", "content_block_start", "content_block_delta"]
        with pytest.raises(anthropic.APIStatusError) as caught:
            list(stream)
    assert "worker" in str(caught.value)
    body: Any = caught.value.body
    assert body["error"]["type"] == "api_error"


def test_mixed_pieces_of_tool_calls_are_an_error_and_no_nonsense() -> None:
    mixed = [call(0, "add", "{", "a"), call(1, "now", "{", "b"), call(0, arguments="}")]
    router = ScriptedRouter(events=[chunk({"tool_calls": [each]}) for each in mixed])
    with client(router) as api, pytest.raises(anthropic.APIStatusError, match="mixed"):
        list(api.messages.create(**ASK, tools=TOOLS, stream=True))


@pytest.mark.parametrize("stream", [False, True])
def test_what_a_worker_cannot_be_given_is_named_as_the_caller_calls_it(stream: bool) -> None:
    field = "messages[1].content[0]"
    error = errors.UnsupportedByWorker(f"No available worker of 'm' can carry {field!r}.", field=field)
    image: Any = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    ask = {**ASK, "messages": [{"role": "user", "content": [image, {"type": "text", "text": "what?"}]}]}
    with (
        client(ScriptedRouter(error=error)) as api,
        pytest.raises(anthropic.BadRequestError, match=r"can carry 'messages\[0\]\.content\[0\]'"),
    ):
        api.messages.create(**ask, system="s", stream=stream)


def test_notices_in_the_callers_words() -> None:
    with client(ScriptedRouter(notices=("not carried: stop",))) as api:
        raw = api.messages.with_raw_response.create(**ASK, stop_sequences=["x"], service_tier="auto")
    assert raw.headers["x-rollcall-notice"] == "not carried: stop_sequences, service_tier"


def test_tokens_are_not_counted_ahead_and_that_is_said() -> None:
    with client(ScriptedRouter()) as api, pytest.raises(anthropic.NotFoundError) as caught:
        api.messages.count_tokens(model="m", messages=HI)
    assert "/v1/messages/count_tokens" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "content_type", "status"), [(b"{", "application/json", 400), (b"{}", "text/plain", 415)]
)
def test_errors_before_the_body_was_read_have_this_shape_too(data: bytes, content_type: str, status: int) -> None:
    answer = callers_app().test_client().post("/v1/messages", data=data, content_type=content_type)
    assert (answer.status_code, answer.json["type"], answer.json["error"]["type"]) == (
        *(status, "error", "invalid_request_error"),
    )
