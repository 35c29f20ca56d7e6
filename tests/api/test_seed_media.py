"""The small shape for image and video models: {input, model_name} → where the first of what was made is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.api.generating import PACKED, PNG, House, photographer, picture, said
from tests.fakes import Behaviour, FakeUpstream, drop, json_answer, openai_answer
from tests.services.job_rig import running

JOB = {"result_extract": "made", "done_when": {"made": "*"}}

# output, whether by a job, the answer, whether the result is a URL of ours
CASES: list[tuple[str, bool, Callable[[str], Behaviour], bool]] = [
    ("url", False, lambda origin: said([f"{origin}/out/1", f"{origin}/out/2"]), False),
    ("b64", False, lambda origin: said([PACKED, PACKED]), True),
    ("binary", False, lambda origin: picture(), True),
    ("url", True, lambda origin: said([f"{origin}/out/1", f"{origin}/out/2"]), True),
    ("b64", True, lambda origin: said(PACKED), True),
]


@pytest.mark.parametrize("task", ["image", "video"])
@pytest.mark.parametrize("route", ["/v1/chat/completions", "/api/v1/chat/completions"])
@pytest.mark.parametrize(("output", "by_job", "answer", "ours"), CASES)
def test_the_result_is_the_url(
    home: House, task: str, route: str, output: str, by_job: bool, answer: Callable[[str], Behaviour], ours: bool
) -> None:
    with FakeUpstream(drop()) as worker:
        made = answer(worker.origin)
        worker.answer_with(photographer(running(), made) if by_job else photographer(running(), submit=made))
        model = home.model(worker, output, task=task, **({"job": JOB} if by_job else {}))
        reply = home.post(route, model_name=model, input="a cat")
        assert reply.status_code == 200, reply.text
        body = reply.json()
        assert (body["success"], body["msg"]) == (True, "execute succeed")
        assert body["result"].startswith(f"{home.url}/v1/media/" if ours else f"{worker.origin}/out/1")
        assert requests.get(body["result"], timeout=10).content == PNG
        assert reply.headers["X-Rollcall-Worker"].isdigit()
        assert worker.requests[0].json["prompt"] == "a cat"


@pytest.mark.parametrize("output", ["path", "text"])
def test_a_path_is_given_as_it_is(home: House, output: str) -> None:
    with FakeUpstream(said("/data/out.mp4")) as worker:
        reply = home.ask_small(home.model(worker, output, task="video"))
    assert reply.json()["result"] == "/data/out.mp4"


def test_options_beside_the_two(home: House) -> None:
    with FakeUpstream(said("http://127.0.0.1:9/1.png")) as worker:
        model = home.model(worker, body={"prompt": "{USER_PROMPT}", "size": "{SIZE}", "steps": "{STEPS}"})
        reply = home.ask_small(model, size="64x64", steps=3, n=2)
        assert reply.status_code == 200
        assert [request.json for request in worker.requests] == [{"prompt": "a cat", "size": "64x64", "steps": 3}] * 2


class TestFailures:
    def wrong(self, reply: requests.Response, status: int, *words: str) -> Any:
        body = reply.json()
        assert (reply.status_code, body["success"], list(body)) == (status, False, ["success", "msg", "error"]), body
        assert [word for word in words if word not in body["msg"]] == []
        return body["error"]

    def test_a_job_that_takes_too_long(self, home: House) -> None:
        with FakeUpstream(photographer(running())) as worker:
            model = home.model(worker, task="video", job=JOB, timeout_s=0.2)
            error = self.wrong(home.ask_small(model), 504, "video_", "goes on")
        assert error["code"] == "upstream_timeout"

    def test_a_worker_that_takes_too_long(self, home: House) -> None:
        with FakeUpstream(lambda exchange: exchange.check_caller(5)) as worker:
            self.wrong(home.ask_small(home.model(worker, task="video", timeout_s=0.2)), 504)

    def test_a_job_that_failed(self, home: House) -> None:
        failing = json_answer({"status": "failed", "failure": "moderated"})
        with FakeUpstream(photographer(failing)) as worker:
            self.wrong(home.ask_small(home.model(worker, job={})), 502, "moderated")

    def test_a_stream(self, home: House) -> None:
        with FakeUpstream(drop()) as worker:
            error = self.wrong(home.ask_small(home.model(worker, task="video"), stream=True), 400, "stream")
        assert error["field"] == "stream"

    def test_an_embedding_model(self, home: House) -> None:
        with FakeUpstream(drop()) as worker:
            model = home.model(worker, "json", task="embedding")
            assert self.wrong(home.ask_small(model), 400, "/v1/embeddings")["code"] == "wrong_task"

    def test_the_other_shape_is_for_text_only(self, home: House) -> None:
        with FakeUpstream(drop()) as worker:
            model = home.model(worker)
            ask = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
            answer = home.post("/api/v1/chat/completions", **ask)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "wrong_task")


def test_where_some_workers_answer_in_text_it_is_text(home: House) -> None:
    with FakeUpstream(openai_answer("text")) as speaker, FakeUpstream(said("http://127.0.0.1:9/1.png")) as painter:
        model = home.model(painter)
        words = {"model_name": model, "req_url_template": speaker.url, "body": {"q": "{USER_PROMPT}"}}
        home.api.register(**words, response_extract="choices[].message.content")
        assert {home.ask_small(model).json()["result"] for _ in range(8)} == {"text"}
