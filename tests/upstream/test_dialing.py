"""One connection out of several addresses, each checked before it is called."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import trustme

from app.core.conversation import UpstreamRequest
from app.settings import Settings
from app.upstream import dialing, pools
from app.upstream.client import Client
from app.upstream.dialing import Dialer, Network
from app.upstream.failure import SendFailure
from app.upstream.lookup import Address
from app.upstream.probe import Prober
from app.upstream.resolver import Resolver
from tests.fakes import FakeUpstream, json_answer, refusing_port, tls_context
from tests.upstream.conftest import Clock
from tests.upstream.test_probe import UP, no_secrets, worker

Post = Callable[..., UpstreamRequest]
ONE, TWO, THREE = (Address(socket.AF_INET, f"127.0.0.{number}") for number in (1, 2, 3))


def network(*addresses: Address, check: dialing.Check = dialing.anywhere) -> Network:
    return Network(Resolver(lambda host: addresses), check)


@contextmanager
def listening(*hosts: str) -> Iterator[tuple[int, list[socket.socket]]]:
    """The same port on several addresses."""
    with ExitStack() as stack:
        made = [stack.enter_context(socket.create_server((hosts[0], 0)))]
        port = made[0].getsockname()[1]
        made += [stack.enter_context(socket.create_server((host, port))) for host in hosts[1:]]
        yield port, made


def reached(dialer: Dialer, wait_s: float = 20.0) -> str:
    with dialer.connect(wait_s) as wire:
        return str(wire.getpeername()[0])


def test_the_systems_order_decides() -> None:
    with listening("127.0.0.2", "127.0.0.1") as (port, _):
        assert reached(Dialer("some.example", port, network(TWO, ONE))) == "127.0.0.2"


def test_the_next_address_is_tried_and_the_one_that_worked_remembered_for_a_while(clock: Clock) -> None:
    checked: list[str] = []
    with listening("127.0.0.2") as (port, _):
        dialer = Dialer("a.example", port, network(ONE, TWO, check=lambda address, *_: checked.append(address)))
        assert [reached(dialer) for _ in range(3)] == ["127.0.0.2"] * 3
        assert checked == ["127.0.0.1", "127.0.0.2", "127.0.0.2", "127.0.0.2"]
        clock.ahead = dialing.DETOUR_S
        with socket.create_server(("127.0.0.1", port)):
            assert reached(dialer) == "127.0.0.1"
        assert reached(dialer) == "127.0.0.2"


def test_a_remembered_address_that_fails_is_no_dead_end() -> None:
    with refusing_port() as port:
        dialer = Dialer("a.example", port, network(ONE, TWO))
        with socket.create_server(("127.0.0.2", port)):
            assert reached(dialer) == "127.0.0.2"
    with socket.create_server(("127.0.0.1", port)):
        assert reached(dialer) == "127.0.0.1"


def test_an_address_that_swallows_leaves_time_for_the_others() -> None:
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = full.getsockname()[1]
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        stack.enter_context(socket.create_server(("127.0.0.2", port)))
        assert reached(Dialer("a.example", port, network(ONE, TWO)), wait_s=2) == "127.0.0.2"
        with pytest.raises(SendFailure, match="no connection within the time allowed") as caught:
            Dialer("a.example", port, network(ONE)).connect(0.1)
    assert (caught.value.kind, caught.value.sent) == ("connect", False)


def test_when_all_fail_the_first_says_why() -> None:
    def refuse(address: str, host: str, port: int) -> None:
        if address == "127.0.0.2":
            raise SendFailure("connect", "not there", sent=False)

    with refusing_port() as port:
        for order, kind in ((ONE, TWO), "refused"), ((TWO, ONE), "connect"):
            with pytest.raises(SendFailure) as caught:
                Dialer("a.example", port, network(*order, check=refuse)).connect(5)
            assert caught.value.kind == kind


def test_what_the_check_refuses_is_never_connected_to(post: Post, soon: float) -> None:
    asked: list[tuple[str, str, int]] = []

    def refuse(*what: Any) -> None:
        asked.append(what)
        raise SendFailure("connect", "this address must not be called", sent=False)

    with FakeUpstream(json_answer(1)) as one:
        guarded = network(ONE, check=refuse)
        client = Client(Settings(), guarded)
        for host in ("a.example", "127.0.0.1"):
            with pytest.raises(SendFailure, match="must not be called"):
                client.send(post(f"http://{host}:{one.port}/"), deadline=soon)
            for health in ({}, {"health": {"tcp": True}}):
                result = Prober(client).probe(worker(f"http://{host}:{one.port}/", **health), no_secrets)
                assert result.error == "this address must not be called"
        assert one.connections == 0
        digits, named = ("127.0.0.1", "127.0.0.1", one.port), ("127.0.0.1", "a.example", one.port)
        assert asked == [named] * 3 + [digits] * 3


def test_a_resolver_that_changes_its_answer_after_the_check_changes_nothing(post: Post, soon: float) -> None:
    """Connected is to the very address that was checked."""
    answers = iter([(ONE,), (TWO,), (THREE,)])
    checked: list[str] = []
    names = Resolver(lambda host: next(answers))
    client = Client(Settings(idle_connection_s=1e-9), Network(names, lambda address, *_: checked.append(address)))
    with FakeUpstream(json_answer(1)) as one:
        for _ in range(3):
            client.send(post(f"http://a.example:{one.port}/"), deadline=soon)
        assert one.connections == 3
    assert checked == ["127.0.0.1"] * 3


def test_certificates_are_for_the_name_and_probes_go_the_same_way(
    post: Post, soon: float, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "store.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "store.pem"))
    client = Client(Settings(), network(TWO, ONE))
    with FakeUpstream(json_answer(1), tls=tls_context(authority, "a.example")) as one:
        assert client.send(post(f"https://a.example:{one.port}/"), deadline=soon).body == b"1"
        assert one.requests[0].headers["host"] == f"a.example:{one.port}"
        assert Prober(client).probe(worker(f"https://a.example:{one.port}/"), no_secrets) == UP
        with pytest.raises(SendFailure, match="certificate is not accepted"):
            client.send(post(f"https://b.example:{one.port}/"), deadline=soon)


def test_a_connection_lives_five_minutes_at_most(post: Post, clock: Clock) -> None:
    client = Client(Settings(idle_connection_s=10_000))
    with FakeUpstream(json_answer(1)) as one:
        for clock.ahead, connections in ((0, 1), (60, 1), (pools.MAX_AGE_S - 60, 1), (pools.MAX_AGE_S + 1, 2)):
            client.send(post(one.url), deadline=time.monotonic() + 20)
            assert one.connections == connections


def test_an_idle_one_four_seconds_by_default(post: Post, clock: Clock) -> None:
    client = Client(Settings())
    with FakeUpstream(json_answer(1)) as one:
        for clock.ahead, connections in ((0, 1), (2, 1), (7, 2)):
            client.send(post(one.url), deadline=time.monotonic() + 20)
            assert one.connections == connections
