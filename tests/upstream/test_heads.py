"""Replies whose heads are odd, and what is no HTTP at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.core.conversation import UpstreamRequest
from app.upstream.client import Client, SendFailure
from tests.fakes import (
    Behaviour,
    Exchange,
    FakeUpstream,
    json_answer,
)

Post = Callable[..., UpstreamRequest]


@pytest.mark.parametrize("status", [100, 102, 103])
def test_news_before_the_answer_is_passed_over(status: int, client: Client, post: Post, soon: float) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 %d News\r\nLink: </x>\r\n\r\n" % status)
        json_answer({"answer": 1})(exchange)

    with FakeUpstream(behave) as worker:
        assert client.send(post(worker.url), deadline=soon).body == b'{"answer": 1}'


ODD_HEADS = [
    (b"HTTP/1.0 200 OK\r\n\r\nok", b"ok"),
    (b"HTTP/1.1 200\nContent-Length: 2\n\nok and more", b"ok"),
    (b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    (b"HTTP/1.1 200 OK\r\nX-Long: a\r\n  b\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nok", b"ok"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"abc"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 7\r\n\r\nok", b"ok"),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b""),
]


@pytest.mark.parametrize(("said", "body"), ODD_HEADS)
def test_heads_that_are_odd_but_legible(said: bytes, body: bytes, client: Client, post: Post, soon: float) -> None:
    with FakeUpstream(_saying(said)) as worker:
        assert client.send(post(worker.url), deadline=soon).body == body


def test_what_follows_a_reply_is_not_taken_for_the_next(client: Client, post: Post, soon: float) -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    injected = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    with FakeUpstream(lambda exchange: exchange.send(said + injected)) as worker:
        assert [client.send(post(worker.url), deadline=soon).body for _ in range(3)] == [b"ok"] * 3


BROKEN_HEADS = [
    b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 200 + b"\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    b"HTTP/1.1 abc OK\r\n\r\n",
    b"HTTP/2 200 OK\r\n\r\n",
    b"SSH-2.0-OpenSSH\r\n\r\n",
]


@pytest.mark.parametrize("said", BROKEN_HEADS, ids=lambda said: said[:22].decode())
def test_heads_that_are_no_http(said: bytes, client: Client, post: Post, soon: float) -> None:
    with FakeUpstream(_saying(said)) as worker, pytest.raises(SendFailure) as caught:
        client.send(post(worker.url), deadline=soon)
    assert (caught.value.kind, caught.value.sent) == ("protocol", True)


def _saying(said: bytes) -> Behaviour:
    def behave(exchange: Exchange) -> None:
        exchange.send(said)
        exchange.cut("close")

    return behave
