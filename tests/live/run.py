"""Ask a model server that nobody here wrote, through Rollcall, with the unmodified openai package.

usage: make test-live [WRITE=1]

Installs llama-cpp-python with random weights into an environment of its own under var/live/ (it is compiled: minutes
the first time), or LitServe where that cannot be built. The transcript goes to the terminal and, with --write, to
docs/live.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path

import openai

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LIVE = ROOT / "var" / "live"
PYTHON = LIVE / "venv" / "bin" / "python"
LLAMA = ("llama-cpp-python[server]==0.3.36", "gguf")
LITSERVE = ("litserve==0.2.19",)
BUILD = {"CMAKE_ARGS": "-DLLAVA_BUILD=OFF -DGGML_NATIVE=OFF"}

lines: list[str] = []


def say(text: str = "") -> None:
    lines.append(text)
    print(text, flush=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def installed(package: str) -> bool:
    return subprocess.run([PYTHON, "-c", f"import {package}"], capture_output=True, check=False).returncode == 0


def install(*packages: str) -> bool:
    command = [PYTHON, "-m", "pip", "install", "--quiet", *packages]
    return subprocess.run(command, env=os.environ | BUILD, check=False).returncode == 0


@contextlib.contextmanager
def running(*command: str | Path, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [str(word) for word in command], cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT, text=True
        )
        process.log = log  # type: ignore[attr-defined]
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


def log_of(process: subprocess.Popen[str]) -> str:
    log = process.log  # type: ignore[attr-defined]
    log.seek(0)
    return str(log.read())


def wait_for(url: str, process: subprocess.Popen[str], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):
            return
        time.sleep(0.1)
    raise SystemExit(f"{url} did not answer:\n{log_of(process)}")


@contextlib.contextmanager
def llama_server() -> Iterator[tuple[str, str, str]]:
    weights = LIVE / "tiny.gguf"
    subprocess.run([PYTHON, HERE / "tiny_gguf.py", weights], check=True)
    port = free_port()
    with running(
        PYTHON, "-m", "llama_cpp.server", "--model", weights, "--model_alias", "tiny", "--host", "127.0.0.1",
        "--port", str(port), "--n_ctx", "2048", "--n_threads", "1",
    ) as process:  # fmt: skip
        wait_for(f"http://127.0.0.1:{port}/v1/models", process)
        yield "llama-cpp-python 0.3.36", f"http://127.0.0.1:{port}", "/v1/models"


@contextlib.contextmanager
def litserve_server() -> Iterator[tuple[str, str, str]]:
    port = free_port()
    with running(PYTHON, HERE / "litserve_model.py", str(port)) as process:
        wait_for(f"http://127.0.0.1:{port}/health", process)
        yield "LitServe 0.2.19", f"http://127.0.0.1:{port}", "/health"


def model_server() -> contextlib.AbstractContextManager[tuple[str, str, str]]:
    if not PYTHON.exists():
        venv.create(LIVE / "venv", with_pip=True)
    if installed("llama_cpp.server") and installed("gguf") or install(*LLAMA):
        return llama_server()
    if installed("litserve") or install(*LITSERVE):
        return litserve_server()
    raise SystemExit("Neither llama-cpp-python nor LitServe could be installed; see pip's words above.")


@contextlib.contextmanager
def rollcall() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as var:
        env = os.environ | {"ROLLCALL_VAR": var, "DATABASE_URL": "", "ROLLCALL_PORT": "0"}
        with running(sys.executable, ROOT / "manage.py", "serve", "--migrate", env=env) as process:
            until = time.monotonic() + 30
            while not (found := re.search(r"listens at (http://\S+)", log_of(process))):
                if time.monotonic() > until or process.poll() is not None:
                    raise SystemExit(log_of(process))
                time.sleep(0.05)
            wait_for(f"{found[1]}/readyz", process)
            yield found[1]


def registration(base: str, health: str) -> dict[str, object]:
    usage = {"prompt": "usage.prompt_tokens", "completion": "usage.completion_tokens"}
    return {
        "model_name": "tiny-llm",
        "upstream_model": "tiny",
        "req_url_template": f"{base}/v1/chat/completions",
        "body": {"model": "{MODEL_NAME}", "messages": "{MESSAGES}", "temperature": "{MODEL_TEMPERATURE}",
                 "max_tokens": "{MAX_TOKENS}", "stream": "{STREAM}"},
        "response_extract": "choices[].message.content",
        "finish_extract": "choices[].finish_reason",
        "usage": usage,
        "error": {"error": "*"},
        "stream": {"framing": "sse", "delta_extract": "choices[].delta.content",
                   "finish_extract": "choices[].finish_reason", "usage": usage, "done": "[DONE]"},
        "health": {"req_url_template": f"{base}{health}"},
    }  # fmt: skip


def register(door: str, body: dict[str, object]) -> None:
    text = json.dumps(body, indent=2)
    say(f"$ curl -X POST -H 'Content-Type: application/json' {door}/api/server/register -d '{text}'")
    request = urllib.request.Request(f"{door}/api/server/register", text.encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as reply:
        say(reply.read().decode().strip())


def ask(door: str) -> None:
    client = openai.OpenAI(base_url=f"{door}/v1", api_key="unused", _strict_response_validation=True)
    question = [{"role": "user", "content": "Tell me about the sea."}]
    say(f"\n>>> client = openai.OpenAI(base_url='{door}/v1', api_key='unused')   # openai {openai.__version__}")
    say(">>> client.chat.completions.create(model='tiny-llm', messages=question, max_tokens=12)")
    whole = client.chat.completions.create(model="tiny-llm", messages=question, max_tokens=12)  # type: ignore[arg-type]
    choice = whole.choices[0]
    say(f"{choice.message.content!r}  finish_reason={choice.finish_reason}  usage={whole.usage}")
    assert choice.message.content
    assert whole.model == "tiny-llm"
    say("\n>>> client.chat.completions.create(model='tiny-llm', messages=question, max_tokens=12, stream=True)")
    pieces, finish = [], None
    stream = client.chat.completions.create(model="tiny-llm", messages=question, max_tokens=12, stream=True)  # type: ignore[call-overload]
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            pieces.append(chunk.choices[0].delta.content)
        finish = (chunk.choices[0].finish_reason if chunk.choices else None) or finish
    say(f"{' | '.join(pieces)}  finish_reason={finish}")
    assert pieces
    assert finish in {"stop", "length"}
    say("\n>>> client.models.list()")
    names = [model.id for model in client.models.list()]
    say(str(names))
    assert names == ["tiny-llm"]


def main() -> None:
    with model_server() as (server, base, health), rollcall() as door:
        say(f"# {server} at {base}, Rollcall at {door}\n")
        register(door, registration(base, health))
        ask(door)
    if "--write" in sys.argv:
        head = (
            "# A model server that nobody here wrote\n\n"
            "Transcript of `make test-live WRITE=1`: the server is installed in an environment of its own, runs tiny\n"
            "random weights (so its words mean nothing), is registered, and is asked through Rollcall with the\n"
            "unmodified `openai` package in its strict mode.\n\n```text\n"
        )
        (ROOT / "docs" / "live.md").write_text(head + "\n".join(lines) + "\n```\n", encoding="utf-8")
    print("\n1 passed, 0 failed")


if __name__ == "__main__":
    main()
