"""Ctrl-C on a real terminal, with make in front: make must see a demo that ended well."""

from __future__ import annotations

import os
import pty
import select
import sys
import time
from pathlib import Path

import pytest

from tests.cli.operating import ROOT, clean_environment

PATIENCE_S = 60.0
CTRL_C = b"\x03"


def read_until(terminal: int, text: bytes) -> bytes:
    """What the terminal shows, until it shows `text` (all of it when `text` is empty)."""
    seen = b""
    deadline = time.monotonic() + PATIENCE_S
    while not text or text not in seen:
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"waited in vain for {text!r}: {seen!r}"
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # Linux says EIO when the last process has closed the terminal
            piece = b""
        if not piece:
            assert not text, f"ended without {text!r}: {seen!r}"
            break
        seen += piece
    return seen


@pytest.mark.slow
def test_make_demo_ends_with_0_on_ctrl_c(tmp_path: Path) -> None:
    makefile = tmp_path / "Makefile"
    makefile.write_text(f"demo:\n\t@{sys.executable} {ROOT}/manage.py demo --port 0\n")
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe("make", ["make", "-f", str(makefile), "demo"], clean_environment(ROLLCALL_VAR=str(tmp_path)))
    try:
        shown = read_until(terminal, b"register both")
        assert b"\x1b[1m" in shown, "colours for a person"
        os.write(terminal, CTRL_C)
        rest = read_until(terminal, b"")
    finally:
        os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, rest
    assert b"Stopped." in rest
    assert b"make: ***" not in rest
