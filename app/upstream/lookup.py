"""Asks the system for the addresses of a name. That takes seconds where a name server is slow, and no timeout ends it.

Under gevent it runs in native threads of its own: gevent's resolver shares ten of them with everything else, and ten
names that hang would keep all others waiting.
"""

from __future__ import annotations

import socket
import sys
from _socket import getaddrinfo  # gevent has put its own in the place of socket's
from functools import cache
from typing import Any, NamedTuple

from urllib3.util.connection import HAS_IPV6, allowed_gai_family

MAX_THREADS = 32
IDLE_THREAD_S = 10.0


class Address(NamedTuple):
    """`host` in digits; `scope` is the interface of a link-local one."""

    family: int
    host: str
    scope: int = 0

    def at(self, port: int) -> tuple[Any, ...]:
        """What a socket connects to."""
        return (self.host, port, 0, self.scope) if self.family == socket.AF_INET6 else (self.host, port)


LOOPBACK = (Address(socket.AF_INET, "127.0.0.1"), Address(socket.AF_INET6, "::1"))[: 2 if HAS_IPV6 else 1]


def written_address(host: str) -> tuple[Address, ...]:
    """The addresses of a host that nobody has to be asked for: an address in digits, localhost. Else none."""
    if host.rstrip(".") == "localhost":
        return LOOPBACK
    try:
        return _addresses(host.encode("ascii"), socket.AF_UNSPEC, socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return ()


def look_up(host: str) -> tuple[Address, ...]:
    """In the system's order, which says what to try first. Raises socket.gaierror, and UnicodeError for no name."""
    name = host.encode("idna")
    pool = _native_threads()
    if pool is None:
        return _addresses(name, allowed_gai_family(), 0)
    found: tuple[Address, ...] = pool.apply(_addresses, (name, allowed_gai_family(), 0))
    return found


def _addresses(name: bytes, family: int, flags: int) -> tuple[Address, ...]:
    found = getaddrinfo(name, None, family, socket.SOCK_STREAM, 0, flags)
    places: list[tuple[int, tuple[Any, ...]]] = [(each[0], each[4]) for each in found]
    return tuple(dict.fromkeys(Address(family, place[0], *place[3:]) for family, place in places))


@cache
def _native_threads() -> Any:
    """None where threads are real ones anyway."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        return None
    from gevent.threadpool import ThreadPool

    return ThreadPool(MAX_THREADS, idle_task_timeout=IDLE_THREAD_S)
