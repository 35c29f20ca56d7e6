"""Where the live check keeps what is expensive: outside the tree, so that neither a clean nor a new clone loses it."""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "rollcall-live"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Missing(Exception):
    """Something that the machine lacks, in one sentence."""
