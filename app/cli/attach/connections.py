"""How many callers a child has, as the kernel sees it."""

from __future__ import annotations

from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ESTABLISHED = "01"


def open_connections(port: int) -> int | None:
    """Connections to this port of this machine that both sides hold open; None where that cannot be seen."""
    tables = [table for table in _TABLES if table.exists()]
    if not tables:
        return None
    lines = [line.split() for table in tables for line in table.read_text().splitlines()[1:]]
    return sum(1 for line in lines if line[3] == _ESTABLISHED and int(line[1].rpartition(":")[2], 16) == port)
