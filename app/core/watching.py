"""Chunks of a stream under watch: counted while no answer is in them, kept while they may still be one reply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from app.core.conversation import Event
from app.core.fault import MAX_REPLY_BYTES, WorkerFault
from app.core.framing import MAX_FRAME_BYTES

_COST_OF_A_FRAME = 100


class Watched:
    """Chunks, with the bytes counted that came since the caller gained something."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self._silent = 0

    def saw(self, event: Event | None) -> None:
        """What a frame came to. An empty one costs more than its bytes."""
        self._silent = 0 if event is not None else self._silent + _COST_OF_A_FRAME

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._silent += len(chunk)
            if self._silent > MAX_REPLY_BYTES:
                raise no_answer_in_sight()
            yield chunk


def no_answer_in_sight() -> WorkerFault:
    limit = MAX_REPLY_BYTES // 1_000_000
    return WorkerFault(f"The worker streamed more than {limit} MB without an answer in it.", "too_large")


class Kept:
    """Chunks that are kept until it is clear that they are a stream, as it is when they are more than a frame."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._rest = iter(chunks)
        self._seen = bytearray()
        self.keeps = True

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._rest:
            if self.keeps:
                self._seen += chunk
                if len(self._seen) > 2 * MAX_FRAME_BYTES:
                    self.forget()
            yield chunk

    def forget(self) -> None:
        self.keeps = False
        self._seen.clear()

    def all(self) -> Iterator[bytes]:
        return chain((bytes(self._seen),), self._rest)
