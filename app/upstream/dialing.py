"""The way to a host: its addresses, the check that each passes, and a connection to the first that takes one."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from app.upstream.failure import SendFailure, connect_failure
from app.upstream.lookup import Address, written_address
from app.upstream.resolver import Resolver
from app.upstream.watchdog import Watchdog

# Called with (address, host, port) before each connect; raises SendFailure where that address must not be called.
Check = Callable[[str, str, int], None]

# How long a detour is taken before the first address gets its chance again.
DETOUR_S = 60.0
# No address gets less time than this because there are others.
SHARE_S = 0.3
NO_CONNECTION = "no connection within the time allowed"


def anywhere(address: str, host: str, port: int) -> None:
    """Every address may be called."""


@dataclass(frozen=True, slots=True)
class Network:
    """What all connections of a process share."""

    names: Resolver = field(default_factory=Resolver)
    check: Check = anywhere
    watchdog: Watchdog = field(default_factory=Watchdog)


class Dialer:
    """Connects to one host and port. Thread-safe."""

    def __init__(self, host: str, port: int, network: Network, options: Iterable[tuple[Any, ...]] = ()) -> None:
        self._host = host
        self._port = port
        self._network = network
        self.watchdog = network.watchdog
        self._options = tuple(options)
        self._written = written_address(host)
        self._detour: tuple[Address, float] | None = None

    def connect(self, wait_s: float) -> socket.socket:
        """Looking up the name and trying its addresses takes `wait_s` at most; what is left is the socket's timeout.

        Raises SendFailure: of all failures that of the first address, which the system likes best.
        """
        until = time.monotonic() + wait_s
        addresses = self._written or self._network.names.addresses(self._host, wait_s)
        first: SendFailure | None = None
        order = self._order(addresses)
        for tried, address in enumerate(order):
            left = until - time.monotonic()
            if left <= 0:
                break
            try:
                wire = self._open(address, min(max(left / (len(order) - tried), SHARE_S), left))
            except SendFailure as failure:
                first = first or failure
                continue
            if len(order) > 1:
                self._remember(address, addresses)
            wire.settimeout(max(until - time.monotonic(), 0.001))
            return wire
        raise first or SendFailure("connect", NO_CONNECTION, sent=False)

    def _order(self, addresses: tuple[Address, ...]) -> tuple[Address, ...]:
        detour = self._detour
        if detour is None or time.monotonic() >= detour[1] or detour[0] not in addresses:
            return addresses
        return (detour[0], *(each for each in addresses if each != detour[0]))

    def _remember(self, worked: Address, addresses: tuple[Address, ...]) -> None:
        """The next connection need not run against the same wall."""
        if worked == addresses[0]:
            self._detour = None
        elif self._detour is None or self._detour[0] != worked or time.monotonic() >= self._detour[1]:
            self._detour = (worked, time.monotonic() + DETOUR_S)

    def _open(self, address: Address, wait_s: float) -> socket.socket:
        self._network.check(address.host, self._host, self._port)
        wire: socket.socket | None = None
        try:
            wire = socket.socket(address.family, socket.SOCK_STREAM)
            for option in self._options:
                wire.setsockopt(*option)
            wire.settimeout(wait_s)
            wire.connect(address.at(self._port))
            return wire
        except BaseException as error:
            if wire is not None:
                wire.close()
            if isinstance(error, TimeoutError):
                raise SendFailure("connect", NO_CONNECTION, sent=False) from error
            if isinstance(error, OSError):
                raise connect_failure(error) from error
            raise
