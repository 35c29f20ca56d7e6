"""Two more model servers, asked where they are installed already, or where MORE=1 allows what installing them takes."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from attached import Bench, attached, shown
from packages import environment, installed, version
from places import HERE


@dataclass(frozen=True)
class Other:
    """`cost` of installing it. `arguments` follow its environment's python, MODEL stands for what `maker` makes."""

    name: str
    cost: str
    preset: str
    upstream_model: str
    maker: str
    arguments: tuple[str, ...]


OTHERS = (
    Other(
        "llama-cpp-python",
        "it is compiled: 4 minutes on two cores",
        "llama-cpp-python",
        "tiny",
        "",
        ("-m", "llama_cpp.server", "--model", "MODEL", "--model_alias", "tiny", "--n_ctx", "2048", "--n_threads", "1"),
    ),
    Other(
        "transformers",
        "torch: 1.2 GB, or 5 GB with CUDA",
        "transformers-serve",
        "MODEL",
        "tiny_hf.py",
        ("-m", "transformers.cli.transformers", "serve", "MODEL", "--device", "cpu"),
    ),
)


def other_checks(bench: Bench, clients: Path, *, more: bool) -> list[tuple[str, str]]:
    """Gives the versions of what was asked."""
    asked = []
    for other in OTHERS:
        bench.transcript.heading(other.name)
        if more or installed(other.name):
            python = environment(other.name, other.cost)
            bench.transcript.check("attached", lambda: _ask(bench, other, python, clients))  # noqa: B023 - runs at once
            asked.append((other.name, version(python, other.name)))
        else:
            bench.transcript.skip("attached", f"not installed ({other.cost}); MORE=1 installs it")
    return asked


def _ask(bench: Bench, other: Other, python: Path, clients: Path) -> None:
    model = str(bench.weights)
    if other.maker:
        model = str(bench.weights.with_name(other.name))
        subprocess.run([python, HERE / other.maker, model], check=True, capture_output=True, text=True)
    name = f"tiny-{other.name}"
    words = [
        "attach", "--server", bench.door, "--model", name, "--preset", other.preset,
        "--upstream-model", other.upstream_model.replace("MODEL", model), "--url", "http://127.0.0.1:{port}",
        "--", str(python), *(word.replace("MODEL", model) for word in other.arguments),
        "--host", "127.0.0.1", "--port", "{port}",
    ]  # fmt: skip
    env = {**bench.env, "HF_HUB_OFFLINE": "1"}
    with attached(bench, *words, env=env) as it:
        bench.transcript.block("console", f"{shown(words)}\n{it.said()}")
        bench.transcript.say(f"It had traffic {it.ready_s:.1f} s after the command.")
        script = HERE / "checks_plain.py"
        bench.transcript.run_script(clients, script, {**bench.env, "LIVE_DOOR": bench.door, "LIVE_MODEL": name})
