"""What is kept between requests, and for how long."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from app.core.conversation import UpstreamRequest
from app.settings import Settings
from app.upstream import pools, sweeping
from app.upstream.client import Client
from app.upstream.pools import Pools, split_origin
from app.upstream.sweeping import Sweeper
from tests.fakes import FakeUpstream, json_answer
from tests.serving import wait_for

Post = Callable[..., UpstreamRequest]


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://a:1/b/c?d=e/f", ("http://a:1", "/b/c?d=e/f")),
        ("http://a", ("http://a", "/")),
        ("http://a?x=/y", ("http://a", "/?x=/y")),
        ("https://[::1]:2/p#frag?no", ("https://[::1]:2", "/p")),
        ("http://a/b c?d=é%20|\r\nX:1", ("http://a", "/b%20c?d=%C3%A9%20%7C%0D%0AX:1")),
    ],
)
def test_split_origin(url: str, parts: tuple[str, str]) -> None:
    assert split_origin(url) == parts


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("http://a.example/x", ("http", "a.example", None)),
        ("https://[::1]:8443/x", ("https", "::1", 8443)),
        ("HTTP://A.example:80/x", ("http", "a.example", 80)),
    ],
)
def test_one_pool_for_one_origin(url: str, where: tuple[str, str, int | None]) -> None:
    mine = Pools(4)
    pool, target = mine.find(url)
    default = {"http": 80, "https": 443}[where[0]]
    assert (pool.scheme, pool.host.strip("[]"), pool.port or default) == (where[0], where[1], where[2] or default)
    assert target == "/x"
    assert mine.find(url + "?other=1")[0] is pool


def test_unused_origins_are_forgotten_and_their_sockets_closed(
    post: Post, soon: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(Settings())
    with FakeUpstream(json_answer(1)) as gone, FakeUpstream(json_answer(1)) as worker:
        client.send(post(gone.url), deadline=soon)
        pool = client._pools.find(gone.url)[0]
        assert len(pool._idle) == 1
        later = time.monotonic() + pools.FORGET_AFTER_S + 1
        monkeypatch.setattr(time, "monotonic", lambda: later)
        client.send(post(worker.url), deadline=later + 20)
        assert client._pools.find(gone.url)[0] is not pool
        assert not pool._idle


def test_what_idles_too_long_is_closed_although_nobody_asks(
    post: Post, soon: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that waits for its last requests sees by its connections that they are over."""
    monkeypatch.setattr(sweeping, "PAUSE_S", 0.01)
    monkeypatch.setattr(pools, "SWEEP_S", 0.0)
    client = Client(Settings(idle_connection_s=0.05))
    sweeper = Sweeper(client)
    with FakeUpstream(json_answer(1)) as worker:
        client.send(post(worker.url), deadline=soon)
        (idle,) = client._pools.find(worker.url)[0]._idle
        assert idle.sock is not None
        sweeper.start()
        wait_for("its close", lambda: idle.sock is None)
        sweeper.stop()


def test_a_forgotten_origin_is_left_as_soon_as_its_requests_are_over(post: Post, soon: float) -> None:
    """attach waits until its child has no open connections."""
    client = Client(Settings())
    with FakeUpstream(json_answer(1)) as worker:
        pool = client._pools.find(worker.url)[0]
        busy = pool.take()
        busy.connect()
        client.send(post(worker.url), deadline=soon)
        (idle,) = pool._idle
        client.forget(worker.url)
        assert idle.sock is None
        assert busy.sock is not None
        pool.give_back(busy)
        assert busy.sock is None
        assert client.send(post(worker.url), deadline=soon).status == 200


def test_no_more_idle_connections_are_kept_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "MAX_IDLE", 2)
    pool = Pools(4).find("http://127.0.0.1:9/")[0]
    with FakeUpstream(json_answer(1)) as worker:
        pool = Pools(4).find(worker.url)[0]
        open_ = [pool._get_conn() for _ in range(4)]
        for connection in open_:
            connection.connect()
        for connection in open_:
            pool._put_conn(connection)
        assert [connection.sock is None for connection in open_] == [True, True, False, False]
