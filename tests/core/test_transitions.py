"""The one table of transitions: printed in the docs, and complete."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import get_args

from app.core.health import TRANSITIONS
from app.core.transitions import AFTER, LiveEvent, LiveState
from app.core.worker import Probe

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reliability.md").read_text(encoding="utf-8")


def test_docs_print_the_table() -> None:
    rows = [f"| {row.state} | {row.event} | {row.after} | {row.why} |" for row in TRANSITIONS]
    table = PAGE.split("<!-- transitions -->\n")[1].split("\n<!-- end -->")[0].splitlines()
    assert table == ["| state | event | then | why |", "|---|---|---|---|", *rows]


def test_every_state_knows_every_event_and_each_row_stands_once() -> None:
    assert len(AFTER) == len(TRANSITIONS)
    for state, event in product(get_args(LiveState), get_args(LiveEvent)):
        assert AFTER[state, event] in get_args(LiveState)
    for state, said in product(get_args(Probe), ("success", "failure", "nothing said")):
        assert AFTER[state, said] in get_args(Probe)


def test_every_live_state_is_left_again() -> None:
    for state in get_args(LiveState):
        assert any(row.state == state and row.after != state for row in TRANSITIONS)
