"""How values of a worker's row read in a table."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from rich.text import Text

from app.cli.console import plain

_STYLES = {
    "available": "green",
    "up": "green",
    "enabled": "",
    "down": "bold red",
    "draining": "yellow",
    "ejected": "red",
    "backing_off": "yellow",
    "expired": "yellow",
    "unknown": "yellow",
    "offline": "dim",
}


def state(word: str) -> Text:
    return Text(word, style=_STYLES.get(word, ""))


def health(row: dict[str, Any]) -> Text:
    """What the probes say; where a server's own calls say more, that, with the seconds that are left."""
    if row["status"] not in ("ejected", "backing_off") and row.get("seconds_left") is None:
        return state(row["probe"])
    left = "" if row.get("seconds_left") is None else f" {row['seconds_left']:.0f} s"
    word = "refused" if row["status"] == "down" else row["status"].replace("_", " ")
    return Text(word + left, style=_STYLES.get(row["status"], ""))


def intent(row: dict[str, Any]) -> Text:
    """What is wanted of a worker: by operators, else by whoever registered it for a time that is over."""
    return state("expired" if row["status"] == "expired" else row["admin"])


def share(row: dict[str, Any]) -> str:
    """Percent of the requests that this worker gets now; a dash when it gets none because it may not."""
    if not row["available"]:
        return "-"
    percent = 100 * float(row["share"])
    return "<1 %" if 0 < percent < 1 else f"{percent:.0f} %"


def ago(moment: str | None) -> str:
    """An ISO 8601 moment as a distance from now."""
    if moment is None:
        return "never"
    seconds = max(0.0, time.time() - datetime.fromisoformat(moment).timestamp())
    for unit, size, until in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < until:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds / 86_400:.0f} d ago"


def place(row: dict[str, Any]) -> str:
    """The URL, with the instance that tells apart several registrations of it."""
    url = row.get("req_url_template") or row["url"]
    return f"{url} ({row['instance']})" if row["instance"] else str(url)


def error(row: dict[str, Any]) -> Text:
    """The last error; of a worker that is not down it is history, and says so."""
    text = plain(row["last_error"] or "").replace("\n", " ")
    if not text or row["probe"] == "down":
        return Text(text, style="red")
    return Text(f"was: {text}, {ago(row['last_fail_at'])}", style="dim")
