"""Where Rollcall may call: the rules, and what the operator's two lists make of them. Pure: nothing is looked up."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from app.core.addresses import NEVER, Face, Span, faces, is_in, span, written

ALLOW: Final = "ROLLCALL_OUTGOING_ALLOW"
DENY: Final = "ROLLCALL_OUTGOING_DENY"
_PORTS: Final = {"http": 80, "https": 443}
_NAME: Final = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}")
_METADATA_NAMES: Final = frozenset({"metadata.google.internal", "metadata.goog", "instance-data.ec2.internal"})

SAYS: Final = {
    "metadata": "it is where a cloud tells its machines their secrets",
    "link-local": "it is link-local",
    "unspecified": "it stands for no machine",
    "multicast": "it stands for many machines",
    "reserved": "it is reserved",
    "loopback": f"it is this machine's own, and {ALLOW} does not name it",
    "private": f"it belongs to a private network, and {ALLOW} does not name it",
    "own-port": "it is the router's own port",
    "denied": f"{DENY} names it",
    "not-allowed": f"{DENY} holds *, and {ALLOW} does not name it",
    "no-address": "it is no address",
}
"""Every rule, and what a refusal by it says."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """`what` is refused: the host as it is written, or the address behind it. `dress`: see addresses.Face."""

    rule: str
    what: str = "address"
    dress: str = ""

    @property
    def clause(self) -> str:
        """Without the address itself: callers read it, and the workers' addresses are none of their business."""
        dressed = f" (dressed as {self.dress})" if self.dress else ""
        return f"its {self.what} is refused by the rule {self.rule}{dressed}: {SAYS[self.rule]}"


@dataclass(frozen=True, slots=True)
class Listed:
    """One of the operator's lists: networks, host names, and names below others. `everything`: it holds *."""

    spans: tuple[Span, ...] = ()
    names: frozenset[str] = frozenset()
    below: tuple[str, ...] = ()
    everything: bool = False

    def has_name(self, name: str) -> bool:
        return name in self.names or name.endswith(self.below)

    def has(self, face: Face) -> bool:
        return is_in(face.ip, self.spans)


@dataclass(frozen=True, slots=True)
class Targets:
    """`own_network`: private and loopback addresses may be called. `ports`: what this server itself listens on."""

    allow: Listed = Listed()
    deny: Listed = Listed()
    own_network: bool = True
    ports: frozenset[int] = frozenset()

    def listening(self, ports: Iterable[int]) -> Targets:
        return replace(self, ports=self.ports.union(ports))

    def refusal(self, address: str, host: str, port: int) -> Refusal | None:
        """Of an address that is about to be called as `host`; None: it may be."""
        try:
            found = faces(address)
        except ValueError:
            return Refusal("no-address")
        return self._of_name(host) or self._of_faces(found, named(host), port)

    def refusal_as_written(self, host: str, port: int) -> Refusal | None:
        """What can be told without looking the host up."""
        ip = written(host)
        if ip is not None:
            refused = self._of_faces(faces(str(ip)), named(host), port)
        elif named(host) == "localhost":
            refused = self._of_name(host) or self._of_faces(faces("127.0.0.1"), "localhost", port)
        else:
            refused = self._of_name(host)
        return replace(refused, what="host") if refused else None

    def refusal_in(self, url: str) -> Refusal | None:
        """The same of a URL whose host is written in it."""
        parts = urlsplit(url)
        return self.refusal_as_written(parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0))

    def _of_name(self, host: str) -> Refusal | None:
        name = named(host)
        if name in _METADATA_NAMES:
            return Refusal("metadata", "host")
        return Refusal("denied", "host") if self.deny.has_name(name) else None

    def _of_faces(self, found: tuple[Face, ...], name: str, port: int) -> Refusal | None:
        for face in found:
            if face.rule in NEVER:
                return Refusal(str(face.rule), dress=face.dress)
        for face in found:
            if self.deny.has(face):
                return Refusal("denied", dress=face.dress)
            if face.rule == "loopback" and port in self.ports:
                return Refusal("own-port", dress=face.dress)
        if self.allow.has_name(name):
            return None
        closed = next((face for face in found if self._is_closed(face)), None)
        return closed and Refusal(closed.rule or "not-allowed", dress=closed.dress)

    def _is_closed(self, face: Face) -> bool:
        closed = self.deny.everything or (face.rule is not None and not self.own_network)
        return closed and not self.allow.has(face)


USUAL: Final = Targets()
"""The rules of a server that listens on loopback, with empty lists."""


def named(host: str) -> str:
    """A host as the lists hold it: small letters, without the dot at the end, in ASCII where that can be."""
    name = host.strip("[]").rstrip(".").lower()
    try:
        return name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError:
        return name


@lru_cache(64)
def compile_targets(allow: tuple[str, ...], deny: tuple[str, ...], own_network: bool, port: int) -> Targets:
    """`port` 0: not known yet. Raises ValueError with a sentence that names the setting."""
    return Targets(_listed(ALLOW, allow), _listed(DENY, deny), own_network, frozenset({port} - {0}))


def _listed(setting: str, entries: Iterable[str]) -> Listed:
    spans, names, below, everything = [], set(), [], False
    for entry in entries:
        if entry == "*" and setting == DENY:
            everything = True
            continue
        text = entry.strip("[]")
        try:
            spans.append(span(text))
            continue
        except ValueError:
            pass
        name = named(text.removeprefix("*."))
        if not _NAME.fullmatch(name) or name.rpartition(".")[2].isdigit():
            known = "an address, a network (10.0.0.0/8, without bits of a host) or a host name (api.example, *.example)"
            raise ValueError(f"{setting} holds {entry!r}, which is not {known}.")
        if text.startswith("*."):
            below.append(f".{name}")
        else:
            names.add(name)
    return Listed(tuple(spans), frozenset(names), tuple(below), everything)
