"""A name server that a test holds in its hand."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.upstream import lookup


class Names:
    """`answers[name]` are the addresses that a look-up gives; of several lists each in turn, the last for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []
        self._real = lookup.getaddrinfo

    def say(self, name: str, *turns: list[str]) -> None:
        self.answers[name] = list(turns)

    def getaddrinfo(self, host: bytes, port: None, family: int, kind: int, protocol: int, flags: int) -> Any:
        name = host.decode()
        if flags & socket.AI_NUMERICHOST or name not in self.answers:
            return self._real(host, port, family, kind, protocol, flags)
        self.asked.append(name)
        turns = self.answers[name]
        found = turns.pop(0) if len(turns) > 1 else turns[0]
        return [each for address in found for each in self._real(address.encode(), None, 0, kind, 0, 0)]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    made = Names()
    monkeypatch.setattr(lookup, "getaddrinfo", made.getaddrinfo)
    return made


class Canary:
    """A service that nobody may reach, beside one that may be: same port, another address."""

    def __init__(self, port: int) -> None:
        self._door = socket.create_server(("127.0.0.2", port))
        self._door.setblocking(False)

    @property
    def was_reached(self) -> bool:
        try:
            self._door.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        self._door.close()


@contextmanager
def canary_beside(port: int) -> Iterator[Canary]:
    canary = Canary(port)
    try:
        yield canary
    finally:
        canary.close()
