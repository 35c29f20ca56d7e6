"""How the demo talks: slowly and in colour to a person, at once and plainly to anything else."""

from __future__ import annotations

import json
import os
import shlex
import time
from typing import Any

from rich.text import Text

from app.cli.console import console, plain


class Narrator:
    def __init__(self) -> None:
        self._console = console()
        self._paced = self._console.is_terminal and "NO_COLOR" not in os.environ

    def title(self, text: str) -> None:
        self.pause(0.8)
        self._console.print(Text(f"\n{text}", style="bold"))
        self.pause(0.6)

    def say(self, text: str) -> None:
        self._console.print(Text(text))
        self.pause(0.4)

    def command(self, text: str) -> None:
        """A command line that the reader could type; never broken into lines, so that it can be copied."""
        self._console.print(Text(f"$ {text}", style="cyan"), soft_wrap=True)
        self.pause(0.3)

    def reply(self, text: str, note: str = "") -> None:
        line = Text("  ").append(plain(text), style="green")
        if note:
            line.append(f"  {note}", style="dim")
        self._console.print(line, soft_wrap=True)
        self.pause(0.4)

    def piece(self, text: str) -> None:
        """A part of a line, shown as it arrives."""
        self._console.print(Text(plain(text), style="green"), end="", soft_wrap=True)
        self._console.file.flush()

    def pause(self, seconds: float) -> None:
        if self._paced:
            time.sleep(seconds)


def curl(
    method: str, url: str, body: Any = None, *, pretty: bool = False, stream: bool = False, with_key: bool = False
) -> str:
    """The request as a command line for a POSIX shell. `with_key`: it sends the key in ROLLCALL_API_KEY."""
    words = ["curl", "-N" if stream else "-s"]
    if method != ("GET" if body is None else "POST"):
        words += ["-X", method]
    words.append(shlex.quote(url))
    if with_key:
        words += ["-H", '"x-api-key: $ROLLCALL_API_KEY"']
    if body is not None:
        text = json.dumps(body, ensure_ascii=False, indent=2 if pretty else None)
        words += ["-H", "'Content-Type: application/json'", "-d", shlex.quote(text)]
    return " ".join(words)
