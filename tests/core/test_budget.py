"""The retry budget against a plain model of it: a list of what happened when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.core.budget import WINDOW_S, RetryBudget

# How long after the one before (seconds), and what.
Steps = list[tuple[float, str]]
STEPS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.01, 0.4, 1.0, 3.7, 9.5, 10.0, 60.0]), st.sampled_from(["ask", "take", "back"])),
    max_size=120,
)


class Model:
    def __init__(self, share: float, floor: int) -> None:
        self.share, self.floor = share, floor
        self.asked: list[int] = []
        self.taken: list[int] = []

    def may_take(self, now: float) -> bool:
        recent = [len([when for when in seen if int(now) - when < WINDOW_S]) for seen in (self.asked, self.taken)]
        return recent[1] < max(self.floor, int(recent[0] * self.share))


@given(steps=STEPS, share=st.sampled_from([0.0, 0.2, 1.0]), floor=st.integers(0, 4))
def test_as_the_model_says(steps: Steps, share: float, floor: int) -> None:
    budget, model, now = RetryBudget(share, floor), Model(share, floor), 1000.0
    for pause_s, what in steps:
        now += pause_s
        if what == "ask":
            budget.asked(now)
            model.asked.append(int(now))
        elif what == "take":
            wanted = model.may_take(now)
            assert budget.take(now) == wanted
            if wanted:
                model.taken.append(int(now))
        else:
            budget.give_back(now)
            if int(now) in model.taken:
                model.taken.remove(int(now))


def test_the_floor_comes_back_after_ten_seconds() -> None:
    budget = RetryBudget(0.2, 3)
    assert [budget.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert not budget.take(109.9)
    assert [budget.take(110.0) for _ in range(4)] == [True, True, True, False]


def test_what_was_not_needed_can_be_taken_again() -> None:
    budget = RetryBudget(0.0, 1)
    assert budget.take(100.0)
    budget.give_back(100.0)
    assert budget.take(101.0)
    assert not budget.take(101.0)


def test_a_hundred_requests_allow_twenty() -> None:
    budget = RetryBudget(0.2, 3)
    for number in range(100):
        budget.asked(100.0 + number / 10)
    assert sum(budget.take(109.95) for _ in range(50)) == 20
