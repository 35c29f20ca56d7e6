"""Requests for which no worker is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core.errors import ModelNotFound, NoWorkerAvailable, UnsupportedByWorker
from app.core.worker import Health
from app.services.verdicts import Verdicts
from tests.fakes import FakeUpstream, json_answer, openai_answer
from tests.services.routes import OPENAI, PLAIN, chat, router, worker

URL = "http://127.0.0.1:9/"


def test_an_unknown_model_names_the_nearest() -> None:
    route = router(worker(1, URL, model_name="llama-3-70b"), worker(2, URL, model_name="qwen"))
    with pytest.raises(ModelNotFound, match=r"'lama-3-70b' is not registered; did you mean llama-3-70b\?") as caught:
        route.complete(chat("lama-3-70b"))
    assert (caught.value.status, caught.value.field) == (404, "model")
    with pytest.raises(ModelNotFound, match=r"GET /v1/models"):
        route.stream(chat("xyz", stream=True))


def test_a_long_unknown_name_is_not_repeated() -> None:
    with pytest.raises(ModelNotFound) as caught:
        router(worker(1, URL)).complete(chat("x" * 100_000))
    assert len(caught.value.message) < 300


def test_in_a_large_fleet_names_that_begin_alike_are_compared() -> None:
    route = router(*(worker(n, URL, model_name=f"{chr(97 + n % 26)}{n}-model") for n in range(400)))
    with pytest.raises(ModelNotFound, match="c366-model"):
        route.complete(chat("c366model"))


def test_nobody_may_get_traffic() -> None:
    down = Health(probe="down", last_error="connection refused")
    verdicts = Verdicts()
    verdicts.refused(worker(4, URL))
    route = router(
        worker(1, URL, health=down),
        worker(2, URL, admin="draining"),
        worker(3, URL, admin="offline"),
        worker(4, URL),
        verdicts=verdicts,
    )
    with pytest.raises(NoWorkerAvailable, match=r"\(2 down, 1 draining, 1 offline\)") as caught:
        route.complete(chat())
    error = caught.value
    # One of the two that are down was asked all the same, and not reached.
    assert (error.status, error.retry_after_s, error.should_retry, error.attempts) == (503, 2.0, None, 1)


def test_what_no_worker_can_carry_is_named() -> None:
    with FakeUpstream(json_answer({"answer": "x"})) as one:
        route = router(worker(1, one.url, PLAIN), worker(2, one.url, PLAIN, instance="b"))
        with pytest.raises(UnsupportedByWorker, match="'tools'") as caught:
            route.complete(chat(tools=[{"type": "function"}]))
        assert (caught.value.status, caught.value.field, one.requests) == (400, "tools", [])


def test_messages_without_one_of_a_user() -> None:
    request = replace(chat(), messages=({"role": "assistant", "content": "hi"},))
    with pytest.raises(UnsupportedByWorker, match="messages holds none of the role user") as caught:
        router(worker(1, URL, PLAIN)).complete(request)
    assert caught.value.field == "messages"


def test_a_worker_that_can_carry_it_is_found() -> None:
    with FakeUpstream(json_answer({"answer": "x"})) as plain, FakeUpstream(openai_answer("with tools")) as able:
        crowd = [worker(n, plain.url, PLAIN, weight=1000, instance=str(n)) for n in range(20)]
        answer = router(*crowd, worker(99, able.url, OPENAI)).complete(chat(tools=[{"type": "function"}]))
    assert (answer.worker_id, answer.attempts) == (99, 1)


def test_what_is_left_out_is_told() -> None:
    with FakeUpstream(json_answer({"answer": "x"})) as one:
        answer = router(worker(1, one.url, PLAIN)).complete(chat(stop=["\n"]))
    assert any("stop" in notice for notice in answer.notices)
