"""`make demo`'s command without a terminal: the whole story, a clean end, nothing left behind."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.cli.operating import ROOT, clean_environment, run_manage
from tests.serving import wait_for

STORY_S = 90.0
CLOSING = "docs/registration.md"
pytestmark = pytest.mark.slow


class Demo:
    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log
        self._family: set[psutil.Process] = set()

    @property
    def told(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_for_words(self, words: str) -> None:
        """They come after the start of every child."""

        def told() -> bool:
            assert self.process.poll() is None, self.told
            return words in self.told

        wait_for(repr(words), told, STORY_S)
        self._family = set(psutil.Process(self.process.pid).children(recursive=True))
        assert len(self._family) >= 4, "one master, one or more serving processes, two toys"

    def living_children(self) -> list[psutil.Process]:
        return [child for child in self._family if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


@contextmanager
def demo(var: Path, *arguments: str, name: str = "log") -> Iterator[Demo]:
    var.mkdir(exist_ok=True)
    log = var / name
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "demo", *arguments],
            cwd=ROOT,
            env=clean_environment(ROLLCALL_VAR=str(var), DATABASE_URL="postgresql://never@127.0.0.1:9/used"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    it = Demo(process, log)
    try:
        yield it
    finally:
        process.kill()
        process.wait()
        for child in it.living_children():
            child.kill()


def test_the_whole_story_and_a_second_start_that_is_cut_short(tmp_path: Path) -> None:
    with demo(tmp_path, "--port", "0") as first:
        first.wait_for_words(CLOSING)
        first.process.send_signal(signal.SIGINT)
        assert first.process.wait(30) == 0
        assert first.living_children() == []
        check_story(first.told)
    with demo(tmp_path, "--port", "0", name="again") as second:
        second.wait_for_words("4. amber dies")
        assert "left over from an earlier demo" in second.told
        assert second.told.count("-X DELETE") == 2
        second.process.send_signal(signal.SIGTERM)
        assert second.process.wait(30) == 0
        assert second.living_children() == []


def check_story(told: str) -> None:
    assert "\x1b" not in told, "no colours without a terminal"
    assert told.count("/api/server/register") == 2
    assert told.count('"model_name": "toy", "input"') == 16
    assert re.search(r"\[worker \d+, amber, 1[0-9] pieces\]", told), "streamed piece by piece"
    before, _, after = told.partition("4. amber dies")
    assert "amber, a toy that makes up words, says:" in before
    dead, _, back = after.partition("5. amber comes back")
    assert dead.count("birch, a toy that makes up words, says:") == 4
    assert re.search(r"^ *\d+ +toy .*down", dead, re.MULTILINE), dead
    assert "down" not in back
    assert "Stopped." in told


def test_killed_without_a_word_it_leaves_no_orphans(tmp_path: Path) -> None:
    with demo(tmp_path, "--port", "0") as it:
        it.wait_for_words("2. Eight prompts")
        it.process.kill()
        it.process.wait()
        wait_for("the children's end", lambda: it.living_children() == [])


def test_a_busy_port_names_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run_manage("demo", "--port", str(port), environment=clean_environment(ROLLCALL_VAR=str(tmp_path)))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert f"`make demo PORT={port + 1}`" in result.stderr
