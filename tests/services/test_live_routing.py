"""Live verdicts through the router, over real sockets: who is asked next after what went wrong."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from app.core.errors import NoWorkerAvailable, RollcallError, UpstreamError
from app.core.worker import Health
from app.services.routing import Router
from app.services.verdicts import Verdicts
from tests.fakes import (
    Behaviour,
    FakeUpstream,
    cut_reply,
    drop,
    json_answer,
    openai_answer,
    openai_chunk,
    openai_stream,
    refusing_port,
    sse,
)
from tests.services.routes import OPENAI, chat, router, worker

GOOD = json_answer({"answer": "good"})
BOOM = json_answer({"error": "boom"}, 500)
DOWN = Health(probe="down", streak=-3, last_error="connection refused")


def states(verdicts: Verdicts) -> dict[int, str]:
    return {worker_id: live.state for worker_id, live in verdicts.live.get("m", {}).items()}


def asked(route: Router, times: int = 1, **fields: Any) -> list[int]:
    """Who answered or, negative, who decided the error."""
    answered = []
    for _ in range(times):
        try:
            answered.append(route.complete(chat(**fields)).worker_id)
        except RollcallError as error:
            answered.append(-(error.worker_id or 0))
    return answered


FAILURES = [
    pytest.param(json_answer({"error": "bad gateway"}, 502), id="502"),
    pytest.param(json_answer({"error": "no"}, 401), id="401"),
    pytest.param(cut_reply(), id="cut reply"),
    pytest.param(json_answer({"other": 1}), id="no answer in it"),
    pytest.param(json_answer({"answer": "x", "failed": True}), id="an error on HTTP 200"),
]


@pytest.mark.parametrize("bad", FAILURES)
def test_three_failures_in_a_row_take_a_worker_out(bad: Behaviour) -> None:
    verdicts = Verdicts()
    with FakeUpstream(bad) as first, FakeUpstream(GOOD) as second:
        one = worker(1, first.url, error={"failed": True})
        route = router(one, worker(2, second.url, weight=0), verdicts=verdicts)
        asked(route, 3)
        assert states(verdicts) == {1: "ejected"}
        assert asked(route, 5) == [2] * 5
        assert len(first.requests) == 3


@pytest.mark.parametrize("code", [400, 404, 413, 422])
def test_a_storm_of_bad_requests_ejects_nobody(code: int) -> None:
    verdicts = Verdicts()
    with FakeUpstream(json_answer({"error": "too long"}, code)) as first, FakeUpstream(GOOD) as second:
        route = router(worker(1, first.url), worker(2, second.url, weight=0), verdicts=verdicts)
        asked(route, 9)
        assert (verdicts.live, len(first.requests), len(second.requests)) == ({}, 9, 0)


def test_a_4xx_that_blames_the_caller_is_a_success() -> None:
    verdicts = Verdicts()
    bad, refusal = json_answer({"error": "bad"}, 502), json_answer({"error": "too long"}, 400)
    with FakeUpstream(bad, bad, refusal, bad, bad, GOOD) as first, FakeUpstream(GOOD) as second:
        route = router(worker(1, first.url), worker(2, second.url, weight=0), verdicts=verdicts)
        assert asked(route, 6) == [-1, -1, -1, -1, -1, 1]
        assert verdicts.live == {}


def test_the_same_500_from_two_workers_is_the_models_answer_and_ejects_nobody() -> None:
    verdicts = Verdicts()
    with FakeUpstream(BOOM) as first, FakeUpstream(BOOM) as second:
        asked(router(worker(1, first.url), worker(2, second.url), verdicts=verdicts), 9)
        assert verdicts.live == {}


def test_a_500_of_one_worker_only_is_its_failure() -> None:
    verdicts = Verdicts()
    with FakeUpstream(BOOM) as first, FakeUpstream(GOOD) as second:
        route = router(worker(1, first.url), worker(2, second.url, weight=0), verdicts=verdicts)
        assert asked(route, 4) == [2] * 4
        assert (states(verdicts), len(first.requests)) == ({1: "ejected"}, 3)


def test_the_last_worker_is_never_ejected() -> None:
    verdicts = Verdicts()
    with FakeUpstream(BOOM, BOOM, BOOM, BOOM, GOOD) as one:
        assert asked(router(worker(1, one.url), verdicts=verdicts), 5) == [-1, -1, -1, -1, 1]


def test_a_worker_that_stops_in_mid_stream_is_ejected_as_well() -> None:
    verdicts = Verdicts()
    with FakeUpstream(sse(openai_chunk("a"), cut="rst")) as first, FakeUpstream(openai_stream("b")) as second:
        route = router(worker(1, first.url, OPENAI), worker(2, second.url, OPENAI, weight=0), verdicts=verdicts)
        for _ in range(3):
            with pytest.raises(UpstreamError):
                list(route.stream(chat(stream=True)).events)
        assert route.stream(chat(stream=True)).worker_id == 2


def test_a_caller_that_leaves_is_nobodys_failure() -> None:
    verdicts = Verdicts()
    with FakeUpstream(sse(openai_chunk("a"), threading.Event())) as first:
        route = router(worker(1, first.url, OPENAI), verdicts=verdicts)
        for _ in range(3):
            answer = route.stream(chat(stream=True))
            next(answer.events)
            answer.close()
        assert verdicts.live == {}


def test_a_reset_on_a_connection_that_idled_is_no_failure_of_the_worker() -> None:
    verdicts = Verdicts()
    with FakeUpstream(GOOD, drop("rst"), GOOD, drop("rst"), GOOD, drop("rst")) as one:
        assert asked(router(worker(1, one.url), verdicts=verdicts), 6) == [1, -1, 1, -1, 1, -1]
        assert (verdicts.live, one.connections) == ({}, 3)


class Skipping(Verdicts):
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real, self.skipped = time.monotonic, 0.0
        monkeypatch.setattr(time, "monotonic", lambda: real() + self.skipped)
        super().__init__(clock=lambda: real() + self.skipped)

    def skip(self, seconds: float) -> None:
        self.skipped += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Skipping:
    """Verdicts whose time a test moves: they see time.monotonic(), and `skip` makes that jump."""
    return Skipping(monkeypatch)


def test_the_way_back_one_trial_at_a_time(clock: Skipping) -> None:
    gate = threading.Event()
    slow = json_answer({"answer": "slow"}, gate=gate)
    with FakeUpstream(BOOM, BOOM, BOOM, slow, GOOD) as first, FakeUpstream(GOOD) as second:
        route = router(worker(1, first.url), worker(2, second.url, weight=0), verdicts=clock)
        assert asked(route, 4) == [2] * 4
        clock.skip(34)
        trial = threading.Thread(target=asked, args=(route,))
        trial.start()
        first.wait_requests(4)
        assert asked(route, 3) == [2] * 3, "one trial at a time"
        gate.set()
        trial.join()
        assert states(clock) == {1: "half-open"}
        assert asked(route) == [1]
        assert states(clock) == {1: "closed"}
        assert asked(route, 3) == [1] * 3


def test_a_trial_that_fails_costs_no_answer_and_makes_it_longer(clock: Skipping) -> None:
    with FakeUpstream(BOOM) as first, FakeUpstream(GOOD) as second:
        route = router(worker(1, first.url), worker(2, second.url, weight=0), verdicts=clock)
        asked(route, 3)
        clock.skip(34)
        assert asked(route, 2) == [2, 2]
        assert len(first.requests) == 4
        clock.skip(34)
        assert asked(route, 2) == [2, 2]
        assert len(first.requests) == 4
        clock.skip(34)
        assert asked(route, 2) == [2, 2]
        assert len(first.requests) == 5


@pytest.mark.parametrize("code", [429, 503, 529])
def test_backpressure_is_honoured_for_that_worker(code: int, clock: Skipping) -> None:
    busy = json_answer({"error": "slow down"}, code, {"Retry-After": "7"})
    with FakeUpstream(busy, GOOD) as first, FakeUpstream(GOOD) as second:
        route = router(worker(1, first.url), worker(2, second.url, weight=0), verdicts=clock)
        assert asked(route, 5) == [2] * 5
        clock.skip(6)
        assert asked(route) == [2]
        clock.skip(1)
        assert asked(route) == [1]
        assert len(first.requests) == 2


def test_when_all_want_a_pause_the_caller_is_told_how_long_the_shortest_is(clock: Skipping) -> None:
    busy, busier = json_answer({}, 503, {"Retry-After": "20"}), json_answer({}, 429, {"Retry-After": "40"})
    with FakeUpstream(busier) as one, FakeUpstream(busy) as two:
        route = router(worker(1, one.url), worker(2, two.url), worker(3, two.url, admin="offline"), verdicts=clock)
        asked(route)
        with pytest.raises(NoWorkerAvailable, match=r"\(2 backing off, 1 offline\)") as caught:
            route.complete(chat())
        assert (len(one.requests), len(two.requests)) == (1, 1)
    assert caught.value.status == 503
    assert caught.value.retry_after_s == pytest.approx(20, abs=2)


def test_a_pause_that_the_worker_did_not_name_turns_nobody_away() -> None:
    busy = json_answer({"error": "slow down"}, 429)
    with FakeUpstream(busy, BOOM, busy, BOOM, GOOD) as one:
        assert asked(router(worker(1, one.url)), 5) == [-1, -1, -1, -1, 1]


def test_slow_start_gives_a_tenth_at_first(clock: Skipping, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeUpstream(GOOD) as one, FakeUpstream(GOOD) as two:
        first, second = worker(1, one.url, health=DOWN), worker(2, two.url)
        up = worker(1, one.url, health=Health(probe="up", streak=2))
        clock.changed(first, up)
        shares = router(up, second, verdicts=clock)
        answered = asked(shares, 200)
        assert 5 <= answered.count(1) <= 40, "18 of 200 on average"
        clock.skip(31)
        assert 70 <= asked(shares, 200).count(1) <= 130
        assert clock.live == {}


# with nobody eligible


def test_one_panic_attempt_on_a_worker_that_is_down() -> None:
    with FakeUpstream(GOOD) as one:
        assert asked(router(worker(1, one.url, health=DOWN))) == [1]


def test_one_panic_attempt_and_no_second() -> None:
    with FakeUpstream(json_answer({"error": "loading"}, 503)) as one, FakeUpstream(BOOM) as two:
        down = worker(1, one.url, health=DOWN), worker(2, two.url, health=DOWN), worker(3, two.url, health=DOWN)
        with pytest.raises(UpstreamError) as caught:
            router(*down).complete(chat())
        assert (len(one.requests) + len(two.requests), caught.value.attempts) == (1, 1)


def test_an_ejected_worker_is_asked_before_one_that_is_down() -> None:
    verdicts = Verdicts()
    busy = json_answer({}, 503, {"Retry-After": "60"})
    with FakeUpstream(BOOM, BOOM, BOOM, GOOD) as one, FakeUpstream(GOOD) as down, FakeUpstream(busy) as third:
        workers = worker(1, one.url), worker(2, down.url, health=DOWN), worker(3, third.url, weight=0)
        route = router(*workers, verdicts=verdicts)
        asked(route, 3)
        assert states(verdicts) == {1: "ejected", 3: "backing off"}
        assert (asked(route), down.requests) == ([1], [])


@pytest.mark.parametrize("words", [{"admin": "draining"}, {"admin": "offline"}])
def test_never_a_draining_or_offline_one(words: dict[str, Any]) -> None:
    with FakeUpstream(GOOD) as one:
        for health in (Health(), DOWN):
            with pytest.raises(NoWorkerAvailable) as caught:
                router(worker(1, one.url, health=health, **words)).complete(chat())
            assert (caught.value.attempts, caught.value.retry_after_s) == (0, 2.0)
        assert one.requests == []


def test_never_an_expired_one() -> None:
    with FakeUpstream(GOOD) as one:
        for health in (Health(), DOWN):
            with pytest.raises(NoWorkerAvailable):
                router(replace(worker(1, one.url, health=health), expired=True)).complete(chat())
        assert one.requests == []


def test_no_panic_while_somebody_is_eligible() -> None:
    with FakeUpstream(json_answer({"error": "no"}, 401)) as one, FakeUpstream(GOOD) as down:
        assert asked(router(worker(1, one.url), worker(2, down.url, health=DOWN))) == [-1]
        assert down.requests == []


def test_panic_asks_only_who_can_carry_the_request() -> None:
    with FakeUpstream(GOOD) as plain, FakeUpstream(openai_answer("with tools")) as able:
        route = router(worker(1, plain.url, health=DOWN), worker(2, able.url, OPENAI, health=DOWN))
        assert asked(route, 5, tools=[{"type": "function"}]) == [2] * 5
        with pytest.raises(NoWorkerAvailable, match="1 down"):
            router(worker(1, plain.url, health=DOWN)).complete(chat(tools=[{"type": "function"}]))


def test_a_panic_attempt_that_reaches_nobody_is_no_worker() -> None:
    with refusing_port() as port:
        route = router(worker(1, f"http://127.0.0.1:{port}/", health=DOWN))
        with pytest.raises(NoWorkerAvailable, match=r"\(1 down\)") as caught:
            route.complete(chat())
    assert (caught.value.status, caught.value.retry_after_s, caught.value.attempts) == (503, 2.0, 1)


def test_a_worker_that_hangs_keeps_one_caller_waiting_and_not_all(clock: Skipping) -> None:
    gate = threading.Event()
    slow = json_answer({"error": "loading"}, 500, gate=gate)
    with FakeUpstream(slow, GOOD) as one:
        route = router(worker(1, one.url, health=DOWN), verdicts=clock)
        first = threading.Thread(target=asked, args=(route,))
        first.start()
        one.wait_requests(1)
        with pytest.raises(NoWorkerAvailable, match=r"\(1 down\)") as caught:
            route.complete(chat())
        assert (caught.value.attempts, len(one.requests)) == (0, 1)
        gate.set()
        first.join()
        with pytest.raises(NoWorkerAvailable):
            route.complete(chat())
        clock.skip(2)
        assert asked(route, 3) == [1, 1, 1], "once it answers, all may ask"


def test_a_caller_that_leaves_makes_room_for_the_next_panic_attempt() -> None:
    with FakeUpstream(sse(openai_chunk("a"), threading.Event()), openai_stream("b")) as one:
        route = router(worker(1, one.url, OPENAI, health=DOWN))
        route.stream(chat(stream=True)).close()
        assert route.stream(chat(stream=True)).worker_id == 1


def test_streams_panic_as_well() -> None:
    with FakeUpstream(openai_stream("a")) as one:
        answer = router(worker(1, one.url, OPENAI, health=DOWN)).stream(chat(stream=True))
        assert "".join(event.text for event in answer.events) == "a"
