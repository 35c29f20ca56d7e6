"""Acknowledged writes survive kill -9: the quick half with one serving process, the long half with whole servers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.kills import kills
from tests.faults.victims import forked, served

KILLS = int(os.environ.get("KILLS", "1000"))


def test_what_was_acknowledged_survives_kills(database_url: str, tmp_path: Path) -> None:
    with forked(database_url, tmp_path / "var") as victim:
        report = kills(victim, 13, longest_s=0.1)
    assert not report.wrong, report
    assert report.acknowledged > 13, report


@pytest.mark.chaos
def test_what_was_acknowledged_survives_many_kills_of_the_whole_server(database_url: str, tmp_path: Path) -> None:
    with served(database_url, tmp_path / "var") as victim:
        report = kills(victim, max(1, KILLS // 2), longest_s=1.0)
    print(report)
    assert not report.wrong, report
