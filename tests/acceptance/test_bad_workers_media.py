"""Images and videos that cannot be had, are too large, lead elsewhere, or are none."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.bad_door import Ask, copied, error_of, refused, worker_of
from tests.api.management import Api, management
from tests.fakes import (
    Behaviour,
    FakeUpstream,
    bytes_answer,
    cut_reply,
    drip,
    drop,
    empty_answer,
    endless,
    garbage,
    html_answer,
    json_answer,
    refusing_port,
)
from tests.services.job_rig import JOB, Studio, done, running
from tests.serving import wait_for

CAP = 100_000
CANARY = "canary/7f3a+key"
PNG = b"\x89PNG\r\n\x1a\n\x00\x01"
PACKED = b64encode(PNG).decode()
HEADER = {"Authorization": "Bearer ${env:ACCEPTANCE_KEY}"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("var")


@pytest.fixture(scope="module")
def api(sqlite_template: Path, folder: Path) -> Iterator[Api]:
    settings = {"ROLLCALL_SECRET_ENV": "ACCEPTANCE_*", "ROLLCALL_MEDIA_MAX_BYTES": CAP, "ROLLCALL_TIMEOUT_S": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCEPTANCE_KEY", CANARY)
        with management(copied(sqlite_template, folder), folder, **settings) as api:
            media = api.rollcall.media
            patch.setattr(media, "_downloads", replace(media._downloads, pauses_s=(0.02,)))
            api.rollcall.jobs.start_polling()
            yield api
            api.rollcall.jobs.stop()


def kept(folder: Path) -> list[Path]:
    """Files of the media folder, also those that are not whole."""
    return [path for path in (folder / "media").rglob("*") if path.is_file()]


def ask_image(api: Api, model: str, **more: Any) -> Any:
    return api.post("/v1/images/generations", {"model": model, "prompt": "a cat", **more})


def ask_small(api: Api, model: str) -> Any:
    return api.post("/api/v1/chat/completions", {"model_name": model, "input": "a cat"})


FILES: dict[str, tuple[Behaviour, str]] = {
    "announced as too large": (bytes_answer(b"x" * (CAP + 1), content_type="video/mp4"), "100,000 bytes"),
    "too large without a word": (endless("video/mp4"), "100,000 bytes"),
    "a drip": (drip(0.05), "too long"),
    "a drip of headers": (drip(0.05, head_first=False), "no answer within the time allowed"),
    "a redirect": (json_answer({}, 302, {"Location": "/elsewhere"}), "HTTP 302 leads elsewhere, which is not followed"),
    "a redirect for good": (json_answer({}, 308, {"Location": "http://127.0.0.1:9/"}), "HTTP 308 leads elsewhere"),
    "404": (json_answer({}, 404), "HTTP 404"),
    "a web page": (html_answer(), "web page"),
    "nothing": (empty_answer(), "empty"),
    "a cut": (cut_reply(), "middle of the reply"),
    "a hang-up": (drop("rst"), "closed"),
    "no HTTP": (garbage(), "not HTTP"),
}


def test_a_file_that_cannot_be_had_is_502_and_its_job_completes(api: Api, folder: Path) -> None:
    """All at a time, because some take their second."""
    before = len(kept(folder))
    with ExitStack() as stack:
        begun, stores = {}, {}
        for what, (behaviour, _) in FILES.items():
            store = stores[what] = stack.enter_context(FakeUpstream(behaviour))
            begun[what] = begin_video(api, stack, f"{store.origin}/a.mp4?signature={CANARY}")
        begun["nobody"] = begin_video(api, stack, f"http://127.0.0.1:{stack.enter_context(refusing_port())}/a.mp4")
        begun["no host"] = begin_video(api, stack, "http://nobody.invalid/a.mp4")
        for what, video_id in begun.items():
            assert ended(api, video_id)["status"] == "completed", what
            content = api.get(f"/v1/videos/{video_id}/content")
            assert CANARY not in refused(content, 502, "The worker's link gave no file"), what
        assert all(request.path == "/a.mp4" for store in stores.values() for request in store.requests)
        assert len(stores["a drip"].requests) == len(stores["too large without a word"].requests) == 1
    assert len(kept(folder)) == before


def begin_video(api: Api, stack: ExitStack, url: str) -> str:
    words = {"task": "video", "body": {"prompt": "{USER_PROMPT}"}}
    job = {**JOB, "req_url_template": "ORIGIN/tasks/{JOB_ID}", "interval_s": 0.02}
    model, _ = stack.enter_context(worker_of(api, Studio(done(url)), **words, job=job))
    answer = api.post("/v1/videos", {"model": model, "prompt": "a cat"})
    assert answer.status_code == 200, answer.text
    video_id: str = answer.json["id"]
    return video_id


def ended(api: Api, video_id: str) -> Any:
    def over() -> Any:
        video = api.get(f"/v1/videos/{video_id}").json
        return video if video["status"] in ("completed", "failed") else None

    return wait_for(f"the end of {video_id}", over)


@pytest.mark.parametrize("what", FILES)
def test_an_image_that_cannot_be_had_as_base64(api: Api, folder: Path, what: str) -> None:
    behaviour, said = FILES[what]
    before = len(kept(folder))
    words = {"task": "image", "body": {"prompt": "{USER_PROMPT}"}, "response_extract": "url", "header": HEADER}
    with FakeUpstream(behaviour) as store:
        url = f"{store.origin}/a.png?signature={CANARY}"
        with worker_of(api, json_answer({"url": url}), **words) as (model, _):
            message = refused(ask_image(api, model, response_format="b64_json"), 502, "could not be fetched", said)
            # who takes the worker's own link gets that
            assert ask_image(api, model).json["data"] == [{"url": url}]
        assert {request.path for request in store.requests} == {"/a.png"}
        assert "authorization" not in store.requests[0].headers
    assert CANARY not in message
    assert len(kept(folder)) == before


def words_for(output: str) -> dict[str, Any]:
    shape = {"task": "image", "body": {"prompt": "{USER_PROMPT}"}, "header": HEADER, "output": {"as": output}}
    return shape | {"response_extract": "" if output == "binary" else "made", "error": {"error": "*"}}


ANSWERS: list[tuple[str, Behaviour, str]] = [
    ("b64", json_answer({"made": "this is no base64!"}), "no base64"),
    ("b64", json_answer({"made": "AAAAA"}), "no base64"),
    ("b64", json_answer({"made": "====" + CANARY}), "no base64"),
    ("b64", json_answer({"made": ["QUJD", "ä"]}), "no base64"),
    ("b64", json_answer({"made": 7}), "no base64"),
    ("b64", json_answer({"made": {"b64": "QUJD"}}), "no base64"),
    ("b64", json_answer({"made": ""}), "no answer at 'made'"),
    ("b64", json_answer({"made": "data:image/png;base64,!!!"}), "no base64"),
    ("b64", json_answer({"made": []}), "no answer at 'made'"),
    ("url", json_answer({"made": "cat.png"}), "no http(s) URL"),
    ("url", json_answer({"made": "file:///etc/passwd"}), "no http(s) URL"),
    ("url", json_answer({"made": "javascript:alert(1)"}), "no http(s) URL"),
    ("url", json_answer({"made": None}), "no answer at 'made'"),
    ("url", bytes_answer(PNG, content_type="image/png"), "image/png where JSON was expected"),
    ("url", html_answer(), "text/html where JSON was expected"),
    ("b64", json_answer({"error": f"no credit {CANARY}"}), "no credit ***"),
    ("binary", json_answer({"error": f"no credit {CANARY}"}), "no credit ***"),
    (
        "binary",
        json_answer({"message": "filtered"}),
        'application/json where the bytes of the result were expected: {"mes',
    ),
    ("binary", html_answer(), "text/html where the bytes of the result were expected"),
    ("binary", bytes_answer(b"queued", content_type="text/plain"), "text/plain where the bytes"),
    ("binary", empty_answer(), "nothing in it"),
    ("binary", bytes_answer(b"x" * (CAP + 1), content_type="image/png"), "100,000 bytes"),
    ("b64", json_answer({"made": "QUJD" * (CAP // 3 + 1)}), "100,000 bytes"),
]


@pytest.mark.parametrize("ask", [ask_image, ask_small])
@pytest.mark.parametrize(("output", "behaviour", "said"), ANSWERS)
def test_an_answer_that_is_no_image(
    api: Api, folder: Path, ask: Ask, output: str, behaviour: Behaviour, said: str
) -> None:
    before = len(kept(folder))
    with worker_of(api, behaviour, **words_for(output)) as (model, upstream):
        message = refused(ask(api, model), 502, said)
        assert len(upstream.requests) == 1
    assert CANARY not in message
    assert len(kept(folder)) == before


@pytest.mark.parametrize("output", ["b64", "binary", "url"])
def test_a_job_whose_result_is_no_image(api: Api, folder: Path, output: str) -> None:
    polls = {
        "b64": json_answer({"status": "done", "output": "this is no base64!"}),
        "binary": json_answer({"status": "done", "output": "neither URL nor base64"}),
        "url": json_answer({"status": "done", "output": "ftp://h/cat.png"}),
    }
    before = len(kept(folder))
    job = {**JOB, "req_url_template": "ORIGIN/tasks/{JOB_ID}", "interval_s": 0.02}
    with worker_of(api, Studio(running(), polls[output]), **words_for(output), job=job) as (model, _):
        refused(ask_image(api, model), 502, "no base64" if output != "url" else "no http(s) URL")
    assert len(kept(folder)) == before


def test_a_video_of_a_worker_without_jobs_that_is_none(api: Api) -> None:
    words = words_for("b64") | {"task": "video"}
    with worker_of(api, json_answer({"made": f"no base64, but {CANARY}"}), **words) as (model, _):
        answer = api.post("/v1/videos", {"model": model, "prompt": "a cat"})
        video = ended(api, answer.json["id"])
    assert video["status"] == "failed"
    assert "no base64" in video["error"]["message"]
    assert CANARY not in json.dumps(video)


@pytest.mark.parametrize("media_id", ["x", "0" * 32, "..%2f..%2frollcall.db", "%00", "a" * 5000, "0" * 31 + "g", "é"])
def test_a_file_that_is_none_of_ours(api: Api, media_id: str) -> None:
    answer = api.get(f"/v1/media/{media_id}")
    assert answer.status_code == 404
    assert error_of(answer)
