"""A llama-server with tiny random weights under `manage.py attach`, and what Rollcall says of its workers."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models import KEY
from places import ROOT
from processes import Running, running, until
from transcript import Transcript

# A change that one serving process tells of is known to all of them within 200 ms; twice that on a busy machine.
EVERYWHERE_S = 0.4

# A kept connection holds one of its HTTP threads, of which it has six otherwise: with twenty callers no probe would get
# through. And random weights that always say the likeliest word go in circles; punished for repeating themselves, their
# answers are both finite and the same each time.
SERVER = ("--alias", "tiny", "-c", "8192", "-np", "2", "-t", "1", "--threads-http", "64", "--repeat-penalty", "1.3")


@dataclass(frozen=True)
class Bench:
    """What every part of the check needs: the transcript, the address of Rollcall, the server and its weights."""

    transcript: Transcript
    door: str
    env: Mapping[str, str]
    binary: Path
    weights: Path


@dataclass(frozen=True)
class Attached:
    running: Running
    worker_id: int
    ready_s: float

    def said(self) -> str:
        """What attach said, without the words of its child."""
        return "\n".join(line for line in self.running.output().splitlines() if line.startswith("attach:"))

    @property
    def child(self) -> int:
        """The process id of the model server."""
        parent = self.running.process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return next(int(each) for each in children if "llama-server" in Path(f"/proc/{each}/cmdline").read_text())


def command(bench: Bench, model: str, preset: str, path: str, *options: str) -> list[str]:
    server = (bench.binary, "-m", bench.weights, *SERVER, *options)
    attach = ("attach", "--server", bench.door, "--model", model, "--preset", preset, "--key", f"env:{KEY}")
    words = (*attach, "--upstream-model", "tiny", "--url", f"http://127.0.0.1:{{port}}{path}")
    return [str(word) for word in (*words, "--", *server, "--host", "127.0.0.1", "--port", "{port}")]


@contextlib.contextmanager
def attached(bench: Bench, *words: str, env: Mapping[str, str] | None = None) -> Iterator[Attached]:
    """attach of `words`, which `command` makes, once its worker gets traffic."""
    started = time.monotonic()
    with running(sys.executable, ROOT / "manage.py", *words, env=env or bench.env) as process:
        model = words[words.index("--model") + 1]
        found = process.said(rf"attach: {model} is worker (\d+) ")
        until(lambda: standing(bench.door, int(found[1])) == "available", f"worker {found[1]} to get traffic")
        ready_s = time.monotonic() - started
        time.sleep(EVERYWHERE_S)
        yield Attached(process, int(found[1]), ready_s)


def workers(door: str) -> dict[int, dict[str, Any]]:
    with urllib.request.urlopen(f"{door}/api/server/workers") as reply:
        return {int(row["id"]): row for row in json.load(reply)["data"]}


def standing(door: str, worker_id: int) -> str:
    return str(workers(door)[worker_id]["status"])


def shown(words: list[str]) -> str:
    return f"$ python manage.py {shlex.join(words)}"
