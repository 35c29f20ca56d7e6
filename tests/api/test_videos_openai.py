"""/v1/videos with the unmodified openai package, which checks every answer against OpenAI's own schema."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from tests.api.video_rig import PLAIN, Door, sqlite_door
from tests.fakes import FakeUpstream, bytes_answer, json_answer
from tests.services.job_rig import VIDEO, Studio, done, failing, running


@pytest.fixture(scope="module")
def door(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with sqlite_door(sqlite_template, tmp_path_factory.mktemp("videos")) as opened:
        yield opened


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
def test_a_video_from_its_begin_to_its_end(door: Door, base: str) -> None:
    studio = Studio(running(40))
    film = bytes_answer(b"0123456789", content_type="video/mp4")
    with FakeUpstream(film) as files, door.sdk(base) as api, door.studio(studio) as model:
        raw = api.videos.with_raw_response.create(model=model, prompt="a cat", seconds="8", size="1280x720")
        begun = raw.parse()
        assert raw.headers["openai-poll-after-ms"] == "100"
        assert int(raw.headers["x-rollcall-worker"])
        assert begun.id.startswith("video_")
        assert "t-1" not in begun.id
        assert (begun.status, begun.progress, begun.model, begun.prompt) == ("queued", 0, model, "a cat")
        assert (begun.seconds, begun.size, begun.completed_at, begun.error) == ("8", "1280x720", None, None)

        while (half := api.videos.retrieve(begun.id)).progress != 40:
            assert half.status == "in_progress"
        with pytest.raises(openai.ConflictError, match="40 %") as early:
            api.videos.download_content(begun.id)
        assert (early.value.code, early.value.response.headers["x-should-retry"]) == ("video_not_ready", "false")

        studio.polls = [done(files.url)]
        whole = api.videos.poll(begun.id)
        assert (whole.status, whole.progress) == ("completed", 100)
        assert whole.completed_at is not None
        assert whole.expires_at == whole.completed_at + 604_800
        content = api.videos.download_content(begun.id)
        assert (content.read(), content.response.headers["content-type"]) == (b"0123456789", "video/mp4")
        assert studio.submits == 1


def test_create_and_poll_and_the_numbers_that_the_worker_is_sent(door: Door) -> None:
    with FakeUpstream(bytes_answer(b"MP4", content_type="video/mp4")) as files, door.sdk() as api:
        studio = Studio(running(), running(), done(files.url))
        with FakeUpstream(studio) as upstream:
            job = {"id_extract": "id", "req_url_template": f"{upstream.origin}/tasks/{{JOB_ID}}", "interval_s": 0.02}
            job |= {"done_when": {"status": "done"}, "result_extract": "output[]"}
            sent = {"p": "{USER_PROMPT}", "s": "{SECONDS}", "w": "{WIDTH}", "h": "{HEIGHT}", "size": "{SIZE}"}
            more = {
                "steps": "{STEPS}",
                "flag": "{FLAG}",
                "seed": "{SEED}",
                "list": "{LIST}",
                "not": "{NEGATIVE_PROMPT}",
            }
            words = {"task": "video", "body": {**sent, **more}, "job": job, "req_url_template": upstream.url}
            with door.model(**words) as model:
                extra = {"steps": 30, "flag": True, "list": ["a", "b"], "negative_prompt": "12"}
                made = api.videos.create(
                    model=model, prompt="Ein Käfer — 🐞", seconds="4", size="720x1280", extra_body=extra
                )
                assert api.videos.poll(made.id).status == "completed"
                told = {"p": "Ein Käfer — 🐞", "s": 4, "w": 720, "h": 1280, "size": "720x1280"}
                typed = {"steps": 30, "flag": True, "list": ["a", "b"], "not": "12"}
                assert upstream.requests[0].json == told | typed
                again = api.videos.create_and_poll(model=model, prompt="again")
                assert (again.status, again.seconds, again.size) == ("completed", "4", "720x1280")
                bare = next(each for each in reversed(upstream.requests) if each.method == "POST")
                assert bare.json == {"p": "again"}


def test_a_job_that_fails_says_why(door: Door) -> None:
    with door.studio(Studio(failing("the prompt was moderated"))) as model, door.sdk() as api:
        video = api.videos.create_and_poll(model=model, prompt="a cat")
        assert video.status == "failed"
        assert video.error is not None
        assert (video.error.code, video.error.message) == ("upstream_error", "the prompt was moderated")
        assert (video.expires_at, video.progress) == (None, 0)
        with pytest.raises(openai.InternalServerError, match="the prompt was moderated") as refused:
            api.videos.download_content(video.id)
        assert refused.value.response.headers["x-should-retry"] == "false"


def test_a_worker_that_answers_at_once_works_in_the_background(door: Door) -> None:
    gate = threading.Event()
    answer = bytes_answer(b"MP4", content_type="video/webm", gate=gate)
    with FakeUpstream(answer) as upstream, door.sdk() as api:
        words = {**VIDEO, "output": {"type": "video", "as": "binary"}, "req_url_template": upstream.url}
        with door.model(**words) as model:
            begun = api.videos.create(model=model, prompt="a cat")
            upstream.wait_requests(1)
            assert (begun.status, api.videos.retrieve(begun.id).status) == ("queued", "in_progress")
            gate.set()
            assert api.videos.poll(begun.id, poll_interval_ms=10).status == "completed"
            content = api.videos.download_content(begun.id)
    assert (content.read(), content.response.headers["content-type"]) == (b"MP4", "video/webm")


def test_pages_and_deletion(door: Door) -> None:
    with FakeUpstream(json_answer({"error": "no"})) as upstream, door.sdk() as api:
        for video in api.videos.list():
            assert api.videos.delete(video.id).deleted
        with door.model(**PLAIN, req_url_template=upstream.url) as model:
            made = [api.videos.create(model=model, prompt=f"{number}").id for number in range(5)]
            assert [each.id for each in api.videos.list()] == made[::-1]
            assert [each.id for each in api.videos.list(limit=2)] == made[::-1]
            assert [each.id for each in api.videos.list(limit=2, order="asc")] == made
            page = api.videos.list(limit=2, after=made[3])
            assert ([each.id for each in page.data], page.has_more, page.last_id) == (made[2:0:-1], True, made[1])
            gone = api.videos.delete(made[0])
            assert (gone.id, gone.object, gone.deleted) == (made[0], "video.deleted", True)
            with pytest.raises(openai.NotFoundError):
                api.videos.delete(made[0])
            with pytest.raises(openai.NotFoundError):
                api.videos.retrieve(made[0])
            assert [each.id for each in api.videos.list(order="asc")] == made[1:]


def test_a_picture_to_begin_with(door: Door) -> None:
    with FakeUpstream(json_answer({"url": "http://127.0.0.1:9/v.mp4"})) as upstream, door.sdk() as api:
        words = {**PLAIN, "body": {"prompt": "{USER_PROMPT}", "image": "{INPUT_REFERENCE}"}}
        with door.model(**words, req_url_template=upstream.url) as model:
            files = ("cat.png", b"\x89PNG", "image/png")
            api.videos.create(model=model, prompt="a cat", input_reference=files)
            # the package itself takes no object there yet
            link = {"input_reference": {"image_url": "https://cdn/cat.png"}}
            api.videos.create(model=model, prompt="a cat", extra_body=link)
            upstream.wait_requests(2)
            assert sorted(each.json["image"] for each in upstream.requests) == [
                *("data:image/png;base64,iVBORw==", "https://cdn/cat.png"),
            ]
        with door.model(**PLAIN, req_url_template=upstream.url) as model:
            with pytest.raises(openai.BadRequestError, match="input_reference") as refused:
                api.videos.create(model=model, prompt="a cat", input_reference=files)
            assert (refused.value.param, refused.value.code) == ("input_reference", "unsupported_by_model")
