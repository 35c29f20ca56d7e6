"""What `make chaos` prints at its end: which promise was put to the test how often, held how often, and the worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Row:
    tried: int = 0
    held: int = 0
    worst: float | None = None
    unit: str = ""


class Tally:
    """`notes`: sentences that stand below the table."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.notes: list[str] = []

    @property
    def is_kept(self) -> bool:
        """Something was tried, and all that was held."""
        return bool(self.rows) and all(row.held == row.tried for row in self.rows.values())

    def note(self, promise: str, held: bool, worst: float | None = None, unit: str = "", why: object = "") -> None:
        """`worst`: what was measured; the largest stays. `why`: printed at once where it did not hold."""
        row = self.rows.setdefault(promise, Row(unit=unit))
        row.tried += 1
        row.held += held
        if worst is not None:
            row.worst = worst if row.worst is None else max(row.worst, worst)
        if not held:
            print(f"  NOT HELD: {promise}: {_shown(worst, unit)} {why}"[:2000], flush=True)

    def within(self, promise: str, measured: float, limit: float, unit: str = "", why: object = "") -> None:
        """Held where `measured` is at most `limit`, which the table names."""
        self.note(f"{promise} ≤ {limit:g} {unit}".rstrip(), measured <= limit, measured, unit, why)

    def none(self, promise: str, tried: int, found: Sequence[object]) -> None:
        """Tried so often, and `found` is where it did not hold."""
        row = self.rows.setdefault(promise, Row())
        row.tried += tried
        row.held += tried - len(found)
        if found:
            print(f"  NOT HELD: {promise}: {len(found)} of {tried}, {found[:2]}"[:2000], flush=True)

    def table(self) -> str:
        cells = [("promise", "tried", "held", "worst")]
        cells += [
            (promise, f"{row.tried:,}", f"{row.held:,}", _shown(row.worst, row.unit))
            for promise, row in self.rows.items()
        ]
        widths = [max(len(row[column]) for row in cells) for column in range(4)]
        lines = [
            f"{name:<{widths[0]}}  {tried:>{widths[1]}}  {held:>{widths[2]}}  {worst}".rstrip()
            for name, tried, held, worst in cells
        ]
        lines.insert(1, "-" * max(map(len, lines)))
        return "\n".join([*lines, *self.notes])


def _shown(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.3g} {unit}".rstrip() if value < 1000 else f"{value:,.0f} {unit}".rstrip()
