"""The table of `make chaos` shows what broke, and says so by its exit status."""

from __future__ import annotations

import pytest

from tests.faults import parts, run
from tests.faults.tally import Tally


def test_one_broken_promise_is_enough(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally()
    tally.within("errors", 1, 1)
    tally.none("lost", 1000, [])
    assert tally.is_kept
    tally.within("errors", 3, 1)
    assert not tally.is_kept
    assert "NOT HELD: errors ≤ 1: 3" in capsys.readouterr().out
    assert tally.table().splitlines()[2:] == ["errors ≤ 1      2      1  3", "lost        1,000  1,000"]


def test_nothing_tried_is_nothing_kept() -> None:
    assert not Tally().is_kept


def test_a_part_that_stumbles_is_a_broken_promise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stumbling(*_: object) -> None:
        raise AssertionError

    stumbling.__name__ = "retries"
    monkeypatch.setattr(run, "PARTS", (stumbling,))
    monkeypatch.setattr(parts, "new_folder", lambda: "nowhere")
    monkeypatch.setenv("ONLY", "retries")
    assert run.main() == 1
    assert "the part retries comes to its end" in capsys.readouterr().out
    monkeypatch.setenv("ONLY", "nonsense")
    assert run.main() == 2
