"""Workers that take jobs and then say nonsense, nothing, or that they never heard of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.bad_door import ask_chat, ask_seed, copied, refused, worker_of
from tests.api.management import Api, management
from tests.fakes import Behaviour, FakeUpstream, bytes_answer, empty_answer, hang, html_answer, json_answer
from tests.services.job_rig import Studio, done, running
from tests.serving import wait_for

CANARY = "canary/7f3a+key"
JOB: dict[str, Any] = {
    "id_extract": "id",
    "req_url_template": "ORIGIN/tasks/{JOB_ID}",
    "done_when": {"status": "done"},
    "failed_when": {"status": "failed"},
    "result_extract": "output",
    "error_extract": "failure",
    "interval_s": 0.02,
    "timeout_s": 0.6,
}
VIDEO: dict[str, Any] = {
    "task": "video",
    "header": {"Authorization": "Bearer ${env:ACCEPTANCE_KEY}"},
    "body": {"prompt": "{USER_PROMPT}"},
}


@pytest.fixture(scope="module")
def api(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("var")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCEPTANCE_KEY", CANARY)
        with management(copied(sqlite_template, folder), folder, ROLLCALL_SECRET_ENV="ACCEPTANCE_*") as api:
            api.rollcall.jobs.start_polling()
            yield api
            api.rollcall.jobs.stop()


def videos(api: Api) -> int:
    return len(api.get("/v1/videos", limit=100).json["data"])


def ask_video(api: Api, model: str) -> Any:
    return api.post("/v1/videos", {"model": model, "prompt": "a cat"})


def ask_image(api: Api, model: str) -> Any:
    return api.post("/v1/images/generations", {"model": model, "prompt": "a cat"})


def ended(api: Api, video_id: str) -> dict[str, Any]:
    """The video once it is over."""

    def over() -> dict[str, Any] | None:
        video: dict[str, Any] = api.get(f"/v1/videos/{video_id}").json
        return video if video["status"] in ("completed", "failed") else None

    return wait_for(f"the end of {video_id}", over)


SUBMITS: dict[str, tuple[Behaviour, str]] = {
    "no id": (json_answer({"result": {"x": 1}}), "has no id of its job at 'id' (nothing of it is there)"),
    "null": (json_answer({"id": None}), "has no id of its job at 'id'"),
    "an object": (json_answer({"id": {}}), "has no id of its job at 'id'"),
    "true": (json_answer({"id": True}), "has no id of its job at 'id'"),
    "white space": (json_answer({"id": "  "}), "has no id of its job at 'id'"),
    "a control character": (json_answer({"id": "a\x00b"}), "an id that is none"),
    "a long one": (json_answer({"id": "x" * 2000}), "an id that is none"),
    "a list": (json_answer([1]), "has no id of its job at 'id'"),
    "text": (bytes_answer(b"queued!", content_type="text/plain"), "queued!"),
    "cut JSON": (bytes_answer(b'{"id": "t-1', content_type="application/json"), "has no id of its job at 'id'"),
    "a web page": (html_answer(), "text/html"),
    "an image": (bytes_answer(b"\x89PNG\x00", content_type="image/png"), "image/png"),
    "nothing": (empty_answer(), "nothing in it"),
    "an error": (json_answer({"error": f"no credit for {CANARY}"}), "no credit for ***"),
}


@pytest.mark.parametrize("task", ["video", "image", "text"])
@pytest.mark.parametrize("what", SUBMITS)
def test_a_submit_that_gives_no_id_is_no_job(api: Api, what: str, task: str) -> None:
    behaviour, said = SUBMITS[what]
    ask = {"video": ask_video, "image": ask_image, "text": ask_chat}[task]
    before = videos(api)
    studio = Studio(running(), submit=behaviour)
    with worker_of(api, studio, **VIDEO | {"task": task}, job=JOB, error={"error": "*"}) as (model, _):
        message = refused(ask(api, model), 502, said)
    assert CANARY not in message
    assert studio.asked == ["POST /generate"]
    assert videos(api) == before


POLLS: dict[str, tuple[list[Behaviour], str]] = {
    "404": ([json_answer({"message": "unknown"}, 404)], "HTTP 404: unknown"),
    "410": ([json_answer({}, 410)], "HTTP 410"),
    "401": ([json_answer({"error": f"bad key {CANARY}"}, 401)], "bad key ***"),
    "500": ([json_answer({"error": f"oops {CANARY}"}, 500)], "did not finish within 0.6 s (job.timeout_s)"),
    "a web page": ([html_answer()], "no JSON: <!DOCTYPE html>"),
    "a web page of 502": ([html_answer(502)], "HTTP 502 with a web page: Bad Gateway"),
    "nothing": ([empty_answer()], "did not finish within 0.6 s (job.timeout_s)"),
    "a redirect": ([json_answer({}, 302, {"Location": "/tasks/elsewhere"})], "HTTP 302"),
    "no end": ([running(5)], "did not finish within 0.6 s (job.timeout_s)"),
    "silence": ([hang()], "did not finish within 0.6 s (job.timeout_s)"),
    "done without a result": ([json_answer({"status": "done", "echo": CANARY})], "no result of the job that is done"),
    "a result that is no URL": ([json_answer({"status": "done", "output": "cat.mp4"})], "no http(s) URL"),
    "a failure": ([json_answer({"status": "failed", "failure": f"moderated {CANARY}"})], "moderated ***"),
    "a failure without a word": ([json_answer({"status": "failed"})], '{"status": "failed"}'),
    "a failure that is empty": ([json_answer({"status": "failed", "failure": ""})], '{"status": "failed"'),
}


def test_polls_that_lead_nowhere(api: Api) -> None:
    """All at a time: what they have in common is that they take their time."""
    with ExitStack() as stack:
        begun = {}
        for what, (script, _) in POLLS.items():
            words = {**VIDEO, "job": JOB, "error": {"error": "*"}}
            model, _ = stack.enter_context(worker_of(api, Studio(*script), **words))
            answer = ask_video(api, model)
            assert answer.status_code == 200, answer.text
            begun[what] = answer.json["id"]
        for what, video_id in begun.items():
            video = ended(api, video_id)
            assert video["status"] == "failed", what
            assert POLLS[what][1] in video["error"]["message"], (what, video["error"])
            assert CANARY not in video["error"]["message"]
            content = api.get(f"/v1/videos/{video_id}/content")
            assert CANARY not in refused(content, 502, "There is no video, the job failed: ")


def test_a_worker_that_forgets_for_a_moment_is_asked_again(api: Api) -> None:
    moments = [json_answer({}, 404), html_answer(), json_answer({}, 503), empty_answer(), running(50)]
    with FakeUpstream(bytes_answer(b"MP4", content_type="video/mp4")) as store:
        studio = Studio(*moments, done(f"{store.origin}/a.mp4"))
        with worker_of(api, studio, **VIDEO, job={**JOB, "timeout_s": 30}) as (model, _):
            video = ended(api, ask_video(api, model).json["id"])
            assert video["status"] == "completed", video
            assert api.get(f"/v1/videos/{video['id']}/content").data == b"MP4"
        assert "authorization" not in store.requests[0].headers
    assert studio.submits == 1


def test_a_poll_that_repeats_what_the_submit_was_sent(api: Api) -> None:
    """Although the poll itself was sent none of it."""
    literal = "literal-canary-9"
    told = f"{CANARY} and {literal} are exhausted"
    words = {**VIDEO, "body": {"prompt": "{USER_PROMPT}", "token": literal}, "job": {**JOB, "header": {"X-A": "1"}}}
    with worker_of(api, Studio(json_answer({"status": "failed", "failure": told})), **words) as (model, worker):
        video = ended(api, ask_video(api, model).json["id"])
        assert "authorization" not in worker.requests[-1].headers
    assert video["error"]["message"] == "*** and *** are exhausted"


@pytest.mark.parametrize("leads", ["file:///etc/passwd", "gopher://h/", "tasks/1", "", None, 7, "http://a b/"])
def test_a_poll_url_in_the_reply_that_is_none(api: Api, leads: Any) -> None:
    studio = Studio(running(), submit=json_answer({"id": "t-1", "url": leads}))
    with worker_of(api, studio, **VIDEO, job={**JOB, "req_url_template": "{RESP:url}"}) as (model, _):
        answer = ask_video(api, model)
        assert answer.status_code == 200, answer.text
        video = ended(api, answer.json["id"])
    assert video["status"] == "failed"
    assert studio.asked == ["POST /generate"]


@pytest.mark.parametrize("ask", [ask_chat, ask_image, ask_seed])
def test_who_waits_hears_of_it_at_timeout_s_and_the_job_goes_on(api: Api, ask: Any) -> None:
    gate = threading.Event()
    released = done("http://127.0.0.1:9/out.png")

    def late(exchange: Any) -> None:
        (released if gate.is_set() else running(10))(exchange)

    text = ask is ask_chat
    words = {**VIDEO, "task": "text" if text else "image", "timeout_s": 0.3, "job": {**JOB, "timeout_s": 60}}
    studio = Studio(late)
    with worker_of(api, studio, **words) as (model, _):
        began = time.monotonic()
        message = refused(ask(api, model), 504, "not done")
        assert time.monotonic() - began >= 0.3
        assert studio.submits == 1
        if not text:  # nobody could fetch a late text
            assert "it goes on" in message
            seen = len(studio.asked)
            wait_for("more polls", lambda: len(studio.asked) > seen + 1)
            gate.set()
            job_id = message.partition("The job ")[2].partition(" ")[0]
            wait_for("its end", lambda: api.rollcall.jobs.get(job_id).state == "done")


def test_a_job_that_says_no_more_than_http_500_while_its_caller_waits(api: Api) -> None:
    words = {**VIDEO, "task": "text", "job": {**JOB, "interval_s": 0.01, "timeout_s": 60}}
    with worker_of(api, Studio(json_answer({"error": CANARY}, 500)), **words) as (model, _):
        assert CANARY not in refused(ask_chat(api, model), 502, "took the job, but does not say how it is: HTTP 500")
    with worker_of(api, Studio(json_answer({"error": "gone"}, 410)), **words) as (model, _):
        refused(ask_chat(api, model), 502, "gone")


FRAMED: dict[str, tuple[Behaviour, str]] = {
    "no end": (bytes_answer(b'event: generating\ndata: ["a"]\n\n', content_type="text/event-stream"), "end mark"),
    "an error": (bytes_answer(b"event: error\ndata: null\n\n", content_type="text/event-stream"), ""),
    "nothing": (bytes_answer(b"", content_type="text/event-stream"), ""),
    "a web page": (html_answer(), ""),
    "404": (json_answer({"detail": "no such event"}, 404), "no such event"),
    "no result": (bytes_answer(b"event: complete\ndata: []\n\n", content_type="text/event-stream"), ""),
}


@pytest.mark.parametrize("task", ["video", "text"])
@pytest.mark.parametrize("what", FRAMED)
def test_a_poll_that_streams_nonsense(api: Api, what: str, task: str) -> None:
    behaviour, said = FRAMED[what]
    job = {
        "id_extract": "id",
        "req_url_template": "ORIGIN/tasks/{JOB_ID}",
        "framing": "sse",
        "done_when": {"@event": "complete"},
        "failed_when": {"@event": "error"},
        "result_extract": "@json[0].url",
    }
    words = {**VIDEO, "task": task, "stream": {"delta_extract": "@json[0]", "mode": "cumulative"}}
    with worker_of(api, Studio(behaviour), **words, job={**job, "timeout_s": 0.6, "interval_s": 0.02}) as (model, _):
        if task == "text":
            status = 404 if what == "404" else 502
            refused(ask_chat(api, model), status, said)
        else:
            video = ended(api, ask_video(api, model).json["id"])
            assert video["status"] == "failed"
            assert said in video["error"]["message"], video
