"""A real llama-server: the one that LLAMA_SERVER or PATH names, the one in the cache, or one built from its sources.

Its C++ sources come inside the sdist of llama-cpp-python, so the package index is all the network that this needs.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from packages import environment, pip
from places import HERE, Missing, cache

VERSION = "0.3.36"
SDIST = f"llama_cpp_python-{VERSION}.tar.gz"
OPTIONS = (
    "CMAKE_BUILD_TYPE=Release",
    "BUILD_SHARED_LIBS=OFF",
    "GGML_NATIVE=OFF",
    "LLAMA_BUILD_UI=OFF",
    "LLAMA_USE_PREBUILT_UI=OFF",
    "LLAMA_BUILD_TESTS=OFF",
    "LLAMA_BUILD_EXAMPLES=OFF",
    "LLAMA_BUILD_APP=OFF",
    "LLAMA_OPENSSL=OFF",
)


def llama_server() -> Path:
    """Raises Missing when there is none and none can be built."""
    if named := os.environ.get("LLAMA_SERVER") or shutil.which("llama-server"):
        if not os.access(named, os.X_OK):
            raise Missing(f"LLAMA_SERVER names {named}, which is no program.")
        return Path(named)
    binary = cache() / f"llama-server-{VERSION}"
    if not binary.exists():
        _build(binary)
    return binary


def _build(binary: Path) -> None:
    cmake = _tools()
    source, work = _sources(), cache() / f"llama-{VERSION}" / "build"
    started = time.monotonic()
    print(
        "Building llama-server: about 7 minutes on two cores, once. It goes on where it was if you stop it.", flush=True
    )
    options = [f"-D{option}" for option in OPTIONS]
    _run([cmake, "-S", source / "vendor" / "llama.cpp", "-B", work, *options])
    _run([cmake, "--build", work, "--target", "llama-server", "--parallel", str(os.cpu_count() or 2)])
    temporary = binary.with_suffix(".new")
    shutil.copy2(work / "bin" / "llama-server", temporary)
    temporary.replace(binary)
    shutil.rmtree(work.parent)
    print(f"\nBuilt in {time.monotonic() - started:.0f} s: {binary}", flush=True)


def _tools() -> str:
    """Where cmake is. It can be had from pip; a compiler cannot."""
    if not any(map(shutil.which, ("c++", "g++", "clang++"))):
        raise Missing(
            "No C++ compiler: install one (Debian and Ubuntu: apt install g++), or name a finished llama-server in "
            "LLAMA_SERVER."
        )
    return shutil.which("cmake") or str(environment("cmake", "seconds").with_name("cmake"))


def _sources() -> Path:
    archive, folder = cache() / SDIST, cache() / f"llama-{VERSION}"
    if not (archive.exists() and _is_genuine(archive)):
        print(f"Downloading {SDIST} (77 MB) ...", flush=True)
        pip(sys.executable, "download", "--no-deps", "--no-binary", ":all:", "--require-hashes", "--dest", cache(),
            "-r", HERE / "llama-cpp.lock")  # fmt: skip
        if not _is_genuine(archive):
            raise Missing(f"{archive} is not the file that {HERE.name}/llama-cpp.lock names; remove it and try again.")
    source = folder / "source"
    if not source.exists():
        shutil.rmtree(folder / "new", ignore_errors=True)
        with tarfile.open(archive) as packed:
            packed.extractall(folder / "new", filter="data")
        (folder / "new" / SDIST.removesuffix(".tar.gz")).rename(source)
    return source


def _is_genuine(archive: Path) -> bool:
    with archive.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() in (HERE / "llama-cpp.lock").read_text()


def _run(command: list[Path | str]) -> None:
    """Shows on one line how far it is; its last lines of output only when it fails."""
    niced = ["nice", "-n", "10", *map(str, command)]
    lines: list[str] = []
    with subprocess.Popen(niced, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout
        shown = ""
        for line in process.stdout:
            lines.append(line)
            if (percent := re.match(r"\[ *(\d+)%\]", line)) and percent[1] != shown:
                shown = percent[1]
                print(f"\r{shown:>3} %", end="", flush=True)
    if process.returncode:
        print("".join(lines[-40:]))
        raise Missing(f"{Path(command[0]).name} failed; its last words stand above.")
