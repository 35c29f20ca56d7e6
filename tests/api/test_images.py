"""/v1/images/generations from every kind of image worker, on both databases, with the unmodified openai package."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
import requests

from app.api.image_schemas import ImagesPendingSchema
from app.core.errors import StorageUnavailable
from app.services.jobs import Jobs
from tests.api.generating import KEY, PACKED, PNG, House, photographer, picture, said
from tests.fakes import Behaviour, FakeUpstream, bytes_answer, drop, json_answer
from tests.services.job_rig import Studio, running

JOB = {"result_extract": "made", "done_when": {"made": "*"}}


@pytest.fixture(scope="module")
def sdk(home: House) -> Iterator[openai.OpenAI]:
    address = f"{home.url}/v1"
    with openai.OpenAI(base_url=address, api_key="k", max_retries=0, _strict_response_validation=True) as client:
        yield client


Made = Callable[[str], tuple[Studio, str, dict[str, Any]]]


def _at_once(output: str, value: Callable[[str], Behaviour]) -> Made:
    return lambda origin: (photographer(running(), submit=value(origin)), output, {})


def _by_job(output: str, value: Callable[[str], Behaviour]) -> Made:
    return lambda origin: (photographer(running(20), value(origin)), output, {"job": JOB})


# the worker's way and output → is the URL that a caller gets one of ours?
KINDS: dict[str, tuple[Made, bool]] = {
    "url": (_at_once("url", lambda origin: said(f"{origin}/out/1.png")), False),
    "b64": (_at_once("b64", lambda origin: said([PACKED])), True),
    "data URL": (_at_once("b64", lambda origin: said(f"data:image/png;base64,{PACKED}")), True),
    "data URL for a url": (_at_once("url", lambda origin: said(f"data:image/png;base64,{PACKED}")), True),
    "binary": (_at_once("binary", lambda origin: picture()), True),
    "job url": (_by_job("url", lambda origin: said([f"{origin}/out/1.png"])), True),
    "job b64": (_by_job("b64", lambda origin: said(PACKED)), True),
    "job binary": (_by_job("binary", lambda origin: picture()), True),
}


@pytest.mark.parametrize("wanted", [None, "url", "b64_json"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_output_in_both_forms(home: House, sdk: openai.OpenAI, kind: str, wanted: Any) -> None:
    make, ours = KINDS[kind]
    with FakeUpstream(drop()) as worker:
        studio, output, words = make(worker.origin)
        worker.answer_with(studio)
        model = home.model(worker, output, **words)
        options: Any = {} if wanted is None else {"response_format": wanted}
        raw = sdk.images.with_raw_response.generate(model=model, prompt="a cat", **options)
        reply = raw.parse()
        assert reply.created > 1_700_000_000
        assert reply.data is not None
        (image,) = reply.data
        if wanted == "b64_json":
            assert image.url is None
            assert b64decode(image.b64_json or "") == PNG
        else:
            assert image.b64_json is None
            assert (image.url or "").startswith(f"{home.url}/v1/media/" if ours else f"{worker.origin}/out/")
            assert requests.get(image.url or "", timeout=10).content == PNG
        assert raw.headers["x-rollcall-worker"].isdigit()


def test_the_header_of_a_jobs_download(home: House) -> None:
    def guarded(exchange: Any) -> None:
        allowed = exchange.request.headers.get("x-key") == KEY
        (picture() if allowed else json_answer({"error": "no"}, 403))(exchange)

    with FakeUpstream(drop()) as worker:
        worker.answer_with(photographer(said(f"{worker.origin}/out/1.png"), file=guarded))
        model = home.model(worker, job={**JOB, "download": {"header": {"X-Key": KEY}}})
        answer = home.ask(model, response_format="b64_json")
    assert answer.json()["data"] == [{"b64_json": PACKED}]


class TestFailures:
    def wrong(self, answer: requests.Response, status: int, *words: str) -> Any:
        error = answer.json()["error"]
        assert (answer.status_code, [word for word in words if word not in error["message"]]) == (status, []), error
        return error

    @pytest.mark.parametrize(
        ("file", "words"),
        [
            (json_answer({"error": "gone"}, 404), "HTTP 404"),
            (picture(b"x" * 100_001), "larger than 100,000 bytes (ROLLCALL_MEDIA_MAX_BYTES)"),
            (bytes_answer(b"<html>", content_type="text/html"), "web page"),
            (drop(), "connection"),
        ],
    )
    def test_a_link_that_cannot_be_fetched(self, home: House, file: Behaviour, words: str) -> None:
        with FakeUpstream(drop()) as worker:
            link = f"{worker.origin}/out/1.png"
            worker.answer_with(photographer(running(), submit=said(f"{link}?sig=secret"), file=file))
            model = home.model(worker)
            answer = home.ask(model, response_format="b64_json")
            self.wrong(answer, 502, "could not be fetched", link, words)
            assert "sig=secret" not in answer.text
            assert answer.headers["x-should-retry"] == "false"
            assert answer.headers["X-Rollcall-Attempts"] == "1"
            # Where it lies can be told all the same.
            assert home.ask(model).json()["data"] == [{"url": f"{link}?sig=secret"}]

    def test_a_link_of_a_job_that_gave_no_file(self, home: House) -> None:
        with FakeUpstream(drop()) as worker:
            link = f"{worker.origin}/out/1.png"
            worker.answer_with(photographer(said(link), file=json_answer({}, 404)))
            model = home.model(worker, job=JOB)
            self.wrong(home.ask(model, response_format="b64_json"), 502, "could not be fetched")
            assert home.ask(model).json()["data"] == [{"url": link}]

    @pytest.mark.parametrize("job", [False, True])
    def test_base64_that_is_none(self, home: House, job: bool) -> None:
        with FakeUpstream(photographer(said("no base64!"), submit=None if job else said("no base64!"))) as worker:
            answer = home.ask(home.model(worker, "b64", **({"job": JOB} if job else {})))
        self.wrong(answer, 502, "no base64")

    def test_an_image_that_is_too_large(self, home: House) -> None:
        with FakeUpstream(picture(b"x" * 100_001)) as worker:
            self.wrong(home.ask(home.model(worker, "binary")), 502, "larger than 100,000 bytes")

    def test_a_job_that_failed(self, home: House) -> None:
        failing = json_answer({"status": "failed", "failure": "moderated"})
        with FakeUpstream(photographer(running(), failing)) as worker:
            model = home.model(worker, job={**JOB, "done_when": {"status": "done"}})
            answer = home.ask(model)
        self.wrong(answer, 502, "failed: moderated.")
        assert answer.headers["x-should-retry"] == "false"
        assert answer.headers["X-Rollcall-Worker"].isdigit()

    def test_a_job_that_takes_too_long_goes_on(self, home: House) -> None:
        with FakeUpstream(drop()) as worker:
            studio = photographer(running(40))
            worker.answer_with(studio)
            error = self.wrong(
                home.ask(home.model(worker, job=JOB, timeout_s=0.2)), 504, "within 0.2 s", "goes on: GET"
            )
            assert error["code"] == "upstream_timeout"
            (place,) = re.findall(r"GET (/v1/images/generations/img_[0-9a-f]{32})\.", error["message"])
            pending = requests.get(home.url + place, timeout=10)
            assert (pending.status_code, pending.json()["status"]) == (202, "in_progress")
            assert ImagesPendingSchema().validate(pending.json()) == {}
            studio.polls[:] = [said(f"{worker.origin}/out/1.png")]
            home.api.rollcall.jobs.wait(place.rpartition("/")[2], 20)
            (image,) = requests.get(home.url + place, timeout=10).json()["data"]
            assert requests.get(image["url"], timeout=10).content == PNG

    def test_a_database_that_is_away_for_a_while(self, home: House, monkeypatch: pytest.MonkeyPatch) -> None:
        jobs, asked = home.api.rollcall.jobs, []

        def away(job_id: str, timeout_s: float) -> Any:
            asked.append(job_id)
            if len(asked) == 1 or timeout_s < 1:
                raise StorageUnavailable("The database cannot be reached.")
            return Jobs.wait(jobs, job_id, timeout_s)

        monkeypatch.setattr(jobs, "wait", away)
        with FakeUpstream(drop()) as worker:
            studio = photographer(said(f"{worker.origin}/out/1.png"))
            worker.answer_with(studio)
            assert home.ask(home.model(worker, job=JOB)).status_code == 200
            assert studio.submits == 1
            self.wrong(home.ask(home.model(worker, job=JOB, timeout_s=0.1)), 504, "goes on: GET")

    def test_a_job_that_nobody_knows(self, home: House) -> None:
        with FakeUpstream(photographer(running())) as worker:
            film = home.ask_small(home.model(worker, task="video", job=JOB, timeout_s=0.1)).json()["msg"]
        (video,) = re.findall(r"GET /v1/videos/(video_[0-9a-f]{32})", film)
        for job_id in (video, "img_" + "0" * 32, "%00", "x" * 3000):
            self.wrong(requests.get(f"{home.url}/v1/images/generations/{job_id}", timeout=10), 404)

    def test_a_job_that_failed_after_its_caller_left(self, home: House) -> None:
        with FakeUpstream(drop()) as worker:
            studio = photographer(running())
            worker.answer_with(studio)
            model = home.model(worker, job={**JOB, "failed_when": {"status": "failed"}}, timeout_s=0.2)
            place = home.ask(model).json()["error"]["message"].split()[-1].rstrip(".")
            studio.polls[:] = [json_answer({"status": "failed", "failure": "moderated"})]
            home.api.rollcall.jobs.wait(place.rpartition("/")[2], 20)
            self.wrong(requests.get(home.url + place, timeout=10), 502, "failed: moderated.")

    def test_a_submit_that_is_refused(self, home: House) -> None:
        with FakeUpstream(photographer(running(), submit=json_answer({"error": "too long"}, 422))) as worker:
            self.wrong(home.ask(home.model(worker, job=JOB)), 422, "too long")

    def test_a_worker_that_takes_too_long(self, home: House) -> None:
        with FakeUpstream(lambda exchange: exchange.check_caller(5)) as worker:
            self.wrong(home.ask(home.model(worker, timeout_s=0.2)), 504, "time")

    def test_what_a_path_can_be_given_as(self, home: House) -> None:
        with FakeUpstream(said("/data/out/1.png")) as worker:
            model = home.model(worker, "path")
            assert home.ask(model).json()["data"] == [{"url": "/data/out/1.png"}]
            error = self.wrong(home.ask(model, response_format="b64_json"), 400, "own disk", "/data/out/1.png")
        assert (error["param"], error["code"]) == ("response_format", "unsupported_by_model")

    def test_a_model_of_another_task(self, home: House) -> None:
        with FakeUpstream(drop()) as worker:
            text = home.model(worker, "text", task="text")
            video = home.model(worker, task="video")
        assert self.wrong(home.ask(text), 400, "answers in text")["code"] == "wrong_task"
        assert self.wrong(home.ask(video), 400, "/v1/videos")["code"] == "wrong_task"

    def test_an_unknown_model(self, home: House) -> None:
        assert self.wrong(home.ask("nobody"), 404, "nobody")["code"] == "model_not_found"


def test_text_is_given_as_it_came(home: House) -> None:
    with FakeUpstream(drop()) as worker:
        model = home.model(worker, "text")
        worker.answer_with(said("<svg/>"))
        assert home.ask(model).json()["data"] == [{"url": "<svg/>"}]
        assert home.ask(model, response_format="b64_json").json()["error"]["param"] == "response_format"
        worker.answer_with(photographer(running(), submit=said(f"{worker.origin}/out/1.png")))
        assert home.ask(model, response_format="b64_json").json()["data"] == [{"b64_json": PACKED}]


def test_objects_are_given_as_they_came(home: House) -> None:
    made = [{"url": "http://h.example/1.png", "revised_prompt": "a black cat"}]
    with FakeUpstream(said(made)) as worker:
        model = home.model(worker, "json", response_extract="made[*]")
        assert home.ask(model).json()["data"] == made


def test_the_url_is_of_the_host_that_was_asked(home: House) -> None:
    with FakeUpstream(said(PACKED)) as worker:
        model = home.model(worker, "b64")
        there = home.url.replace("127.0.0.1", "localhost")
        body = {"model": model, "prompt": "a cat"}
        headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Forwarded": "host=evil.example"}
        answer = requests.post(f"{there}/api/v1/images/generations", json=body, headers=headers, timeout=10)
    assert answer.json()["data"][0]["url"].startswith(f"{there}/v1/media/")


def test_what_the_worker_is_told(home: House) -> None:
    body = {
        "prompt": "{USER_PROMPT}", "size": "{SIZE}", "w": "{WIDTH}", "h": "{HEIGHT}", "seed": "{SEED}", "n": "{N}",
        "quality": "{QUALITY}", "negative": "{NEGATIVE_PROMPT}", "form": "{RESPONSE_FORMAT}",
    }  # fmt: skip
    with FakeUpstream(said(PACKED)) as worker:
        model = home.model(worker, "b64", body=body)
        answer = home.ask(
            model, n=1, size="640x480", quality="hd", seed=7, negative_prompt="dogs", user="u", response_format="url"
        )
        assert answer.headers["X-Rollcall-Notice"] == "not carried: user"
        assert worker.requests[-1].json == {
            "prompt": "a cat", "size": "640x480", "w": 640, "h": 480, "seed": 7, "n": 1,
            "quality": "hd", "negative": "dogs",
        }  # fmt: skip
