"""What curl sees: the bytes themselves, the statuses, the headers."""

from __future__ import annotations

import json
import shlex
import subprocess
from typing import Any

from models import EMBEDDING, OPENAI, TEXT
from transcript import Transcript

QUESTION = [{"role": "user", "content": "Tell me about the sea."}]


class Curl:
    def __init__(self, transcript: Transcript, door: str) -> None:
        self._transcript = transcript
        self._door = door

    def __call__(self, path: str, body: Any = None, *options: str) -> tuple[int, str]:
        """Status and body, both shown as curl's user would see them."""
        words = ["curl", "-sS", *options, f"{self._door}{path}"]
        if body is not None:
            words += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        done = subprocess.run([*words, "-w", "\n%{http_code}"], capture_output=True, text=True, check=True, timeout=60)
        text, _, status = done.stdout.rpartition("\n")
        self._transcript.block("console", f"$ {_cut(shlex.join(words))}\n{_cut(text.strip())}\nHTTP {status}")
        return int(status), text


def curl_checks(transcript: Transcript, door: str) -> None:
    transcript.heading(f"curl {_version()}")
    curl = Curl(transcript, door)
    for name, test in (
        ("the seed's shape, from each text model", lambda: _seed_shape(curl)),
        ("a chat, with its headers", lambda: _chat(curl)),
        ("a stream of chunks that ends in [DONE]", lambda: _stream(curl)),
        ("a stream in Anthropic's shape from a worker of OpenAI's", lambda: _messages(curl)),
        ("embeddings in base64", lambda: _embeddings(curl)),
        ("more than the context holds is a 400", lambda: _too_long(curl)),
        ("an unknown model is a 404", lambda: _unknown(curl)),
        ("a body that is no JSON is a 400", lambda: _no_json(curl)),
    ):
        transcript.check(name, test)


def _cut(text: str) -> str:
    return text if len(text) < 1600 else f"{text[:400]} … {len(text) - 500} characters … {text[-100:]}"


def _seed_shape(curl: Curl) -> None:
    for model in TEXT:
        status, text = curl("/api/v1/chat/completions", {"model_name": model, "input": "the sea", "max_tokens": 6})
        assert status == 200
        assert json.loads(text)["result"].strip()


def _chat(curl: Curl) -> None:
    status, text = curl("/v1/chat/completions", {"model": OPENAI, "messages": QUESTION, "max_tokens": 4}, "-i")
    assert status == 200
    assert "x-rollcall-worker: " in text.lower()


def _stream(curl: Curl) -> None:
    body = {"model": OPENAI, "messages": QUESTION, "max_tokens": 3, "stream": True}
    status, text = curl("/v1/chat/completions", body, "-N")
    assert status == 200
    assert text.rstrip().endswith("data: [DONE]")


def _messages(curl: Curl) -> None:
    body = {"model": OPENAI, "messages": QUESTION, "max_tokens": 2, "stream": True}
    status, text = curl("/v1/messages", body, "-N", "-H", "x-api-key: unused", "-H", "anthropic-version: 2023-06-01")
    kinds = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
    assert status == 200
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]


def _embeddings(curl: Curl) -> None:
    status, text = curl("/v1/embeddings", {"model": EMBEDDING, "input": "the sea", "encoding_format": "base64"})
    assert status == 200
    assert isinstance(json.loads(text)["data"][0]["embedding"], str)


def _too_long(curl: Curl) -> None:
    status, text = curl("/v1/completions", {"model": OPENAI, "prompt": "the sea " * 3000})
    assert status == 400
    assert "context" in json.loads(text)["error"]["message"]


def _unknown(curl: Curl) -> None:
    status, text = curl("/v1/chat/completions", {"model": "moby", "messages": QUESTION})
    assert status == 404
    assert json.loads(text)["error"]["code"] == "model_not_found"


def _no_json(curl: Curl) -> None:
    status, _ = curl("/v1/chat/completions", None, "-H", "Content-Type: application/json", "-d", '{"model":')
    assert status == 400


def _version() -> str:
    return subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
