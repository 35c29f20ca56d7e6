"""A worker's reply that is a failure although bytes came, and the text of such failures."""

from __future__ import annotations

from typing import Literal

FaultKind = Literal["error", "empty", "not_json", "broken", "too_large"]
MAX_MESSAGE = 500


class WorkerFault(Exception):
    """`retryable`: the registration's `retry_when` matched, so another worker may be asked.

    `kind`: error = the reply says so itself; empty = no answer in it; not_json = HTML or other text where JSON is
    needed; broken = the stream ended without its end mark; too_large = one event of a stream over the limit.
    """

    def __init__(self, message: str, kind: FaultKind, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.retryable = retryable


def one_line(text: str, limit: int = MAX_MESSAGE) -> str:
    """A stranger's text as it may stand in messages, logs and headers: one line of printable characters."""
    text = text[: limit * 4]
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
