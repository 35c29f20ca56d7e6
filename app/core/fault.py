"""A worker's reply that is a failure although bytes came, and the text of such failures."""

from __future__ import annotations

from typing import Literal

FaultKind = Literal["error", "empty", "not_json", "broken", "too_large", "wrong_type"]
MAX_MESSAGE = 500
MAX_REPLY_BYTES = 32_000_000
"""One reply, and what a stream may send without anything of the answer in it."""


class WorkerFault(Exception):
    """`retryable`: the registration's `retry_when` matched, so another worker may be asked.

    `kind`: error = the reply says so itself; empty = no answer in it; not_json = HTML or other text where JSON is
    needed; broken = the stream ended without its end mark; too_large = more than a reply or one event may have;
    wrong_type = text where bytes were promised, no URL, no base64.
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
