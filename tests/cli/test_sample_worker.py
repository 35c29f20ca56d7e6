"""The toy model services, as processes asked over HTTP."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from tests.cli.operating import ROOT, clean_environment, run_manage


@contextmanager
def toy(shape: str, *arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Its URL, from the one line that it prints, and its process."""
    command = [sys.executable, str(ROOT / "manage.py"), "sample-worker", "--shape", shape, *arguments]
    process = subprocess.Popen(command, env=clean_environment(), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[-1], process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_openai_shape_answers_and_streams_the_same_words() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
    with toy("openai", "--name", "amber") as (url, _):
        whole = requests.post(url, json=body, timeout=10).json()
        streamed = requests.post(url, json={**body, "stream": True}, timeout=10)
    text = whole["choices"][0]["message"]["content"]
    assert text.startswith("amber, a toy that makes up words, says:")
    frames = [line.removeprefix("data: ") for line in streamed.text.split("\n\n") if line]
    assert frames.pop() == "[DONE]"
    chunks = [json.loads(frame)["choices"][0] for frame in frames]
    pieces = [chunk["delta"].get("content", "") for chunk in chunks]
    assert "".join(pieces) == text
    assert len([piece for piece in pieces if piece]) > 5
    assert chunks[-1]["finish_reason"] == whole["choices"][0]["finish_reason"] == "stop"
    assert streamed.headers["Content-Type"] == "text/event-stream"


def test_the_seed_shape_answers_in_the_seeds_odd_place() -> None:
    with toy("seed", "--name", "birch") as (url, _):
        first = requests.post(url, json={"input": "Hello"}, timeout=10).json()
        again = requests.post(url, json={"input": "Hello"}, timeout=10).json()
        other = requests.post(url, json={"input": "Goodbye"}, timeout=10).json()
    assert first["data"]["items"][0]["attributes"]["answer"].startswith("birch, a toy")
    assert first == again != other


def test_a_toy_says_it_is_healthy_and_names_itself_a_toy() -> None:
    with toy("openai", "--name", "amber") as (url, _):
        health = requests.get(url.replace("/v1/chat/completions", "/health"), timeout=10)
    assert (health.status_code, health.json()) == (200, {"status": "ok", "model": "amber", "toy": True})


@pytest.mark.parametrize(
    ("shape", "body"), [("openai", {"messages": []}), ("openai", {}), ("seed", {"input": 3}), ("seed", [1])]
)
def test_a_call_that_makes_no_sense_is_refused(shape: str, body: object) -> None:
    with toy(shape) as (url, _):
        answer = requests.post(url, json=body, timeout=10)
    assert answer.status_code == 400
    assert answer.json().get("error") or answer.json()["success"] is False


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_toy_ends_cleanly_on_a_signal(how: signal.Signals) -> None:
    with toy("seed") as (_, process):
        process.send_signal(how)
        assert process.wait(10) == 0


def test_a_taken_port_is_one_sentence() -> None:
    with toy("seed") as (url, _):
        port = url.split(":")[2].partition("/")[0]
        result = run_manage("sample-worker", "--port", port)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert f"Port {port} cannot be used" in result.stderr
