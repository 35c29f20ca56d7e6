"""Commands run in this process, on a database of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli.main import cli
from tests.cli.operating import Manage


@pytest.fixture
def manage(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manage:
    """Run a command on a fresh, migrated database: `manage("list-workers", "--json")`."""
    for name in [name for name in os.environ if name.startswith("ROLLCALL_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    monkeypatch.setenv("ROLLCALL_VAR", str(tmp_path / "var"))

    def run(*arguments: str, stdin: str | None = None, **environment: str) -> Result:
        return CliRunner().invoke(cli, arguments, input=stdin, env=environment, prog_name="manage.py")

    return run
