"""Shares of any size as weights, which are whole numbers up to a thousand."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import gcd, lcm
from typing import Any

from app.core.registration import MAX_WEIGHT

_FINEST = 1000


def weighed(rows: Sequence[tuple[str, Any, Any]]) -> list[int | None]:
    """(model name, its weight, its requests a minute) → its weight beside the others of the model; None: unnamed.

    Where one of a model has a weight, weights count; else requests a minute. Proportions are kept as far as they can.
    """
    weights: list[int | None] = [None] * len(rows)
    for name in dict.fromkeys(row[0] for row in rows):
        group = [at for at, row in enumerate(rows) if row[0] == name]
        column = 1 if any(_share(rows[at][1]) is not None for at in group) else 2
        shares = {at: share for at in group if (share := _share(rows[at][column])) is not None}
        for at, weight in zip(shares, _whole(list(shares.values())), strict=True):
            weights[at] = weight
    return weights


def _share(value: Any) -> Fraction | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    return Fraction(value).limit_denominator(_FINEST)


def _whole(shares: list[Fraction]) -> list[int]:
    if all(share.denominator == 1 and share <= MAX_WEIGHT for share in shares):
        return [int(share) for share in shares]
    scale = lcm(*(share.denominator for share in shares)) if shares else 1
    numbers = [int(share * scale) for share in shares]
    divisor = gcd(*numbers) or 1
    largest = max(numbers, default=0) // divisor
    if largest <= MAX_WEIGHT:
        return [number // divisor for number in numbers]
    return [max(1, round(number / divisor * MAX_WEIGHT / largest)) if number else 0 for number in numbers]
