"""What the player is told to do: how a system answers the next requests."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from tests.fakes import Framing
from tests.player.cuts import Cut, as_it_came, behind_the_first_text, with_ends


@dataclass(frozen=True)
class Scene:
    """`err`: its error, with this HTTP status. `fails`: its job does. `polls`: how many say that it runs, if not all.

    Of streams: `lively`, with characters of two and four bytes; `end`, of their lines; `cut`, into which pieces;
    `framing`, of HTTP. `pause_s` stands before the first byte of an answer; `gate` behind the first frame with text.
    """

    err: int | None = None
    fails: bool = False
    polls: int | None = None
    lively: bool = False
    end: str = ""
    cut: Cut = as_it_came
    framing: Framing = "chunked"
    pause_s: float = 0.0
    gate: threading.Event | None = None

    def frames(self, frames: str) -> bytes:
        text = lively(frames) if self.lively else frames
        return (with_ends(text, self.end) if self.end else text).encode()

    def pieces(self, frames: bytes) -> list[bytes]:
        return behind_the_first_text(frames) if self.gate else self.cut(frames)


def lively(text: str) -> str:
    return text.replace("hel", "hé🙂")
