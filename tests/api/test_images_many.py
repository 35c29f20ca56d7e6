"""Several images: one call where the worker makes them all, else as many calls or jobs, and no image too many."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.api.generating import House, said
from tests.fakes import Behaviour, Exchange, FakeUpstream, json_answer

JOB = {"result_extract": "made", "done_when": {"made": "*"}}
LINK = "http://127.0.0.1:9"


class Press:
    """A worker that makes one image a call, at once or by a job. Answers once `size` calls are inside together."""

    def __init__(self, size: int = 1, failing: tuple[int, ...] = ()) -> None:
        self._changed = threading.Condition()
        self._size = size
        self._failing = failing
        self._inside = 0
        self.most = self.calls = 0

    def __call__(self, exchange: Exchange) -> None:
        if exchange.request.method == "GET":
            said(f"{LINK}{exchange.request.path}.png")(exchange)
            return
        with self._changed:
            self.calls += 1
            number = self.calls
            self._inside += 1
            self.most = max(self.most, self._inside)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self.most >= self._size, 10)
        name = exchange.request.json["name"]
        answer = {"id": name, **({} if exchange.request.json.get("job") else {"made": f"{LINK}/tasks/{name}.png"})}
        json_answer({"error": "full"}, 422)(exchange) if number in self._failing else json_answer(answer)(exchange)
        with self._changed:
            self._inside -= 1


def names(answer: Any) -> list[str]:
    """The last words of the workers' file names: which call made the image."""
    assert answer.status_code == 200, answer.text
    return [entry["url"].rpartition("/")[2].removesuffix(".png")[-2:] for entry in answer.json()["data"]]


WAYS = [{}, {"job": JOB, "body": {"prompt": "{USER_PROMPT}", "name": "{REQUEST_ID}", "job": True}}]


@pytest.mark.parametrize("words", WAYS)
def test_a_worker_of_one_image_is_called_in_parallel(home: House, words: dict[str, Any]) -> None:
    press = Press(size=3)
    with FakeUpstream(press) as worker:
        found = names(home.ask(home.model(worker, **words), n=3))
        assert (len(found), found[1:], press.most) == (3, ["-2", "-3"], 3)


@pytest.mark.parametrize("words", WAYS)
def test_only_as_many_at_a_time_as_the_worker_takes(home: House, words: dict[str, Any]) -> None:
    press = Press()
    with FakeUpstream(press) as worker:
        found = names(home.ask(home.model(worker, limits={"concurrency": 1}, **words), n=3))
        assert (len(found), press.calls, press.most) == (3, 3, 1)


@pytest.mark.parametrize("by_job", [False, True])
def test_a_worker_that_makes_them_all_is_called_once(home: House, by_job: bool) -> None:
    def many(exchange: Exchange) -> None:
        if exchange.request.method == "GET":
            said([f"{LINK}/1.png", f"{LINK}/2.png"])(exchange)
        else:
            json_answer({"id": "t", "made": [f"{LINK}/{n}.png" for n in range(exchange.request.json["n"])]})(exchange)

    words = {"job": JOB} if by_job else {}
    with FakeUpstream(many) as worker:
        model = home.model(worker, body={"prompt": "{USER_PROMPT}", "n": "{N}"}, **words)
        assert len(names(home.ask(model, n=2))) == 2
        assert len([request for request in worker.requests if request.method == "POST"]) == 1


@pytest.mark.parametrize(("count", "given"), [(1, 1), (3, 3), (None, 4)])
def test_no_more_than_were_asked_for(home: House, count: int | None, given: int) -> None:
    """A worker that always makes four."""
    with FakeUpstream(said([f"{LINK}/{number}.png" for number in range(4)])) as worker:
        model = home.model(worker, body={"prompt": "{USER_PROMPT}", "n": "{N}"})
        assert len(names(home.ask(model, n=count))) == given


@pytest.mark.parametrize("words", WAYS)
def test_one_that_fails_fails_them_all(home: House, words: dict[str, Any]) -> None:
    with FakeUpstream(Press(failing=(2,))) as worker:
        model = home.model(worker, limits={"concurrency": 1}, **words)
        answer = home.ask(model, n=3)
        assert (answer.status_code, answer.json()["error"]["message"]) == (422, "full")
        assert [job for job in home.api.rollcall.jobs.page(task="image", limit=100) if job.model_name == model] == []
        # What failed is not tried again, and what had not begun does not begin.
        assert len([request for request in worker.requests if request.method == "POST"]) == 2


def test_one_job_that_fails_fails_them_all(home: House) -> None:
    def second_fails(exchange: Exchange) -> None:
        failed = exchange.request.path.endswith("-2")
        behave: Behaviour = json_answer({"status": "failed", "failure": "moderated"})
        (behave if failed else Press())(exchange)

    with FakeUpstream(second_fails) as worker:
        answer = home.ask(home.model(worker, **WAYS[1]), n=2)
    assert (answer.status_code, "moderated" in answer.text) == (502, True)


def test_jobs_that_take_too_long_are_all_named(home: House) -> None:
    waiting = json_answer({"id": "t"})
    with FakeUpstream(waiting) as worker:
        answer = home.ask(home.model(worker, job=JOB, timeout_s=0.2), n=2)
    message = answer.json()["error"]["message"]
    assert (answer.status_code, message.count("/v1/images/generations/img_")) == (504, 2)
    assert "they go on: GET /v1/" in message


@pytest.mark.parametrize("count", [0, 11, -1, "2", 1.5, True, []])
def test_numbers_that_are_none(home: House, count: Any) -> None:
    answer = home.ask("nobody", n=count)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "n")


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, "model"),
    ({"model": ""}, "model"),
    ({"prompt": None}, "prompt"),
    ({"prompt": ["a"]}, "prompt"),
    ({"response_format": "base64"}, "response_format"),
    ({"response_format": {"type": "url"}}, "response_format"),
    ({"stream": True}, "stream"),
    ({"stream": "no"}, "stream"),
    ({"size": 512}, "size"),
    ({"quality": 1}, "quality"),
    ({"seed": 1.5}, "seed"),
    ({"user": {}}, "user"),
]


@pytest.mark.parametrize("route", ["/v1/images/generations", "/api/v1/images/generations"])
@pytest.mark.parametrize(("options", "field"), REFUSED)
def test_refusals_name_the_field(home: House, route: str, options: dict[str, Any], field: str) -> None:
    answer = home.post(route, **{"model": "m", "prompt": "a cat", **options})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)
    assert answer.json()["error"]["message"].startswith(field)


def test_a_body_that_is_no_object(home: House) -> None:
    answer = home.api.send("POST", "/v1/images/generations", json=["a cat"])
    assert (answer.status_code, "must be an object" in answer.text) == (400, True)
