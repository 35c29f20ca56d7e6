"""The `limits` block: how many calls at once, and between which bounds a placeholder's number stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CONCURRENCY = "concurrency"


@dataclass(frozen=True, slots=True)
class Bounds:
    low: float | None = None
    high: float | None = None

    def clamp(self, value: Any) -> Any:
        """The number inside the bounds; what is no number stays as it is."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        if self.low is not None and value < self.low:
            return self.low
        return self.high if self.high is not None and value > self.high else value


Limits = Mapping[str, Bounds]
"""By placeholder."""


def compile_limits(block: Mapping[str, Any] | None) -> Limits:
    """Of a block that is checked already."""
    return {
        name: Bounds(bounds.get("min"), bounds.get("max"))
        for name, bounds in (block or {}).items()
        if name != CONCURRENCY
    }
