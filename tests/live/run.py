"""Ask model servers that nobody here wrote, through Rollcall, with client packages that nobody here changed.

usage: make test-live [WRITE=1] [MORE=1]

Not part of `make test`. A llama-server is found (LLAMA_SERVER, PATH, the cache) or built once, which takes cmake, a
C++ compiler and about 7 minutes; everything is kept in $XDG_CACHE_HOME/rollcall-live. WRITE=1 writes docs/live.md.
MORE=1 also installs llama-cpp-python (compiled: 4 minutes) and transformers with torch (1.2 GB), which are otherwise
asked only where they are installed already.
"""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from attached import Bench
from build import VERSION, llama_server
from checks_llama import llama_checks
from models import KEY
from others import other_checks
from packages import environment, version
from places import HERE, ROOT, Missing, cache
from processes import rollcall
from transcript import Transcript

TITLE = """# Model servers that nobody here wrote

The transcript of `make test-live WRITE=1`, as it ran: real model servers with tiny random weights, so their words mean
nothing, under `manage.py attach` and behind a served Rollcall, asked with unmodified client packages. What stands in
a Python block is the source of the check that ran; what stands below it is what it showed. One llama-server, which
asks for a key, is registered in four dialects (OpenAI's chat, its own `/completion`, Anthropic's `/v1/messages`, the
Responses API); a second one gives embeddings.

The first run builds llama-server from its sources (a C++ compiler and about 7 minutes; cmake comes from pip where there
is none) and keeps it, with the client packages, in `$XDG_CACHE_HOME/rollcall-live`; after that a run takes a minute.
`LLAMA_SERVER=/path/to/llama-server` uses another one. `MORE=1` also installs llama-cpp-python and transformers."""


def main() -> int:
    started = time.monotonic()
    # A script's background job ignores Ctrl-C, and so would its children, which are to hear it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if shutil.which("curl") is None:
        raise Missing("curl is missing: install it (Debian and Ubuntu: apt install curl).")
    binary = llama_server()
    clients, langchain = environment("clients", "half a minute"), environment("langchain", "half a minute")
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "tiny.gguf"
        subprocess.run([clients, HERE / "tiny_gguf.py", weights], check=True)
        env = _environment(Path(folder))
        transcript = Transcript({folder: "/tmp", str(binary): "llama-server", str(cache()): "CACHE", str(ROOT): "."})
        with rollcall(env) as door:
            bench = Bench(transcript, door, env, binary, weights)
            llama_checks(bench, clients, langchain)
            others = other_checks(bench, clients, more="--more" in sys.argv)
    if "--write" in sys.argv:
        transcript.write(ROOT / "docs" / "live.md", TITLE, [*_versions(binary, clients, langchain), *others])
    print(f"\n{transcript.table()}\n\nIn {time.monotonic() - started:.0f} s.")
    print(f"{transcript.count(True)} passed, {transcript.count(False)} failed, {transcript.count(None)} skipped")
    return 1 if transcript.count(False) else 0


def _environment(folder: Path) -> dict[str, str]:
    """Of Rollcall and of all that it is asked with: a database of its own, and a key that the model servers ask for."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("ROLLCALL_")},
        "ROLLCALL_VAR": str(folder / "var"),
        "DATABASE_URL": "",
        "ROLLCALL_PORT": "0",
        "ROLLCALL_SECRET_ENV": KEY,
        KEY: f"live-{secrets.token_hex(16)}",
        "PYTHONUNBUFFERED": "1",
    }


def _versions(binary: Path, clients: Path, langchain: Path) -> list[tuple[str, str]]:
    done = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True)
    said = (done.stdout + done.stderr).splitlines()
    build = next((line.removeprefix("version: ") for line in said if line.startswith("version")), "")
    sources = f", from the sources in llama-cpp-python {VERSION}" if binary.parent == cache() else ""
    return [
        ("Python", platform.python_version()),
        ("llama-server", build + sources),
        *((name, version(clients, name)) for name in ("openai", "anthropic")),
        ("langchain-openai", f"{version(langchain, 'langchain-openai')} on openai {version(langchain, 'openai')}"),
    ]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Missing as missing:
        sys.exit(f"make test-live: {missing}")
