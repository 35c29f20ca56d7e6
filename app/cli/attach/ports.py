"""The port of a child: the one it had the last time, so that it is the same worker again, or a free one."""

from __future__ import annotations

import contextlib
import re
import socket
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from app.cli.ports import free_port
from app.cli.refusal import Refused

PLACEHOLDER = "{port}"
_WRITTEN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:\[[^\]]*\]|[^/?#:\[]*):([0-9]{1,5})(?=[/?#]|$)")
_LAST_PORT = 65_535
_TRIES = 3


class Claim:
    """A port that no other attach of this machine uses; `port` is free at this moment.

    A model server may load for minutes before it listens, so a look at the port alone tells nothing.
    """

    def __init__(self, port: int) -> None:
        """0: any free one. Raises Refused."""
        self.port = free_port("0.0.0.0", port, "choose another one.")
        self._name = _claimed(self.port)

    def release(self) -> None:
        if self._name is not None:
            self._name.close()


def claim(url: str, wanted: int | None, earlier: Iterable[int]) -> Claim:
    """`url`: the registration's; `wanted`: the operator's choice; `earlier`: ports it had before. Raises Refused."""
    if wanted is not None:
        return Claim(wanted)
    if PLACEHOLDER not in url:
        return Claim(_written(url))
    for port in (*earlier, *[0] * _TRIES):
        with contextlib.suppress(Refused):
            return Claim(port)
    return Claim(0)


def filled(node: Any, port: int) -> Any:
    """A registration's words, or arguments, with the port in the place of {port}."""
    if isinstance(node, str):
        return node.replace(PLACEHOLDER, str(port))
    if isinstance(node, Mapping):
        return {key: filled(value, port) for key, value in node.items()}
    return [filled(item, port) for item in node] if isinstance(node, list | tuple) else node


def earlier_ports(rows: Iterable[Mapping[str, Any]], url: str, instance: str) -> list[int]:
    """Where rows of GET /api/server/workers are what this registration was before, apart from the port."""
    parts = [re.escape(part) for part in url.split(PLACEHOLDER)]
    pattern = re.compile(r"(?P<port>[0-9]{1,5})".join(parts[:2]) + "".join(rf"(?P=port){part}" for part in parts[2:]))
    own = (row for row in rows if row["ttl_s"] is not None and row["instance"] == instance)
    found = (pattern.fullmatch(row["req_url_template"]) for row in own)
    return [port for match in found if match and 0 < (port := int(match["port"])) <= _LAST_PORT]


def _written(url: str) -> int:
    match = _WRITTEN.match(url)
    if match is None or not 0 < int(match[1]) <= _LAST_PORT:
        raise Refused(
            f"The URL says no port: write {PLACEHOLDER} where it stands, as in http://127.0.0.1:{PLACEHOLDER}/v1, "
            "or name it with --port."
        )
    return int(match[1])


def _claimed(port: int) -> socket.socket | None:
    """A name that the kernel frees with the process; None where there are none but Linux's."""
    if sys.platform != "linux":
        return None
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0rollcall-attach-{port}")
    except OSError as error:
        name.close()
        raise Refused(f"Port {port} belongs to another attach; choose another one.") from error
    return name
