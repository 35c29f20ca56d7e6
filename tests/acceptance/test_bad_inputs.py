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

from tests.acceptance.bad_bodies import BODIES, RAW
from tests.acceptance.bad_door import IMAGE, TEXT, VECTORS, copied, worker_of
from tests.acceptance.bad_registrations import REGISTRATIONS
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
