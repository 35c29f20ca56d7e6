"""The framings beside server-sent events: JSON values separated by a mark, or the elements of one growing array."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from app.core.fault import WorkerFault
from app.core.framing import MAX_FRAME_BYTES, CutFrame, Frame, sse_frames, too_large
from app.core.reply_json import MAX_DEPTH, parse_reply

FRAMINGS = ("sse", "ndjson", "null", "json-array", "text")
_BOM = "\ufeff"
_IN_STRING = re.compile(rb'["\\]')
_OUTSIDE = re.compile(rb'["\[\]{},]')


def frames_of(framing: str, chunks: Iterable[bytes]) -> Iterator[Frame]:
    """The frames of any framing but text. Raises WorkerFault (too_large, not_json), and CutFrame at a cut end."""
    if framing == "sse":
        return sse_frames(chunks, strict=True)
    if framing == "json-array":
        return array_frames(chunks)
    return separated_frames(chunks, b"\0" if framing == "null" else b"\n")


def separated_frames(chunks: Iterable[bytes], mark: bytes) -> Iterator[Frame]:
    """JSON values with `mark` behind each; the last may do without."""
    held = bytearray()
    for chunk in chunks:
        *whole, rest = chunk.split(mark)
        if whole and held:
            whole[0] = bytes(held + whole[0])
            held.clear()
        # filter: a flood of marks costs next to nothing
        for piece in filter(None, whole):
            if frame := _frame(piece):
                yield frame
        held += rest
        if len(held) > MAX_FRAME_BYTES:
            raise too_large()
    if frame := _frame(bytes(held)):
        if is_cut(frame.data):
            raise CutFrame(frame.data)
        yield frame


def array_frames(chunks: Iterable[bytes]) -> Iterator[Frame]:
    """The elements of one JSON array, each as soon as it is whole; what follows the array is not read."""
    array = _OpenArray()
    for chunk in chunks:
        yield from array.feed(chunk)
        if array.closed:
            return
    raise CutFrame("")


class _OpenArray:
    """The array that is being received: how deep in it we are, and the element that has begun."""

    def __init__(self) -> None:
        self.closed = False
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._held = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        position = begin = 0
        while position < len(chunk) and not self.closed:
            if self._escaped:
                self._escaped = False
                position += 1
                continue
            match = (_IN_STRING if self._in_string else _OUTSIDE).search(chunk, position)
            if match is None:
                break
            position = match.end()
            until = self._step(match[0], position)
            if until is not None:
                if frame := self._element(chunk[begin:until]):
                    yield frame
                begin = position
        self._keep(chunk[begin:])

    def _step(self, mark: bytes, position: int) -> int | None:
        """Where the element ends that this mark closes; None: it closes none."""
        if self._in_string:
            self._escaped = mark == b"\\"
            self._in_string = self._escaped
        elif mark == b'"':
            self._in_string = True
        elif mark in b"[{":
            if self._depth == 0 and mark == b"{":
                raise WorkerFault("The worker's stream is no JSON array, which its registration promises.", "not_json")
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise WorkerFault(f"The worker's stream is nested deeper than {MAX_DEPTH}.", "not_json")
            return position - 1 if self._depth == 1 else None  # nothing but space is before the array
        elif mark in b"]}":
            self._depth -= 1
            if self._depth <= 0:
                self.closed = True
                return position - 1
            return position if self._depth == 1 else None
        elif self._depth == 1:
            return position - 1
        return None

    def _keep(self, piece: bytes) -> None:
        self._held += piece
        if len(self._held) > MAX_FRAME_BYTES:
            raise too_large()

    def _element(self, end: bytes) -> Frame | None:
        self._keep(end)
        whole = bytes(self._held)
        self._held.clear()
        return _frame(whole)


def _frame(piece: bytes) -> Frame | None:
    if len(piece) > MAX_FRAME_BYTES:
        raise too_large()
    data = piece.decode("utf-8", "replace").removeprefix(_BOM).strip()
    return Frame("", data) if data else None


def is_cut(data: str) -> bool:
    """Does it begin as JSON and not end?"""
    if data[:1] not in ("{", "[", '"'):
        return False
    try:
        parse_reply(data)
    except ValueError:
        return True
    return False
