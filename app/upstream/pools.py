"""Connections to workers: one pool per origin, unlimited open ones, idle ones kept for a few seconds.

A pool never blocks and never retries. A connection that was idle for longer than `idle_s` is not used again: servers
close theirs at 5 s, and a request that meets such a close in mid-air fails without the server having seen it. For the
same reason one that carried a stream rests before the next request: llama.cpp's server and others close it behind
the last chunk without having said so, and for some milliseconds nobody can tell.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
import threading
import time
from collections import deque
from functools import cached_property
from typing import Any
from urllib.parse import quote

import certifi
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.util import parse_url

from app.upstream.connection import Connection, TlsConnection
from app.upstream.dialing import Dialer, Network
from app.upstream.failure import connect_failure

_SAFE = "!$&'()*+,/:;=?@%"
_SENDABLE = re.compile(r"[A-Za-z0-9._~!$&'()*+,/:;=?@%-]*")
MAX_IDLE = 1_000
MAX_AGE_S = 300.0
REST_S = 0.5
FORGET_AFTER_S = 60.0
SWEEP_S = 1.0
# A worker whose machine vanished says nothing for ever; the kernel finds out within a minute.
KEEP_ALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
        if hasattr(socket, name)
    ),
]


class OriginPool(HTTPConnectionPool):
    ConnectionCls = Connection

    def __init__(self, host: str, port: int | None, idle_s: float, network: Network, **options: Any) -> None:
        super().__init__(host, port, maxsize=1, block=False, **options)
        sockets = HTTPConnection.default_socket_options + KEEP_ALIVE
        self.dialer = Dialer(self.host.strip("[]"), port or self.ConnectionCls.default_port, network, sockets)
        self._idle: deque[Connection] = deque()
        self._resting: deque[Connection] = deque()
        self._idle_s = idle_s
        self.used_at = 0.0

    def take(self) -> Connection:
        """One that idled, or a new one, which is not connected yet."""
        now = time.monotonic()
        while (connection := self._next(now)) is not None:
            if not self._is_stale(connection, now) and connection.is_quiet:
                return connection
            connection.close()
        new: Connection = self._new_conn()  # type: ignore[assignment]
        new.dialer = self.dialer
        return new

    def _next(self, now: float) -> Connection | None:
        with contextlib.suppress(IndexError):
            return self._idle.pop()
        with contextlib.suppress(IndexError):
            longest = self._resting.popleft()
            if now - longest.idle_since >= REST_S:
                return longest
            self._resting.appendleft(longest)
        return None

    def give_back(self, conn: Connection) -> None:
        """Its reply is complete: keep it for the next request, if it may be."""
        conn.over()
        conn.idle_since = now = time.monotonic()
        if self._idle_s <= 0 or conn.sock is None or now - conn.born > MAX_AGE_S:
            conn.close()
            return
        (self._resting if conn.carried_stream else self._idle).append(conn)
        self.drop_stale(now)

    def _get_conn(self, timeout: float | None = None) -> Connection:  # urllib3's own way to it
        return self.take()

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            self.give_back(conn)

    def _is_stale(self, connection: Connection, now: float) -> bool:
        return now - connection.idle_since > self._idle_s or now - connection.born > MAX_AGE_S

    def drop_stale(self, now: float) -> None:
        """Close what idles too long (the oldest stand in front) and what is too many."""
        for kept in (self._idle, self._resting):
            while kept:
                with contextlib.suppress(IndexError):
                    oldest = kept.popleft()
                    if len(kept) < MAX_IDLE and not self._is_stale(oldest, now):
                        kept.appendleft(oldest)
                        break
                    oldest.close()

    def retire(self) -> None:
        """None idles here from now on, also not one that is still in use."""
        self._idle_s = -1.0
        self.drop_stale(time.monotonic())

    def is_forgotten(self, now: float) -> bool:
        return not self._idle and not self._resting and now - self.used_at > FORGET_AFTER_S


class TlsOriginPool(OriginPool, HTTPSConnectionPool):
    ConnectionCls = TlsConnection


class Pools:
    """Origin → pool. Origins that are not used any more are forgotten, so that a changing fleet leaks nothing.

    `idle_s` 0: every request gets a connection of its own.
    """

    def __init__(self, idle_s: float, network: Network | None = None) -> None:
        self._idle_s = idle_s
        self._network = network or Network()
        self._pools: dict[str, OriginPool] = {}
        self._lock = threading.Lock()
        self._sweep_at = 0.0

    def find(self, url: str) -> tuple[OriginPool, str]:
        """The pool for this URL and the request target (path and query). Raises SendFailure for an unusable host."""
        origin, target = split_origin(url)
        now = time.monotonic()
        if now >= self._sweep_at:
            self.sweep(now)
        pool = self._pools.get(origin) or self._open(origin)
        pool.used_at = now
        return pool, target

    def _open(self, origin: str) -> OriginPool:
        try:
            parts = parse_url(origin)
            host, port = parts.host or "", parts.port
            options = {"ssl_context": self._trust} if parts.scheme == "https" else {}
            made = (TlsOriginPool if options else OriginPool)(host, port, self._idle_s, self._network, **options)
        except ValueError as error:
            raise connect_failure(error) from error
        with self._lock:
            return self._pools.setdefault(origin, made)

    def forget(self, url: str) -> None:
        """Whoever is there waits for its connections to end; a next request to it opens a new one."""
        with self._lock:
            pool = self._pools.pop(split_origin(url)[0], None)
        if pool is not None:
            pool.retire()

    def sweep(self, now: float) -> None:
        """Close what idles too long, at most once a second. `now` is monotonic."""
        with self._lock:
            if now < self._sweep_at:
                return
            self._sweep_at = now + SWEEP_S
            pools = list(self._pools.items())
            for origin, pool in pools:
                pool.drop_stale(now)
                if pool.is_forgotten(now):
                    del self._pools[origin]

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return trust_context()


def split_origin(url: str) -> tuple[str, str]:
    """`http://host:1/a?b#c` → (`http://host:1`, `/a?b`), the target fit for the first line of a request."""
    url = url.partition("#")[0]
    start = url.find("://") + 3
    ends = [end for mark in "/?" if (end := url.find(mark, start)) >= 0]
    if not ends:
        return url, "/"
    end = min(ends)
    target = url[end:] if url[end] == "/" else "/" + url[end:]
    return url[:end], target if _SENDABLE.fullmatch(target) else quote(target, safe=_SAFE)


def trust_context() -> ssl.SSLContext:
    """Trusts what the system trusts (or SSL_CERT_FILE and SSL_CERT_DIR name), certifi's list where there is nothing."""
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not paths.cafile and not (paths.capath and any(os.scandir(paths.capath))):
        context.load_verify_locations(certifi.where())
    return context
