"""How each way to fail is told apart, and whether the worker may have seen the request."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import pytest

from app.core.conversation import UpstreamRequest
from app.settings import Settings
from app.upstream.client import Client, SendFailure
from tests.fakes import (
    Behaviour,
    FakeUpstream,
    bytes_answer,
    cut_reply,
    drip,
    drop,
    garbage,
    hang,
    json_answer,
    refusing_port,
    sse,
)

Post = Callable[..., UpstreamRequest]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(drop("close"), "reset", id="closed without a word"),
        pytest.param(drop("rst"), "reset", id="reset without a word"),
        pytest.param(cut_reply("close"), "reset", id="closed in the body"),
        pytest.param(cut_reply("rst"), "reset", id="reset in the body"),
        pytest.param(sse("a", cut="close"), "reset", id="closed between chunks"),
        pytest.param(garbage(), "protocol", id="no HTTP"),
        pytest.param(bytes_answer(b"no gzip", headers={"Content-Encoding": "gzip"}), "protocol", id="no gzip"),
    ],
)
def test_failures_after_the_request_was_sent(
    answer: Behaviour, kind: str, client: Client, post: Post, soon: float
) -> None:
    with FakeUpstream(answer) as worker, pytest.raises(SendFailure) as caught:
        client.send(post(worker.url), deadline=soon)
    assert (caught.value.kind, caught.value.sent) == (kind, True)
    assert str(worker.port) not in caught.value.message
    assert len(worker.requests) == 1


DRIPS = {"silence": hang(), "headers": drip(head_first=False), "chunks": drip(), "length": drip(content_length=10**6)}


@pytest.mark.parametrize("answer", DRIPS.values(), ids=DRIPS)
def test_the_deadline_holds_whatever_the_worker_does(answer: Behaviour, client: Client, post: Post) -> None:
    with FakeUpstream(answer) as worker:
        with pytest.raises(SendFailure) as caught:
            client.send(post(worker.url), deadline=time.monotonic() + 0.2)
        worker.wait_left()
    assert (caught.value.kind, caught.value.sent) == ("timeout", True)


def test_a_worker_that_does_not_take_the_request(client: Client, post: Post) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        request = post(f"http://127.0.0.1:{deaf.getsockname()[1]}/", b"x" * 50_000_000)
        with pytest.raises(SendFailure, match="whole request") as caught:
            client.send(request, deadline=time.monotonic() + 0.3)
    assert (caught.value.kind, caught.value.sent) == ("timeout", True)


def test_a_worker_that_takes_a_large_request_slowly(post: Post, soon: float) -> None:
    """The time to connect is no time limit for the upload."""
    client = Client(Settings(connect_timeout_s=0.05))
    with FakeUpstream(json_answer(1)) as worker:
        client.send(post(worker.url), deadline=soon)
    with socket.create_server(("127.0.0.1", 0)) as slow:
        done = threading.Thread(target=_read_slowly, args=(slow, 8_000_000))
        done.start()
        reply = client.send(post(f"http://127.0.0.1:{slow.getsockname()[1]}/", b"x" * 8_000_000), deadline=soon)
        done.join()
    assert reply.status == 204


def _read_slowly(listener: socket.socket, size: int) -> None:
    connection, _ = listener.accept()
    with connection:
        time.sleep(0.2)
        while size > 0:
            size -= len(connection.recv(1_000_000))
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def test_a_deadline_in_the_past_sends_nothing(client: Client, post: Post) -> None:
    with FakeUpstream(json_answer(1)) as worker, pytest.raises(SendFailure) as caught:
        client.send(post(worker.url), deadline=time.monotonic() - 1)
    assert (caught.value.kind, caught.value.sent, worker.connections) == ("timeout", False, 0)


def test_a_refused_connection(client: Client, post: Post, soon: float) -> None:
    with refusing_port() as port, pytest.raises(SendFailure) as caught:
        client.send(post(f"http://127.0.0.1:{port}/"), deadline=soon)
    assert (caught.value.kind, caught.value.sent, caught.value.message) == ("refused", False, "connection refused")


def test_a_name_that_nobody_knows(client: Client, post: Post, soon: float) -> None:
    with pytest.raises(SendFailure) as caught:
        client.send(post("http://no-such-host.invalid/"), deadline=soon)
    assert (caught.value.kind, caught.value.sent) == ("dns", False)


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example"])
def test_a_name_that_cannot_be(host: str, client: Client, post: Post, soon: float) -> None:
    with pytest.raises(SendFailure) as caught:
        client.send(post(f"http://{host}/"), deadline=soon)
    assert (caught.value.kind, caught.value.sent) == ("dns", False)


def test_a_connection_that_is_never_accepted(post: Post, soon: float) -> None:
    client = Client(Settings(connect_timeout_s=0.2))
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(8)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)
        try:
            with pytest.raises(SendFailure) as caught:
                client.send(post(f"http://127.0.0.1:{address[1]}/"), deadline=soon)
        finally:
            for each in waiting:
                each.close()
    assert (caught.value.kind, caught.value.sent) == ("connect", False)


@pytest.mark.parametrize("value", ["a\nInjected: 1", "snowman ☃"])
def test_a_header_that_cannot_be_sent(value: str, client: Client, post: Post, soon: float) -> None:
    with FakeUpstream(json_answer(1)) as worker, pytest.raises(SendFailure) as caught:
        client.send(post(worker.url, X_Prompt=value), deadline=soon)
    assert (caught.value.kind, caught.value.sent, worker.requests) == ("protocol", False, [])
    assert value not in caught.value.message
