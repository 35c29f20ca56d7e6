"""What gunicorn itself refuses is answered like everything else: an honest status, JSON, a request id."""

from __future__ import annotations

import json
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import PATIENCE_S
from tests.serving import Server, serving

HOST = b"Host: 127.0.0.1\r\n"
POST = b"POST /v1/chat/completions HTTP/1.1\r\n" + HOST


@pytest.fixture(scope="module", params=["gevent", "gthread"])
def server(
    request: pytest.FixtureRequest, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("var")
    shutil.copyfile(sqlite_template, folder / "rollcall.db")
    database = f"sqlite:///{folder / 'rollcall.db'}"
    with serving(database, folder, processes=1, ROLLCALL_WORKER_CLASS=request.param) as running:
        yield running


def said(server: Server, raw: bytes) -> tuple[int, dict[str, str], Any]:
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as client:
        client.sendall(raw)
        text = b""
        while piece := client.recv(65_536):
            text += piece
    head, _, body = text.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(first.split()[1]), headers, json.loads(body)


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        pytest.param(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414, "uri_too_long", id="long line"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"X-A: 1\r\n" * 101 + b"\r\n", 431, "headers_too_large", id="101 headers"),
        pytest.param(b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431, "headers_too_large", id="long header"),
        pytest.param(b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400, "invalid_http", id="no colon"),
        pytest.param(b"GET / HTTP/1.1\r\nX Y: 1\r\n\r\n", 400, "invalid_http", id="space in a name"),
        pytest.param(b"GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n", 400, "invalid_http", id="folded"),
        pytest.param(b"\x16\x03\x01 not HTTP\r\n\r\n", 400, "invalid_http", id="no HTTP"),
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", 400, "invalid_http", id="odd version"),
        pytest.param(
            POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "invalid_http", id="two lengths"
        ),
        pytest.param(POST + b"Transfer-Encoding: smoke\r\n\r\n", 501, "unsupported_transfer_coding", id="coding"),
    ],
)
def test_a_refusal_of_gunicorn_is_json_with_a_request_id(server: Server, raw: bytes, status: int, code: str) -> None:
    answered, headers, body = said(server, raw)
    assert (answered, headers["content-type"], headers["connection"]) == (status, "application/json", "close")
    assert body["error"]["code"] == code
    assert (body["success"], body["msg"]) == (False, body["error"]["message"])
    assert body["error"]["request_id"] == headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", headers["x-request-id"])
    assert headers["x-request-id"] in server.log
