"""The fakes themselves: what other tests rely on."""

from __future__ import annotations

import http.client
import socket
import threading

import pytest

from tests.fakes import FakeUpstream, hang, json_answer, openai_stream, refusing_port


def test_records_and_answers_in_turn_on_one_connection() -> None:
    with FakeUpstream(json_answer({"n": 1}), json_answer({"n": 2}, status=503)) as worker:
        client = http.client.HTTPConnection("127.0.0.1", worker.port)
        client.request("POST", "/a?x=1", b'{"q": 1}', {"X-One": "1"})
        assert client.getresponse().read() == b'{"n": 1}'
        client.request("GET", "/b")
        reply = client.getresponse()
        assert (reply.status, reply.read()) == (503, b'{"n": 2}')
        client.close()
        assert worker.connections == 1
    first = worker.requests[0]
    assert (first.method, first.path, first.query, first.json) == ("POST", "/a", {"x": ["1"]}, {"q": 1})
    assert first.headers["x-one"] == "1"


def test_gated_stream_and_a_caller_that_leaves() -> None:
    gate = threading.Event()
    with FakeUpstream(openai_stream("one", gate, "two")) as worker:
        client = http.client.HTTPConnection("127.0.0.1", worker.port)
        client.request("GET", "/")
        reply = client.getresponse()
        assert b"one" in reply.read1()
        gate.set()
        assert b"[DONE]" in reply.read()
        worker.answer_with(hang())
        client.request("GET", "/")
        client.close()
        worker.wait_left()


def test_stop_resets_and_refuses_and_start_answers_again() -> None:
    with FakeUpstream(json_answer(1)) as worker:
        client = http.client.HTTPConnection("127.0.0.1", worker.port)
        client.request("GET", "/")
        client.getresponse().read()
        worker.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", worker.port))
        worker.start()
        client.close()
        client.request("GET", "/")
        assert client.getresponse().read() == b"1"


def test_refusing_port() -> None:
    with refusing_port() as port, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
