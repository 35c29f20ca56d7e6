"""A served Rollcall and a player for all tests of this room."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli.main import cli
from tests.cli.operating import Manage
from tests.player.server import Player
from tests.player.stage import Stage
from tests.player.systems import secret_of, secrets_in
from tests.serving import ROOT, Server, serving

ROOMS = ("tests/player", "tests/core", "app/presets")
TOLD = [*(path for room in ROOMS for path in (ROOT / room).glob("*.json")), ROOT / "README.md"]


@cache
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


@pytest.fixture
def manage(served_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manage:
    """Run a command on the server's own database, as an operator on its host does."""
    settings = {"DATABASE_URL": served_url, "ROLLCALL_VAR": str(tmp_path), "ROLLCALL_SECRET_ENV": "*"}
    for name, value in (settings | secret_values()).items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(cli, arguments, input=stdin, prog_name="manage.py")

    return run


@pytest.fixture(scope="package")
def stage(server: Server, player: Player) -> Stage:
    return Stage(server, player)
