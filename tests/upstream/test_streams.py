"""Open streams: pieces at once, honest ends, and a worker that sees its caller leave."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from app.core.conversation import UpstreamRequest
from app.settings import Settings
from app.upstream import pools
from app.upstream.client import Client, SendFailure
from tests.fakeexchange import Exchange
from tests.fakes import (
    FakeUpstream,
    Framing,
    drip,
    endless,
    gzip_answer,
    hang,
    html_answer,
    json_answer,
    openai_stream,
    sse,
)

Post = Callable[..., UpstreamRequest]
LONG = 20.0


@pytest.mark.parametrize("framing", ["chunked", "eof"])
def test_each_piece_arrives_before_the_next_is_sent(framing: Framing, client: Client, post: Post, soon: float) -> None:
    gates = [threading.Event() for _ in range(3)]
    with FakeUpstream(sse("one", gates[0], "two", gates[1], "three", gates[2], framing=framing)) as worker:
        stream = client.open_stream(post(worker.url), deadline=soon, idle_s=LONG)
        assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream")
        pieces = stream.chunks()
        for gate, word in zip(gates, [b"one", b"two", b"three"], strict=True):
            assert next(pieces) == b"data: " + word + b"\n\n"
            gate.set()
        assert list(pieces) == []


def test_a_finished_stream_leaves_its_connection_for_the_next(
    client: Client, post: Post, soon: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "REST_S", 0)
    with FakeUpstream(openai_stream("a", "b")) as worker:
        for _ in range(3):
            stream = client.open_stream(post(worker.url), deadline=soon, idle_s=LONG)
            body = b""
            for piece in stream.chunks():
                body += piece
                if body.endswith(b"[DONE]\n\n"):
                    break
            stream.finish()
            stream.close()
        assert (len(worker.requests), worker.connections, worker.left) == (3, 1, 0)


def test_a_worker_that_closes_behind_its_stream_unannounced_fails_nobody(
    client: Client, post: Post, soon: float
) -> None:
    closing = threading.Event()

    def stream_and_close(exchange: Exchange) -> None:
        sse("a")(exchange)
        exchange.wait(closing)
        exchange.keep = False

    with FakeUpstream(stream_and_close, json_answer(1)) as worker:
        assert client.send(post(worker.url), deadline=soon).body == b"data: a\n\n"
        assert client.send(post(worker.url), deadline=soon).body == b"1"
        closing.set()


def test_finish_leaves_a_worker_that_goes_on_after_its_end_mark(client: Client, post: Post, soon: float) -> None:
    with FakeUpstream(sse("[DONE]", "more", threading.Event())) as worker:
        stream = client.open_stream(post(worker.url), deadline=soon, idle_s=LONG)
        next(stream.chunks())
        stream.finish()
        worker.wait_left()


def test_finish_does_not_wait_for_a_worker_that_is_silent_after_its_end_mark(
    client: Client, post: Post, soon: float
) -> None:
    with FakeUpstream(sse("[DONE]", threading.Event())) as worker:
        stream = client.open_stream(post(worker.url), deadline=soon, idle_s=LONG)
        next(stream.chunks())
        stream.finish()
        worker.wait_left()


def test_close_is_seen_by_the_worker_at_once(client: Client, post: Post, soon: float) -> None:
    with FakeUpstream(sse("one", threading.Event())) as worker:
        stream = client.open_stream(post(worker.url), deadline=soon, idle_s=LONG)
        pieces = stream.chunks()
        next(pieces)
        stream.close()
        worker.wait_left()
        stream.close()


def test_close_from_another_thread_ends_a_read(
    client: Client, post: Post, soon: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, ended = threading.Event(), threading.Event()
    receive = socket.socket.recv_into

    def recv_into(self: socket.socket, buffer: Any) -> int:
        if threading.current_thread().name == "the reader":
            reading.set()
        return receive(self, buffer)

    monkeypatch.setattr(socket.socket, "recv_into", recv_into)
    with FakeUpstream(sse("one", threading.Event())) as worker:
        stream = client.open_stream(post(worker.url), deadline=soon, idle_s=LONG)
        pieces = stream.chunks()
        assert next(pieces)

        def read() -> None:
            with pytest.raises(SendFailure):
                list(pieces)
            ended.set()

        thread = threading.Thread(target=read, name="the reader")
        thread.start()
        assert reading.wait(10)
        closer = threading.Thread(target=stream.close)
        closer.start()
        assert ended.wait(10), "the reader woke up long before its silence was over"
        thread.join()
        closer.join()


def test_silence_is_a_timeout(client: Client, post: Post, soon: float) -> None:
    with FakeUpstream(sse("one", threading.Event())) as worker:
        stream = client.open_stream(post(worker.url), deadline=soon, idle_s=0.2)
        with pytest.raises(SendFailure, match=r"silent for 0\.2 s") as caught:
            list(stream.chunks())
        worker.wait_left()
    assert (caught.value.kind, caught.value.sent) == ("timeout", True)


def test_silence_before_the_headers_is_a_timeout(client: Client, post: Post, soon: float) -> None:
    with FakeUpstream(hang()) as worker:
        with pytest.raises(SendFailure, match=r"silent for 0\.2 s"):
            client.open_stream(post(worker.url), deadline=soon, idle_s=0.2)
        worker.wait_left()


def test_the_total_deadline_holds_while_pieces_come(client: Client, post: Post) -> None:
    with FakeUpstream(drip()) as worker:
        stream = client.open_stream(post(worker.url), deadline=time.monotonic() + 0.3, idle_s=LONG)
        with pytest.raises(SendFailure, match="took too long") as caught:
            list(stream.chunks())
        worker.wait_left()
    assert caught.value.kind == "timeout"


@pytest.mark.parametrize("cut", ["rst", "close"])
def test_a_chunked_stream_that_is_cut_says_so(cut: str, client: Client, post: Post, soon: float) -> None:
    with FakeUpstream(sse("one", "two", cut=cut)) as worker:  # type: ignore[arg-type]
        stream = client.open_stream(post(worker.url), deadline=soon, idle_s=LONG)
        with pytest.raises(SendFailure) as caught:
            list(stream.chunks())
    assert (caught.value.kind, caught.value.sent) == ("reset", True)


def test_gathering_is_capped_and_streaming_is_not(post: Post, soon: float) -> None:
    client = Client(Settings(max_reply_bytes=100_000))
    with FakeUpstream(endless()) as worker:
        stream = client.open_stream(post(worker.url), deadline=soon, idle_s=LONG)
        pieces = stream.chunks()
        assert sum(len(next(pieces)) for _ in range(10)) > 100_000
        stream.close()
        stream = client.open_stream(post(worker.url), deadline=soon, idle_s=LONG)
        with pytest.raises(SendFailure, match="larger than"):
            list(stream.chunks(capped=True))


def test_a_compressed_stream_is_read_in_small_pieces(client: Client, post: Post, soon: float) -> None:
    with FakeUpstream(gzip_answer(b" " * 50_000_000, "text/event-stream")) as worker:
        stream = client.open_stream(post(worker.url), deadline=soon, idle_s=LONG)
        sizes = [len(piece) for piece in stream.chunks()]
    assert (sum(sizes), max(sizes) <= 65_536) == (50_000_000, True)


def test_an_error_reply_to_a_stream_is_read_whole(client: Client, post: Post, soon: float) -> None:
    with FakeUpstream(json_answer({"error": "busy"}, 503), html_answer()) as worker:
        stream = client.open_stream(post(worker.url), deadline=soon, idle_s=LONG)
        assert (stream.status, stream.read_all()) == (503, b'{"error": "busy"}')
        stream = client.open_stream(post(worker.url), deadline=soon, idle_s=LONG)
        assert b"<!DOCTYPE html>" in stream.read_all()
        assert worker.connections == 1
