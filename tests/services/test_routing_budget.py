"""The retry budget: what may have run is asked again for a share of the requests only, what reached nobody always."""

from __future__ import annotations

import pytest

from app.core.errors import UpstreamError
from app.services import routing
from app.services.routing import Router
from tests.fakes import FakeUpstream, json_answer, refusing_port
from tests.services.routes import PLAIN, chat, router, worker

BUSY = json_answer({"error": "busy"}, 500)
GOOD = json_answer({"answer": "good"})
NEVER_EJECTED = {"eject_after": 1_000_000}


@pytest.fixture(autouse=True)
def still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that a test asks falls into one window of the budget."""
    frozen = routing.RetryBudget

    class Still(frozen):  # type: ignore[misc, valid-type]
        def asked(self, now: float) -> None:
            super().asked(100.0)

        def take(self, now: float) -> bool:
            return bool(super().take(100.0))

        def give_back(self, now: float) -> None:
            super().give_back(100.0)

    monkeypatch.setattr(routing, "RetryBudget", Still)


def outcomes(route: Router, requests: int) -> list[bool]:
    def is_answered() -> bool:
        try:
            return route.complete(chat()).reply.text == "good"
        except UpstreamError:
            return False

    return [is_answered() for _ in range(requests)]


def test_retries_add_a_fifth_of_the_load_at_most() -> None:
    with FakeUpstream(BUSY) as bad, FakeUpstream(GOOD) as good:
        route = router(worker(1, bad.url), worker(2, good.url, weight=0), **NEVER_EJECTED)
        answered = outcomes(route, 50)
        assert (len(bad.requests), len(good.requests)) == (50, 10)
        assert answered[:4] == [True, True, True, False]
        with pytest.raises(UpstreamError, match="busy; nobody else was asked, because too many calls failed lately"):
            route.complete(chat())


def test_what_reached_nobody_needs_no_budget() -> None:
    with refusing_port() as port, FakeUpstream(GOOD) as good:
        first = worker(1, f"http://127.0.0.1:{port}/", PLAIN)
        route = router(first, worker(2, good.url, weight=0), bench_s=1e-6, **NEVER_EJECTED)
        assert all(outcomes(route, 20))
        assert len(good.requests) == 20


def test_a_model_with_nobody_else_to_ask_leaves_the_budget_to_others() -> None:
    with FakeUpstream(BUSY) as bad, FakeUpstream(GOOD) as good:
        alone = worker(3, bad.url, model_name="alone")
        route = router(worker(1, bad.url), worker(2, good.url, weight=0), alone, **NEVER_EJECTED)
        for _ in range(10):
            with pytest.raises(UpstreamError):
                route.complete(chat("alone"))
        assert outcomes(route, 3) == [True, True, True]


def test_no_budget_at_all() -> None:
    with FakeUpstream(BUSY) as bad, FakeUpstream(GOOD) as good:
        route = router(
            worker(1, bad.url), worker(2, good.url, weight=0), retry_percent=0.0, retry_floor=0, **NEVER_EJECTED
        )
        assert outcomes(route, 3) == [False] * 3
        assert good.requests == []
