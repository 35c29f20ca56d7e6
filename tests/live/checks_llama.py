"""A real llama-server in five dialects, asked by every client."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from attached import Bench, attached, command, shown, standing, workers
from checks_attach import attach_checks
from checks_curl import curl_checks
from models import BESIDE, EMBEDDING, KEY, OPENAI
from packages import version
from places import HERE
from processes import manage, until


def llama_checks(bench: Bench, clients: Path, langchain: Path) -> None:
    with _registered(bench):
        for script, python, package in (
            ("checks_openai.py", clients, "openai"),
            ("checks_anthropic.py", clients, "anthropic"),
            ("checks_langchain.py", langchain, "langchain-openai"),
        ):
            bench.transcript.heading(f"{package} {version(python, package)}")
            failed = bench.transcript.count(False)
            bench.transcript.run_script(python, HERE / script, {**bench.env, "LIVE_DOOR": bench.door})
            if bench.transcript.count(False) > failed:
                print(json.dumps(list(workers(bench.door).values()), indent=2))
        curl_checks(bench.transcript, bench.door)
        bench.transcript.heading("The registry")
        bench.transcript.check("the key is shown nowhere", lambda: _no_key(bench))
    attach_checks(bench)


@contextlib.contextmanager
def _registered(bench: Bench) -> Iterator[None]:
    bench.transcript.heading("Started and registered")
    text = command(bench, OPENAI, "llama-cpp", "/v1/chat/completions")
    vectors = command(
        bench, EMBEDDING, "openai-compatible-embeddings", "/v1/embeddings", "--embeddings", "--pooling", "mean"
    )
    with attached(bench, *text) as chat, attached(bench, *vectors) as embedding:
        for words, it in ((text, chat), (vectors, embedding)):
            bench.transcript.block("console", f"{shown(words)}\n{it.said()}")
            bench.transcript.say(f"It had traffic {it.ready_s:.1f} s after the command.")
        bench.transcript.check(
            "the other dialects of the same server, by presets", lambda: _beside(bench, chat.worker_id)
        )
        yield


def _beside(bench: Bench, worker_id: int) -> None:
    """The addresses are those that attach chose; only the paths differ."""
    origin = re.match(r"http://[^/]+", workers(bench.door)[worker_id]["req_url_template"])
    assert origin
    for model, preset in BESIDE.items():
        words = ["register", "--preset", preset, "--model", model, "--upstream-model", "tiny", "--url", origin[0],
                 "--key", f"env:{KEY}"]  # fmt: skip
        bench.transcript.block("console", f"{shown(words)}\n{manage(bench.env, *words)}")
    until(lambda: all(standing(bench.door, each) == "available" for each in workers(bench.door)), "all workers")


def _no_key(bench: Bench) -> None:
    rows = [
        f"{row['model_name']}: {row['status']}, {row['req_url_template']}, {json.dumps(row.get('header'))}"
        for row in workers(bench.door).values()
    ]
    bench.transcript.block("text", "\n".join(rows))
    assert bench.env[KEY] not in json.dumps(workers(bench.door))
    assert bench.env[KEY] not in "".join(bench.transcript.page)
