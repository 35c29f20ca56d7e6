"""The watchdog by itself, one look at a time, and with its own thread behind real calls."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from app.core.caller import Call, Caller, carried, current, serving
from app.core.errors import ClientGone
from app.services.waiting import pause, wait
from app.upstream.client import Client, SendFailure
from app.upstream.watchdog import SWEEPS, Watchdog, WireCall
from tests.fakes import FakeUpstream, endless, hang, json_answer, sse
from tests.serving import wait_for
from tests.upstream.conftest import Post

FAR = float("inf")


class Noted(Call):
    """A call that only notes that it was told to end."""

    __slots__ = ("told",)

    def end(self) -> None:
        self.told = getattr(self, "told", 0) + 1


@contextmanager
def started(watchdog: Watchdog) -> Iterator[Watchdog]:
    watchdog.start()
    try:
        yield watchdog
    finally:
        watchdog.stop()


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    """One that looks only when it is told to."""
    watchdog = Watchdog()
    watchdog._run = lambda: None  # type: ignore[method-assign]
    with started(watchdog):
        yield watchdog


@pytest.fixture
def client_and_caller(watchdog: Watchdog) -> Iterator[tuple[socket.socket, Caller]]:
    theirs, ours = socket.socketpair()
    with theirs, ours:
        yield theirs, Caller(ours, "r1", watchdog)


def looks(watchdog: Watchdog, count: int = SWEEPS) -> None:
    for _ in range(count):
        watchdog.sweep()


def test_a_caller_that_stays_is_left_alone(watchdog: Watchdog, client_and_caller: tuple[socket.socket, Caller]) -> None:
    theirs, caller = client_and_caller
    call = Noted(caller, FAR, watchdog)
    with call:
        theirs.sendall(b"the next request, sent ahead")
        looks(watchdog, 5)
    assert not call.ended_at
    call.check()


@pytest.mark.parametrize(
    "leave", [socket.socket.close, lambda sock: sock.shutdown(socket.SHUT_WR)], ids=["all", "half"]
)
def test_a_caller_that_leaves_is_noticed(
    watchdog: Watchdog,
    client_and_caller: tuple[socket.socket, Caller],
    leave: Callable[[socket.socket], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    theirs, caller = client_and_caller
    call, other = Noted(caller, FAR, watchdog), Noted(None, FAR, watchdog)
    caplog.set_level("DEBUG", "app.upstream.watchdog")
    with call, other:
        leave(theirs)
        looks(watchdog)
        with pytest.raises(ClientGone):
            call.check()
        assert (call.told, other.ended_at) == (1, 0)
    assert [record.getMessage() for record in caplog.records] == [
        "request r1: the client left before its answer was there"
    ]
    with pytest.raises(ClientGone):
        watchdog.enter(Noted(caller, FAR, watchdog))
    assert not watchdog._calls


def test_a_short_call_never_touches_epoll(watchdog: Watchdog, client_and_caller: tuple[socket.socket, Caller]) -> None:
    theirs, caller = client_and_caller
    theirs.close()
    with Noted(caller, FAR, watchdog):
        looks(watchdog, SWEEPS - 1)
        assert not watchdog._callers
    assert not caller.is_gone


def test_the_same_connection_is_watched_again_for_its_next_request(
    watchdog: Watchdog, client_and_caller: tuple[socket.socket, Caller], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "app.upstream.watchdog")
    theirs, first = client_and_caller
    with Noted(first, FAR, watchdog):
        looks(watchdog)
    second = Caller(first.connection, "r2", watchdog)
    with Noted(second, FAR, watchdog):
        theirs.close()
        looks(watchdog)
        assert second.is_gone
    told = [record.getMessage() for record in caplog.records if record.name == "app.upstream.watchdog"]
    assert told == ["request r2: the client left before its answer was there"]


def test_several_calls_for_one_caller_all_end(
    watchdog: Watchdog, client_and_caller: tuple[socket.socket, Caller]
) -> None:
    theirs, caller = client_and_caller
    calls = [Noted(caller, FAR, watchdog) for _ in range(3)]
    for call in calls:
        watchdog.enter(call)
    theirs.close()
    looks(watchdog)
    assert all(call.told for call in calls)
    for call in calls:
        watchdog.leave(call)


def test_what_is_over_is_never_ended(watchdog: Watchdog) -> None:
    """Its socket may serve another call by then."""
    call = Noted(None, 0.0, watchdog)
    with call:
        pass
    watchdog._end(call, time.monotonic())
    assert not call.ended_at


def test_a_call_whose_time_is_over_ends(watchdog: Watchdog) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        call = WireCall(None, time.monotonic() - 1, watchdog)
        call.wire = ours
        with call:
            watchdog.sweep()
            assert theirs.recv(1) == b""
            with pytest.raises(TimeoutError):
                call.check()


def test_who_does_not_read_is_cut_off_when_the_time_is_over(
    watchdog: Watchdog, client_and_caller: tuple[socket.socket, Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.upstream.watchdog.STUBBORN_S", 0.0)
    theirs, caller = client_and_caller
    with Noted(caller, 0.0, watchdog):
        looks(watchdog, 3)
        caller.connection.send(b"it reads, so it may be told what happened")
        caller.connection.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while caller.connection.send(b"x" * 65_536):
                pass
        looks(watchdog, 3)
        with pytest.raises(BrokenPipeError):
            caller.connection.send(b"x")


def test_without_a_connection_to_watch_everything_else_works(watchdog: Watchdog) -> None:
    watchdog._epoll = None  # as on a system without it
    theirs, ours = socket.socketpair()
    with ours, Noted(Caller(ours, "r", watchdog), FAR, watchdog):
        theirs.close()
        looks(watchdog, 3)


def test_waiting_ends_with_the_caller(client_and_caller: tuple[socket.socket, Caller], watchdog: Watchdog) -> None:
    theirs, caller = client_and_caller
    assert wait(threading.Event(), 0.01) is False
    pause(0.01)
    with started(Watchdog()) as awake:
        patient = Caller(caller.connection, "r", awake)
        with serving(patient):
            happened = threading.Event()
            happened.set()
            assert wait(happened, 60) is True
            assert wait(threading.Event(), 0.01) is False
            theirs.close()
            with pytest.raises(ClientGone):
                pause(60)


def test_it_wakes_up_for_the_first_call_after_a_quiet_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.upstream.watchdog.QUIET", 0)
    monkeypatch.setattr("app.upstream.watchdog.LONGEST_SLEEP_S", 60.0)
    theirs, ours = socket.socketpair()
    with ours, started(Watchdog()) as watchdog:
        wait_for("its sleep", lambda: watchdog._sleeps)
        theirs.close()
        with serving(Caller(ours, "r", watchdog)), pytest.raises(ClientGone):
            pause(60)
        wait_for("its sleep", lambda: watchdog._sleeps)


def test_another_thread_works_for_the_same_caller(client_and_caller: tuple[socket.socket, Caller]) -> None:
    _, caller = client_and_caller
    seen: list[Caller | None] = []
    with serving(caller):
        threads = [
            threading.Thread(target=run)
            for run in (carried(lambda: seen.append(current())), lambda: seen.append(current()))
        ]
        for thread in threads:
            thread.start()
            thread.join()
    assert seen == [caller, None]
    assert current() is None


def test_a_call_ends_with_its_caller(client: Client, post: Post, soon: float) -> None:
    theirs, ours = socket.socketpair()
    with (
        ours,
        started(client.watchdog) as watchdog,
        FakeUpstream(hang()) as worker,
        serving(Caller(ours, "r", watchdog)),
    ):
        leaving = threading.Thread(target=lambda: (worker.wait_requests(1), theirs.close()))
        leaving.start()
        with pytest.raises(ClientGone):
            client.send(post(worker.url), deadline=soon)
        leaving.join()
        worker.wait_left()
        assert not watchdog._calls


def test_every_end_of_a_call_is_told_to_the_watchdog(client: Client, post: Post, soon: float) -> None:
    calls = client.watchdog._calls
    with FakeUpstream(json_answer({"a": 1}), sse("one"), endless()) as worker:
        client.send(post(worker.url), deadline=soon)
        assert not calls
        stream = client.open_stream(post(worker.url), deadline=soon, idle_s=60)
        assert len(calls) == 1
        assert list(stream.chunks())
        assert not calls
        with pytest.raises(SendFailure):
            client.send(post(worker.url), deadline=soon)
        assert not calls
        stream = client.open_stream(post(worker.url), deadline=soon, idle_s=60)
        stream.close()
        assert not calls
    with pytest.raises(SendFailure):
        client.send(post(worker.url), deadline=soon)
    assert not calls
