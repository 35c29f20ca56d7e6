"""Every registration of registrations.json through the running server, against a player that replies as its system.

Another system is another record in a file: no code here knows one by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from tests.player.cases import Case, cases_of
from tests.player.stage import Stage
from tests.player.systems import INVENTED, KNOWN, MORE, System


def each_case(systems: Iterable[System]) -> list[Any]:
    pairs = [(system, case) for system in systems for case in cases_of(system)]
    return [pytest.param(system, case, id=f"{system.id}-{case.__name__}") for system, case in pairs]


@pytest.mark.parametrize(("system", "case"), each_case(KNOWN))
def test_every_registration(stage: Stage, system: System, case: Case) -> None:
    play = stage.on(system)
    case(stage, play)
    assert play.wrong == []


@pytest.mark.parametrize(("system", "case"), each_case([*INVENTED, *MORE]))
def test_another_registration_is_another_record(stage: Stage, system: System, case: Case) -> None:
    play = stage.on(system)
    case(stage, play)
    assert play.wrong == []


def test_there_is_a_case_for_every_sample() -> None:
    assert len(KNOWN) >= 30
    assert [system.id for system in KNOWN if not cases_of(system)] == []
