"""Measure one running Rollcall, started here, in front of a model service made of waiting. usage: make bench

CPU is that of the whole process tree of the server. Machines differ and are noisy: compare ratios from one run.
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
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from bench import load

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

    def memory_mb(self) -> float:
        return sum(process.memory_info().rss for process in self.members()) / 1e6


def measured(tree: Tree, run: Callable[[], load.Result]) -> tuple[load.Result, float]:
    before = tree.cpu_s()
    result = run()
    return result, tree.cpu_s() - before


def row(what: str, *cells: str) -> None:
    print(f"| {what} | {' | '.join(cells)} |", flush=True)


def short_calls(tree: Tree, port: int, seconds: float) -> None:
    asyncio.run(load.closed_loop(port, "instant", clients=16, seconds=1))
    for clients in (1, 16, 64):
        result, cpu = measured(
            tree,
            lambda clients=clients: asyncio.run(load.closed_loop(port, "instant", clients=clients, seconds=seconds)),
        )
        half, most = (result.percentile(result.total, share) * 1000 for share in (0.5, 0.99))
        row(
            f"short calls, {clients} at once",
            f"{result.answered / seconds:.0f} requests/s, {result.failed} failed",
            f"p50 {half:.1f} ms, p99 {most:.1f} ms",
            f"{cpu / max(result.answered, 1) * 1e6:.0f} µs CPU each",
        )


def many_open(tree: Tree, port: int, what: str, count: int, *, model: str, stream: bool) -> None:
    result, cpu = measured(tree, lambda: asyncio.run(load.at_once(port, model, count=count, stream=stream)))
    times = result.first if stream else result.total
    half, most = (result.percentile(times, share) * 1000 for share in (0.5, 0.99))
    row(
        f"{count} {what}",
        f"{result.answered} whole, {result.failed} failed",
        f"{'first token' if stream else 'answered'} p50 {half:.0f} ms, p99 {most:.0f} ms",
        f"{cpu / count * 1000:.2f} ms CPU each, {tree.memory_mb():.0f} MB",
    )


def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as var, child(sys.executable, "-m", "bench.upstream") as upstream:
        base = f"http://127.0.0.1:{line_with(upstream, '([0-9]+)')[1]}"
        env = os.environ | {"ROLLCALL_VAR": var, "DATABASE_URL": "", "ROLLCALL_PORT": "0", "ROLLCALL_PROCESSES": "2"}
        begun = time.perf_counter()
        with child(sys.executable, "manage.py", "serve", "--migrate", env=env) as server:
            port = int(line_with(server, r"listens at http://[^ ]*:([0-9]+)")[1])
            wait_ready(port)
            ready = time.perf_counter() - begun
            for model, path in (("instant", "instant"), ("slow", "slow")):
                register(port, model, f"{base}/{path}")
            tree = Tree(server.pid)
            print("| what | answered | time | cost |\n|---|---|---|---|")
            row("start, two processes", f"ready after {ready:.1f} s", "", f"{tree.memory_mb():.0f} MB")
            short_calls(tree, port, seconds)
            many_open(tree, port, "streams of 50 tokens in 1 s", 200, model="instant", stream=True)
            many_open(tree, port, "calls of 1 s", 600, model="slow", stream=False)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0)
