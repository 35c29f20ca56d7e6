"""Certificates are checked against the system's store, or the one that SSL_CERT_FILE names."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from app.core.conversation import UpstreamRequest
from app.settings import Settings
from app.upstream import pools
from app.upstream.client import Client, SendFailure
from tests.fakes import FakeUpstream, json_answer, sse, tls_context

Post = Callable[..., UpstreamRequest]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    store = tmp_path / "store.pem"
    authority.cert_pem.write_to_path(str(store))
    monkeypatch.setenv("SSL_CERT_FILE", str(store))
    return Client(Settings())


def test_a_trusted_worker_answers_and_its_connection_is_kept(
    trusting: Client, authority: trustme.CA, post: Post, soon: float
) -> None:
    with FakeUpstream(json_answer(1), tls=tls_context(authority)) as worker:
        for _ in range(2):
            assert trusting.send(post(worker.url), deadline=soon).body == b"1"
        assert worker.connections == 1


def test_a_stream_over_tls_and_its_end(trusting: Client, authority: trustme.CA, post: Post, soon: float) -> None:
    with FakeUpstream(sse("one", threading.Event()), tls=tls_context(authority)) as worker:
        stream = trusting.open_stream(post(worker.url), deadline=soon, idle_s=20)
        assert next(stream.chunks()) == b"data: one\n\n"
        stream.close()
        worker.wait_left()


@pytest.mark.parametrize("names", [("other.example",), ("localhost",)], ids=["another name", "unknown authority"])
def test_a_worker_that_cannot_prove_itself_gets_nothing(
    names: tuple[str, ...], trusting: Client, authority: trustme.CA, post: Post, soon: float
) -> None:
    signer = authority if names == ("other.example",) else trustme.CA()
    with FakeUpstream(json_answer(1), tls=tls_context(signer, *names)) as worker:
        with pytest.raises(SendFailure, match="certificate is not accepted") as caught:
            trusting.send(post(worker.url), deadline=soon)
        assert not worker.requests
    assert (caught.value.kind, caught.value.sent) == ("tls", False)


@pytest.mark.parametrize(
    ("says", "message"), [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "TLS failed"), (b"", "handshake took too long")]
)
def test_a_worker_that_speaks_no_tls(says: bytes, message: str, post: Post, soon: float) -> None:
    client = Client(Settings(connect_timeout_s=0.3))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answering = threading.Thread(target=lambda: held.append(_say(listener, says)))
        held: list[socket.socket] = []
        answering.start()
        with pytest.raises(SendFailure, match=message) as caught:
            client.send(post(f"https://127.0.0.1:{listener.getsockname()[1]}/"), deadline=soon)
        answering.join()
        held[0].close()
    assert (caught.value.kind, caught.value.sent) == ("tls", False)


def _say(listener: socket.socket, text: bytes) -> socket.socket:
    connection, _ = listener.accept()
    connection.sendall(text)
    return connection


def test_where_the_system_trusts_nobody_certifi_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = ssl.DefaultVerifyPaths(None, None, "", "", "", "")  # type: ignore[arg-type]
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nothing)
    assert len(pools.trust_context().get_ca_certs()) > 50
