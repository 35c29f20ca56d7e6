"""A served Rollcall and a player for all tests of this room."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.player.server import Player
from tests.player.stage import Stage
from tests.player.systems import secret_of, secrets_in
from tests.serving import ROOT, Server, serving

TOLD = [*(ROOT / "tests" / "player").glob("*.json"), ROOT / "tests" / "core" / "registrations.json"]


def secret_values() -> dict[str, str]:
    """A value for every secret that a registration of the tests needs."""
    names = set().union(*(secrets_in(path.read_text(encoding="utf-8")) for path in TOLD))
    return {name: secret_of(name) for name in names}


@pytest.fixture(scope="package")
def served_url(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("player") / "rollcall.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="package")
def server(served_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"ROLLCALL_SECRET_ENV": "*", "ROLLCALL_PROBE_INTERVAL_S": "0.2", **secret_values()}
    with serving(served_url, tmp_path_factory.mktemp("var"), processes=1, **settings) as running:
        yield running


@pytest.fixture(scope="package")
def player() -> Iterator[Player]:
    with Player() as running:
        yield running


@pytest.fixture(scope="package")
def stage(server: Server, player: Player) -> Stage:
    return Stage(server, player)
