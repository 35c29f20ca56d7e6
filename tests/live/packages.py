"""Python environments of the live check, each from a lock file beside this one, installed once."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
import venv
from importlib.metadata import distributions
from pathlib import Path

from places import HERE, Missing, cache

# What a lock file gives a hash for is checked against it, and then so must all of it be.
PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check")


def environment(name: str, cost: str) -> Path:
    """The interpreter of the environment of `name`.lock; `cost` says beforehand what installing it takes."""
    lock = HERE / f"{name}.lock"
    folder = cache() / name
    python, stamp = folder / "bin" / "python", folder / "installed"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest() + sys.version
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"Installing {lock.name} into {folder} ({cost}) ...", flush=True)
    started = time.monotonic()
    venv.create(folder, with_pip=True, clear=True)
    pip(python, "install", "-r", lock)
    stamp.write_text(wanted)
    print(f"Installed in {time.monotonic() - started:.0f} s.", flush=True)
    return python


def installed(name: str) -> bool:
    return (cache() / name / "installed").exists()


def pip(python: Path | str, *words: Path | str) -> None:
    env = {**os.environ, "CMAKE_ARGS": "-DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF"}
    done = subprocess.run([python, *PIP, *words], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"pip {words[0]} failed: {done.stderr.strip().splitlines()[-1]}")


def version(python: Path, package: str) -> str:
    folders = [str(path) for path in (python.parent.parent / "lib").glob("*/site-packages")]
    return next(iter(distributions(name=package, path=folders))).version
