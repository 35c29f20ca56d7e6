"""Measure one running Rollcall, started here, in front of a model service made of waiting. usage: make bench

Each row is measured ROUNDS times and gives the medians. CPU is that of the server's whole process tree; memory is
its resident memory summed, and behind it what it takes when pages that processes share are counted once (PSS).
Machines differ and are noisy: compare ratios from one run.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from bench import load

ROUNDS = 3
ROOT = Path(__file__).resolve().parent.parent


@contextlib.contextmanager
def child(*command: str, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(15)


def line_with(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        if found := re.search(pattern, line):
            return found
        seen.append(line)
    raise SystemExit("The server did not start:\n" + "".join(seen))


def register(port: int, model: str, url: str) -> None:
    usage = {"prompt": "usage.prompt_tokens", "completion": "usage.completion_tokens"}
    registration = {
        "model_name": model,
        "req_url_template": url,
        "body": {
            "model": "{MODEL_NAME}",
            "messages": "{MESSAGES}",
            "temperature": "{MODEL_TEMPERATURE}",
            "max_tokens": "{MAX_TOKENS}",
            "stream": "{STREAM}",
        },
        "response_extract": "choices[].message.content",
        "finish_extract": "choices[].finish_reason",
        "usage": usage,
        "error": {"error": "*"},
        "stream": {
            "framing": "sse",
            "delta_extract": "choices[].delta.content",
            "finish_extract": "choices[].finish_reason",
            "usage": usage,
            "done": "[DONE]",
        },
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/server/register",
        json.dumps(registration).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as reply:
        assert json.load(reply)["success"] is True


def wait_ready(port: int) -> None:
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz"):
            return
        time.sleep(0.01)


class Tree:
    """CPU seconds and memory of a process and its children."""

    def __init__(self, pid: int) -> None:
        self.root = psutil.Process(pid)

    def members(self) -> list[psutil.Process]:
        return [self.root, *self.root.children(recursive=True)]

    def cpu_s(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self.members())

    def memory(self) -> str:
        whole = [process.memory_full_info() for process in self.members()]
        return f"{sum(one.rss for one in whole) / 1e6:.0f} MB (PSS {sum(one.pss for one in whole) / 1e6:.0f})"


def rounds(tree: Tree, run: Callable[[], Coroutine[Any, Any, load.Result]]) -> tuple[str, str, str]:
    """How many were answered and failed, the median of each percentile in milliseconds, of the CPU in microseconds."""
    answered, failed, halves, mosts, costs = 0, 0, [], [], []
    for _ in range(ROUNDS):
        before = tree.cpu_s()
        result = asyncio.run(run())
        costs.append((tree.cpu_s() - before) / max(result.answered, 1) * 1e6)
        halves.append(result.percentile(result.first, 0.5) * 1000)
        mosts.append(result.percentile(result.first, 0.99) * 1000)
        answered, failed = answered + result.answered, failed + result.failed
        time.sleep(1)
    return (
        f"{answered} answered, {failed} failed",
        f"p50 {median(halves):.1f} ms, p99 {median(mosts):.1f} ms",
        f"{median(costs):.0f} µs CPU each",
    )


def row(what: str, *cells: str) -> None:
    print(f"| {what} | {' | '.join(cells)} |", flush=True)


def short_calls(tree: Tree, port: int, seconds: float) -> None:
    asyncio.run(load.closed_loop(port, "instant", clients=16, seconds=1))
    for clients in (1, 16, 64):
        run = partial(load.closed_loop, port, "instant", clients=clients, seconds=seconds)
        counts, times, cost = rounds(tree, run)
        rate = int(counts.split()[0]) / seconds / ROUNDS
        row(f"short calls, {clients} at once", f"{rate:.0f}/s, {counts}", times, cost)


def many_open(tree: Tree, port: int, what: str, count: int, *, model: str, stream: bool) -> None:
    counts, times, cost = rounds(tree, partial(load.at_once, port, model, count=count, stream=stream))
    row(f"{count} {what}", counts, f"first token {times}" if stream else times, f"{cost}; {tree.memory()}")


@contextlib.contextmanager
def serving(env: dict[str, str]) -> Iterator[tuple[int, Tree, float]]:
    """A server with two processes: its port, its processes, and the seconds until it was ready."""
    begun = time.perf_counter()
    with child(sys.executable, "manage.py", "serve", "--migrate", env=env) as server:
        port = int(line_with(server, r"listens at http://[^ ]*:([0-9]+)")[1])
        wait_ready(port)
        yield port, Tree(server.pid), time.perf_counter() - begun


def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as var, child(sys.executable, "-m", "bench.upstream") as upstream:
        base = f"http://127.0.0.1:{line_with(upstream, '([0-9]+)')[1]}"
        env = os.environ | {"ROLLCALL_VAR": var, "DATABASE_URL": "", "ROLLCALL_PORT": "0", "ROLLCALL_PROCESSES": "2"}
        print("| what | answered | time | cost |\n|---|---|---|---|")
        with serving(env) as (_, tree, ready):
            row("first start, with a new database", "", f"ready after {ready:.1f} s", tree.memory())
        with serving(env) as (port, tree, ready):
            row("start", "", f"ready after {ready:.1f} s", tree.memory())
            for model in ("instant", "slow"):
                register(port, model, f"{base}/{model}")
            short_calls(tree, port, seconds)
            many_open(tree, port, "streams of 50 tokens in 1 s", 200, model="instant", stream=True)
            many_open(tree, port, "calls of 1 s", 600, model="slow", stream=False)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 4.0)
