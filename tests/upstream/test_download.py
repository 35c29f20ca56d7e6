"""Files: piece by piece into a sink, with a cap, a type and no redirects."""

from __future__ import annotations

import time

import pytest

from app.settings import Settings
from app.upstream.client import Client, Download, SendFailure
from tests.fakes import (
    FakeUpstream,
    bytes_answer,
    cut_reply,
    drip,
    endless,
    gzip_answer,
    hang,
    json_answer,
    refusing_port,
)

DATA = bytes(range(256)) * 2000
CAP = len(DATA)


def test_a_file_arrives_whole(client: Client, soon: float) -> None:
    got = bytearray()
    with FakeUpstream(bytes_answer(DATA, content_type="video/mp4")) as server:
        for _ in range(2):
            del got[:]
            done = client.download(server.url, {"X-Key": "k"}, deadline=soon, cap_bytes=CAP, sink=got.extend)
        assert (done, bytes(got)) == (Download(200, "video/mp4", len(DATA)), DATA)
        assert server.connections == 1
    seen = server.requests[0]
    assert (seen.method, seen.headers["x-key"], seen.body) == ("GET", "k", b"")


def test_more_than_the_settings_allow_a_reply(soon: float) -> None:
    got = bytearray()
    with FakeUpstream(bytes_answer(DATA)) as server:
        client = Client(Settings(max_reply_bytes=1000))
        client.download(server.url, {}, deadline=soon, cap_bytes=CAP, sink=got.extend)
    assert len(got) == CAP


@pytest.mark.parametrize("answer", [bytes_answer(DATA), endless("video/mp4"), gzip_answer(DATA)])
def test_a_file_over_the_cap(answer: object, client: Client, soon: float) -> None:
    got = bytearray()
    with FakeUpstream(answer) as server, pytest.raises(SendFailure, match="larger than 400,000 bytes") as caught:  # type: ignore[arg-type]
        client.download(server.url, {}, deadline=soon, cap_bytes=400_000, sink=got.extend)
    assert caught.value.kind == "too_large"
    assert len(got) <= 400_000


@pytest.mark.parametrize("status", [302, 404, 500])
def test_another_status_gives_no_file(status: int, client: Client, soon: float) -> None:
    with FakeUpstream(json_answer(1)) as other:
        with FakeUpstream(json_answer({"error": "no"}, status, {"Location": other.url})) as server:
            got: list[bytes] = []
            done = client.download(server.url, {}, deadline=soon, cap_bytes=CAP, sink=got.append)
        assert (done.status, done.size, got, other.requests) == (status, 0, [], [])


def test_what_breaks_is_a_send_failure(client: Client, soon: float) -> None:
    with FakeUpstream(cut_reply()) as server, pytest.raises(SendFailure, match="in the middle"):
        client.download(server.url, {}, deadline=soon, cap_bytes=CAP, sink=len)
    with refusing_port() as port, pytest.raises(SendFailure, match="refused"):
        client.download(f"http://127.0.0.1:{port}/", {}, deadline=soon, cap_bytes=CAP, sink=len)


def test_silence_and_dripping_end_in_time(client: Client, soon: float) -> None:
    with FakeUpstream(hang()) as server:
        with pytest.raises(SendFailure, match="silent"):
            client.download(server.url, {}, deadline=soon, cap_bytes=CAP, sink=len, idle_s=0.1)
        server.wait_left()
    with FakeUpstream(drip()) as server:
        with pytest.raises(SendFailure) as caught:
            client.download(server.url, {}, deadline=time.monotonic() + 0.2, cap_bytes=CAP, sink=len)
        assert caught.value.kind == "timeout"
        server.wait_left()


def test_a_sink_that_fails_ends_it(client: Client, soon: float) -> None:
    def full(piece: bytes) -> None:
        raise OSError("disk full")

    with FakeUpstream(endless()) as server:
        with pytest.raises(OSError, match="disk full"):
            client.download(server.url, {}, deadline=soon, cap_bytes=10**9, sink=full)
        server.wait_left()
