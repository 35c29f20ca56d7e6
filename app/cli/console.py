"""The terminal: colours only where a person looks, and no control character of a stranger's text."""

from __future__ import annotations

import re

from rich.console import Console

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def console() -> Console:
    """Writes to stdout as it is now; plain when that is no terminal or NO_COLOR is set."""
    return Console(highlight=False, markup=False, emoji=False)


def plain(text: str) -> str:
    """`text` without the control characters that could move a terminal's cursor or rewrite its title."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r", ""))
