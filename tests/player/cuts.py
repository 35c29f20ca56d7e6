"""The bytes of a stream as a network may deliver them."""

from __future__ import annotations

import re
from collections.abc import Callable

_FIRST_TEXT = re.compile(rb"hel(?:.*?(?:\r\n\r\n|\n\n|\n|\0))?", re.IGNORECASE | re.DOTALL)
Cut = Callable[[bytes], list[bytes]]


def as_it_came(frames: bytes) -> list[bytes]:
    return [frames]


def awkwardly(frames: bytes) -> list[bytes]:
    """Inside characters, between CR and LF, behind the first byte, and every seventh byte."""
    marks = {at for at in range(1, len(frames)) if frames[at] >= 0x80 or frames[at - 1 : at + 1] == b"\r\n"}
    edges = sorted({0, 1, *marks, *range(7, len(frames), 7), len(frames)})
    return [frames[start:end] for start, end in zip(edges, edges[1:], strict=False)]


def half(frames: bytes) -> list[bytes]:
    """The worker's process dies in the middle."""
    return [frames[: len(frames) // 2]]


def behind_the_first_text(frames: bytes) -> list[bytes]:
    found = _FIRST_TEXT.search(frames)
    assert found, "every sample begins with 'hel'"
    return [frames[: found.end()], frames[found.end() :]]


def with_ends(frames: str, end: str) -> str:
    """The same lines, ended by CRLF or CR."""
    return frames.replace("\r\n", "\n").replace("\n", end)
