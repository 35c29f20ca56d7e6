"""The version that workers see; the same as in setup.cfg."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
