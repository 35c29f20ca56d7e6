"""Whole replies: what is sent, what arrives, what is kept for the next request."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.core.conversation import UpstreamRequest
from app.settings import Settings
from app.upstream.client import Client, SendFailure
from tests.fakes import (
    Behaviour,
    FakeUpstream,
    bytes_answer,
    empty_answer,
    endless,
    gzip_answer,
    json_answer,
)

Post = Callable[..., UpstreamRequest]


def test_sends_the_request_and_reads_the_reply(client: Client, post: Post, soon: float) -> None:
    with FakeUpstream(json_answer({"answer": "hi"}, 201, {"X-Thing": "1"})) as worker:
        reply = client.send(post(worker.origin + "/a/b?x=%20y&x=z", X_Key="k"), deadline=soon)
    assert (reply.status, reply.body, reply.headers["x-thing"]) == (201, b'{"answer": "hi"}', "1")
    seen = worker.requests[0]
    assert (seen.method, seen.target, seen.json) == ("POST", "/a/b?x=%20y&x=z", {"prompt": "hi"})
    assert seen.headers["x-key"] == "k"
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.headers["user-agent"].startswith("rollcall/")
    assert seen.headers["host"] == f"127.0.0.1:{worker.port}"


def test_a_get_has_no_body_and_an_url_without_path_is_root(client: Client, soon: float) -> None:
    with FakeUpstream(empty_answer(204)) as worker:
        reply = client.send(UpstreamRequest("GET", worker.origin + "?q=1#there", {}, None), deadline=soon)
    assert (reply.status, reply.body) == (204, b"")
    assert (worker.requests[0].target, worker.requests[0].body) == ("/?q=1", b"")
    assert "content-length" not in worker.requests[0].headers


def test_registered_headers_win(client: Client, post: Post, soon: float) -> None:
    with FakeUpstream(json_answer(1)) as worker:
        client.send(post(worker.url, User_Agent="mine", accept_encoding="gzip"), deadline=soon)
    seen = worker.requests[0].headers
    assert (seen["user-agent"], seen["accept-encoding"]) == ("mine", "gzip")


def test_neither_redirects_nor_proxies_nor_netrc(
    client: Client, post: Post, soon: float, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / ".netrc").write_text("machine 127.0.0.1 login me password canary\n")
    monkeypatch.setenv("HOME", str(home))
    with (
        FakeUpstream(json_answer(1)) as other,
        FakeUpstream(json_answer(1, 307, {"Location": other.url, "Retry-After": "1"})) as worker,
    ):
        monkeypatch.setenv("http_proxy", other.origin)
        assert client.send(post(worker.url), deadline=soon).status == 307
        assert not other.requests
    assert "authorization" not in worker.requests[0].headers


def test_a_connection_is_used_again(client: Client, post: Post, soon: float) -> None:
    with FakeUpstream(json_answer(1), bytes_answer(b"x")) as worker:
        for _ in range(4):
            client.send(post(worker.url), deadline=soon)
        assert (len(worker.requests), worker.connections) == (4, 1)


def test_a_connection_that_is_said_to_close_is_not_used_again(client: Client, post: Post, soon: float) -> None:
    with FakeUpstream(json_answer(1, headers={"Connection": "close"})) as worker:
        for _ in range(2):
            client.send(post(worker.url), deadline=soon)
        assert worker.connections == 2


@pytest.mark.parametrize("name", ["Connection", "connection"])
def test_a_connection_whose_registration_closes_it_is_not_kept(
    client: Client, post: Post, soon: float, name: str
) -> None:
    """Nor does it wait for the worker to close it: this one keeps its end open."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        heads: list[bytes] = []
        answering = threading.Thread(target=_answer_one, args=(listener, heads), kwargs={"until_closed": True})
        answering.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        assert client.send(post(url, **{name: "close"}), deadline=soon).body == b"ok"
        answering.join(10)
        assert not answering.is_alive()
    assert heads[0].lower().count(b"connection: close") == 1


def test_an_idle_connection_is_not_used_again(post: Post, soon: float) -> None:
    client = Client(Settings(idle_connection_s=1e-9))
    with FakeUpstream(json_answer(1)) as worker:
        for _ in range(3):
            client.send(post(worker.url), deadline=soon)
        assert worker.connections == 3


def test_a_connection_that_the_worker_closed_meanwhile_costs_nothing(client: Client, post: Post, soon: float) -> None:
    with FakeUpstream(json_answer(1)) as worker:
        client.send(post(worker.url), deadline=soon)
        worker.stop()
        worker.start()
        assert client.send(post(worker.url), deadline=soon).body == b"1"


def test_many_calls_at_once_each_get_a_connection(client: Client, post: Post, soon: float) -> None:
    gate = threading.Event()
    with FakeUpstream(json_answer(1, gate=gate)) as worker, ThreadPoolExecutor(60) as threads:
        calls = [threads.submit(client.send, post(worker.url), deadline=soon) for _ in range(60)]
        worker.wait_requests(60)
        gate.set()
        assert {call.result().status for call in calls} == {200}


def test_compression_that_nobody_asked_for_is_undone(client: Client, post: Post, soon: float) -> None:
    with FakeUpstream(gzip_answer(b'{"a": "' + b"x" * 300_000 + b'"}')) as worker:
        reply = client.send(post(worker.url), deadline=soon)
    assert len(reply.body) == 300_009


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(gzip_answer(b" " * 50_000_000), id="gzip bomb"),
        pytest.param(endless(), id="endless"),
        pytest.param(bytes_answer(b"x" * 100_001), id="announced"),
    ],
)
def test_a_reply_over_the_cap_is_given_up(answer: Behaviour, post: Post, soon: float) -> None:
    client = Client(Settings(max_reply_bytes=100_000))
    with FakeUpstream(answer) as worker, pytest.raises(SendFailure, match="larger than 100,000 bytes") as caught:
        client.send(post(worker.url), deadline=soon)
    assert (caught.value.kind, caught.value.sent) == ("too_large", True)


def test_an_address_of_ipv6(client: Client, post: Post, soon: float) -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listener:
        heads: list[bytes] = []
        answering = threading.Thread(target=_answer_one, args=(listener, heads))
        answering.start()
        port = listener.getsockname()[1]
        assert client.send(post(f"http://[::1]:{port}/x"), deadline=soon).body == b"ok"
        answering.join()
    assert f"host: [::1]:{port}" in heads[0].decode().lower()


def _answer_one(listener: socket.socket, heads: list[bytes], *, until_closed: bool = False) -> None:
    connection, _ = listener.accept()
    with connection:
        heads.append(connection.recv(65_536))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        while until_closed and connection.recv(65_536):
            pass
