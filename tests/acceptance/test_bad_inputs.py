"""Callers and operators who send nonsense: always an honest error in their own shape, never a 500."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from tests.acceptance.bad_door import IMAGE, TEXT, VECTORS, copied, worker_of
from tests.acceptance.bad_trees import anything, spoiled
from tests.api.management import REGISTER, Api, management
from tests.fakes import Exchange, bytes_answer, json_answer, openai_answer, openai_stream
from tests.services.job_rig import JOB

EXAMPLES = int(os.environ.get("BAD_INPUT_EXAMPLES", "30"))
few = settings(max_examples=EXAMPLES, derandomize=EXAMPLES < 1000, deadline=None)

SHAPED = {
    "body": {"model": "{MODEL_NAME}", "messages": "{MESSAGES}", "stream": "{STREAM}"},
    "response_extract": "choices[].message.content",
    "stream": {"framing": "sse", "delta_extract": "choices[].delta.content", "done": "[DONE]"},
}
MANY = {
    **TEXT,
    "body": {
        "p": "{USER_PROMPT}",
        "t": "{MODEL_TEMPERATURE}",
        "m": "{MAX_TOKENS:5}",
        "k": "{TOP_K}",
        "all": "{REQUEST:messages}",
        "text": "{SEED} {N} {SIZE}",
    },
    "limits": {"MODEL_TEMPERATURE": {"min": 0.1, "max": 1}, "TOP_K": {"max": 3}},
}
PICTURE = {**IMAGE, "body": {"prompt": "{USER_PROMPT}", "w": "{WIDTH}", "h": "{HEIGHT}", "n": "{N}", "q": "{QUALITY}"}}
FILM = {
    "task": "video",
    "body": {"prompt": "{USER_PROMPT}", "s": "{SECONDS:5}", "size": "{SIZE}", "i": "{INPUT_REFERENCE}"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("var")


@pytest.fixture(scope="module")
def api(sqlite_template: Path, folder: Path) -> Iterator[Api]:
    with management(copied(sqlite_template, folder), folder, ROLLCALL_SECRET_ENV="ACCEPTANCE_*,ANTHROPIC_*") as api:
        yield api


def shaped(exchange: Exchange) -> None:
    streams = exchange.request.body and exchange.request.json.get("stream")
    (openai_stream("hel", "lo") if streams else openai_answer())(exchange)


def embeds(exchange: Exchange) -> None:
    asked = exchange.request.json.get("input")
    count = len(asked) if isinstance(asked, list) and asked and not isinstance(asked[0], int) else 1
    json_answer({"data": [{"embedding": [0.5, 1.0]}] * count})(exchange)


@pytest.fixture(scope="module")
def models(api: Api) -> Iterator[dict[str, str]]:
    """Kind of worker → the model that it serves."""
    answer = json_answer({"data": {"items": [{"answer": "yes"}]}})
    image = json_answer({"images": ["http://127.0.0.1:9/cat.png"]})
    job = {**JOB, "req_url_template": "ORIGIN/tasks/{JOB_ID}"}
    workers: dict[str, Any] = {
        "shaped": (shaped, SHAPED),
        "many": (answer, MANY),
        "image": (image, PICTURE),
        "binary": (bytes_answer(b"PNG", content_type="image/png"), PICTURE | {"output": {"as": "binary"}}),
        "video": (json_answer({"id": "t-1"}), FILM | {"job": job}),
        "embedding": (embeds, VECTORS),
    }
    with ExitStack() as stack:
        yield {kind: stack.enter_context(worker_of(api, each, **words))[0] for kind, (each, words) in workers.items()}


def check(answer: TestResponse, surface: str) -> str:
    """An answer is 200, or an error in the shape of its surface; the error's sentence."""
    assert answer.status_code != 500, answer.text
    assert answer.headers["X-Request-Id"]
    if answer.status_code == 200:
        return ""
    body = json.loads(answer.data)
    error = body["error"]
    if surface == "anthropic":
        assert body["type"] == "error"
        assert set(error) == {"type", "message"}
        assert body["request_id"] == answer.headers["X-Request-Id"]
        message = error["message"]
    else:
        assert error["request_id"] == answer.headers["X-Request-Id"]
        if surface == "seed":
            assert body["success"] is False
            message = body["msg"]
        else:
            assert set(error) >= {"message", "type", "param", "code"}
            message = error["message"]
    assert isinstance(message, str)
    assert message
    assert "Traceback" not in message
    assert "\n" not in message
    assert len(message) < 2_000
    json.dumps(body).encode("utf-8")
    return message


REGISTRATIONS: list[Any] = [
    {
        "model_name": "m",
        "req_url_template": "http://127.0.0.1:9/v1/{MODEL_NAME}?a={TOP_K}",
        "req_type": "POST",
        "req_param": {"v": "1", "k": "${env:ACCEPTANCE_KEY}"},
        "is_stream": False,
        "header": {"Authorization": "Bearer {ACCESS_TOKEN}", "X-A": "${env:ACCEPTANCE_KEY}"},
        "body": {"m": "{MESSAGES}", "s": "{SYSTEM_PROMPT}", "t": "{MODEL_TEMPERATURE:0.5}", "x": ["{SEED}", {"y": 1}]},
        "body_type": "json",
        "owner": "o",
        "worker_type": "REMOTE",
        "response_extract": "a.b[].c|d",
        "weight": 1,
        "instance": "i",
        "upstream_model": "u",
        "messages": {
            "system": "separate",
            "roles": {"assistant": "model"},
            "item": {"role": "{ROLE}", "parts": [{"text": "{CONTENT}"}]},
            "shape": "list",
        },
        "stream": {
            "framing": "sse",
            "mode": "delta",
            "req_url_template": "http://127.0.0.1:9/stream",
            "req_param": {"alt": "sse"},
            "header": {"X-B": "1"},
            "body": {"stream": True},
            "when": {"type": ["a", "b"]},
            "delta_extract": "d.t",
            "finish_extract": "f",
            "usage": {"prompt": "u.p", "completion": ["u.c", "u.d"]},
            "done": "[DONE]",
            "done_when": {"@event": "end"},
        },
        "finish_extract": "f",
        "usage": {"prompt": ["u.p"], "completion": "u.c"},
        "error": [{"e": "*"}, {"c": {"not": 0}}],
        "error_extract": "e.m",
        "retry": ["502", "reset"],
        "retry_when": {"m": {"match": "full|busy"}},
        "timeout_s": 5,
        "health": {
            "req_url_template": "http://127.0.0.1:9/health",
            "header": {"X-C": "1"},
            "expect": {"status": "ok"},
            "interval_s": 5,
            "timeout_s": 1,
            "fall": 2,
            "rise": 2,
        },
        "task": "text",
        "output": {"type": "text", "as": "text", "regex": "a(.*)b", "strip_prompt": True},
        "limits": {"concurrency": 2, "MODEL_TEMPERATURE": {"min": 0, "max": 1}},
        "auth": {
            "req_type": "POST",
            "req_url_template": "http://127.0.0.1:9/token",
            "req_param": {"g": "c"},
            "header": {"X-D": "1"},
            "body": {"id": "${env:ACCEPTANCE_KEY}"},
            "body_type": "form",
            "token_extract": "t",
            "expires_extract": "e",
        },
        "ttl_s": 60,
    },
    {
        "model_name": "v",
        "req_url_template": "http://127.0.0.1:9/v",
        "task": "video",
        "body": {"prompt": "{USER_PROMPT}", "s": "{SECONDS}"},
        "body_type": "multipart",
        "output": {"type": "video", "as": "url"},
        "job": {
            "id_extract": "id",
            "req_type": "GET",
            "req_url_template": "http://127.0.0.1:9/tasks/{JOB_ID}?u={RESP:u}",
            "header": {"X-E": "1"},
            "done_when": {"{JOB_ID}.s": "done"},
            "failed_when": {"s": ["failed"]},
            "result_extract": "o[*].url",
            "error_extract": "e",
            "progress_extract": "p",
            "interval_s": 1,
            "timeout_s": 60,
            "download": {"header": {"X-F": "1"}},
        },
    },
    {
        "model_name": "g",
        "req_url_template": "http://127.0.0.1:9/call",
        "body": {"data": ["{USER_PROMPT}"]},
        "stream": {"mode": "cumulative", "delta_extract": "@json[0]"},
        "job": {
            "id_extract": "event_id",
            "req_url_template": "{RESP:url}",
            "framing": "sse",
            "done_when": {"@event": "complete"},
            "failed_when": {"@event": "error"},
            "result_template": "http://127.0.0.1:9/{RESP:{JOB_ID}.f}",
        },
    },
    {
        "model_name": "t",
        "req_url_template": "http://127.0.0.1:9/t",
        "messages": {
            "shape": "text",
            "item": {"system": "{CONTENT}", "user": "U: {CONTENT}", "assistant": "A: {CONTENT}", "end": "A:"},
        },
        "body": {"prompt": "{MESSAGES}"},
        "limits": {"TOP_K": {"max": 3}},
    },
    {"preset": "anthropic", "model_name": "c", "header": {"x-api-key": "${env:ACCEPTANCE_KEY}"}},
]


@few
@given(raw=spoiled(REGISTRATIONS))
def test_a_spoiled_registration(api: Api, raw: Any) -> None:
    for method, path in (("POST", f"{REGISTER}?dry_run=true"), ("PUT", REGISTER), ("POST", REGISTER)):
        answer = api.send(method, path, data=json.dumps(raw).encode(), content_type="application/json")
        message = check(answer, "seed")
        assert answer.status_code in (200, 400, 409, 422), message
        if answer.status_code == 422:
            assert answer.json["error"]["field"], message
    listed = api.get("/api/server/workers")
    assert listed.status_code == 200
    assert api.get("/v1/models").status_code == 200


def test_a_name_with_line_breaks_leaves_the_sentence_one_line(api: Api) -> None:
    for body in ({"a\r\nX-Evil: 1": 1}, {"messages": {"a\r\nb": 1}}, {"limits": {"A\nB": 1}, "body": {"a": "{INPUT}"}}):
        answer = api.post(REGISTER, {"model_name": "m", "req_url_template": "http://127.0.0.1:9/", **body})
        assert answer.status_code == 422
        check(answer, "seed")


@pytest.mark.parametrize("preset", [7, None, "", "antropic", "x" * 5000, [], {}, True, "../anthropic", "a\u0000b"])
def test_a_preset_that_is_none(api: Api, preset: Any) -> None:
    for path in (REGISTER, f"{REGISTER}?dry_run=true"):
        answer = api.post(path, {"preset": preset, "model_name": "m"})
        message = check(answer, "seed")
        assert answer.status_code in (400, 422), message
        assert answer.json["error"]["field"] in ("preset", "req_url_template"), message


@pytest.mark.parametrize("sound", REGISTRATIONS, ids=lambda each: each["model_name"])
def test_the_sound_ones_are_taken(api: Api, sound: Any) -> None:
    answer = api.send("POST", f"{REGISTER}?dry_run=true", json=sound)
    assert answer.status_code == 200, answer.text


HI = [{"role": "user", "content": "hi"}]
PIXEL = "data:image/png;base64,iVBORw0KGgo="
TOOL = {"type": "function", "function": {"name": "add", "description": "d", "parameters": {"type": "object"}}}
CALLED = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
CHAT = {
    "model": "shaped",
    "messages": [
        {"role": "system", "content": "be brief"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": PIXEL}}],
        },
        {"role": "assistant", "content": None, "tool_calls": [CALLED]},
        {"role": "tool", "tool_call_id": "c1", "content": "3"},
        *HI,
    ],
    "tools": [TOOL],
    "tool_choice": {"type": "function", "function": {"name": "add"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
    "temperature": 0.5,
    "top_p": 1,
    "max_tokens": 9,
    "max_completion_tokens": 9,
    "stop": ["a"],
    "seed": 1,
    "n": 1,
    "stream": False,
    "stream_options": {"include_usage": True},
    "logprobs": True,
    "top_logprobs": 2,
    "user": "u",
    "metadata": {"a": "b"},
}
MESSAGES = {
    "model": "shaped",
    "max_tokens": 9,
    "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "t", "signature": "s"},
                {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "3"}]}],
        },
    ],
    "tools": [{"name": "add", "description": "d", "input_schema": {"type": "object"}}],
    "tool_choice": {"type": "tool", "name": "add"},
    "stop_sequences": ["a"],
    "temperature": 0.5,
    "top_k": 3,
    "top_p": 1,
    "metadata": {"user_id": "u"},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "output_config": {"format": {"type": "json_schema", "schema": {}}},
    "stream": False,
}
BODIES: dict[str, tuple[str, str, list[Any]]] = {
    "chat": (
        "/v1/chat/completions",
        "openai",
        [CHAT, CHAT | {"stream": True}, {"model": "many", "messages": HI, "top_k": 3, "seed": 1, "size": "1x1"}],
    ),
    "small": (
        "/api/v1/chat/completions",
        "either",
        [{"model_name": "many", "input": "hi", "top_k": 1}, {"model_name": "image", "input": "hi"}],
    ),
    "messages": ("/v1/messages", "anthropic", [MESSAGES, MESSAGES | {"stream": True}, {**MESSAGES, "model": "many"}]),
    "completions": (
        "/v1/completions",
        "openai",
        [
            {"model": "shaped", "prompt": "hi", "max_tokens": 3, "logprobs": 1, "n": 1, "best_of": 1, "suffix": None},
            {"model": "many", "prompt": ["hi"], "echo": True, "stream": True, "stop": ["a"], "temperature": 1},
        ],
    ),
    "embeddings": (
        "/v1/embeddings",
        "openai",
        [
            {"model": "embedding", "input": ["a", "b"], "encoding_format": "base64", "dimensions": 2, "user": "u"},
            {"model": "embedding", "input": [[1, 2], [3]], "encoding_format": "float"},
        ],
    ),
    "images": (
        "/v1/images/generations",
        "openai",
        [
            {"model": "image", "prompt": "a", "n": 2, "size": "64x64", "response_format": "url", "quality": "hd"},
            {"model": "binary", "prompt": "a", "n": 1, "response_format": "b64_json", "seed": 1, "stream": False},
        ],
    ),
    "videos": (
        "/v1/videos",
        "openai",
        [
            {
                "model": "video",
                "prompt": "a",
                "seconds": "4",
                "size": "64x64",
                "input_reference": {"image_url": PIXEL},
                "n": 1,
            }
        ],
    ),
}


@pytest.mark.parametrize("surface", BODIES)
@few
@given(data=st.data())
def test_a_spoiled_body(api: Api, models: dict[str, str], surface: str, data: st.DataObject) -> None:
    path, shape, bodies = BODIES[surface]
    body = data.draw(st.one_of(spoiled(bodies), spoiled(bodies), spoiled(bodies), anything))
    if isinstance(body, dict):
        for name in ("model", "model_name"):
            if isinstance(body.get(name), str):
                body[name] = models.get(body[name], body[name])
    answer = api.send("POST", path, data=json.dumps(body).encode(), content_type="application/json")
    answer.data  # noqa: B018 - a stream is read to its end
    if shape == "either":
        shape = "openai" if answer.status_code != 200 and "msg" not in (answer.json or {}) else "seed"
    message = check(answer, shape)
    assert answer.status_code in (200, 400, 404), (answer.status_code, message, body)


@pytest.mark.parametrize("surface", BODIES)
def test_the_sound_bodies_are_answered(api: Api, models: dict[str, str], surface: str) -> None:
    path, _, bodies = BODIES[surface]
    for body in bodies:
        name = "model_name" if "model_name" in body else "model"
        answer = api.post(path, {**body, name: models[body[name]]})
        assert answer.status_code == 200 or "can carry" in answer.text, (body, answer.text)


RAW: list[tuple[bytes, int]] = [
    (b"", 400),
    (b"{", 400),
    (b"[]", 400),
    (b"null", 400),
    (b"1", 400),
    (b'"x"', 400),
    (b'{"model": "\xff"}', 400),
    (b'{"model": NaN}', 400),
    (b'{"model": "m"' + b"[" * 10_000, 400),
    (b'{"a":' * 10_000, 400),
    (b"{}", 400),
    (b'{"model": "nobody", "model": 1}', 400),
]


@pytest.mark.parametrize("surface", BODIES)
@pytest.mark.parametrize(("raw", "status"), RAW)
def test_a_body_that_is_none(api: Api, surface: str, raw: bytes, status: int) -> None:
    path, shape, _ = BODIES[surface]
    answer = api.send("POST", path, data=raw, content_type="application/json")
    assert answer.status_code == status, answer.text
    check(answer, "openai" if shape == "either" else shape)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        answer = api.send("POST", path, data=raw, content_type=kind)
        takes = surface == "videos" and kind.startswith("multipart")
        assert answer.status_code == (400 if takes else 415), answer.text
        check(answer, "openai" if shape == "either" else shape)


@few
@given(
    names=st.lists(
        st.sampled_from(["model", "prompt", "seconds", "size", "n", "a[b]", "a[]", "a[", "", "a]b["])
        | st.text(max_size=6)
    ),
    data=st.data(),
)
def test_a_spoiled_form(api: Api, models: dict[str, str], names: list[str], data: st.DataObject) -> None:
    parts: list[bytes] = []
    for name in ["model", "prompt", *names]:
        value = (
            models["video"]
            if name == "model"
            else data.draw(st.sampled_from(["", "4", "true", "a\x00", "é"]) | st.text(max_size=5))
        )
        file = '; filename="a.png"' if data.draw(st.booleans()) and name not in ("model", "prompt") else ""
        head = f'--x\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n{value}\r\n'
        parts.append(head.encode("utf-8", "surrogatepass"))
    raw = b"".join(parts) + data.draw(st.sampled_from([b"--x--\r\n", b"--x", b"", b"--y--\r\n", b"\x00" * 50]))
    answer = api.send("POST", "/v1/videos", data=raw, content_type="multipart/form-data; boundary=x")
    message = check(answer, "openai")
    assert answer.status_code in (200, 400, 404), message
