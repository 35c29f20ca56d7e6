"""/v1/videos as programs without the openai package meet it: refusals, contents of every kind, pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.core.conversation import ChatRequest
from tests.api.video_rig import PLAIN, Door, sqlite_door
from tests.fakes import FakeUpstream, bytes_answer, json_answer
from tests.services.job_rig import VIDEO, Studio, done, running

HI = {"role": "user", "content": "hello"}


@pytest.fixture(scope="module")
def door(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with sqlite_door(sqlite_template, tmp_path_factory.mktemp("videos")) as opened:
        yield opened


def refusal(answer: TestResponse, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = json.loads(answer.data)
    error: dict[str, Any] = body["error"]
    assert error["message"].endswith(".")
    return error


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, "model"),
    ({"model": 1}, "model"),
    ({"model": ["a"]}, "model"),
    ({"prompt": None}, "prompt"),
    ({"prompt": ""}, "prompt"),
    ({"prompt": 1}, "prompt"),
    ({"size": 720}, "size"),
    ({"seconds": "long"}, "seconds"),
    ({"seconds": "-4"}, "seconds"),
    ({"seconds": 0}, "seconds"),
    ({"seconds": "0"}, "seconds"),
    ({"seconds": True}, "seconds"),
    ({"seconds": [4]}, "seconds"),
    ({"n": 2}, "n"),
    ({"input_reference": 1}, "input_reference"),
    ({"input_reference": "cat.png"}, "input_reference"),
    ({"input_reference": {"file_id": "file-1"}}, "input_reference"),
    ({"input_reference": {"image_url": "file:///etc/passwd"}}, "input_reference"),
]


@pytest.mark.parametrize(("fields", "name"), REFUSED)
def test_what_is_wrong_is_named(door: Door, fields: dict[str, Any], name: str) -> None:
    error = refusal(door.api.post("/v1/videos", {"model": "m", "prompt": "a cat", **fields}), 400)
    assert (error["param"], error["code"]) == (name, "invalid_request")


@pytest.mark.parametrize("body", ["x", [], 1, None])
def test_a_body_that_is_no_object(door: Door, body: Any) -> None:
    refusal(door.api.send("POST", "/v1/videos", data=json.dumps(body), content_type="application/json"), 400)


def test_models_that_make_no_videos(door: Door) -> None:
    ask = {"model": "nobody", "prompt": "a cat"}
    assert refusal(door.api.post("/v1/videos", ask), 404)["code"] == "model_not_found"
    with door.model(req_url_template="http://127.0.0.1:9/") as text:
        error = refusal(door.api.post("/v1/videos", {**ask, "model": text}), 400)
    assert (error["code"], error["param"]) == ("wrong_task", "model")
    assert "answers in text" in error["message"]


def test_a_name_of_two_tasks_gives_each_request_to_who_does_it(door: Door) -> None:
    with FakeUpstream(json_answer({"id": "t-1"})) as films, FakeUpstream(json_answer("hello")) as texts:
        job = {"id_extract": "id", "req_url_template": f"{films.origin}/tasks", "result_extract": "x"}
        with door.model(**VIDEO, job=job, req_url_template=films.url) as model:
            door.api.register(model_name=model, req_url_template=texts.url)
            assert door.api.get(f"/v1/models/{model}").json["tasks"] == ["video", "text"]
            for _ in range(4):
                assert door.api.post("/v1/videos", {"model": model, "prompt": "a cat"}).status_code == 200
                chat = door.api.post("/v1/chat/completions", {"model": model, "messages": [HI]})
                assert chat.json["choices"][0]["message"]["content"] == "hello"


def test_a_worker_that_takes_no_job_leaves_none(door: Door) -> None:
    before = len(door.api.get("/v1/videos", limit=100).json["data"])
    with door.studio(Studio(running(), submit=json_answer({"oops": 1}))) as model:
        error = refusal(door.api.post("/v1/videos", {"model": model, "prompt": "a cat"}), 502)
    assert "id of its job" in error["message"]
    with door.studio(Studio(running(), submit=json_answer({"message": "no credit."}, 402))) as model:
        assert refusal(door.api.post("/v1/videos", {"model": model, "prompt": "a cat"}), 402)["message"] == "no credit."
    assert len(door.api.get("/v1/videos", limit=100).json["data"]) == before


def test_what_a_worker_is_not_told_is_said(door: Door) -> None:
    with door.studio(Studio(running())) as model:
        answer = door.api.post("/v1/videos", {"model": model, "prompt": "a cat", "size": "1x1", "seconds": 4.5})
    assert answer.headers["X-Rollcall-Notice"] == "not carried: size"
    assert (answer.json["seconds"], answer.json["size"]) == ("4.5", "1x1")


def test_jobs_of_other_tasks_are_none_of_these(door: Door) -> None:
    message = {"role": "user", "content": "a cat"}
    words = {**PLAIN, "task": "image", "output": {}, "req_url_template": "http://127.0.0.1:9/"}
    with door.model(**words) as model:
        request = ChatRequest(model, (message,), {"model": model, "prompt": "a cat"}, False, "r", "image")
        job = door.api.rollcall.jobs.start(request, job_id="job_" + "0" * 32)
        for path, method in (("", "GET"), ("/content", "GET"), ("", "DELETE")):
            refusal(door.api.send(method, f"/v1/videos/{job.id}{path}"), 404)
        assert job.id not in [row["id"] for row in door.api.get("/v1/videos", limit=100).json["data"]]
        assert door.api.rollcall.jobs.delete(job.id).id == job.id


@pytest.mark.parametrize("name", ["nobody", "%00", "x" * 3000, "%ff", "video_" + "0" * 32, "a b"])
@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/content"), ("DELETE", "")])
def test_ids_that_nobody_has(door: Door, name: str, method: str, path: str) -> None:
    assert len(refusal(door.api.send(method, f"/v1/videos/{name}{path}"), 404)["message"]) < 300


@pytest.mark.parametrize(
    ("query", "param"),
    [
        *(({"limit": text}, "limit") for text in ("0", "101", "-1", "ten", "", "1.5", "٣", "9" * 50)),
        *(({"order": text}, "order") for text in ("up", "", "DESC")),
    ],
)
def test_pages_that_cannot_be(door: Door, query: dict[str, str], param: str) -> None:
    assert refusal(door.api.get("/v1/videos", **query), 400)["param"] == param


def test_a_page_after_one_that_is_gone_begins_anew(door: Door) -> None:
    rows = [door.api.get("/v1/videos", after=after).json["data"] for after in ("", "video_0", "\x00")]
    assert rows[0] == rows[1] == rows[2]


@pytest.fixture(scope="module")
def film(door: Door) -> Iterator[str]:
    """A finished video of ten bytes."""
    studio = Studio(running())
    with FakeUpstream(bytes_answer(b"0123456789", content_type="video/mp4")) as files, door.studio(studio) as model:
        studio.polls = [done(f"{files.origin}/v.mp4?sig=secret")]
        yield door.ended(door.make(model)["id"])["id"]


@pytest.mark.parametrize(
    ("headers", "status", "body", "range_"),
    [
        ({}, 200, b"0123456789", None),
        ({"Range": "bytes=2-4"}, 206, b"234", "bytes 2-4/10"),
        ({"Range": "bytes=7-"}, 206, b"789", "bytes 7-9/10"),
        ({"Range": "bytes=-1"}, 206, b"9", "bytes 9-9/10"),
    ],
)
def test_the_bytes_and_parts_of_them(
    door: Door, film: str, headers: dict[str, str], status: int, body: bytes, range_: str | None
) -> None:
    answer = door.content(film, headers=headers)
    assert (answer.status_code, answer.data, answer.headers.get("Content-Range")) == (status, body, range_)
    assert (answer.mimetype, answer.headers["Accept-Ranges"]) == ("video/mp4", "bytes")
    assert int(answer.headers["Content-Length"]) == len(body)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    head = door.content(film, "HEAD", headers=headers)
    assert (head.status_code, head.data, head.headers["Content-Length"]) == (status, b"", str(len(body)))


def test_a_range_that_is_not_there_and_a_copy_that_is_known(door: Door, film: str) -> None:
    beyond = door.content(film, headers={"Range": "bytes=10-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, "bytes */10")
    assert "error" in beyond.json
    etag = door.content(film).headers["ETag"]
    assert door.content(film, headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize("variant", ["thumbnail", "spritesheet", ""])
def test_there_is_no_other_variant(door: Door, film: str, variant: str) -> None:
    answer = door.content(film, query_string={"variant": variant})
    assert refusal(answer, 400)["param"] == "variant"
    assert door.content(film, query_string={"variant": "video"}).status_code == 200


def test_the_result_is_ours_and_reveals_nothing(door: Door, film: str) -> None:
    shown = door.show(film)
    (result,) = shown["results"]
    assert result == {"url": result["url"], "content_type": "video/mp4"}
    origin, _, path = result["url"].partition("/v1/media/")
    assert origin == "http://127.0.0.1:8007"
    assert door.api.get(f"/v1/media/{path}").data == b"0123456789"
    assert "secret" not in json.dumps(shown)
    assert "t-1" not in json.dumps(shown)


def test_a_link_that_gives_no_file(door: Door) -> None:
    with FakeUpstream(bytes_answer(b"gone", 410)) as files, door.studio(Studio(done(files.url))) as model:
        video = door.ended(door.make(model)["id"])
        assert (video["status"], video["results"]) == ("completed", [{"url": files.url}])
        error = refusal(door.content(video["id"]), 502)
    assert "link gave no file" in error["message"]
    assert door.content(video["id"]).headers["x-should-retry"] == "false"


VALUES: list[tuple[str, Any, Any, str]] = [
    ("path", "/srv/out/v.mp4", {"path": "/srv/out/v.mp4"}, "own disk"),
    ("text", "come tomorrow", {"text": "come tomorrow"}, "no file"),
    ("json", {"a": [1]}, {"json": {"a": [1]}}, "no file"),
]


@pytest.mark.parametrize(("kind", "value", "result", "words"), VALUES)
def test_results_that_are_no_files(door: Door, kind: str, value: Any, result: Any, words: str) -> None:
    plain = {**PLAIN, "output": {"as": kind}}
    with (
        FakeUpstream(json_answer({"url": value})) as upstream,
        door.model(**plain, req_url_template=upstream.url) as model,
    ):
        video = door.ended(door.make(model)["id"])
    assert (video["status"], video["results"]) == ("completed", [result])
    assert words in refusal(door.content(video["id"]), 404)["message"]


def test_base64_and_base64_that_is_none(door: Door) -> None:
    with FakeUpstream(json_answer({"url": "TVA0"}), json_answer({"url": "!!"})) as upstream:
        words = {**PLAIN, "output": {"as": "b64"}, "req_url_template": upstream.url}
        with door.model(**words) as model:
            video = door.ended(door.make(model)["id"])
            assert door.content(video["id"]).data == b"MP4"
            assert door.content(video["id"]).mimetype == "video/mp4"
            broken = door.ended(door.make(model)["id"])
    assert broken["status"] == "failed"
    assert "base64" in broken["error"]["message"]
    assert "base64" in refusal(door.content(broken["id"]), 502)["message"]


def test_what_is_deleted_takes_its_file_along(door: Door) -> None:
    with FakeUpstream(bytes_answer(b"MP4")) as files, door.studio(Studio(done(files.url))) as model:
        video = door.ended(door.make(model)["id"])
        file = door.api.rollcall.media.find(video["results"][0]["url"].rpartition("/")[2])
        assert file is not None
        path = file.path
        assert path.read_bytes() == b"MP4"
        assert door.api.delete(f"/v1/videos/{video['id']}").json == {
            "id": video["id"],
            "object": "video.deleted",
            "deleted": True,
        }
    assert not path.exists()
    refusal(door.content(video["id"]), 404)


def test_one_that_still_runs_may_be_deleted(door: Door) -> None:
    with door.studio(Studio(running(10))) as model:
        video = door.make(model)
        assert door.api.delete(f"/v1/videos/{video['id']}").status_code == 200
        refusal(door.api.get(f"/v1/videos/{video['id']}"), 404)


def test_a_file_that_was_lost(door: Door) -> None:
    with FakeUpstream(bytes_answer(b"MP4")) as files, door.studio(Studio(done(files.url))) as model:
        video = door.ended(door.make(model)["id"])
    media = door.api.rollcall.media
    file = media.find(video["results"][0]["url"].rpartition("/")[2])
    assert file is not None
    file.path.unlink()
    assert "not kept" in refusal(door.content(video["id"]), 404)["message"]
    media.forget([file.id])
    assert "not kept" in refusal(door.content(video["id"]), 404)["message"]


def test_a_worker_that_was_removed_is_still_asked(door: Door) -> None:
    studio = Studio(running(10))
    with FakeUpstream(studio) as upstream, FakeUpstream(bytes_answer(b"MP4")) as files:
        job = {"id_extract": "id", "req_url_template": f"{upstream.origin}/tasks/{{JOB_ID}}", "interval_s": 0.02}
        job |= {"done_when": {"status": "done"}, "result_extract": "output[]"}
        with door.model(**VIDEO, job=job, req_url_template=upstream.url) as model:
            video = door.make(model)
        studio.polls = [done(files.url)]
        assert door.ended(video["id"])["status"] == "completed"


def test_pictures_are_not_stored_with_the_job(door: Door) -> None:
    picture = "data:image/png;base64," + "A" * 100_000
    with FakeUpstream(Studio(running())) as upstream:
        job = {"id_extract": "id", "req_url_template": f"{upstream.origin}/tasks/{{JOB_ID}}"}
        body = {"prompt": "{USER_PROMPT}", "image": "{INPUT_REFERENCE}"}
        with door.model(**{**VIDEO, "body": body, "job": job, "req_url_template": upstream.url}) as model:
            video = door.make(model, input_reference=picture)
            assert upstream.requests[0].json["image"] == picture
    assert door.api.rollcall.jobs.get(video["id"]).request.body["input_reference"] is None
