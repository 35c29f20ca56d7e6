"""Forms at the door of /v1/videos: whole ones, broken ones, and those of strangers' web pages."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from tests.api.video_rig import Door, sqlite_door
from tests.fakes import FakeUpstream, json_answer
from tests.services.job_rig import VIDEO

GOOD = b'--B\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--B--\r\n'
HEAD = b'--B\r\nContent-Disposition: form-data; name="'
CAP = 30_000


@pytest.fixture(scope="module")
def door(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("videos")
    with sqlite_door(sqlite_template, folder, ROLLCALL_MAX_BODY_BYTES=CAP) as opened:
        yield opened


@pytest.fixture(scope="module")
def worker(door: Door) -> Iterator[FakeUpstream]:
    """Of the model "m"."""
    with FakeUpstream(json_answer({"id": "t-1"})) as upstream:
        words = {"task": "video", "body": {"all": "{REQUEST}"}, "req_url_template": upstream.url}
        job = {"id_extract": "id", "req_url_template": f"{upstream.origin}/tasks/{{JOB_ID}}", "interval_s": 600}
        door.api.register(model_name="m", **words, job={**job, "result_extract": "output"})
        yield upstream


def post(door: Door, body: Any, boundary: str = "B", **headers: str) -> TestResponse:
    content_type = f"multipart/form-data; boundary={boundary}"
    return door.api.send("POST", "/v1/videos", data=body, content_type=content_type, headers=headers)


def form(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "prompt": "a cat", **fields}


@pytest.mark.parametrize("route", ["/v1/videos", "/api/v1/videos"])
def test_fields_and_files(door: Door, worker: FakeUpstream, route: str) -> None:
    sent = form(
        prompt="Käfer\r\n--B", seconds="4", fps="24", mask=(BytesIO(b"\x00\xff"), "m.bin"), empty=(BytesIO(), "")
    )
    sent["input_reference"] = (BytesIO(b"\x89PNG"), "cat.png", "image/png; charset=x\x01")
    answer = door.api.send("POST", route, data=sent, content_type="multipart/form-data")
    assert answer.status_code == 200, answer.json
    assert worker.requests[-1].json["all"] == {
        **{name: sent[name] for name in ("model", "prompt", "seconds")},
        "fps": 24,
        "mask": "data:application/octet-stream;base64,AP8=",
        "input_reference": "data:image/png;base64,iVBORw==",
    }


def test_a_file_that_no_worker_can_be_given_is_named(door: Door) -> None:
    with door.model(**VIDEO, req_url_template="http://127.0.0.1:9/") as name:
        sent = form(model=name, mask=(BytesIO(b"x"), "mask.png"))
        answer = door.api.send("POST", "/v1/videos", data=sent, content_type="multipart/form-data")
    assert (answer.status_code, answer.json["error"]["param"]) == (400, "mask")
    assert answer.json["error"]["code"] == "unsupported_by_model"


BROKEN: list[tuple[bytes, str]] = [
    (b"", "B"),
    (b"nothing", "B"),
    (b"--B--\r\n", "B"),
    (GOOD, ""),
    (GOOD, "ü"),
    (GOOD, "x" * 300),
    (GOOD, "other"),
    (GOOD[:-8], "B"),
    (GOOD[:20], "B"),
    (b"--B\r\n\r\nm\r\n--B--\r\n", "B"),
    (b"--B\r\nContent-Disposition: form-data\r\n\r\nm\r\n--B--\r\n", "B"),
    (b"--B\r\n\xff\xfe: \xff\r\n\r\nm\r\n--B--\r\n", "B"),
    (HEAD + b'prompt"\r\n\r\n\xff\xfe\r\n--B--\r\n', "B"),
    (HEAD + b'prompt"\r\n\r\na\x00b\r\n--B--\r\n', "B"),
    (HEAD + b'a\x00b"\r\n\r\na\r\n--B--\r\n', "B"),
    (HEAD + b'a[b"\r\n\r\na\r\n--B--\r\n', "B"),
    ((HEAD + b'a[]"\r\n\r\na\r\n') * 300 + b"--B--\r\n", "B"),
    (GOOD.replace(b"--B--", b"--B\r\nContent-Disposition: form-data; name*=utf-8'x'%ff\r\n\r\nm\r\n--B--"), "B"),
]


@pytest.mark.parametrize(("body", "boundary"), BROKEN)
def test_broken_forms_are_a_sentence(door: Door, worker: FakeUpstream, body: bytes, boundary: str) -> None:
    answer = post(door, body, boundary)
    assert answer.status_code == 400, answer.data
    assert answer.json["error"]["message"].endswith(".")


@given(st.binary(max_size=60), st.integers(0, len(GOOD)))
def test_any_bytes_are_refused_and_no_crash(door: Door, noise: bytes, at: int) -> None:
    answer = post(door, GOOD[:at] + noise + GOOD[at:])
    assert answer.status_code in (400, 404), answer.data


@pytest.mark.parametrize("chunked", [False, True])
def test_a_form_that_is_too_large(door: Door, chunked: bool) -> None:
    body = HEAD + b'prompt"\r\n\r\n' + b"a" * CAP + b"\r\n--B--\r\n"
    if chunked:
        environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
        answer = door.api.send(
            "POST",
            "/v1/videos",
            input_stream=BytesIO(body),
            content_type="multipart/form-data; boundary=B",
            environ_overrides={**environ, "CONTENT_LENGTH": ""},
        )
    else:
        answer = post(door, body)
    assert (answer.status_code, answer.json["error"]["code"]) == (413, "request_too_large")


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:8007", 400),
        ("http://evil.example", 403),
        ("http://127.0.0.1:8008", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_a_form_of_another_page(door: Door, origin: str, status: int) -> None:
    answer = post(door, b"--B--\r\n", Origin=origin)
    assert answer.status_code == status
    if status == 403:
        assert answer.json["error"]["code"] == "origin_not_allowed"


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/mixed; boundary=B", ""])
def test_other_kinds_of_bodies(door: Door, kind: str) -> None:
    answer = door.api.send("POST", "/v1/videos", data=b"model=m&prompt=a", content_type=kind)
    assert (answer.status_code, answer.json["error"]["code"]) == (415, "unsupported_media_type")
    assert "application/json or multipart/form-data" in answer.json["error"]["message"]


def test_no_other_route_takes_forms(door: Door) -> None:
    for route in ("/v1/chat/completions", "/v1/embeddings", "/api/server/register"):
        answer = door.api.send("POST", route, data=GOOD, content_type="multipart/form-data; boundary=B")
        assert answer.status_code == 415
