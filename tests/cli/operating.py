"""The command line as an operator meets it: commands in this process, or manage.py as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from click.testing import Result

ROOT = Path(__file__).resolve().parents[2]

Manage = Callable[..., Result]


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without any of Rollcall's settings."""
    unwanted = {"DATABASE_URL", "PORT", "COLUMNS", "FLASK_APP", "MAKELEVEL", "MAKEFLAGS"}
    names = [name for name in os.environ if not name.startswith("ROLLCALL_") and name not in unwanted]
    return {name: os.environ[name] for name in names} | more


def run_manage(
    *arguments: str, environment: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=dict(environment or clean_environment()),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def done(result: Result) -> str:
    """What a command printed that must have succeeded without a word of complaint."""
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


def refused(result: Result) -> str:
    """The one sentence of a command that must have been refused."""
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    sentence = result.stderr.removesuffix("\n")
    assert sentence, "no sentence"
    assert "\n" not in sentence
    assert "Traceback" not in sentence
    return sentence


def registration(port: int = 9, **words: Any) -> dict[str, Any]:
    return {
        "model_name": "m",
        "req_url_template": f"http://127.0.0.1:{port}/generate",
        "body": {"messages": "{MESSAGES}"},
        "response_extract": "text",
        **words,
    }


def add(manage: Manage, port: int = 9, **words: Any) -> int:
    """Register a worker from stdin; its id."""
    done(manage("register", "--file", "-", stdin=json.dumps(registration(port, **words))))
    rows = json.loads(done(manage("list-workers", "--json")))
    return int(rows[-1]["id"])
