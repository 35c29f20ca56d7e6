from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from app.core.conversation import UpstreamRequest
from app.settings import Settings
from app.upstream.client import Client


@pytest.fixture
def client() -> Client:
    return Client(Settings())


@pytest.fixture
def soon() -> float:
    """A deadline far enough for every answer that comes at all."""
    return time.monotonic() + 20


Post = Callable[..., UpstreamRequest]


@pytest.fixture
def post() -> Post:
    def make(url: str, body: bytes = b'{"prompt": "hi"}', **headers: str) -> UpstreamRequest:
        named = {"Content-Type": "application/json", **{key.replace("_", "-"): value for key, value in headers.items()}}
        return UpstreamRequest("POST", url, named, body)

    return make


class Clock:
    """time.monotonic() runs `ahead` seconds in front."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real, self.ahead = time.monotonic, 0.0
        monkeypatch.setattr(time, "monotonic", lambda: real() + self.ahead)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)
