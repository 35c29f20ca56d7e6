"""What `make` says on a machine that is not ready: one sentence, no traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.operating import ROOT, clean_environment


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The Makefile and what it reads, without a .venv."""
    for name in ("Makefile", "requirements.lock", "requirements-dev.lock", "manage.py"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def fake_python(folder: Path, script: str) -> Path:
    path = folder / "fakepython"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def make(checkout: Path, *arguments: str) -> str:
    """The complaint: stderr of a make that must fail, without make's own line."""
    done = subprocess.run(
        ["make", *arguments], cwd=checkout, env=clean_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done
    assert not os.path.exists(checkout / ".venv")
    lines = done.stderr.splitlines()
    assert lines.pop().startswith("make: ***")
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.parametrize("target", ["demo", "run", "test"])
def test_an_older_python_is_one_sentence(checkout: Path, target: str) -> None:
    old = fake_python(checkout, 'case "$1" in -V) echo Python 3.9.2;; *) exit 1;; esac')
    assert make(checkout, target, f"PYTHON={old}") == (
        f"Rollcall needs Python 3.11 or newer, and {old} is Python 3.9.2: make PYTHON=python3.11"
    )


def test_a_missing_venv_module_is_one_sentence(checkout: Path) -> None:
    script = f'case "$2" in *ensurepip*) echo boom >&2; exit 1;; *) exec {sys.executable} "$@";; esac'
    bare = fake_python(checkout, script)
    assert "has no venv module: install it (Debian and Ubuntu: apt install python3-venv)." in make(
        checkout, "demo", f"PYTHON={bare}"
    )


def test_no_python_at_all_is_one_sentence(checkout: Path) -> None:
    assert "/nowhere/python was not found" in make(checkout, "demo", "PYTHON=/nowhere/python")
