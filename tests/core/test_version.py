from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

import app
from app.core.version import VERSION


def test_one_version_everywhere() -> None:
    setup = ConfigParser()
    setup.read(Path(__file__).resolve().parents[2] / "setup.cfg")
    assert setup["metadata"]["version"] == app.__version__ == VERSION
