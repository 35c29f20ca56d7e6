"""Names: who waits for a look-up, for how long, and what holds while no name server answers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.core.conversation import UpstreamRequest
from app.settings import Settings
from app.upstream import resolver
from app.upstream.client import Client
from app.upstream.dialing import Network
from app.upstream.failure import SendFailure
from app.upstream.lookup import LOOPBACK, Address, look_up, written_address
from app.upstream.resolver import Resolver
from tests.fakes import FakeUpstream, json_answer
from tests.serving import wait_for
from tests.upstream.conftest import Clock

PATIENCE_S = 20.0
ONE, OTHER = (Address(socket.AF_INET, "192.0.2.1"),), (Address(socket.AF_INET, "192.0.2.2"),)
AWAY = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
GONE = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
Result = tuple[Address, ...] | Exception


class Names:
    """A look-up function: `result` is what it gives, once `gate` is open."""

    def __init__(self, result: Result) -> None:
        self.result = result
        self.gate = threading.Event()
        self.gate.set()
        self.asked: list[str] = []

    def __call__(self, host: str) -> tuple[Address, ...]:
        self.asked.append(host)
        self.gate.wait(PATIENCE_S)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.fixture
def names() -> Iterator[Names]:
    made = Names(ONE)
    yield made
    made.gate.set()


def failure(mine: Resolver, host: str = "a", wait_s: float = PATIENCE_S) -> str:
    with pytest.raises(SendFailure) as caught:
        mine.addresses(host, wait_s)
    assert (caught.value.kind, caught.value.sent) == ("dns", False)
    return caught.value.message


def renewed(mine: Resolver, names: Names, asked: int) -> None:
    wait_for("a look-up's end", lambda: len(names.asked) == asked and not mine._running)


def test_a_fresh_answer_is_not_asked_for_again(names: Names, clock: Clock) -> None:
    mine = Resolver(names)
    for clock.ahead in (0, resolver.FRESH_S - 5):
        assert mine.addresses("a", PATIENCE_S) == ONE
    assert names.asked == ["a"]
    wait_for("the thread's end", lambda: mine._threads == 0)


def test_an_older_one_serves_at_once_and_is_renewed_behind_the_request(names: Names, clock: Clock) -> None:
    mine = Resolver(names)
    mine.addresses("a", PATIENCE_S)
    names.gate.clear()
    names.result = OTHER
    clock.ahead = resolver.FRESH_S + 1
    assert [mine.addresses("a", PATIENCE_S) for _ in range(3)] == [ONE] * 3
    names.gate.set()
    renewed(mine, names, 2)
    assert mine.addresses("a", PATIENCE_S) == OTHER
    assert len(names.asked) == 2


def test_one_that_nobody_used_for_long_is_renewed_first(names: Names, clock: Clock) -> None:
    mine = Resolver(names)
    mine.addresses("a", PATIENCE_S)
    names.result = OTHER
    clock.ahead = resolver.OLD_S + 1
    assert mine.addresses("a", PATIENCE_S) == OTHER


def test_but_a_hanging_look_up_is_waited_for_a_moment_only(
    names: Names, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver, "MOMENT_S", 0.01)
    mine = Resolver(names)
    mine.addresses("a", PATIENCE_S)
    names.gate.clear()
    clock.ahead = resolver.OLD_S + 1
    assert mine.addresses("a", PATIENCE_S) == ONE


@pytest.mark.parametrize("how", ["fails", "hangs"])
def test_the_last_good_answer_is_kept_while_the_resolver_is_away_but_not_for_ever(
    how: str, names: Names, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver, "MOMENT_S", 0.01)
    mine = Resolver(names)
    mine.addresses("a", PATIENCE_S)
    names.result = AWAY
    if how == "hangs":
        names.gate.clear()
    for clock.ahead in range(40, int(resolver.KEEP_S), 20):
        assert mine.addresses("a", PATIENCE_S) == ONE
    clock.ahead = resolver.KEEP_S + 100
    assert "cannot be resolved" in failure(mine, wait_s=0.05)
    names.result = OTHER
    names.gate.set()
    clock.ahead += resolver.ABANDON_S
    wait_for("the new address", lambda: mine.addresses("a", PATIENCE_S) == OTHER)


def test_a_resolver_that_is_away_is_asked_again_soon(names: Names, clock: Clock) -> None:
    mine = Resolver(names)
    mine.addresses("a", PATIENCE_S)
    names.result = AWAY
    clock.ahead = resolver.FRESH_S + 1
    mine.addresses("a", PATIENCE_S)
    renewed(mine, names, 2)
    names.result = OTHER
    assert mine.addresses("a", PATIENCE_S) == ONE
    clock.ahead += resolver.RETRY_S
    mine.addresses("a", PATIENCE_S)
    renewed(mine, names, 3)
    assert mine.addresses("a", PATIENCE_S) == OTHER


def test_a_clear_no_ends_the_last_good_answer(names: Names, clock: Clock) -> None:
    mine = Resolver(names)
    mine.addresses("a", PATIENCE_S)
    names.result = GONE
    clock.ahead = resolver.OLD_S + 1
    assert failure(mine) == resolver.UNKNOWN


@pytest.mark.parametrize("error", [GONE, AWAY, OSError("no files left"), RuntimeError("odd")])
def test_a_failure_counts_for_a_moment(error: Exception, names: Names, clock: Clock) -> None:
    mine = Resolver(names)
    names.result = error
    assert [failure(mine) for _ in range(3)] == [resolver.UNKNOWN] * 3
    assert len(names.asked) == 1
    names.result = ONE
    clock.ahead = resolver.NEGATIVE_S
    assert mine.addresses("a", PATIENCE_S) == ONE


def test_many_share_one_look_up(names: Names) -> None:
    mine = Resolver(names)
    names.gate.clear()
    with ThreadPoolExecutor(50) as threads:
        waiting = [threads.submit(mine.addresses, "a", PATIENCE_S) for _ in range(50)]
        wait_for("the look-up", lambda: names.asked)
        names.gate.set()
        assert {each.result() for each in waiting} == {ONE}
    assert names.asked == ["a"]


def test_nobody_waits_longer_than_a_connection_may_take(names: Names) -> None:
    mine = Resolver(names)
    names.gate.clear()
    began = time.monotonic()
    assert failure(mine, wait_s=0.1) == resolver.LATE
    assert time.monotonic() - began >= 0.1
    # behind a look-up that has lasted longer than that already, not even so long
    assert failure(mine, wait_s=0.1) == resolver.LATE
    names.gate.set()
    renewed(mine, names, 1)
    assert mine.addresses("a", 0) == ONE


def test_names_that_hang_do_not_keep_others_waiting(names: Names) -> None:
    def odd(host: str) -> tuple[Address, ...]:
        return ONE if host == "good" else names(host)

    mine = Resolver(odd)
    names.gate.clear()
    for number in range(20):
        failure(mine, f"bad{number}", wait_s=0.001)
    assert mine.addresses("good", PATIENCE_S) == ONE


def test_there_is_a_most_of_threads_and_the_rest_wait_in_turn(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "MAX_THREADS", 2)
    mine = Resolver(names)
    names.gate.clear()
    for number in range(5):
        failure(mine, f"h{number}", wait_s=0.001)
    wait_for("two look-ups", lambda: len(names.asked) == 2)
    assert mine._threads == 2
    names.gate.set()
    assert [mine.addresses(f"h{number}", PATIENCE_S) for number in range(5)] == [ONE] * 5


def test_a_look_up_that_never_ends_is_given_up(names: Names, clock: Clock) -> None:
    mine = Resolver(names)
    names.gate.clear()
    failure(mine, wait_s=0.001)
    clock.ahead = resolver.ABANDON_S
    failure(mine, wait_s=0.001)
    wait_for("another look-up", lambda: len(names.asked) == 2)
    names.gate.set()
    assert mine.addresses("a", PATIENCE_S) == ONE


def test_names_that_nobody_uses_are_forgotten(names: Names, clock: Clock) -> None:
    mine = Resolver(names)
    for number in range(100):
        mine.addresses(f"h{number}", PATIENCE_S)
    clock.ahead = resolver.FRESH_S + resolver.KEEP_S + 1
    mine.addresses("a", PATIENCE_S)
    assert list(mine._answers) == ["a"]


def test_without_a_thread_to_be_had_the_next_one_tries_again(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    mine = Resolver(names)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert failure(mine, wait_s=0.001) == resolver.LATE
    assert mine.addresses("b", PATIENCE_S) == ONE
    assert mine.addresses("a", PATIENCE_S) == ONE


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("127.0.0.1", LOOPBACK[:1]),
        ("127.1", LOOPBACK[:1]),
        ("0x7f000001", LOOPBACK[:1]),
        ("::1", (Address(socket.AF_INET6, "::1"),)),
        ("localhost", LOOPBACK),
        ("localhost.", LOOPBACK),
        ("example.com", ()),
        ("a..b", ()),
        ("ä.example", ()),
    ],
)
def test_what_needs_no_look_up(host: str, found: tuple[Address, ...]) -> None:
    assert written_address(host) == found


def test_the_systems_own_answers() -> None:
    assert Address(socket.AF_INET, "127.0.0.1") in look_up("localhost")
    with pytest.raises(UnicodeError):
        look_up("a..b")
    assert failure(Resolver(), "a..b") == resolver.INVALID


Post = Callable[..., UpstreamRequest]


def test_a_hanging_name_ends_with_the_requests_deadline(names: Names, post: Post) -> None:
    names.gate.clear()
    client = Client(Settings(), Network(Resolver(names)))
    with pytest.raises(SendFailure) as caught:
        client.send(post("http://some.example/"), deadline=time.monotonic() + 0.1)
    assert (caught.value.kind, caught.value.sent, caught.value.message) == ("dns", False, resolver.LATE)


def test_addresses_in_digits_and_localhost_ask_nobody(names: Names, post: Post, soon: float) -> None:
    client = Client(Settings(), Network(Resolver(names)))
    with FakeUpstream(json_answer(1)) as worker:
        for host in ("127.0.0.1", "localhost"):
            assert client.send(post(f"http://{host}:{worker.port}/"), deadline=soon).body == b"1"
    assert names.asked == []
