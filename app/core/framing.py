"""Bytes of a stream → its frames, however the network cut them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.core.fault import WorkerFault

MAX_FRAME_BYTES = 4 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class CutFrame(Exception):
    """The body ended inside a frame, of which `data` had come. What that means depends on what came before it."""

    def __init__(self, data: str) -> None:
        super().__init__("the body ended inside a frame")
        self.data = data


@dataclass(slots=True)
class Frame:
    """One server-sent event: its name (empty when it has none) and its data lines joined by line feeds.

    Pieces of other framings have no name.
    """

    event: str
    data: str


def sse_frames(chunks: Iterable[bytes], *, strict: bool = False) -> Iterator[Frame]:
    """Server-sent events with LF, CRLF or CR. A frame counts when its blank line has come, so a cut one never does.

    Raises WorkerFault (too_large) for a frame over MAX_FRAME_BYTES and, if `strict`, CutFrame for a cut one.
    """
    frame = _OpenFrame()
    for line in _lines(chunks, with_rest=strict):
        if line:
            frame.add(line)
        elif frame.begun:
            yield frame.close()
    if strict and frame.begun:
        raise CutFrame(frame.close().data)


class _OpenFrame:
    """The lines of the frame that is being received."""

    __slots__ = ("_data", "_event", "_size", "begun")

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._event = b""
        self._data: list[bytes] = []
        self._size = 0
        self.begun = False

    def add(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            value = line[6:] if line.startswith(b" ", 5) else line[5:]
            self._data.append(value)
            self.begun = True
            self._size += len(line)
            if self._size > MAX_FRAME_BYTES:
                raise too_large()
        elif line.startswith(b"event:"):
            self._event = line[6:].strip()
            self.begun = True

    def close(self) -> Frame:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        frame = Frame(self._event.decode("utf-8", "replace"), data.decode("utf-8", "replace"))
        self._start()
        return frame


def _lines(chunks: Iterable[bytes], *, with_rest: bool) -> Iterator[bytes]:
    """Whole lines without their ends. A CR ends its line at once; the LF that may follow it is then dropped."""
    held = bytearray()
    after_cr = False
    start = True
    for chunk in chunks:
        if after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            after_cr = False
        if not chunk:
            continue
        if b"\n" not in chunk and b"\r" not in chunk:
            held += chunk
            if len(held) > MAX_FRAME_BYTES:
                raise too_large()
            continue
        block = bytes(held + chunk) if held else chunk
        held.clear()
        after_cr = block.endswith(b"\r")
        lines = block.splitlines()
        rest = b"" if block.endswith((b"\n", b"\r")) else lines.pop()
        del block
        held += rest
        if start:
            lines[0] = lines[0].removeprefix(_BOM)
            start = False
        yield from lines
        del lines
    if with_rest and held:
        yield bytes(held)


def too_large() -> WorkerFault:
    limit = MAX_FRAME_BYTES // (1024 * 1024)
    return WorkerFault(f"The worker sent one event of a stream that is larger than {limit} MiB.", "too_large")
