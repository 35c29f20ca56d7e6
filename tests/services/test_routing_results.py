"""Images, videos and embeddings: the task that fits, several calls for several images, all or nothing."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import InvalidRequest, NoWorkerAvailable, RollcallError, UpstreamError
from app.core.worker import Health
from tests.fakes import Behaviour, Exchange, FakeUpstream, bytes_answer, json_answer, refusing_port
from tests.services.routes import PLAIN, asked, chat, router, worker

IMAGE = {
    "task": "image",
    "body": {"prompt": "{USER_PROMPT}", "name": "{REQUEST_ID}", "count": "{REQUEST:n}"},
    "response_extract": "url",
    "output": {"as": "url"},
}
MANY = {**IMAGE, "body": {"prompt": "{USER_PROMPT}", "n": "{N}"}, "response_extract": "urls"}
EMBEDDING = {
    "task": "embedding",
    "body": {"input": "{INPUT}"},
    "response_extract": "data[*].embedding",
    "output": {"as": "json"},
}
VIDEO = {**IMAGE, "task": "video"}


def named(exchange: Exchange) -> None:
    json_answer({"url": f"http://host.example/{exchange.request.json['name']}.png"})(exchange)


class Crowd:
    """Answers once `size` calls are inside, or at once with size 1; `most` is how many were inside at a time."""

    def __init__(self, size: int) -> None:
        self._changed = threading.Condition()
        self._size = size
        self._inside = self.most = 0

    def __call__(self, exchange: Exchange) -> None:
        with self._changed:
            self._inside += 1
            self.most = max(self.most, self._inside)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self.most >= self._size, 10)
        named(exchange)
        with self._changed:
            self._inside -= 1


def test_an_image() -> None:
    with FakeUpstream(json_answer({"url": "http://host.example/cat.png"})) as one:
        answer = router(worker(5, one.url, IMAGE)).result(asked("image", n=1))
    (item,) = answer.result.items
    assert (item.kind, item.value) == ("url", "http://host.example/cat.png")
    assert (answer.worker_id, answer.attempts) == (5, 1)
    assert one.requests[0].json == {"prompt": "a cat", "name": "req-1", "count": 1}


def test_bytes_pass_as_they_are() -> None:
    data = bytes(range(256)) * 300
    shape = {**IMAGE, "response_extract": "", "output": {"as": "binary"}}
    with FakeUpstream(bytes_answer(data, content_type="image/png")) as one:
        answer = router(worker(1, one.url, shape)).result(asked("image"))
    (item,) = answer.result.items
    assert (item.kind, item.value, item.content_type) == ("bytes", data, "image/png")


def test_embeddings() -> None:
    reply = {"data": [{"embedding": [0.5, 1]}, {"embedding": [2, 3]}]}
    with FakeUpstream(json_answer(reply)) as one:
        answer = router(worker(1, one.url, EMBEDDING)).result(asked("embedding", input=["a", "b"]))
    assert [item.value for item in answer.result.items] == [[0.5, 1], [2, 3]]
    assert one.requests[0].json == {"input": ["a", "b"]}


WRONG = [
    (IMAGE, chat(), r"'m' makes images \(POST /v1/images/generations\), and nothing else\."),
    (VIDEO, chat(), r"'m' makes videos \(POST /v1/videos\)"),
    (EMBEDDING, chat(), r"'m' embeds texts \(POST /v1/embeddings\)"),
    (PLAIN, asked("image"), r"'m' answers in text \(POST /v1/chat/completions\), and nothing else\."),
    (PLAIN, asked("embedding", input="a"), "answers in text"),
    (IMAGE, asked("video"), "makes images"),
]


@pytest.mark.parametrize(("shape", "request_", "words"), WRONG)
@pytest.mark.parametrize("health", [Health(), Health(probe="down")])
def test_the_wrong_task_is_named(shape: dict[str, Any], request_: Any, words: str, health: Health) -> None:
    route = router(worker(1, "http://127.0.0.1:9/", shape, health=health))
    with pytest.raises(InvalidRequest, match=words) as caught:
        route.complete(request_) if request_.task == "text" else route.result(request_)
    assert (caught.value.status, caught.value.code, caught.value.field) == (400, "wrong_task", "model")
    with pytest.raises(InvalidRequest, match=words):
        route.works_by_job(request_)


def test_of_a_mixed_pool_those_that_fit_are_asked() -> None:
    with FakeUpstream(json_answer({"answer": "text"})) as text, FakeUpstream(named) as image:
        crowd = [worker(n, image.url, IMAGE, weight=1000, instance=str(n)) for n in range(10)]
        route = router(*crowd, worker(99, text.url, PLAIN))
        answer = route.complete(chat())
        assert (answer.worker_id, answer.attempts) == (99, 1)
        assert route.result(asked("image")).worker_id < 10
        with pytest.raises(InvalidRequest, match="makes images .* and answers in text"):
            route.result(asked("video"))


def test_of_a_mixed_pool_nobody_who_fits_may_get_traffic() -> None:
    down = Health(probe="down", last_error="connection refused")
    with FakeUpstream(named) as image:
        route = router(worker(1, image.url, IMAGE), worker(2, "http://127.0.0.1:9/", PLAIN, health=down))
        with pytest.raises(NoWorkerAvailable, match=r"\(1 down\)"):
            route.complete(chat())
        assert not image.requests


def test_several_images_are_several_calls_at_a_time() -> None:
    crowd = Crowd(3)
    with FakeUpstream(crowd) as one:
        answer = router(worker(1, one.url, IMAGE)).result(asked("image", n=3))
        sent = sorted((request.json["name"], request.json["count"]) for request in one.requests)
    names = ["req-1", "req-1-2", "req-1-3"]
    assert [item.value for item in answer.result.items] == [f"http://host.example/{name}.png" for name in names]
    assert sent == [(name, 1) for name in names]
    assert (answer.attempts, crowd.most) == (1, 3)


@pytest.mark.parametrize("limit", [1, 2])
def test_several_images_keep_within_the_limit(limit: int, tmp_path: Path) -> None:
    crowd = Crowd(limit)
    with FakeUpstream(crowd) as one:
        route = router(worker(1, one.url, IMAGE, limits={"concurrency": limit}), var=tmp_path)
        for _ in range(2):
            assert len(route.result(asked("image", n=5)).result.items) == 5
        assert (crowd.most, len(one.requests)) == (limit, 10)


def test_a_worker_that_makes_several_is_asked_once() -> None:
    with FakeUpstream(json_answer({"urls": ["http://h.example/1", "http://h.example/2"]})) as one:
        answer = router(worker(1, one.url, MANY)).result(asked("image", n=2))
        assert [request.json["n"] for request in one.requests] == [2]
    assert len(answer.result.items) == 2


@pytest.mark.parametrize("n", [11, 0.5, "3", [1]])
def test_a_number_of_images_that_cannot_be(n: Any) -> None:
    with pytest.raises(InvalidRequest, match="from 1 to 10") as caught:
        router(worker(1, "http://127.0.0.1:9/", IMAGE)).result(asked("image", n=n))
    assert caught.value.field == "n"


def failing_after(good: int, bad: Behaviour) -> Behaviour:
    """`good` answers, then failures."""
    left = iter(range(good))

    def behave(exchange: Exchange) -> None:
        named(exchange) if next(left, None) is not None else bad(exchange)

    return behave


def test_one_failed_call_fails_all_and_nobody_else_makes_them_again(tmp_path: Path) -> None:
    bad = json_answer({"error": "out of memory"}, 503)
    with FakeUpstream(failing_after(2, bad)) as one, FakeUpstream(named) as other:
        first = worker(1, one.url, IMAGE, limits={"concurrency": 1})
        route = router(first, worker(2, other.url, IMAGE, weight=0), var=tmp_path)
        with pytest.raises(UpstreamError, match="Worker 1 answered HTTP 503: out of memory"):
            route.result(asked("image", n=5))
        assert (len(one.requests), len(other.requests)) == (3, 0)


def test_calls_that_all_fail_are_another_workers_turn() -> None:
    with FakeUpstream(json_answer({"error": "loading"}, 503)) as one, FakeUpstream(named) as other:
        route = router(worker(1, one.url, IMAGE), worker(2, other.url, IMAGE, weight=0))
        answer = route.result(asked("image", n=2))
        assert (answer.worker_id, answer.attempts, len(answer.result.items)) == (2, 2, 2)


def test_results_fail_over_as_chats_do() -> None:
    with refusing_port() as port, FakeUpstream(json_answer({"error": "no"}, 400)) as bad, FakeUpstream(named) as good:
        gone = worker(1, f"http://127.0.0.1:{port}/", IMAGE)
        answer = router(gone, worker(2, good.url, IMAGE, weight=0)).result(asked("image"))
        assert (answer.worker_id, answer.attempts) == (2, 2)
        with pytest.raises(RollcallError, match="^no$"):
            router(worker(1, bad.url, IMAGE), worker(2, good.url, IMAGE, weight=0)).result(asked("image"))
